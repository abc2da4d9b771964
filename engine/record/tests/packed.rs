//! Records copied out of a ring into buffers.

// UNSAFETY: plays both ends of rings in memory.
#![expect(unsafe_code, reason = "a ring is written and read by address")]

mod region;

use proptest::prelude::*;
use skua_pools::{Producer, WaitFor};
use skua_record::{
    CURSOR_BYTES, Clock, Damage, Family, PackedReader, PackedRecords, Record, RecordError, RecordFlags,
    RecordHeader, RingHeader, RingReader,
};

use region::Region;

const DATA_BYTES: usize = 1 << 13;
const REGION_BYTES: usize = RingHeader::PAGE_BYTES + DATA_BYTES;

/// A ring and its writer. The regions are dropped last.
struct Ring {
    producer: Producer,
    written: u32,
    data: Region,
    cursor: Region,
}

impl Ring {
    fn new() -> Self {
        let cursor = Region::new(CURSOR_BYTES);
        let clock = Clock::new(0, 0, 1).unwrap();
        let header = RingHeader::new(0, DATA_BYTES as u64, [0; 16], [0; 16], &clock);
        let mut image = vec![0; REGION_BYTES];
        image[..RingHeader::BYTES].copy_from_slice(bytemuck::bytes_of(&header));
        let data = Region::of(&image);
        let (head, first) = (data.at(RingHeader::HEAD_OFFSET), data.at(RingHeader::PAGE_BYTES));
        // SAFETY: the regions are dropped after the producer, and nobody else writes them.
        let producer =
            unsafe { Producer::from_raw(head.cast(), cursor.at(0).cast(), first, DATA_BYTES) }.unwrap();
        Self { producer, written: 0, data, cursor }
    }

    /// Publishes one record with so much payload, which says its number; whether there was room.
    fn write(&mut self, captured: u16) -> bool {
        let header = RecordHeader {
            original: captured + 1,
            captured,
            flags: RecordFlags::TRUNCATED.bits(),
            form: Family::V4.form(),
            sequence: self.written,
            ..bytemuck::Zeroable::zeroed()
        };
        let captured = usize::from(captured);
        let Ok(mut room) = self.producer.reserve(RecordHeader::BYTES + captured) else { return false };
        room.write(0, bytemuck::bytes_of(&header)).unwrap();
        room.write(RecordHeader::BYTES, &payload(self.written, captured)).unwrap();
        room.commit();
        self.producer.publish();
        self.written += 1;
        true
    }

    fn reader(&self) -> PackedReader {
        let (data, cursor) = (self.data.at(0), self.cursor.at(0));
        // SAFETY: the regions outlive the readers of a test, of which one at a time is used.
        unsafe { PackedReader::open(data, REGION_BYTES, cursor, CURSOR_BYTES) }.unwrap()
    }

    fn store_cursor(&mut self, word: u64) {
        self.cursor.bytes_mut()[..8].copy_from_slice(&word.to_le_bytes());
    }
}

fn payload(number: u32, captured: usize) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(captured).collect()
}

/// The number of a record, which is whole.
fn number(record: &Record<'_>) -> u32 {
    let number = record.header().sequence;
    assert_eq!(record.payload(), payload(number, usize::from(record.header().captured)));
    number
}

