//! Bytes that anybody may send: a parser answers with a checked value or says what is wrong.

mod good;
mod parsers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytemuck::Zeroable as _;
use proptest::prelude::*;
use skua_protocol::{
    AllowedPrefix, ChangeSink, ChangeSinkHeader, Group, Header, Invalid, Limits, Listener, SinkRequest,
    SourcesRequest, StartSink, StartSinkHeader,
};
use skua_record::{PackedRecords, RingHeader};

use good::{change, start};
use parsers::{ask_all, ask_any};

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(|mut octets| {
            // Not a mapped one: that is an IPv4 address.
            octets[0] |= 1;
            IpAddr::from(octets)
        })
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_answered(input in prop::collection::vec(any::<u8>(), 0..400)) {
        ask_all(&input);
    }

    #[test]
    fn whatever_a_fuzzer_makes_of_good_bytes_is_answered(input in prop::collection::vec(any::<u8>(), 0..100)) {
        ask_any(&input);
    }

    /// A good request with a few bytes changed comes further into the parsers than noise does.
    #[test]
    fn a_damaged_request_is_answered(
        addresses in prop::collection::vec(address(), 1..5),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        misaligned in 0_usize..8,
    ) {
        let listeners: Vec<_> = addresses.iter().map(|ip| Listener::new(SocketAddr::new(*ip, 9), 0)).collect();
        let prefixes: Vec<_> = addresses.iter().map(|ip| AllowedPrefix::new(*ip, 8)).collect();
        let requests =
            [start(&listeners, &[], &prefixes), change(ChangeSinkHeader::ALLOW, Limits::zeroed(), &prefixes)];
        for mut request in requests {
            for (index, value) in &changes {
                let index = index.index(request.len());
                request[index] = *value;
            }
            ask_all(&request);
            let mut shifted = vec![0; misaligned];
            shifted.extend_from_slice(&request);
            ask_all(&shifted[misaligned..]);
            ask_all(&request[..cut.index(request.len())]);
        }
    }

    #[test]
    fn what_is_sent_is_what_is_parsed(addresses in prop::collection::vec((address(), any::<u16>()), 1..=16)) {
        let listeners: Vec<_> =
            addresses.iter().map(|(ip, port)| Listener::new(SocketAddr::new(*ip, *port), 0)).collect();
        let prefixes: Vec<_> = addresses.iter().map(|(ip, _)| AllowedPrefix::new(*ip, 32)).collect();
        let groups = [Group::new(Ipv4Addr::new(239, 1, 2, 3).into(), Some(Ipv4Addr::LOCALHOST.into()), 2)];
        let request = start(&listeners, &groups, &prefixes);
        let parsed = StartSink::parse(&request).unwrap();
        let back: Vec<_> = parsed.listeners().map(|listener| listener.socket_address().unwrap()).collect();
        let sent: Vec<_> = addresses.iter().map(|(ip, port)| SocketAddr::new(*ip, *port)).collect();
        prop_assert_eq!(back, sent);
        let back: Vec<_> = parsed.prefixes().map(|prefix| prefix.prefix().unwrap()).collect();
        prop_assert_eq!(back, addresses.iter().map(|(ip, _)| (*ip, 32)).collect::<Vec<_>>());
        prop_assert_eq!(parsed.groups().collect::<Vec<_>>(), groups);
    }
}

#[test]
fn what_a_fuzzer_begins_with_is_taken() {
    for elements in 1..=16 {
        let taken = |kind| good::some(kind, elements);
        let start = taken(0);
        assert_eq!(StartSink::parse(&start).map(|start| start.groups().count()), Ok(elements));
        let change = taken(1);
        assert_eq!(ChangeSink::parse(&change).map(|change| change.prefixes().count()), Ok(elements));
        assert!(ChangeSink::parse(&taken(2)).is_ok());
        assert!(SourcesRequest::parse(&taken(3)).is_ok());
        assert!(SinkRequest::parse(&taken(4)).is_ok());
        assert!(Header::parse(&taken(5)).is_ok());
        let packed = taken(6);
        assert_eq!(PackedRecords::new(&packed).filter(Result::is_ok).count(), elements);
        assert!(RingHeader::read(&taken(7), RingHeader::PAGE_BYTES + 4096).is_ok());
    }
}

