//! The ring: what goes in and comes out, what fits, who may begin where, who is woken.

#![expect(unsafe_code, reason = "offers memory that cannot be a ring")]

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use skua_pools::{
    Attach, AttachError, Consumer, FRAME_HEADER, OutsideReservation, Producer, RING_MAX_BYTES,
    RING_MIN_BYTES, ReserveError, RingGeometryError, WAIT_ANY, WAIT_FILL, WaitFor, largest_payload,
};

use crate::heap::Heap;
use crate::ring_bytes::{RingBytes, read, write};

#[test]
fn records_come_out_as_they_went_in_once_they_are_published() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
    assert!(consumer.next().is_none());
    for (len, fill) in [(0, 0), (1, 1), (8, 2), (9, 3), (1016, 4)] {
        write(&mut producer, len, fill).unwrap();
    }
    assert!(consumer.next().is_none(), "committed is not published");
    producer.publish();
    assert_eq!(read(&mut consumer), [(0, None), (1, Some(1)), (8, Some(2)), (9, Some(3)), (1016, Some(4))]);
    assert_eq!(producer.used(), 8 + 16 + 16 + 24 + 1024);
    consumer.release();
    producer.refresh();
    assert_eq!((producer.used(), producer.free()), (0, producer.capacity()));
    assert_eq!((producer.reader_faults(), consumer.position()), (0, 1088));
}

#[test]
fn a_payload_is_8_aligned_and_contiguous_across_the_end() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
    let mut wrapped = 0;
    for round in 0..500_usize {
        let len = (round * 37) % 1017;
        write(&mut producer, len, round.to_le_bytes()[0]).unwrap();
        producer.publish();
        let record = consumer.next().unwrap().unwrap();
        assert_eq!(record, vec![round.to_le_bytes()[0]; len]);
        assert_eq!(record.as_ptr().addr() % 8, 0);
        let offset = record.as_ptr().addr() - bytes.data_address().addr().get();
        assert!(offset + len <= RING_MIN_BYTES);
        wrapped += usize::from(offset == FRAME_HEADER);
        consumer.release();
    }
    assert!(wrapped > 50, "{wrapped} records began at offset 0");
}

#[test]
fn a_quarter_of_the_ring_always_fits_an_empty_one_and_more_never() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
    let largest = largest_payload(RING_MIN_BYTES);
    assert_eq!(largest, 1016);
    for start in (0..RING_MIN_BYTES as u64).step_by(8) {
        while consumer.position() % RING_MIN_BYTES as u64 != start {
            write(&mut producer, 0, 0).unwrap();
            producer.publish();
            assert_eq!(read(&mut consumer), [(0, None)]);
            consumer.release();
        }
        write(&mut producer, largest, 1).unwrap();
        producer.publish();
        assert_eq!(read(&mut consumer), [(largest, Some(1))], "from {start}");
        consumer.release();
    }
    for len in [largest + 1, RING_MIN_BYTES, u32::MAX as usize, usize::MAX] {
        assert_eq!(producer.reserve(len).err(), Some(ReserveError::TooLarge(len)));
    }
}

#[test]
fn a_full_ring_refuses_until_the_reader_releases() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
    let mut written = 0;
    while write(&mut producer, 56, 7).is_ok() {
        written += 1;
    }
    assert_eq!(written, RING_MIN_BYTES / 64);
    assert_eq!(producer.reserve(0).err(), Some(ReserveError::Full));
    producer.publish();
    assert_eq!(read(&mut consumer).len(), written);
    assert_eq!(producer.reserve(0).err(), Some(ReserveError::Full), "read is not released");
    consumer.release();
    write(&mut producer, 56, 8).unwrap();
}

#[test]
fn a_reservation_that_is_dropped_leaves_no_trace() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
    for _ in 0..1000 {
        producer.reserve(1000).unwrap().write(0, &[9; 1000]).unwrap();
    }
    write(&mut producer, 3, 1).unwrap();
    producer.publish();
    assert_eq!(read(&mut consumer), [(3, Some(1))]);
}

#[test]
fn a_write_stays_inside_its_reservation() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
    let mut reservation = producer.reserve(10).unwrap();
    assert_eq!(reservation.len(), 10);
    assert_eq!(reservation.write(0, &[1; 10]), Ok(()));
    assert_eq!(reservation.write(10, &[]), Ok(()));
    for (offset, len) in [(0, 11), (10, 1), (11, 0), (usize::MAX, 1), (usize::MAX, 0)] {
        assert_eq!(reservation.write(offset, &vec![2; len]), Err(OutsideReservation), "{offset} {len}");
    }
    assert_eq!(reservation.write(8, &[3, 4]), Ok(()));
    // SAFETY: the payload has 10 bytes.
    let first = unsafe { reservation.as_mut_ptr().add(1) };
    // SAFETY: inside the payload, which is reserved.
    unsafe { first.write(5) };
    reservation.commit();
    producer.publish();
    assert_eq!(consumer.next(), Some(Ok(&[1, 5, 1, 1, 1, 1, 1, 1, 3, 4][..])));
}

