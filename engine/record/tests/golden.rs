//! The layout on paper: one ring as version 1 lays it out, byte for byte, and what a reader makes of it.
//!
//! `ring-v1.bin` is a data region of 8,192 bytes and a cursor region of 4,096; `ring-v1.txt` says in words what is in
//! it. Rings that are already written do not change with the code, so neither file is ever made anew: a layout that
//! differs is version 2.

// UNSAFETY: plays both ends of a ring over one image in memory.
#![expect(unsafe_code, reason = "a ring is written and read by address")]

mod region;

use std::fmt::Write as _;
use std::ptr::NonNull;

use skua_pools::{Attach, Consumer, Producer};
use skua_record::{Clock, Family, RecordFlags, RecordHeader, RingHeader, RingReader};

use region::Region;

const DATA_BYTES: usize = 4096;
const REGION_BYTES: usize = RingHeader::PAGE_BYTES + DATA_BYTES;

#[test]
fn writers_write_what_version_1_says() {
    let image = written();
    let golden = include_bytes!("golden/ring-v1.bin");
    if image != golden {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ring-v1.bin.actual"), &image).unwrap();
        let at = image.iter().zip(golden).position(|(a, b)| a != b);
        panic!("the layout changed: image and tests/ring-v1.bin.actual differ, first at {at:?}");
    }
}

#[test]
fn readers_read_what_version_1_says() {
    let text = read(include_bytes!("golden/ring-v1.bin"));
    let golden = include_str!("golden/ring-v1.txt");
    if text != golden {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ring-v1.txt.actual"), &text).unwrap();
    }
    assert_eq!(text, golden);
}

/// Ten records, of which the reader took four; the ninth did not fit before the end of the data and begins at 0.
fn written() -> Vec<u8> {
    let mut data = Region::new(REGION_BYTES);
    let mut cursor = Region::new(4096);
    let clock = Clock::new(123_456_789, 1_772_366_400_123_456_789, 10_000_000).unwrap();
    let header = RingHeader::new(5, DATA_BYTES as u64, *b"host id, 16 long", *b"boot id, 16 long", &clock);
    data.bytes_mut()[..RingHeader::BYTES].copy_from_slice(bytemuck::bytes_of(&header));

    let (head, first) = (data.at(RingHeader::HEAD_OFFSET), data.at(RingHeader::PAGE_BYTES));
    // SAFETY: the words and the data lie in regions that outlive both ends, and nobody else has them.
    let mut producer =
        unsafe { Producer::from_raw(head.cast(), cursor.at(0).cast(), first, DATA_BYTES) }.unwrap();
    // SAFETY: as above; this is the one reader.
    let mut consumer =
        unsafe { Consumer::from_raw(head.cast(), cursor.at(0).cast(), first, DATA_BYTES, Attach::Cursor) }
            .unwrap();
    for number in 0..10 {
        let (header, payload) = record(number);
        let mut room = producer.reserve(RecordHeader::BYTES + payload.len()).unwrap();
        room.write(0, bytemuck::bytes_of(&header)).unwrap();
        room.write(RecordHeader::BYTES, &payload).unwrap();
        room.commit();
        producer.publish();
        if number == 5 {
            for _ in 0..4 {
                consumer.next().unwrap().unwrap();
            }
            consumer.release();
        }
    }
    [data.bytes_mut(), cursor.bytes_mut()].concat()
}

fn record(number: u8) -> (RecordHeader, Vec<u8>) {
    let length = [0, 1, 700, 900, 64, 900, 8, 900, 3, 7][usize::from(number)];
    let payload: Vec<u8> =
        (0..length).map(|i: u16| i.to_le_bytes()[0].wrapping_mul(31).wrapping_add(number)).collect();
    let (family, remote, local) = match number % 2 {
        0 => (Family::V4, mapped([192, 0, 2, 1]), mapped([198, 51, 100, 2])),
        _ => (Family::V6, octets("fe80::1"), octets("ff02::7")),
    };
    let flags = match number {
        1 => RecordFlags::MULTICAST,
        6 => RecordFlags::TRUNCATED | RecordFlags::COALESCED,
        8 => RecordFlags::BROADCAST,
        _ => RecordFlags::empty(),
    };
    let header = RecordHeader {
        original: if number == 6 { 65_507 } else { length },
        captured: length,
        flags: flags.bits(),
        form: family.form(),
        tos: 0xb8 | number & 3,
        hop_limit: 64 - number,
        remote_port: 40_000 + u16::from(number),
        local_port: 9125,
        socket: 2,
        processor: 5,
        remote,
        local,
        interface: 3,
        sequence: 0xffff_fffc_u32.wrapping_add(u32::from(number)),
        time: 123_456_789 + u64::from(number) * 1_000,
    };
    (header, payload)
}

fn mapped(octets: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::from(octets).to_ipv6_mapped().octets()
}

fn octets(address: &str) -> [u8; 16] {
    address.parse::<std::net::Ipv6Addr>().unwrap().octets()
}

fn read(image: &[u8]) -> String {
    let data = Region::of(&image[..REGION_BYTES]);
    let cursor = Region::of(&image[REGION_BYTES..]);
    let (data_at, cursor_at): (NonNull<u8>, NonNull<u8>) = (data.at(0), cursor.at(0));
    // SAFETY: both regions outlive the reader, and nobody else has them.
    let mut reader = unsafe { RingReader::open(data_at, REGION_BYTES, cursor_at, 4096) }.unwrap();
    let geometry = *reader.geometry();
    let mut text = String::new();
    writeln!(text, "processor {}, {} data bytes", geometry.processor(), geometry.data_bytes()).unwrap();
    writeln!(text, "{}", geometry.host_id().escape_ascii()).unwrap();
    writeln!(text, "{}", geometry.boot_id().escape_ascii()).unwrap();
    reader
        .read(u64::MAX, |record, number| {
            let header = record.header();
            let sum = record.payload().iter().fold(0_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte));
            writeln!(
                text,
                "{number}: {:?} {} -> {} interface {} socket {} processor {} tos {:#04x} hops {} at {} ns, {} of {} \
                 bytes {sum:08x} {:?}",
                record.family(),
                header.source(),
                header.destination(),
                header.interface,
                header.socket,
                header.processor,
                header.tos,
                header.hop_limit,
                geometry.clock().unix_nanoseconds(header.time),
                header.captured,
                header.original,
                header.record_flags(),
            )
            .unwrap();
        })
        .unwrap();
    writeln!(text, "{:?}", reader.continuity()).unwrap();
    writeln!(text, "{:?}", reader.damage()).unwrap();
    text
}
