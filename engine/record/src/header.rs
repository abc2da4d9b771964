//! The 64 bytes before the captured ones.

use core::mem::{offset_of, size_of};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use bytemuck::{Pod, Zeroable};

/// What is known of one datagram besides its bytes.
///
/// ```text
///  0          2          4       5       6    7        8             10           12       14
///  +----------+----------+-------+-------+----+--------+-------------+------------+--------+-----------+
///  | original | captured | flags | form  |tos |hop     | remote_port | local_port | socket | processor |
///  |          |          |       |       |    |limit   |             |            |        |           |
///  +----------+----------+-------+-------+----+--------+-------------+------------+--------+-----------+
///  16                                                  32
///  +---------------------------------------------------+---------------------------------------------------+
///  | remote (IPv4 as ::ffff:a.b.c.d)                   | local (IPv4 as ::ffff:a.b.c.d)                    |
///  +---------------------------------------------------+---------------------------------------------------+
///  48                       52                         56                                              64
///  +------------------------+--------------------------+---------------------------------------------------+
///  | interface              | sequence                 | time                                              |
///  +------------------------+--------------------------+---------------------------------------------------+
/// ```
///
/// Numbers are in the layout of the machine that wrote them, which is little-endian on every machine Windows runs on.
/// Ports are in host order. The writer fills every field; a header is never changed after its batch is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct RecordHeader {
    /// Payload bytes of the datagram as it came, 0 to 65,527.
    pub original: u16,
    /// Payload bytes that follow this header: `original`, or the snap length if that is less.
    pub captured: u16,
    /// Bits of [`RecordFlags`].
    pub flags: u8,
    /// The layout's version in the upper four bits, the IP version (4 or 6) in the lower: [`Family::form`].
    pub form: u8,
    /// TOS of IPv4, traffic class of IPv6: DSCP in the upper six bits, ECN in the lower two.
    pub tos: u8,
    /// TTL of IPv4, hop limit of IPv6, as the datagram arrived; 0 where the stack did not say.
    pub hop_limit: u8,
    /// The sender's UDP port.
    pub remote_port: u16,
    /// The port it was sent to.
    pub local_port: u16,
    /// The socket that heard it: the id its owner gave it at open.
    pub socket: u16,
    /// The processor that was given the datagram, and whose ring this is.
    pub processor: u16,
    /// The sender's address, 16 octets in network order.
    pub remote: [u8; 16],
    /// The address it was sent to, 16 octets in network order.
    pub local: [u8; 16],
    /// Index of the interface it arrived on; 0 where the stack did not say. It also scopes link-local addresses.
    pub interface: u32,
    /// The record's number on its processor: each record's is one more than the record's before it, modulo 2³².
    pub sequence: u32,
    /// When it arrived, in performance-counter ticks ([`Clock`](crate::Clock)).
    pub time: u64,
}

const _: () = {
    assert!(cfg!(target_endian = "little"), "records are laid out little-endian");
    assert!(size_of::<RecordHeader>() == RecordHeader::BYTES);
    assert!(offset_of!(RecordHeader, original) == 0);
    assert!(offset_of!(RecordHeader, captured) == 2);
    assert!(offset_of!(RecordHeader, flags) == 4);
    assert!(offset_of!(RecordHeader, form) == 5);
    assert!(offset_of!(RecordHeader, tos) == 6);
    assert!(offset_of!(RecordHeader, hop_limit) == 7);
    assert!(offset_of!(RecordHeader, remote_port) == 8);
    assert!(offset_of!(RecordHeader, local_port) == 10);
    assert!(offset_of!(RecordHeader, socket) == 12);
    assert!(offset_of!(RecordHeader, processor) == 14);
    assert!(offset_of!(RecordHeader, remote) == 16);
    assert!(offset_of!(RecordHeader, local) == 32);
    assert!(offset_of!(RecordHeader, interface) == 48);
    assert!(offset_of!(RecordHeader, sequence) == 52);
    assert!(offset_of!(RecordHeader, time) == 56);
};

