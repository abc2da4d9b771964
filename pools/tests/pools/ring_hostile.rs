//! The ring against an other side that is dishonest or broken.

use std::sync::atomic::Ordering;

use skua_pools::{Corrupt, RING_MIN_BYTES, WAIT_ANY, WAIT_FILL, WaitFor};

use crate::heap::Heap;
use crate::ring_bytes::{RingBytes, read, write};

/// A frame header as it lies in the ring.
fn header(len: u32, kind: u32) -> u64 {
    let [a, b, c, d] = len.to_ne_bytes();
    let [e, f, g, h] = kind.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

#[test]
fn a_cursor_that_no_honest_reader_stores_is_counted_and_not_believed() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
    for _ in 0..8 {
        write(&mut producer, 56, 7).unwrap();
        producer.publish();
    }
    for _ in 0..4 {
        consumer.next().unwrap().unwrap();
    }
    consumer.release();
    producer.refresh();
    assert_eq!((producer.used(), producer.reader_faults()), (256, 0));
    let hostile =
        [0, 248, 520, 4096, 4, 260, 255, u64::MAX, u64::MAX - 7, 1 << 63, WAIT_ANY, 520 | WAIT_FILL];
    for (faults, word) in (1..).zip(hostile) {
        bytes.cursor().store(word, Ordering::Relaxed);
        if faults % 2 == 0 {
            producer.refresh();
        } else {
            assert!(!producer.wake_needed(0), "{word} is answered");
        }
        assert_eq!((producer.used(), producer.reader_faults()), (256, faults), "after {word}");
    }
    // What was free stays free, and what was not is not given away.
    while write(&mut producer, 56, 8).is_ok() {}
    assert_eq!(producer.free(), 0);
    // An honest position is taken over again.
    bytes.cursor().store(320, Ordering::Relaxed);
    producer.refresh();
    assert_eq!(producer.free(), 64);
}

#[test]
fn a_frame_that_cannot_be_is_reported_and_skipped() {
    let broken = [
        header(56, 2),
        header(1016, 2),
        header(0, u32::MAX),
        header(u32::MAX, 1),
        header(u32::MAX - 15, 0),
        header(57, 1),
        // A pad that does not end at the end of the data.
        header(8, 0),
        header(56, 0),
    ];
    for word in broken {
        let heap = Heap::new();
        let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
        let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
        write(&mut producer, 0, 0).unwrap();
        write(&mut producer, 56, 7).unwrap();
        producer.publish();
        bytes.plant(8, word);
        assert_eq!(consumer.next(), Some(Ok(&[][..])));
        let corrupt = Corrupt::Frame { position: 8, header: word };
        assert_eq!(consumer.next(), Some(Err(corrupt)));
        let batch: Vec<_> = consumer.batch().collect();
        assert_eq!(batch, [Err(corrupt)], "it stays where it is");
        assert_eq!(consumer.skip(), Ok(64));
        assert!(consumer.next().is_none());
        consumer.release();
        write(&mut producer, 1, 3).unwrap();
        producer.publish();
        assert_eq!(consumer.next(), Some(Ok(&[3][..])), "and reads on after skipping");
    }
}

#[test]
fn a_frame_over_the_end_of_the_data_is_reported() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    // Published are the last 64 bytes of the data and the first 64.
    let end = RING_MIN_BYTES as u64 * 2;
    bytes.head().store(end + 64, Ordering::Relaxed);
    bytes.cursor().store(end - 64, Ordering::Relaxed);
    bytes.plant(0, header(56, 1));
    for broken in [header(57, 1), header(120, 1), header(48, 0), header(64, 0), header(120, 0)] {
        bytes.plant(RING_MIN_BYTES - 64, broken);
        let corrupt = Corrupt::Frame { position: end - 64, header: broken };
        assert_eq!(bytes.consumer().next(), Some(Err(corrupt)));
    }
    for (good, records) in [(header(56, 0), 1), (header(56, 1), 2)] {
        bytes.plant(RING_MIN_BYTES - 64, good);
        assert_eq!(read(&mut bytes.consumer()), vec![(56, Some(0)); records]);
    }
}

#[test]
fn a_head_that_cannot_be_is_reported() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
    write(&mut producer, 56, 7).unwrap();
    producer.publish();
    consumer.next().unwrap().unwrap();
    for head in [56, 0, 65, 68, 64 + 4096 + 8, u64::MAX - 7, u64::MAX] {
        bytes.head().store(head, Ordering::Relaxed);
        let corrupt = Corrupt::Head { head, position: 64 };
        assert_eq!(consumer.next(), Some(Err(corrupt)));
        assert_eq!(consumer.unread(), Err(corrupt));
        assert_eq!(consumer.skip(), Err(corrupt));
        assert_eq!(consumer.prepare_wait(WaitFor::Any), Err(corrupt));
        assert_eq!(bytes.cursor().load(Ordering::Relaxed), 64, "the announcement is withdrawn");
    }
    bytes.head().store(64 + 4096, Ordering::Relaxed);
    assert_eq!(consumer.unread(), Ok(4096));
}
