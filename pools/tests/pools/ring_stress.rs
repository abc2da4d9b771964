//! A ring under two threads that sleep and wake: every record arrives, whole and in order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use skua_pools::{Consumer, Producer, ReserveError, WaitFor};

use crate::heap::Heap;
use crate::ring_bytes::RingBytes;

const RECORDS: u64 = 300_000;
const BATCH: u64 = 32;
const WATERMARK: u64 = 16 * 1024;
/// A wake that takes longer than this is a lost one.
const LOST: Duration = Duration::from_secs(20);

/// A payload that says which record it is in every byte.
fn payload(number: u64, into: &mut Vec<u8>) {
    into.clear();
    into.extend(number.to_le_bytes());
    into.resize(8 + (number.wrapping_mul(0x9E37_79B9) % 250) as usize, number.to_le_bytes()[0]);
}

/// Writes all records in batches and wakes the reader when asked to; waits for room by yielding. Returns its wakes.
fn write_all(mut producer: Producer, wake: impl Fn()) -> u64 {
    let (mut bytes, mut wakes) = (Vec::new(), 0);
    for number in 0..RECORDS {
        payload(number, &mut bytes);
        while let Err(error) = producer.reserve(bytes.len()).map(|mut reservation| {
            reservation.write(0, &bytes).unwrap();
            reservation.commit();
        }) {
            assert_eq!(error, ReserveError::Full);
            producer.publish();
            // Everything is published and the ring is full, so a sleeping reader is behind its watermark.
            if producer.wake_needed(WATERMARK) {
                wakes += 1;
                wake();
            }
            thread::yield_now();
        }
        if number % BATCH == BATCH - 1 || number == RECORDS - 1 {
            producer.publish();
            let watermark = if number == RECORDS - 1 { 0 } else { WATERMARK };
            if producer.wake_needed(watermark) {
                wakes += 1;
                wake();
            }
        }
    }
    assert_eq!(producer.reader_faults(), 0);
    wakes
}

/// Reads all records, sleeping in `wait`'s way whenever it may. Returns the sleeps it announced.
fn read_all(mut consumer: Consumer, wait: WaitFor) -> u64 {
    let (mut expected, mut number, mut announced) = (Vec::new(), 0, 0);
    while number < RECORDS {
        for record in consumer.batch() {
            payload(number, &mut expected);
            assert_eq!(record.unwrap(), expected, "record {number}");
            number += 1;
        }
        consumer.release();
        if number < RECORDS {
            announced += 1;
            if consumer.prepare_wait(wait).unwrap() {
                let slept = Instant::now();
                thread::park_timeout(LOST);
                assert!(slept.elapsed() < LOST, "a wake was lost at record {number}");
            }
        }
    }
    announced
}

fn exchange(wait: WaitFor) {
    let heap = Heap::new();
    let bytes = RingBytes::new(&heap, 64 * 1024);
    let (producer, consumer) = (bytes.producer(), bytes.consumer());
    let wakes = AtomicU64::new(0);
    let announced = thread::scope(|scope| {
        let reader = scope.spawn(|| read_all(consumer, wait));
        let target = reader.thread().clone();
        wakes.store(write_all(producer, || target.unpark()), Ordering::Relaxed);
        reader.join().unwrap()
    });
    let wakes = wakes.into_inner();
    assert!(wakes <= announced, "{wakes} wakes for {announced} sleeps announced");
}

#[test]
fn every_record_arrives_when_the_reader_sleeps_for_any() {
    exchange(WaitFor::Any);
}

#[test]
fn every_record_arrives_when_the_reader_sleeps_for_a_fill() {
    exchange(WaitFor::Fill(WATERMARK));
}