impl RecordHeader {
    /// Bytes of a header.
    pub const BYTES: usize = 64;

    /// The layout's version, in every record and in the ring's header.
    pub const VERSION: u8 = 1;

    /// The longest payload a UDP datagram can have: 65,535 less the UDP header (IPv6; 65,507 on IPv4).
    pub const LONGEST_PAYLOAD: u16 = 65_527;

    /// The version this record says it is laid out in.
    #[inline]
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.form >> 4
    }

    /// The IP version it arrived over; `None` if the header says neither 4 nor 6.
    #[inline]
    #[must_use]
    pub const fn family(&self) -> Option<Family> {
        match self.form & 0xf {
            4 => Some(Family::V4),
            6 => Some(Family::V6),
            _ => None,
        }
    }

    /// The flags, unknown bits kept.
    #[inline]
    #[must_use]
    pub const fn record_flags(&self) -> RecordFlags {
        RecordFlags::from_bits_retain(self.flags)
    }

    /// The sender: an IPv4 address where the octets are a mapped one, whichever socket heard it.
    #[inline]
    #[must_use]
    pub fn source(&self) -> SocketAddr {
        self.endpoint(self.remote, self.remote_port)
    }

    /// Where it was sent to.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> SocketAddr {
        self.endpoint(self.local, self.local_port)
    }

    fn endpoint(&self, octets: [u8; 16], port: u16) -> SocketAddr {
        match unmapped(octets) {
            IpAddr::V4(address) => SocketAddrV4::new(address, port).into(),
            IpAddr::V6(address) => {
                let scope = if address.is_unicast_link_local() { self.interface } else { 0 };
                SocketAddrV6::new(address, port, 0, scope).into()
            }
        }
    }
}

/// An IP version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Family {
    /// IPv4.
    V4 = 4,
    /// IPv6.
    V6 = 6,
}

impl Family {
    /// The [`form`](RecordHeader::form) of a record of this family.
    #[inline]
    #[must_use]
    pub const fn form(self) -> u8 {
        RecordHeader::VERSION << 4 | self as u8
    }
}

bitflags::bitflags! {
    /// What is special about a datagram.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct RecordFlags: u8 {
        /// Fewer bytes were captured than came.
        const TRUNCATED = 1;
        /// The stack delivered it as part of a coalesced super-buffer; its time is the buffer's.
        const COALESCED = 2;
        /// It was sent to a broadcast address.
        const BROADCAST = 4;
        /// It was sent to a multicast group.
        const MULTICAST = 8;
    }
}

/// The address in its own family.
pub(crate) fn unmapped(octets: [u8; 16]) -> IpAddr {
    match octets {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Ipv4Addr::new(a, b, c, d).into(),
        _ => Ipv6Addr::from(octets).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_reads_as_ipv4() {
        let header = RecordHeader {
            remote: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7],
            remote_port: 514,
            ..RecordHeader::zeroed()
        };
        assert_eq!(header.source(), "192.0.2.7:514".parse().unwrap());
    }

    #[test]
    fn the_interface_scopes_link_local_addresses_and_no_others() {
        let mut header = RecordHeader { interface: 3, local_port: 9, ..RecordHeader::zeroed() };
        header.local[..2].copy_from_slice(&[0xfe, 0x80]);
        assert_eq!(header.destination(), "[fe80::%3]:9".parse().unwrap());
        header.local[..2].copy_from_slice(&[0x20, 0x01]);
        assert_eq!(header.destination(), "[2001::]:9".parse().unwrap());
    }

    #[test]
    fn the_form_holds_version_and_family() {
        for (family, form) in [(Family::V4, 0x14), (Family::V6, 0x16)] {
            assert_eq!(family.form(), form);
            let header = RecordHeader { form, ..RecordHeader::zeroed() };
            assert_eq!((header.version(), header.family()), (1, Some(family)));
        }
    }
}
