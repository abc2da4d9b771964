//! Any sequence of operations on a ring, against a queue and plain arithmetic.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use skua_pools::{Producer, ReserveError, WAIT_ANY, WAIT_FILL, WaitFor, largest_payload};

use crate::heap::Heap;
use crate::ring_bytes::RingBytes;

const BYTES: usize = 4096;

#[derive(Clone, Debug)]
enum Operation {
    Write {
        len: usize,
        commit: bool,
    },
    Publish,
    Wake,
    Read {
        most: usize,
    },
    /// Looks at the next record, copies it in two parts, and counts it as read or not.
    Peek {
        split: usize,
        take: bool,
    },
    Release,
    Wait {
        fill: bool,
    },
    /// A reader that stores something else for a moment, seen by the producer or not.
    Hostile {
        word: u64,
        seen: bool,
    },
    /// Another reader begins where the last one released.
    Reattach,
}

fn operation() -> impl Strategy<Value = Operation> {
    let len = prop_oneof![0..40_usize, 0..=largest_payload(BYTES), select(vec![0, 1016, 1017, 5000])];
    prop_oneof![
        12 => (len, prop::bool::weighted(0.9)).prop_map(|(len, commit)| Operation::Write { len, commit }),
        4 => Just(Operation::Publish),
        4 => Just(Operation::Wake),
        6 => (0..20_usize).prop_map(|most| Operation::Read { most }),
        4 => (0..1024_usize, any::<bool>()).prop_map(|(split, take)| Operation::Peek { split, take }),
        4 => Just(Operation::Release),
        3 => any::<bool>().prop_map(|fill| Operation::Wait { fill }),
        1 => (any::<u64>(), any::<bool>()).prop_map(|(word, seen)| Operation::Hostile { word, seen }),
        1 => Just(Operation::Reattach),
    ]
}

/// What a ring is, in plain numbers.
#[derive(Default)]
struct Model {
    /// Payload and end position of each record not read, published ones first.
    records: VecDeque<(Vec<u8>, u64)>,
    published: usize,
    tail: u64,
    head: u64,
    /// Where the reader stands.
    read: u64,
    /// Where the last record that it read ends: a pad before that place, at the most.
    read_end: u64,
    released: u64,
    /// The last released position that the producer has looked at.
    seen: u64,
    /// The unread bytes that the sleeping reader waits for, until it is woken; `None` while it is awake or told.
    sleeping_for: Option<u64>,
    faults: u64,
    stamp: u8,
}

impl Model {
    fn write(&mut self, producer: &mut Producer, len: usize, commit: bool) {
        let frame = (8 + len as u64).div_ceil(8) * 8;
        let to_end = BYTES as u64 - self.tail % BYTES as u64;
        let pad = if frame > to_end { to_end } else { 0 };
        let fits = |released: u64| self.tail + pad + frame - released <= BYTES as u64;
        match producer.reserve(len) {
            Err(ReserveError::TooLarge(refused)) => {
                assert!(refused == len && frame > BYTES as u64 / 4);
                return;
            }
            Err(error) => {
                assert_eq!(error, ReserveError::Full);
                assert!(!fits(self.released), "refused with room");
                self.seen = self.released;
                return;
            }
            Ok(mut reservation) => {
                assert!(frame <= BYTES as u64 / 4 && fits(self.released), "granted without room");
                self.stamp = self.stamp.wrapping_add(1);
                let payload = vec![self.stamp; len];
                reservation.write(0, &payload).unwrap();
                if commit {
                    reservation.commit();
                    self.records.push_back((payload, self.tail + pad + frame));
                }
            }
        }
        if !fits(self.seen) {
            self.seen = self.released;
        }
        if commit {
            self.tail += pad + frame;
        }
    }

    fn publish(&mut self) {
        self.published = self.records.len();
        self.head = self.tail;
    }

    /// Whether the reader has to be woken now, which also looks at the cursor.
    fn wake(&mut self) -> bool {
        self.seen = self.released;
        let unread = self.head - self.released;
        self.sleeping_for.take_if(|enough| unread >= *enough).is_some()
    }

