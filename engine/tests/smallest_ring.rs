//! The smallest ring of a snap length, tried from every place at which a record can begin.

// UNSAFETY: rings over memory of the test's own.
#![expect(unsafe_code, reason = "a ring is reached by address")]

use std::ptr::NonNull;

use skua_engine::SinkConfig;
use skua_pools::{Attach, Consumer, FRAME_HEADER, Producer, RING_MIN_BYTES};
use skua_record::RecordHeader;

/// A ring, as many 8-byte words as it needs.
struct Ring {
    words: NonNull<[u64]>,
    bytes: usize,
}

impl Ring {
    fn new(bytes: usize) -> Self {
        let words = vec![0; 2 + bytes / 8].into_boxed_slice();
        Self { words: NonNull::from(Box::leak(words)), bytes }
    }

    /// Its two sides: head, cursor, then the data.
    fn sides(&self) -> (Producer, Consumer) {
        let head = self.words.cast::<u64>();
        // SAFETY: there are two words more than the data has.
        let cursor = unsafe { head.add(1) };
        // SAFETY: as above.
        let data = unsafe { head.add(2) }.cast::<u8>();
        // SAFETY: the words live until `self` is dropped, which the test does last, and are only used as a ring.
        let producer = unsafe { Producer::from_raw(head, cursor, data, self.bytes) };
        // SAFETY: as above.
        let consumer = unsafe { Consumer::from_raw(head, cursor, data, self.bytes, Attach::Cursor) };
        (producer.unwrap(), consumer.unwrap())
    }

    /// How many records with `payload` bytes the empty ring takes, at the least, over all places at which the first of
    /// them can begin.
    fn least(&self, payload: u16) -> usize {
        let (mut producer, mut consumer) = self.sides();
        let record = RecordHeader::BYTES + usize::from(payload);
        let takes = (0..self.bytes).step_by(8).map(|place| {
            self.go_to(place, &mut producer, &mut consumer);
            let mut taken = 0;
            while let Ok(room) = producer.reserve(record) {
                room.commit();
                taken += 1;
            }
            empty(&mut producer, &mut consumer);
            taken
        });
        takes.min().unwrap()
    }

    /// Moves the empty ring's next record to `place`.
    fn go_to(&self, place: usize, producer: &mut Producer, consumer: &mut Consumer) {
        loop {
            let at = usize::try_from(consumer.position()).unwrap() % self.bytes;
            let left = if at <= place { place - at } else { self.bytes - at };
            if left == 0 {
                return;
            }
            producer.reserve(left.min(self.bytes / 4) - FRAME_HEADER).unwrap().commit();
            empty(producer, consumer);
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: leaked by `new`, and given back only here.
        drop(unsafe { Box::from_raw(self.words.as_ptr()) });
    }
}

/// Has everything read.
fn empty(producer: &mut Producer, consumer: &mut Consumer) {
    producer.publish();
    while consumer.next().is_some_and(|record| record.is_ok()) {}
    consumer.release();
}

#[test]
fn four_of_the_largest_records_fit_wherever_the_first_begins_and_in_no_smaller_ring() {
    // Frames are multiples of 8 bytes. Of a ring of 8192 bytes a fifth is 1638, a quarter 2048; 1568 bytes of payload make
    // a frame of 1640, the largest of which four fit from everywhere, because only 1632 can be lost before the end.
    for (snap_length, expected) in
        [(0, RING_MIN_BYTES), (1472, 8192), (1568, 8192), (1569, 16_384), (1976, 16_384), (65_527, 512 << 10)]
    {
        let needed = SinkConfig::smallest_ring(snap_length);
        assert_eq!(needed, expected, "for {snap_length} bytes");
        assert!(Ring::new(needed).least(snap_length) >= 4, "{snap_length} bytes in {needed}");
        if needed > RING_MIN_BYTES {
            assert!(Ring::new(needed / 2).least(snap_length) < 4, "{snap_length} bytes in half of {needed}");
        }
    }
}
