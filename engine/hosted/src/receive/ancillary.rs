//! What is known of a datagram besides its bytes, and the control messages that say it.

// UNSAFETY: writes control messages into a block's or a client's memory.
#![expect(unsafe_code, reason = "control areas are raw memory of a length that is checked")]

use std::marker::PhantomData;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use bytemuck::NoUninit;
use skua_engine::abi::cmsg::{
    CMSGHDR, ControlMessage, IN_PKTINFO, IN_RECVERR, IN6_PKTINFO, MSG_BCAST, MSG_MCAST, wsa_cmsg_space,
};

use crate::os::{Family, Setting};

/// The control messages that a socket was told to make. Set by options, read once a batch.
#[derive(Debug, Default)]
pub(crate) struct Wanted(AtomicU32);

impl Wanted {
    pub(crate) const PACKET_INFO_V4: u32 = 1;
    pub(crate) const PACKET_INFO_V6: u32 = 1 << 1;
    pub(crate) const TYPE_OF_SERVICE_V4: u32 = 1 << 2;
    pub(crate) const TYPE_OF_SERVICE_V6: u32 = 1 << 3;
    pub(crate) const ECN_V4: u32 = 1 << 4;
    pub(crate) const ECN_V6: u32 = 1 << 5;
    pub(crate) const HOP_LIMIT_V4: u32 = 1 << 6;
    pub(crate) const HOP_LIMIT_V6: u32 = 1 << 7;
    pub(crate) const TIMESTAMPS: u32 = 1 << 8;
    pub(crate) const ERRORS_V4: u32 = 1 << 9;
    pub(crate) const ERRORS_V6: u32 = 1 << 10;
    /// Datagrams may be joined.
    pub(crate) const COALESCED: u32 = 1 << 12;
    /// No message of the client's: the stack is to tell how datagrams were addressed.
    pub(crate) const DELIVERY: u32 = 1 << 11;

    /// Notes a setting that asks for control messages or calls them off; false for any other.
    pub(crate) fn note(&self, setting: &Setting) -> bool {
        let (bit, on) = match *setting {
            Setting::PacketInfo(Family::V4, on) => (Self::PACKET_INFO_V4, on),
            Setting::PacketInfo(Family::V6, on) => (Self::PACKET_INFO_V6, on),
            Setting::TypeOfServiceInfo(Family::V4, on) => (Self::TYPE_OF_SERVICE_V4, on),
            Setting::TypeOfServiceInfo(Family::V6, on) => (Self::TYPE_OF_SERVICE_V6, on),
            Setting::EcnInfo(Family::V4, on) => (Self::ECN_V4, on),
            Setting::EcnInfo(Family::V6, on) => (Self::ECN_V6, on),
            Setting::HopLimitInfo(Family::V4, on) => (Self::HOP_LIMIT_V4, on),
            Setting::HopLimitInfo(Family::V6, on) => (Self::HOP_LIMIT_V6, on),
            Setting::Timestamps(on) => (Self::TIMESTAMPS, on),
            Setting::Coalesce(on) => (Self::COALESCED, on),
            Setting::ErrorInfo(Family::V4, on) => (Self::ERRORS_V4, on),
            Setting::ErrorInfo(Family::V6, on) => (Self::ERRORS_V6, on),
            _ => return false,
        };
        if on {
            self.0.fetch_or(bit, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!bit, Ordering::Relaxed);
        }
        true
    }

    /// The stack is to tell how datagrams were addressed, for good.
    pub(crate) fn want_delivery(&self) {
        self.0.fetch_or(Self::DELIVERY, Ordering::Relaxed);
    }