#[test]
fn memory_that_cannot_be_a_ring_is_refused() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (head, cursor, data) = (bytes.head_address(), bytes.cursor_address(), bytes.data_address());
    let both = |head, cursor, data, bytes| {
        // SAFETY: the memory is a ring's; what does not fit is refused before it is used.
        let producer = unsafe { Producer::from_raw(head, cursor, data, bytes) };
        // SAFETY: as above.
        let consumer = unsafe { Consumer::from_raw(head, cursor, data, bytes, Attach::Cursor) };
        assert_eq!(
            consumer.err(),
            producer.as_ref().err().map(|error| AttachError::Geometry(*error)),
            "both sides refuse alike"
        );
        producer.err()
    };
    assert_eq!(both(head, cursor, data, RING_MIN_BYTES), None);
    for size in [0, 1, 8, 2048, 4095, 4097, 6144, RING_MAX_BYTES * 2, usize::MAX] {
        assert_eq!(both(head, cursor, data, size), Some(RingGeometryError::Size(size)));
        assert_eq!(largest_payload(size), 0);
    }
    for off in [1, 4] {
        let odd = |address: NonNull<u8>| address.map_addr(|at| at.checked_add(off).unwrap());
        let (bad_head, bad_cursor) = (odd(head.cast()).cast(), odd(cursor.cast()).cast());
        let misaligned = |at: usize| Some(RingGeometryError::Misaligned(at));
        assert_eq!(both(bad_head, cursor, data, 4096), misaligned(bad_head.addr().get()));
        assert_eq!(both(head, bad_cursor, data, 4096), misaligned(bad_cursor.addr().get()));
        assert_eq!(both(head, cursor, odd(data), 4096), misaligned(odd(data).addr().get()));
    }
}

#[test]
fn a_reader_begins_where_it_may_and_nowhere_else() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let mut producer = bytes.producer();
    for fill in 0..8 {
        write(&mut producer, 56, fill).unwrap();
    }
    producer.publish();
    let mut first = bytes.consumer();
    for _ in 0..3 {
        first.next().unwrap().unwrap();
    }
    first.release();
    first.next().unwrap().unwrap();
    let begins = |attach| {
        let mut consumer = bytes.attach(attach)?;
        let begin = consumer.next().map(|record| record.unwrap()[0]);
        Ok((consumer.position() - if begin.is_some() { 64 } else { 0 }, begin))
    };
    assert_eq!(begins(Attach::Cursor), Ok((192, Some(3))), "read but not released comes again");
    assert_eq!(begins(Attach::At(192)), Ok((192, Some(3))));
    assert_eq!(begins(Attach::At(448)), Ok((448, Some(7))));
    assert_eq!(begins(Attach::At(512)), Ok((512, None)));
    assert_eq!(begins(Attach::Head), Ok((512, None)));
    for position in [0, 128, 191, 196, 520, u64::MAX] {
        let error = AttachError::Position { position, cursor: 192, head: 512 };
        assert_eq!(begins(Attach::At(position)), Err(error));
    }
    // A last reader that died asleep, or was hostile.
    bytes.cursor().store(192 | WAIT_ANY, Ordering::Relaxed);
    assert_eq!(begins(Attach::Cursor), Ok((192, Some(3))));
    for cursor in [520, 196, 1 << 40, u64::MAX - 7] {
        bytes.cursor().store(cursor, Ordering::Relaxed);
        let error = AttachError::Cursor { cursor, head: 512 };
        assert_eq!(begins(Attach::Cursor), Err(error));
        assert_eq!(begins(Attach::At(192)), Err(error));
        assert_eq!(begins(Attach::Head), Ok((512, None)));
    }
    bytes.head().store(8 * 1024 + 4, Ordering::Relaxed);
    assert_eq!(begins(Attach::Head), Err(AttachError::Head(8 * 1024 + 4)));
    bytes.head().store(8 * 1024, Ordering::Relaxed);
    bytes.cursor().store(4 * 1024 - 8, Ordering::Relaxed);
    assert!(begins(Attach::Cursor).is_err(), "more unread than the ring holds");
}

#[test]
fn a_sleep_is_announced_answered_once_and_withdrawn() {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, RING_MIN_BYTES);
    let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
    assert!(!producer.wake_needed(0), "nobody sleeps");
    assert_eq!(consumer.prepare_wait(WaitFor::Any), Ok(true));
    assert_eq!(bytes.cursor().load(Ordering::Relaxed), WAIT_ANY);
    assert!(!producer.wake_needed(0), "there is nothing to wake for");
    for batch in 0..3 {
        write(&mut producer, 56, 7).unwrap();
        producer.publish();
        assert_eq!(producer.wake_needed(u64::MAX), batch == 0, "woken once, by batch 0");
    }
    assert_eq!(consumer.prepare_wait(WaitFor::Any), Ok(false), "records are there");
    assert_eq!(bytes.cursor().load(Ordering::Relaxed), 0);
    assert_eq!(read(&mut consumer).len(), 3);

    assert_eq!(consumer.prepare_wait(WaitFor::Fill(128)), Ok(true));
    assert_eq!(bytes.cursor().load(Ordering::Relaxed), 192 | WAIT_FILL);
    for batch in 0..4 {
        write(&mut producer, 56, 7).unwrap();
        producer.publish();
        assert_eq!(producer.wake_needed(128), batch == 1, "woken once, by batch 1");
    }
    assert_eq!(consumer.prepare_wait(WaitFor::Fill(128)), Ok(false));
    assert_eq!(consumer.prepare_wait(WaitFor::Fill(257)), Ok(true));
    consumer.cancel_wait();
    write(&mut producer, 56, 7).unwrap();
    producer.publish();
    assert!(!producer.wake_needed(0), "the sleep was withdrawn");
    assert_eq!(producer.reader_faults(), 0);
}
