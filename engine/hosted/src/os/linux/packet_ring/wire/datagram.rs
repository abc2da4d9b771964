//! A packet's headers, down to UDP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use super::checksum::Sum;

const UDP: u8 = 17;
const UDP_BYTES: usize = 8;
const V4_BYTES: usize = 20;
const V6_BYTES: usize = 40;
/// More extension headers than any sender has reason for; behind them nothing is looked for.
const EXTENSIONS: usize = 8;

/// Extension headers of IPv6 that stand before a datagram.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// Which IP a packet is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V4,
    V6,
}

/// Why a datagram cannot be lent although it was sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is the first of several fragments.
    Fragment,
    /// Its lengths contradict each other or the frame, or the header's checksum is wrong.
    Malformed,
    /// Not all of it was captured.
    Truncated,
    /// The checksum is wrong.
    Checksum,
}

/// A datagram as its headers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) source: SocketAddr,
    pub(crate) destination: IpAddr,
    pub(crate) type_of_service: u8,
    pub(crate) hop_limit: u8,
    /// Where its payload lies in the packet.
    pub(crate) payload: Result<Range<usize>, Fault>,
}

impl Datagram {
    /// Reads the headers of `packet`, which was `length` bytes on the wire; `None` when it is no datagram to `port`, or a
    /// fragment behind the first.
    #[inline]
    pub(crate) fn read(version: Version, packet: &[u8], length: usize, port: u16) -> Option<Self> {
        match version {
            Version::V4 => Self::read_v4(packet, length, port),
            Version::V6 => Self::read_v6(packet, length, port),
        }
    }

    /// The payload, once the checksum was found to be right or need not be.
    #[inline]
    pub(crate) fn checked(&self, packet: &[u8], is_checked: bool) -> Result<Range<usize>, Fault> {
        let payload = self.payload.clone()?;
        if is_checked || self.has_right_checksum(packet, &payload) {
            Ok(payload)
        } else {
            Err(Fault::Checksum)
        }
    }

    fn read_v4(packet: &[u8], length: usize, port: u16) -> Option<Self> {
        let header: &[u8; V4_BYTES] = packet.first_chunk()?;
        let header_bytes = usize::from(header[0] & 0xf) * 4;
        let fragment = u16::from_be_bytes([header[6], header[7]]);
        if header[0] >> 4 != 4 || header_bytes < V4_BYTES || header[9] != UDP || fragment & 0x1fff != 0 {
            return None;
        }
        let udp = Udp::at(packet, header_bytes).filter(|udp| udp.destination == port)?;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let payload = if fragment & 0x2000 != 0 {
            Err(Fault::Fragment)
        } else if !packet.get(..header_bytes).is_some_and(|header| Sum::default().add(header).is_right()) {
            Err(Fault::Malformed)
        } else {
            udp.payload(header_bytes, total, packet.len(), length)
        };
        Some(Self {
            source: SocketAddr::new(address_v4(&header[12..16]), udp.source),
            destination: address_v4(&header[16..20]),
            type_of_service: header[1],
            hop_limit: header[8],
            payload,
        })
    }

    fn read_v6(packet: &[u8], length: usize, port: u16) -> Option<Self> {
        let header: &[u8; V6_BYTES] = packet.first_chunk()?;
        if header[0] >> 4 != 6 {
            return None;
        }
        let Behind { at, is_fragment } = behind_extensions(packet, header[6])?;
        let udp = Udp::at(packet, at).filter(|udp| udp.destination == port)?;
        let total = V6_BYTES + usize::from(u16::from_be_bytes([header[4], header[5]]));
        let payload =
            if is_fragment { Err(Fault::Fragment) } else { udp.payload(at, total, packet.len(), length) };
        Some(Self {
            source: SocketAddr::new(address_v6(&header[8..24]), udp.source),
            destination: address_v6(&header[24..40]),
            type_of_service: (header[0] << 4) | (header[1] >> 4),
            hop_limit: header[7],
            payload,
        })
    }

