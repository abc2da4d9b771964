//! Records made by hand, for the tests of whatever reads them.

use skua_record::{Family, RecordFlags, RecordHeader};

/// The frame a sink would have written for `header`, of a datagram of `original` bytes of which `payload` was kept.
pub(crate) fn frame(header: RecordHeader, family: Family, payload: &[u8], original: usize) -> Vec<u8> {
    let mut header = RecordHeader {
        form: family.form(),
        original: u16::try_from(original).unwrap(),
        captured: u16::try_from(payload.len()).unwrap(),
        ..header
    };
    if payload.len() < original {
        header.flags |= RecordFlags::TRUNCATED.bits();
    }
    [bytemuck::bytes_of(&header), payload].concat()
}

/// An IPv4 address in the form records have.
pub(crate) fn mapped(octets: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::from(octets).to_ipv6_mapped().octets()
}

/// A header of a datagram from 192.0.2.1:40000 to 192.0.2.2:9125.
pub(crate) fn header(sequence: u32) -> RecordHeader {
    RecordHeader {
        remote: mapped([192, 0, 2, 1]),
        local: mapped([192, 0, 2, 2]),
        remote_port: 40_000,
        local_port: 9125,
        hop_limit: 64,
        sequence,
        ..bytemuck::Zeroable::zeroed()
    }
}
