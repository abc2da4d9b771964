//! Every parser, given the same bytes. The test beside this makes them up; so does a fuzzer.

use skua_protocol::{
    ChangeSink, ChangeSinkHeader, Header, SinkRequest, SourcesRequest, StartFlags, StartSink, StartSinkHeader,
};
use skua_record::{PackedRecords, RingHeader};

use crate::good;

/// Where a ring of the smallest kind would be.
const REGION_BYTES: usize = RingHeader::PAGE_BYTES + 4096;

/// Asks every parser about bytes as they are, or about good ones of some kind with changes: each its place, its length and
/// that many bytes.
pub(crate) fn ask_any(bytes: &[u8]) {
    let Some(([kind, elements, length], mut changes)) = bytes.split_first_chunk::<3>() else {
        return ask_all(bytes);
    };
    let mut input = good::some(kind % 9, usize::from(elements % 17));
    if input.is_empty() {
        return ask_all(changes);
    }
    while let Some(([low, high, length], rest)) = changes.split_first_chunk::<3>() {
        let (change, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        let at = usize::from(u16::from_le_bytes([*low, *high])) % input.len();
        for (place, byte) in input[at..].iter_mut().zip(change) {
            *place = *byte;
        }
        changes = rest;
    }
    // Mostly as long as it was.
    match length {
        1..16 => input.truncate(input.len() - usize::from(*length).min(input.len())),
        16..32 => input.resize(input.len() + usize::from(*length), 0),
        _ => {}
    }
    ask_all(&input);
}

/// Asks every parser. Whoever takes the bytes for what they are not must say so; what is taken has been looked at whole.
pub(crate) fn ask_all(bytes: &[u8]) {
    if let Ok(header) = Header::parse(bytes) {
        assert_eq!(header, Header::ALONE);
    }
    if let Ok(request) = SinkRequest::parse(bytes) {
        assert_eq!(request, SinkRequest::new(request.sink));
    }
    if let Ok(request) = SourcesRequest::parse(bytes) {
        assert_eq!(request, SourcesRequest::new(request.sink, request.first));
    }
    if let Ok(start) = StartSink::parse(bytes) {
        check_start(&start, bytes);
    }
    if let Ok(change) = ChangeSink::parse(bytes) {
        check_change(&change, bytes);
    }
    check_packed(bytes);
    if let Ok(geometry) = RingHeader::read(bytes, REGION_BYTES) {
        assert!(geometry.data_bytes() <= 4096, "a ring that is longer than its region");
    }
}

fn check_start(start: &StartSink<'_>, bytes: &[u8]) {
    let header = &start.header;
    let said = StartSinkHeader::request_bytes(header.listeners, header.groups, header.prefixes);
    assert_eq!(usize::try_from(said), Ok(bytes.len()));
    assert_eq!(start.listeners().count(), usize::from(header.listeners));
    assert_eq!(start.groups().count(), usize::from(header.groups));
    assert_eq!(start.prefixes().count(), usize::from(header.prefixes));
    assert!(start.listeners().all(|listener| listener.socket_address().is_ok()));
    assert!(start.groups().all(|group| group.addresses().is_ok_and(|(group, _)| group.is_multicast())));
    assert!(start.prefixes().all(|prefix| prefix.prefix().is_ok()));
    assert!(header.prefixes == 0 || header.flags & StartFlags::ALLOW_LISTED != 0);
    let name = start.name().as_bytes();
    let (text, padding) = header.name.split_at(name.len());
    assert!(text == name && padding.iter().all(|byte| *byte == 0), "the name is not all of its field");
}

fn check_change(change: &ChangeSink<'_>, bytes: &[u8]) {
    let header = &change.header;
    assert_eq!(usize::try_from(ChangeSinkHeader::request_bytes(header.prefixes)), Ok(bytes.len()));
    assert_eq!(change.prefixes().count(), usize::from(header.prefixes));
    assert!(change.prefixes().all(|prefix| prefix.prefix().is_ok()));
    assert!(header.prefixes == 0 || header.flags & ChangeSinkHeader::ALLOW != 0);
}

/// Records as they lie in a reader's buffer: nothing comes after one that is wrong.
fn check_packed(bytes: &[u8]) {
    let mut captured = 0;
    let mut wrong = 0;
    for record in PackedRecords::new(bytes) {
        assert_eq!(wrong, 0, "a record after one that is wrong");
        match record {
            Ok(record) => {
                captured += record.payload().len();
                assert_eq!(record.payload().len(), usize::from(record.header().captured));
            }
            Err(_) => wrong += 1,
        }
    }
    assert!(captured <= bytes.len(), "more than there is");
}