    /// IPv4 lets a sender leave the checksum out; IPv6 does not.
    fn has_right_checksum(&self, packet: &[u8], payload: &Range<usize>) -> bool {
        let Some(datagram) =
            payload.start.checked_sub(UDP_BYTES).and_then(|start| packet.get(start..payload.end))
        else {
            return false;
        };
        let is_left_out = datagram[6..8] == [0, 0];
        if is_left_out || datagram.len() > usize::from(u16::MAX) {
            return is_left_out && self.destination.is_ipv4();
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        let [high, low] = (datagram.len() as u16).to_be_bytes();
        let sum = Sum::default().add(datagram_pseudo(high, low).as_slice());
        let sum = match (self.source.ip(), self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                sum.add(&source.octets()).add(&destination.octets())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                sum.add(&source.octets()).add(&destination.octets())
            }
            _ => return false,
        };
        sum.add(datagram).is_right()
    }
}

/// What the pseudo-header has besides addresses.
const fn datagram_pseudo(high: u8, low: u8) -> [u8; 4] {
    [0, UDP, high, low]
}

/// A UDP header.
struct Udp {
    source: u16,
    destination: u16,
    /// Bytes of header and payload.
    length: usize,
}

impl Udp {
    fn at(packet: &[u8], at: usize) -> Option<Self> {
        let header: &[u8; UDP_BYTES] = packet.get(at..)?.first_chunk()?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        Some(Self { source: word(0), destination: word(2), length: usize::from(word(4)) })
    }

    /// Where the payload lies, for a header at `at` of a packet that says it is `total` bytes, of which `captured` are
    /// here and `on_wire` were sent.
    fn payload(
        &self,
        at: usize,
        total: usize,
        captured: usize,
        on_wire: usize,
    ) -> Result<Range<usize>, Fault> {
        let end = at + self.length;
        if self.length < UDP_BYTES || end > total || total > on_wire {
            return Err(Fault::Malformed);
        }
        if end > captured {
            return Err(Fault::Truncated);
        }
        Ok(at + UDP_BYTES..end)
    }
}

/// What extension headers lead to.
struct Behind {
    at: usize,
    /// Whether more fragments follow.
    is_fragment: bool,
}

/// Where the datagram's header is, behind those that begin with one of kind `next`. `None` when no datagram follows, for
/// fragments behind the first, and for a packet that is to be sent on by its routing header.
fn behind_extensions(packet: &[u8], mut next: u8) -> Option<Behind> {
    let mut found = Behind { at: V6_BYTES, is_fragment: false };
    for _ in 0..EXTENSIONS {
        if next == UDP {
            return Some(found);
        }
        let header: &[u8; 8] = packet.get(found.at..)?.first_chunk()?;
        let bytes = match next {
            HOP_BY_HOP | DESTINATION => (usize::from(header[1]) + 1) * 8,
            ROUTING if header[3] == 0 => (usize::from(header[1]) + 1) * 8,
            AUTHENTICATION => (usize::from(header[1]) + 2) * 4,
            FRAGMENT => {
                let word = u16::from_be_bytes([header[2], header[3]]);
                if word & 0xfff8 != 0 {
                    return None;
                }
                found.is_fragment |= word & 1 != 0;
                8
            }
            _ => return None,
        };
        next = header[0];
        found.at += bytes;
    }
    None
}

fn address_v4(octets: &[u8]) -> IpAddr {
    let octets: [u8; 4] = octets.try_into().unwrap_or_default();
    Ipv4Addr::from(octets).into()
}