fn numbers(buffer: &[u8]) -> Vec<u32> {
    PackedRecords::new(buffer).map(|record| number(&record.unwrap())).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Write(u16),
    /// Copies into a buffer of so many bytes.
    Read(usize),
    Release,
    /// The reader goes without a word, and another one comes.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop_oneof![0_u16..40, 0_u16..1500].prop_map(Step::Write),
        4 => prop_oneof![0_usize..200, 0_usize..4096].prop_map(Step::Read),
        2 => Just(Step::Release),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #[test]
    fn every_record_comes_whole_in_order_and_again_after_a_crash(steps in prop::collection::vec(step(), 0..120)) {
        let mut ring = Ring::new();
        let mut reader = ring.reader();
        // Lengths of the records not given back, from number `first` on, of which `copied` were copied.
        let (mut held, mut first, mut copied) = (Vec::new(), 0_u32, 0_usize);
        for step in steps {
            match step {
                Step::Write(captured) => {
                    if ring.write(captured) {
                        held.push(captured);
                    }
                }
                Step::Read(room) => {
                    let mut buffer = vec![0xee; room + 8];
                    let progress = reader.read_into(&mut buffer[..room]).unwrap();
                    let records = usize::try_from(progress.records).unwrap();
                    let now: Vec<_> = (first..).skip(copied).take(records).collect();
                    prop_assert_eq!(numbers(&buffer[..progress.bytes]), now);
                    prop_assert!(buffer[progress.bytes..].iter().all(|byte| *byte == 0xee), "no more is written");
                    copied += records;
                    let next = held.get(copied).map(|captured| Record::packed_bytes_of(*captured));
                    prop_assert_eq!(progress.next, next);
                    prop_assert!(next.is_none_or(|next| next > room - progress.bytes), "it would have fit");
                }
                Step::Release => {
                    reader.release();
                    held.drain(..copied);
                    first += u32::try_from(copied).unwrap();
                    copied = 0;
                }
                Step::Crash => {
                    reader = ring.reader();
                    copied = 0;
                }
            }
            prop_assert_eq!(reader.damage(), Damage::default());
        }
    }

    #[test]
    fn whatever_another_writer_stores_as_the_cursor_is_recovered_from(word: u64, near in 0_u64..3000, close: bool) {
        let mut ring = Ring::new();
        while ring.write(100) {}
        let word = if close { near * 8 } else { word };
        ring.store_cursor(word);
        let mut reader = ring.reader();
        let mut buffer = vec![0; DATA_BYTES];
        let progress = reader.read_into(&mut buffer).unwrap();
        let damage = reader.damage();
        if damage.cursors == 1 {
            prop_assert_eq!((progress.records, progress.next), (0, None));
        }
        for record in PackedRecords::new(&buffer[..progress.bytes]) {
            let _ = record.unwrap();
        }
        reader.release();
        // Both sides go on with what comes next.
        prop_assert!(ring.write(7));
        let progress = reader.read_into(&mut buffer).unwrap();
        prop_assert_eq!(numbers(&buffer[..progress.bytes]), [ring.written - 1]);
    }

    #[test]
    fn arbitrary_bytes_are_records_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), plausible: bool) {
        let mut bytes = bytes;
        if plausible && bytes.len() >= RecordHeader::BYTES {
            bytes[1] = 0;
            (bytes[2], bytes[3], bytes[4], bytes[5]) = (bytes[0], 0, 0, 0x14);
        }
        let records: Vec<_> = PackedRecords::new(&bytes).collect();
        let errors = records.iter().filter(|record| record.is_err()).count();
        prop_assert!(errors <= 1 && records.iter().rev().skip(1).all(|record| record.is_ok()));
        prop_assert_eq!(records.is_empty(), bytes.is_empty());
    }
}

#[test]
fn a_record_that_is_cut_off_is_an_error() {
    let mut ring = Ring::new();
    (0..3).for_each(|_| assert!(ring.write(30)));
    let mut buffer = vec![0; 400];
    let progress = ring.reader().read_into(&mut buffer).unwrap();
    assert_eq!(progress.bytes, 3 * 96);
    let cut = &buffer[..progress.bytes - 8];
    let records: Vec<_> = PackedRecords::new(cut).collect();
    let Some(Err(RecordError::Length { captured: 30, bytes: 24 })) = records.get(2) else {
        panic!("{records:?}")
    };
    assert_eq!(records.len(), 3);
}

#[test]
fn a_reader_that_maps_recovers_too_and_a_strict_one_refuses() {
    let mut ring = Ring::new();
    (0..3).for_each(|_| assert!(ring.write(30)));
    ring.store_cursor(12_345);
    let (data, cursor) = (ring.data.at(0), ring.cursor.at(0));
    // SAFETY: the regions outlive the reader, and nobody else reads.
    let strict = unsafe { RingReader::open(data, REGION_BYTES, cursor, CURSOR_BYTES) };
    assert!(strict.is_err());
    // SAFETY: as above.
    let mut reader = unsafe { RingReader::recover(data, REGION_BYTES, cursor, CURSOR_BYTES) }.unwrap();
    assert_eq!(reader.damage(), Damage { cursors: 1, ..Damage::default() });
    assert!(ring.write(1));
    let mut seen = Vec::new();
    reader.read(u64::MAX, |record, _| seen.push(number(record))).unwrap();
    assert_eq!(seen, [3]);
    ring.producer.refresh();
    assert_eq!((ring.producer.used(), ring.producer.reader_faults()), (0, 0));
}

#[test]
fn a_writer_is_told_when_the_reader_waits() {
    let mut ring = Ring::new();
    let mut reader = ring.reader();
    assert!(reader.prepare_wait(WaitFor::Any).unwrap());
    assert!(ring.write(0) && ring.producer.wake_needed(0));
    assert_eq!(reader.unread(), Ok(72));
    assert!(!reader.prepare_wait(WaitFor::Any).unwrap(), "there is one");
    reader.cancel_wait();
    assert!(ring.write(0) && !ring.producer.wake_needed(0));
}
