//! Bytes as well-behaved programs and drivers send them.

use std::net::Ipv4Addr;

use bytemuck::Zeroable as _;
use skua_protocol::{
    AllowedPrefix, ChangeSinkHeader, Group, Header, Limits, Listener, SinkRequest, SourcesRequest,
    StartFlags, StartSinkHeader,
};
use skua_record::{Clock, Family, RecordHeader, RingHeader};

/// Good bytes of some kind, with so many elements, at most 16, where there are any.
pub(crate) fn some(kind: u8, elements: usize) -> Vec<u8> {
    let listeners = vec![Listener::new((Ipv4Addr::LOCALHOST, 9).into(), 0); elements.max(1)];
    let groups = vec![Group::new(Ipv4Addr::new(239, 1, 2, 3).into(), None, 2); elements];
    let prefixes = vec![AllowedPrefix::new(Ipv4Addr::LOCALHOST.into(), 8); elements];
    match kind {
        0 => start(&listeners, &groups, &prefixes),
        1 => change(ChangeSinkHeader::ALLOW, Limits::zeroed(), &prefixes),
        2 => change(ChangeSinkHeader::EVERYONE | ChangeSinkHeader::LIMITS, Limits::NONE, &[]),
        3 => bytemuck::bytes_of(&SourcesRequest::new(7, 1)).to_vec(),
        4 => bytemuck::bytes_of(&SinkRequest::new(7)).to_vec(),
        5 => bytemuck::bytes_of(&Header::ALONE).to_vec(),
        6 => packed(elements),
        7 => ring(),
        _ => Vec::new(),
    }
}

/// Records side by side, each 13 bytes longer than the one before.
fn packed(records: usize) -> Vec<u8> {
    let lengths = (0..records).map(|record| 13 * record);
    let record = |length: usize| {
        let bytes = u16::try_from(length).unwrap();
        let form = Family::V4.form();
        let header = RecordHeader { original: bytes, captured: bytes, form, ..RecordHeader::zeroed() };
        let padding = vec![0; length.next_multiple_of(8) - length];
        [bytemuck::bytes_of(&header), &vec![0xd5; length], &padding].concat()
    };
    lengths.flat_map(record).collect()
}

/// The header of a ring.
fn ring() -> Vec<u8> {
    let clock = Clock::new(1, 2, 3).unwrap();
    bytemuck::bytes_of(&RingHeader::new(0, 4096, [0; 16], [0; 16], &clock)).to_vec()
}

pub(crate) fn start(listeners: &[Listener], groups: &[Group], prefixes: &[AllowedPrefix]) -> Vec<u8> {
    let count = |count: usize| u16::try_from(count).unwrap();
    let (l, g, p) = (count(listeners.len()), count(groups.len()), count(prefixes.len()));
    let header = StartSinkHeader {
        header: Header::new(StartSinkHeader::request_bytes(l, g, p)),
        ring_bytes: 1 << 20,
        limits: Limits::NONE,
        allow_capacity: 64,
        snap_length: 1500,
        flags: if prefixes.is_empty() { 0 } else { StartFlags::ALLOW_LISTED },
        listeners: l,
        groups: g,
        prefixes: p,
        ..StartSinkHeader::zeroed()
    };
    [
        bytemuck::bytes_of(&header),
        bytemuck::cast_slice(listeners),
        bytemuck::cast_slice(groups),
        bytemuck::cast_slice(prefixes),
    ]
    .concat()
}

pub(crate) fn change(flags: u32, limits: Limits, prefixes: &[AllowedPrefix]) -> Vec<u8> {
    let count = u16::try_from(prefixes.len()).unwrap();
    let header = ChangeSinkHeader {
        header: Header::new(ChangeSinkHeader::request_bytes(count)),
        sink: 7,
        limits,
        flags,
        prefixes: count,
        reserved: 0,
    };
    [bytemuck::bytes_of(&header), bytemuck::cast_slice(prefixes)].concat()
}
