//! The IP and UDP headers that a datagram had, put together again from its record.

use std::net::IpAddr;

use skua_record::Record;

/// Bytes of the longest headers made here: IPv6 and UDP.
pub(crate) const HEADER_BYTES: u32 = 48;

const UDP_BYTES: u16 = 8;
const UDP: u8 = 17;
/// Shown where the stack did not say how many hops were left.
const UNKNOWN_HOP_LIMIT: u8 = 64;

/// Appends headers and captured bytes of `record` to `packet` and returns the packet's original length.
///
/// IPv4 headers have no options and carry identification 0; IPv6 ones have no extension headers and flow label 0:
/// those are not in the record. The UDP checksum is computed where the whole payload is there. Where it is not, an IPv4
/// packet says that it has none, and an IPv6 packet, which must have one, carries 0xffff; dissectors do not check the
/// sum of a packet cut short.
pub(crate) fn append(record: &Record<'_>, packet: &mut Vec<u8>) -> u32 {
    let header = record.header();
    let (source, destination) = (header.source(), header.destination());
    let udp_length = UDP_BYTES.saturating_add(header.original);
    let hop_limit = if header.hop_limit == 0 { UNKNOWN_HOP_LIMIT } else { header.hop_limit };

    let (ip_bytes, pseudo) = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut ip = [0; 20];
            ip[0] = 0x45;
            ip[1] = header.tos;
            ip[2..4].copy_from_slice(&udp_length.saturating_add(20).to_be_bytes());
            ip[8] = hop_limit;
            ip[9] = UDP;
            ip[12..16].copy_from_slice(&from.octets());
            ip[16..20].copy_from_slice(&to.octets());
            let checksum = Checksum::default().add(&ip).finish();
            ip[10..12].copy_from_slice(&checksum.to_be_bytes());
            packet.extend_from_slice(&ip);
            (20_u32, Checksum::default().add(&ip[12..20]))
        }
        _ => {
            let mut ip = [0; 40];
            ip[0] = 0x60 | header.tos >> 4;
            ip[1] = header.tos << 4;
            ip[4..6].copy_from_slice(&udp_length.to_be_bytes());
            ip[6] = UDP;
            ip[7] = hop_limit;
            ip[8..24].copy_from_slice(&header.remote);
            ip[24..40].copy_from_slice(&header.local);
            packet.extend_from_slice(&ip);
            (40, Checksum::default().add(&header.remote).add(&header.local))
        }
    };

    let mut udp = [0; UDP_BYTES as usize];
    udp[0..2].copy_from_slice(&source.port().to_be_bytes());
    udp[2..4].copy_from_slice(&destination.port().to_be_bytes());
    udp[4..6].copy_from_slice(&udp_length.to_be_bytes());
    let checksum = if !record.is_truncated() {
        let sum = pseudo.add(&[0, UDP]).add(&udp_length.to_be_bytes()).add(&udp).add(record.payload());
        // A sum of 0 is sent as 0xffff: 0 says that there is none.
        match sum.finish() {
            0 => 0xffff,
            sum => sum,
        }
    } else if ip_bytes == 20 {
        0
    } else {
        0xffff
    };
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());
    packet.extend_from_slice(&udp);
    packet.extend_from_slice(record.payload());
    ip_bytes + u32::from(UDP_BYTES) + u32::from(header.original)
}

/// The Internet checksum (RFC 1071), of parts that all but the last have an even length.
#[derive(Clone, Copy, Default)]
struct Checksum(u64);

impl Checksum {
    fn add(self, bytes: &[u8]) -> Self {
        // One's complement addition gives the same sum, byte-swapped, in either byte order and in words of any width;
        // 32-bit words leave the upper half of the accumulator for carries of at least 2^32 words.
        let (words, rest) = bytes.as_chunks::<4>();
        let mut sum = self.0;
        for word in words {
            sum += u64::from(u32::from_ne_bytes(*word));
        }
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        Self(fold_once(sum + u64::from(u32::from_ne_bytes(last))))
    }

    fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        #[expect(clippy::cast_possible_truncation, reason = "folded to 16 bits just above")]
        let sum = sum as u16;
        !u16::from_be_bytes(sum.to_ne_bytes())
    }
}

const fn fold_once(sum: u64) -> u64 {
    (sum & 0xffff_ffff) + (sum >> 32)
}

#[cfg(test)]
mod tests {
    use skua_record::{Family, RecordFlags, RecordHeader};

    use super::*;
    use crate::sink::specimen::{frame, mapped};

    /// Word by word, as the RFC describes it.
    fn plain_sum(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap()
    }

    #[test]
    fn the_checksum_is_the_rfc_s_for_every_length() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().map(|i| i.wrapping_mul(7) ^ 3).take(300).collect();
        for length in 0..bytes.len() {
            assert_eq!(
                Checksum::default().add(&bytes[..length]).finish(),
                plain_sum(&bytes[..length]),
                "{length}"
            );
        }
    }

    #[test]
    fn an_ipv4_packet_sums_to_nothing() {
        for payload in [&b""[..], b"x", b"hello", &[0xff; 65_507]] {
            let header =
                RecordHeader { remote: mapped([192, 0, 2, 1]), local: mapped([192, 0, 2, 2]), ..header() };
            let frame = frame(header, Family::V4, payload, payload.len());
            let mut packet = Vec::new();
            let length = append(&Record::parse(&frame).unwrap(), &mut packet);
            assert_eq!(packet.len(), length as usize);
            assert_eq!(packet[0], 0x45);
            assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
            assert_eq!(plain_sum(&packet[..20]), 0);
            let pseudo = [&packet[12..20], &[0, 17], &packet[24..26]].concat();
            assert_eq!(plain_sum(&[&pseudo, &packet[20..]].concat()), 0);
            assert_eq!(&packet[28..], payload);
        }
    }

    #[test]
    fn an_ipv6_packet_always_has_a_checksum() {
        for payload in [&b""[..], b"odd", &[1; 65_527]] {
            let frame = frame(header(), Family::V6, payload, payload.len());
            let mut packet = Vec::new();
            append(&Record::parse(&frame).unwrap(), &mut packet);
            assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40);
            let pseudo = [&packet[8..40], &[0, 17], &packet[44..46]].concat();
            assert_eq!(plain_sum(&[&pseudo, &packet[40..]].concat()), 0);
            assert_ne!(packet[46..48], [0, 0]);
        }
    }

    #[test]
    fn a_cut_packet_keeps_its_original_length() {
        for (family, ip_bytes, checksum) in [(Family::V4, 20, [0, 0]), (Family::V6, 40, [0xff, 0xff])] {
            let mut header = RecordHeader { flags: RecordFlags::TRUNCATED.bits(), ..header() };
            if family == Family::V4 {
                (header.remote, header.local) = (mapped([10, 0, 0, 1]), mapped([10, 0, 0, 2]));
            }
            let frame = frame(header, family, b"abc", 1400);
            let record = Record::parse(&frame).unwrap();
            let mut packet = Vec::new();
            assert_eq!(append(&record, &mut packet), ip_bytes + 8 + 1400);
            let udp = &packet[ip_bytes as usize..];
            assert_eq!((u16::from_be_bytes([udp[4], udp[5]]), &udp[6..8]), (1408, &checksum[..]));
            assert_eq!(&udp[8..], b"abc");
        }
    }

    #[test]
    fn traffic_class_and_hop_limit_are_where_they_belong() {
        let frame = frame(RecordHeader { tos: 0xb9, hop_limit: 7, ..header() }, Family::V6, b"", 0);
        let mut packet = Vec::new();
        append(&Record::parse(&frame).unwrap(), &mut packet);
        assert_eq!(packet[..2], [0x6b, 0x90]);
        assert_eq!(packet[7], 7);
    }

    fn header() -> RecordHeader {
        let mut header: RecordHeader = bytemuck::Zeroable::zeroed();
        header.remote[0] = 0x20;
        header.local[15] = 1;
        (header.remote_port, header.local_port) = (40_000, 9125);
        header
    }
}