    /// Looks at the next record: its payload. The reader stands at its frame then, past the pad before it.
    fn peek(&mut self) -> Option<Vec<u8>> {
        let (payload, end) = self.records.front().filter(|_| self.published > 0)?;
        self.read = end - (8 + payload.len() as u64).div_ceil(8) * 8;
        Some(payload.clone())
    }

    fn release(&mut self) {
        self.released = self.read;
        self.sleeping_for = None;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_ring_is_a_queue_whatever_the_order(
        operations in vec(operation(), 0..300),
        watermark in select(vec![8_u64, 512, 2048, 4096]),
    ) {
        let heap = Heap::new();
        let bytes = RingBytes::new(&heap, BYTES);
        let (mut producer, mut consumer) = (bytes.producer(), bytes.consumer());
        let mut model = Model::default();
        for operation in operations {
            match operation {
                Operation::Write { len, commit } => model.write(&mut producer, len, commit),
                Operation::Publish => {
                    producer.publish();
                    model.publish();
                }
                Operation::Wake => {
                    prop_assert_eq!(producer.wake_needed(watermark), model.wake());
                }
                Operation::Read { most } => {
                    for record in consumer.batch().take(most) {
                        prop_assert!(model.published > 0, "read before it was published");
                        model.published -= 1;
                        let (payload, end) = model.records.pop_front().unwrap();
                        prop_assert_eq!(record.unwrap(), &payload[..]);
                        (model.read, model.read_end) = (end, end);
                    }
                    prop_assert_eq!(consumer.position(), model.read);
                    prop_assert_eq!(consumer.unread(), Ok(model.head - model.read));
                }
                Operation::Peek { split, take } => {
                    let Some(expected) = model.peek() else {
                        prop_assert!(consumer.peek().is_none());
                        continue;
                    };
                    let record = consumer.peek().unwrap().unwrap();
                    prop_assert_eq!(record.len(), expected.len());
                    let split = split.min(expected.len());
                    let mut copy = vec![0; expected.len()];
                    let (front, back) = copy.split_at_mut(split);
                    record.copy_to(0, front).unwrap();
                    record.copy_to(split, back).unwrap();
                    prop_assert_eq!(record.copy_to(split + 1, back).is_err(), true);
                    prop_assert_eq!(copy, expected);
                    if take {
                        record.take();
                        model.published -= 1;
                        model.read = model.records.pop_front().unwrap().1;
                        model.read_end = model.read;
                    }
                    prop_assert_eq!(consumer.position(), model.read);
                }
                Operation::Release => {
                    consumer.release();
                    model.release();
                }
                Operation::Wait { fill } => {
                    model.release();
                    let (wait, enough) =
                        if fill { (WaitFor::Fill(watermark), watermark) } else { (WaitFor::Any, 1) };
                    let sleep = consumer.prepare_wait(wait).unwrap();
                    prop_assert_eq!(sleep, model.head - model.read < enough);
                    model.sleeping_for = sleep.then_some(enough);
                }
                Operation::Hostile { word, seen } => {
                    let honest = bytes.cursor().swap(word, Ordering::Relaxed);
                    let position = word & !(WAIT_ANY | WAIT_FILL);
                    if position.is_multiple_of(8) && (model.seen..=model.head).contains(&position) {
                        // Not hostile after all, and it would be believed.
                        bytes.cursor().store(honest, Ordering::Relaxed);
                        continue;
                    }
                    if seen {
                        producer.refresh();
                        model.faults += 1;
                    }
                    prop_assert_eq!(producer.free(), BYTES as u64 - (model.tail - model.seen));
                    bytes.cursor().store(honest, Ordering::Relaxed);
                }
                Operation::Reattach => {
                    consumer = bytes.consumer();
                    prop_assert_eq!(consumer.position(), model.released);
                    // What was read and not released comes again; the model has let go of it.
                    model.read = model.read_end.max(model.released);
                    while consumer.position() < model.read {
                        prop_assert!(consumer.next().unwrap().is_ok());
                    }
                }
            }
            prop_assert_eq!(producer.used(), model.tail - model.seen);
            prop_assert_eq!(producer.reader_faults(), model.faults);
        }
    }
}