fn address_v6(octets: &[u8]) -> IpAddr {
    let octets: [u8; 16] = octets.try_into().unwrap_or_default();
    Ipv6Addr::from(octets).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::specimen::{self, Specimen};
    use super::*;

    #[test]
    fn a_whole_datagram_is_read_as_it_was_sent() {
        for specimen in specimen::whole() {
            let packet = specimen.packet();
            let datagram = specimen.read(&packet).unwrap();
            assert_eq!((datagram.source, datagram.destination), (specimen.sender(), specimen.destination));
            assert_eq!((datagram.type_of_service, datagram.hop_limit), (0xb9, 61), "{specimen:?}");
            let payload = datagram.checked(&packet, false).unwrap();
            assert_eq!(packet[payload], specimen.payload, "{specimen:?}");
            assert_eq!(Datagram::read(specimen.version(), &packet, packet.len(), specimen.port ^ 1), None);
        }
    }

    #[test]
    fn padding_of_the_link_is_no_payload() {
        let specimen = Specimen { payload: vec![7; 3], ..specimen::v4() };
        let mut packet = specimen.packet();
        packet.resize(46, 0);
        let payload = specimen.read(&packet).unwrap().checked(&packet, false).unwrap();
        assert_eq!(packet[payload], specimen.payload);
    }

    #[test]
    fn every_wrong_bit_of_a_datagram_is_found() {
        for specimen in [specimen::v4(), specimen::v6()] {
            let good = specimen.packet();
            for bit in 0..good.len() * 8 {
                let mut packet = good.clone();
                packet[bit / 8] ^= 1 << (bit % 8);
                let Some(datagram) = specimen.read(&packet) else { continue };
                // Traffic class, flow label and hop limit of IPv6 are in no checksum.
                let unprotected = specimen.destination.is_ipv6() && (bit / 8 < 4 || bit / 8 == 7);
                let checked = datagram.checked(&packet, false);
                assert_eq!(checked.is_ok(), unprotected, "bit {bit}: {datagram:?}");
            }
        }
    }

    #[test]
    fn a_checksum_that_was_left_out_is_right_over_ipv4_alone() {
        for (specimen, at, expected) in [(specimen::v4(), 26, true), (specimen::v6(), 46, false)] {
            let mut packet = specimen.packet();
            packet[at..at + 2].fill(0);
            assert_eq!(specimen.read(&packet).unwrap().checked(&packet, false).is_ok(), expected);
        }
        let mut packet = specimen::v6().packet();
        packet[46] ^= 1;
        let known = specimen::v6().read(&packet).unwrap().checked(&packet, true);
        assert!(known.is_ok(), "the kernel says that it need not be checked");
    }

    #[test]
    fn only_the_first_fragment_is_a_fault() {
        for specimen in [specimen::v4(), specimen::v6()] {
            let at =
                |offset: u16, more: bool| Specimen { fragment: Some((offset, more)), ..specimen.clone() };
            let read =
                |specimen: Specimen| specimen.read(&specimen.packet()).map(|datagram| datagram.payload.err());
            assert_eq!(read(at(0, true)), Some(Some(Fault::Fragment)));
            assert_eq!(read(at(1, true)), None);
            assert_eq!(read(at(2, false)), None);
            assert_eq!(read(at(0, false)), Some(None), "a fragment that is all there is");
        }
    }

    #[test]
    fn what_was_cut_off_is_truncated_and_what_never_was_there_is_malformed() {
        for specimen in specimen::whole().into_iter().filter(|specimen| !specimen.payload.is_empty()) {
            let packet = specimen.packet();
            let cut = &packet[..packet.len() - 1];
            let read = |length| Datagram::read(specimen.version(), cut, length, specimen.port);
            assert_eq!(read(packet.len()).unwrap().payload, Err(Fault::Truncated));
            assert_eq!(read(cut.len()).unwrap().payload, Err(Fault::Malformed));
        }
    }

    #[test]
    fn lengths_that_contradict_each_other_are_malformed() {
        for (specimen, at) in [(specimen::v4(), 24), (specimen::v6(), 44)] {
            for length in [0u16, 7, 18, u16::MAX] {
                let mut packet = specimen.packet();
                packet[at..at + 2].copy_from_slice(&length.to_be_bytes());
                let payload = specimen.read(&packet).unwrap().payload;
                assert_eq!(payload, Err(Fault::Malformed), "{length}");
            }
        }
    }

    #[test]
    fn a_packet_that_is_to_be_sent_on_is_none_of_ours() {
        let specimen = Specimen { extensions: 1, ..specimen::v6() };
        let mut packet = specimen.packet();
        packet[6] = ROUTING;
        packet[43] = 0;
        assert!(specimen.read(&packet).is_some());
        packet[43] = 1;
        assert_eq!(specimen.read(&packet), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_within_their_bounds(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            change in prop::collection::vec((0usize..120, any::<u8>()), 0..6),
            length in 0usize..300,
            which in 0usize..4,
        ) {
            let specimen = [specimen::v4(), specimen::v6(), Specimen { extensions: 2, ..specimen::v4() },
                Specimen { extensions: 2, ..specimen::v6() }][which].clone();
            let mut changed = specimen.packet();
            for (at, value) in change {
                if let Some(byte) = changed.get_mut(at) {
                    *byte = value;
                }
            }
            for packet in [bytes, changed] {
                if let Some(datagram) = Datagram::read(specimen.version(), &packet, length, specimen.port)
                    && let Ok(payload) = datagram.checked(&packet, length % 2 == 0)
                {
                    prop_assert!(packet.get(payload).is_some());
                }
            }
        }
    }
}
