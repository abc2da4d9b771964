//! Records of several rings come out once each, and in the order of their time.

// UNSAFETY: plays both ends of rings in memory.
#![expect(unsafe_code, reason = "a ring is written and read by address")]

mod region;

use proptest::prelude::*;
use skua_pools::Producer;
use skua_record::{Clock, Family, Lane, RecordHeader, RingHeader, RingReader, merge};

use region::Region;

const DATA_BYTES: usize = 1 << 16;
const REGION_BYTES: usize = RingHeader::PAGE_BYTES + DATA_BYTES;

/// Both ends of a ring. The regions are dropped last.
struct Ring {
    producer: Producer,
    reader: RingReader,
    sequence: u32,
    processor: u16,
    _data: Region,
    _cursor: Region,
}

impl Ring {
    fn new(processor: u16) -> Self {
        let cursor = Region::new(4096);
        let clock = Clock::new(0, 0, 1).unwrap();
        let header = RingHeader::new(processor.into(), DATA_BYTES as u64, [0; 16], [0; 16], &clock);
        let mut image = vec![0; REGION_BYTES];
        image[..RingHeader::BYTES].copy_from_slice(bytemuck::bytes_of(&header));
        let data = Region::of(&image);
        let (head, first) = (data.at(RingHeader::HEAD_OFFSET), data.at(RingHeader::PAGE_BYTES));
        // SAFETY: the regions are dropped after both ends, and nobody else has them.
        let producer =
            unsafe { Producer::from_raw(head.cast(), cursor.at(0).cast(), first, DATA_BYTES) }.unwrap();
        // SAFETY: as above; this is the one reader.
        let reader = unsafe { RingReader::open(data.at(0), REGION_BYTES, cursor.at(0), 4096) }.unwrap();
        Self { producer, reader, sequence: 0, processor, _data: data, _cursor: cursor }
    }

    fn publish(&mut self, times: &[u64]) {
        for &time in times {
            let header = RecordHeader {
                form: Family::V4.form(),
                processor: self.processor,
                sequence: self.sequence,
                time,
                ..bytemuck::Zeroable::zeroed()
            };
            let mut room = self.producer.reserve(RecordHeader::BYTES).unwrap();
            room.write(0, bytemuck::bytes_of(&header)).unwrap();
            room.commit();
            self.sequence += 1;
        }
        self.producer.publish();
    }
}

/// One merge over all rings: what came out, as (time, processor, number).
fn merged(rings: &mut [Ring], limit: u64) -> Vec<(u64, u16, u64)> {
    let mut out = Vec::new();
    let mut lanes: Vec<Lane<'_>> = rings.iter_mut().map(|ring| Lane::new(&mut ring.reader)).collect();
    let progress = merge(&mut lanes, limit, |record, number| {
        out.push((record.header().time, record.header().processor, number));
    });
    assert_eq!(progress.records, out.len() as u64);
    assert!(lanes.iter().all(|lane| lane.stopped().is_none()));
    drop(lanes);
    rings.iter_mut().for_each(|ring| ring.reader.release());
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn one_call_hands_out_everything_in_order(mut times in proptest::collection::vec(proptest::collection::vec(0_u64..100, 0..40), 1..5)) {
        let mut rings: Vec<Ring> = (0..).map(Ring::new).take(times.len()).collect();
        for (ring, times) in rings.iter_mut().zip(&mut times) {
            times.sort_unstable();
            ring.publish(times);
        }
        let out = merged(&mut rings, u64::MAX);
        prop_assert!(out.is_sorted_by_key(|(time, ..)| *time));
        let mut expected: Vec<u64> = times.concat();
        expected.sort_unstable();
        prop_assert_eq!(out.iter().map(|(time, ..)| *time).collect::<Vec<_>>(), expected);
        for ring in &rings {
            prop_assert!(ring.reader.continuity().is_unbroken());
        }
    }

    #[test]
    fn a_limit_loses_nothing(times in proptest::collection::vec(proptest::collection::vec(0_u64..100, 0..40), 1..5), limit in 1_u64..2000) {
        let mut rings: Vec<Ring> = (0..).map(Ring::new).take(times.len()).collect();
        let mut seen = vec![0_u64; rings.len()];
        for (ring, times) in rings.iter_mut().zip(&times) {
            ring.publish(times);
        }
        loop {
            let out = merged(&mut rings, limit);
            prop_assert!(out.len() as u64 <= limit.div_ceil(72) + rings.len() as u64);
            for (_, processor, number) in &out {
                prop_assert_eq!(*number, seen[usize::from(*processor)]);
                seen[usize::from(*processor)] += 1;
            }
            if out.is_empty() {
                break;
            }
        }
        prop_assert_eq!(seen, times.iter().map(|times| times.len() as u64).collect::<Vec<_>>());
    }
}