    /// The bits.
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a stack that keeps its own books knows of one datagram.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrival {
    /// Destination address and interface index.
    pub(crate) destination: Option<(IpAddr, u32)>,
    pub(crate) type_of_service: Option<u8>,
    pub(crate) hop_limit: Option<u8>,
    /// In ticks of the performance counter.
    pub(crate) time: Option<u64>,
    /// It is no datagram, but what an ICMP error said of one.
    pub(crate) error: Option<IN_RECVERR>,
}

impl Arrival {
    /// Writes the messages that are `wanted`. IPv4 datagrams carry those of IPPROTO_IP, also on a socket of both
    /// families.
    pub(crate) fn write(&self, wanted: u32, is_v4: bool, writer: &mut ControlWriter<'_>) {
        if let Some(error) = self.error {
            writer.error(is_v4, error);
            return;
        }
        let (packet_info, type_of_service, ecn, hop_limit) = if is_v4 {
            (Wanted::PACKET_INFO_V4, Wanted::TYPE_OF_SERVICE_V4, Wanted::ECN_V4, Wanted::HOP_LIMIT_V4)
        } else {
            (Wanted::PACKET_INFO_V6, Wanted::TYPE_OF_SERVICE_V6, Wanted::ECN_V6, Wanted::HOP_LIMIT_V6)
        };
        if let Some((address, interface)) = self.destination.filter(|_| wanted & packet_info != 0) {
            writer.packet_info(address, interface);
        }
        if let Some(octet) = self.type_of_service {
            writer.type_of_service(is_v4, octet, wanted & type_of_service != 0, wanted & ecn != 0);
        }
        if let Some(limit) = self.hop_limit.filter(|_| wanted & hop_limit != 0) {
            writer.hop_limit(is_v4, limit);
        }
        if let Some(ticks) = self.time.filter(|_| wanted & Wanted::TIMESTAMPS != 0) {
            writer.timestamp(ticks);
        }
    }
}

/// MSG_BCAST or MSG_MCAST for a datagram to `destination`; `local` is the address of ours that it came in by, which
/// differs from the destination of a broadcast.
pub(crate) fn delivery_flags(destination: IpAddr, local: IpAddr) -> u32 {
    match (destination, local) {
        (destination, _) if destination.is_multicast() => MSG_MCAST,
        (IpAddr::V4(destination), IpAddr::V4(local)) => {
            let to_all = destination.is_broadcast() || (destination != local && !local.is_unspecified());
            if to_all { MSG_BCAST } else { 0 }
        }
        _ => 0,
    }
}

/// Writes control messages one after the other. What does not fit is left out.
///
/// # Invariants
/// `area` is writable for `room` bytes and aligned to 8; `used` is a multiple of 8 and at most `room`.
pub(crate) struct ControlWriter<'a> {
    area: *mut u8,
    room: usize,
    used: usize,
    borrowed: PhantomData<&'a mut [u8]>,
}

impl ControlWriter<'_> {
    /// # Safety
    /// `area` is writable for `room` bytes, aligned to 8, and nobody else's while this exists.
    pub(crate) unsafe fn new(area: *mut u8, room: usize) -> Self {
        Self { area, room, used: 0, borrowed: PhantomData }
    }

    /// Goes on behind messages that are there already.
    pub(crate) fn step_over(&mut self, bytes: usize) {
        self.used = bytes.min(self.room);
    }

    /// Bytes written.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    pub(crate) fn packet_info(&mut self, address: IpAddr, interface: u32) {
        match address {
            IpAddr::V4(v4) => {
                let info = IN_PKTINFO { ipi_addr: v4.into(), ipi_ifindex: interface };
                self.message(ControlMessage::IP_PKTINFO, info);
            }
            IpAddr::V6(v6) => {
                let info = IN6_PKTINFO { ipi6_addr: v6.into(), ipi6_ifindex: interface };
                self.message(ControlMessage::IPV6_PKTINFO, info);
            }
        }
    }

    /// The octet as a whole, its ECN bits alone, or both.
    pub(crate) fn type_of_service(&mut self, is_v4: bool, octet: u8, whole: bool, ecn: bool) {
        let (of_whole, of_ecn) = if is_v4 {
            (ControlMessage::IP_TOS, ControlMessage::IP_ECN)
        } else {
            (ControlMessage::IPV6_TCLASS, ControlMessage::IPV6_ECN)
        };
        if whole {
            self.message(of_whole, i32::from(octet));
        }
        if ecn {
            self.message(of_ecn, i32::from(octet & 3));
        }
    }

    pub(crate) fn hop_limit(&mut self, is_v4: bool, limit: u8) {
        let message = if is_v4 { ControlMessage::IP_TTL } else { ControlMessage::IPV6_HOPLIMIT };
        self.message(message, i32::from(limit));
    }

    /// What an ICMP error said.
    pub(crate) fn error(&mut self, is_v4: bool, error: IN_RECVERR) {
        let message = if is_v4 { ControlMessage::IP_RECVERR } else { ControlMessage::IPV6_RECVERR };
        self.message(message, error);
    }

    /// The payload is datagrams of so many bytes, the last one of as many or fewer.
    pub(crate) fn coalesced(&mut self, size: u32) {
        self.message(ControlMessage::UDP_COALESCED_INFO, size);
    }

    pub(crate) fn timestamp(&mut self, ticks: u64) {
        self.message(ControlMessage::SO_TIMESTAMP, ticks);
    }

    #[inline]
    fn message<T: NoUninit>(&mut self, message: ControlMessage, payload: T) {
        let space = wsa_cmsg_space(size_of::<T>());
        if space > self.room - self.used {
            return;
        }
        // SAFETY: `space` bytes are left from `used` on.
        let at = unsafe { self.area.add(self.used) };
        // SAFETY: as above; `used` keeps the alignment.
        unsafe { at.cast::<CMSGHDR>().write(CMSGHDR::new(message, size_of::<T>())) };
        // SAFETY: as above.
        let data = unsafe { at.add(size_of::<CMSGHDR>()) };
        // SAFETY: as above.
        unsafe { data.cast::<T>().write_unaligned(payload) };
        self.used += space;
    }
}

/// The IPv4 address in a mapped one.
pub(crate) fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The address as a socket of IPv6 sees it.
pub(crate) fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}