fn listener() -> Listener {
    Listener::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), 0)
}

/// The fixed part of a good request with one listener.
fn good_header() -> StartSinkHeader {
    bytemuck::pod_read_unaligned(&start(&[listener()], &[], &[])[..size_of::<StartSinkHeader>()])
}

/// A request of this fixed part and one listener.
fn with_header(header: &StartSinkHeader) -> Vec<u8> {
    [bytemuck::bytes_of(header), bytemuck::bytes_of(&listener())].concat()
}

#[test]
fn a_request_has_exactly_the_length_it_says() {
    let good = start(&[listener()], &[], &[]);
    assert!(StartSink::parse(&good).is_ok());
    let mut long = good.clone();
    long.push(0);
    assert!(matches!(StartSink::parse(&long), Err(Invalid::Length { .. })));
    for length in 0..good.len() {
        assert!(StartSink::parse(&good[..length]).is_err(), "{length} bytes");
    }
    for (listeners, right) in [(1, true), (2, false)] {
        let request = with_header(&StartSinkHeader { listeners, ..good_header() });
        assert_eq!(StartSink::parse(&request).is_ok(), right, "{listeners} listeners");
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let mut request = start(&[listener()], &[], &[]);
    request[0] = 2;
    assert_eq!(StartSink::parse(&request).unwrap_err(), Invalid::Version(2));
}

#[test]
fn reserved_fields_and_unknown_flags_are_refused() {
    let header = good_header();
    let reserved = [
        StartSinkHeader { reserved: [0, 0, 1], ..header },
        StartSinkHeader { flags: 1 << 31, ..header },
        StartSinkHeader { limits: Limits { reserved: 1, ..Limits::NONE }, ..header },
        StartSinkHeader { header: Header { reserved: 1, ..header.header }, ..header },
    ];
    for header in reserved {
        assert_eq!(StartSink::parse(&with_header(&header)).unwrap_err(), Invalid::Reserved);
    }
    let flagged = Listener { flags: 0x80, ..listener() };
    assert_eq!(StartSink::parse(&start(&[flagged], &[], &[])).unwrap_err(), Invalid::Reserved);
}

#[test]
fn numbers_of_a_start_are_in_range() {
    let header = good_header();
    let mut name = [b'x'; 32];
    name[3] = 0;
    let wrong = [
        StartSinkHeader { limits: Limits { sample: 0, ..Limits::NONE }, ..header },
        StartSinkHeader { limits: Limits { source_burst: 1, ..Limits::NONE }, ..header },
        StartSinkHeader { allow_capacity: 4097, ..header },
        StartSinkHeader { snap_length: 65_528, ..header },
        StartSinkHeader { name, ..header },
        StartSinkHeader { name: [0xff; 32], ..header },
    ];
    for header in wrong {
        assert!(StartSink::parse(&with_header(&header)).is_err(), "{header:?}");
    }
    assert_eq!(StartSink::parse(&start(&[], &[], &[])).unwrap_err(), Invalid::NoListener);
    let group = Group::new(Ipv4Addr::LOCALHOST.into(), None, 0);
    assert_eq!(StartSink::parse(&start(&[listener()], &[group], &[])).unwrap_err(), Invalid::Group);
}

#[test]
fn a_change_says_what_it_changes() {
    let prefix = AllowedPrefix::new(Ipv4Addr::LOCALHOST.into(), 33);
    let parse = |flags, limits, prefixes: &[AllowedPrefix]| {
        ChangeSink::parse(&change(flags, limits, prefixes)).map(|_| ())
    };
    assert_eq!(parse(ChangeSinkHeader::ALLOW, Limits::zeroed(), &[prefix]), Err(Invalid::Prefix));
    assert!(parse(ChangeSinkHeader::ALLOW | ChangeSinkHeader::EVERYONE, Limits::zeroed(), &[]).is_err());
    assert!(parse(ChangeSinkHeader::EVERYONE, Limits::NONE, &[]).is_err(), "limits without their flag");
    assert_eq!(parse(ChangeSinkHeader::LIMITS, Limits::NONE, &[]), Ok(()));
}
