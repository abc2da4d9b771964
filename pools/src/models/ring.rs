//! The ring's two words: bytes are never in two hands, and no wake is lost.

use core::ops::Deref;
use std::vec::Vec;

use super::checker::sync::Arc;
use super::checker::sync::atomic::AtomicU64 as LoomU64;
use super::checker::thread;

use super::{Exclusive, Notify, explore};
use crate::cursor::{Attach, ConsumerCursor, ProducerCursor, WaitFor, Word};
use crate::primitive::Ordering;

/// Bytes of one record in these models: one unit of position, one cell.
const RECORD: u64 = 8;

/// The shared words and one cell for each 8 bytes of data.
struct Shared {
    head: LoomU64,
    cursor: LoomU64,
    data: Vec<Exclusive>,
    wake: Notify,
}

impl Shared {
    fn new(records: usize) -> Arc<Self> {
        let data = (0..records).map(|_| Exclusive::new()).collect();
        Arc::new(Self { head: LoomU64::new(0), cursor: LoomU64::new(0), data, wake: Notify::new() })
    }

    fn cell(&self, position: u64) -> &Exclusive {
        &self.data[(position / RECORD) as usize % self.data.len()]
    }
}

/// One of the shared words, owned together.
struct Owned(Arc<Shared>, fn(&Shared) -> &LoomU64);

impl Deref for Owned {
    type Target = LoomU64;

    fn deref(&self) -> &LoomU64 {
        (self.1)(&self.0)
    }
}

impl Word for Owned {
    fn load(&self, order: Ordering) -> u64 {
        (**self).load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        (**self).store(value, order);
    }
}

fn head(shared: &Arc<Shared>) -> Owned {
    Owned(shared.clone(), |shared| &shared.head)
}

fn cursor(shared: &Arc<Shared>) -> Owned {
    Owned(shared.clone(), |shared| &shared.cursor)
}

fn producer(shared: &Arc<Shared>) -> ProducerCursor<Owned> {
    ProducerCursor::new(head(shared), cursor(shared), shared.data.len() as u64 * RECORD)
}

fn consumer(shared: &Arc<Shared>) -> ConsumerCursor<Owned> {
    let capacity = shared.data.len() as u64 * RECORD;
    ConsumerCursor::attach(head(shared), cursor(shared), capacity, Attach::Cursor).unwrap()
}

/// Writes a record whose content is its number, if there is room.
fn write(shared: &Shared, side: &mut ProducerCursor<Owned>) -> bool {
    let room = side.has_room(RECORD);
    if room {
        let number = side.tail() / RECORD;
        shared.cell(side.tail()).set(number + 1);
        side.advance(RECORD);
    }
    room
}

/// Reads what is published and checks that each record has its own content.
fn read(shared: &Shared, side: &mut ConsumerCursor<Owned>) {
    side.refresh().unwrap();
    while side.available() != 0 {
        assert_eq!(shared.cell(side.position()).look(), side.position() / RECORD + 1);
        side.advance(RECORD);
    }
}

/// A ring of 2 records; the producer tries 4 times, publishing each; the reader looks 3 times, releasing each time. Any
/// number of preemptions.
#[test]
fn a_record_is_written_or_read_never_both() {
    explore(None, || {
        let shared = Shared::new(2);
        let mut writer = producer(&shared);
        let other = shared.clone();
        let thread = thread::spawn(move || {
            let mut reader = consumer(&other);
            for _ in 0..3 {
                read(&other, &mut reader);
                reader.release();
            }
        });
        for _ in 0..4 {
            write(&shared, &mut writer);
            writer.publish();
        }
        thread.join().unwrap();
        assert_eq!(writer.faults(), 0);
        let mut late = consumer(&shared);
        read(&shared, &mut late);
        assert_eq!(late.position(), writer.tail(), "everything published is read in the end");
    });
}

/// A ring of 1 record, where the second write finds room only by what the wake decision saw of the cursor, which the
/// reader moved by `done`. Any number of preemptions.
fn refill_after_wake_decision(done: fn(&mut ConsumerCursor<Owned>)) {
    explore(None, move || {
        let shared = Shared::new(1);
        let mut writer = producer(&shared);
        let other = shared.clone();
        let thread = thread::spawn(move || {
            let mut reader = consumer(&other);
            read(&other, &mut reader);
            done(&mut reader);
        });
        for _ in 0..2 {
            if writer.used() == 0 {
                assert!(write(&shared, &mut writer));
            }
            writer.publish();
            let _ = writer.wake_needed(0);
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_cursor_released_gives_room_that_was_read() {
    refill_after_wake_decision(ConsumerCursor::release);
}

#[test]
fn a_cursor_released_by_going_to_sleep_gives_room_that_was_read() {
    refill_after_wake_decision(|reader| {
        let _ = reader.prepare_wait(WaitFor::Any);
    });
}

/// Sleeps whenever it may until `records` were read, and counts the sleeps announced. One that was withdrawn at once
/// counts too: the producer may have seen it.
fn read_any(shared: &Arc<Shared>, records: u64) -> u32 {
    let mut reader = consumer(shared);
    let mut sleeps = 0;
    while reader.position() < records * RECORD {
        sleeps += 1;
        if reader.prepare_wait(WaitFor::Any).unwrap() {
            shared.wake.wait();
        }
        read(shared, &mut reader);
    }
    sleeps
}

/// Sleeps until `watermark` bytes are there at once, then reads them.
fn read_filled(shared: &Arc<Shared>, watermark: u64) -> u32 {
    let mut reader = consumer(shared);
    let mut sleeps = 1;
    while reader.prepare_wait(WaitFor::Fill(watermark)).unwrap() {
        sleeps += 1;
        shared.wake.wait();
    }
    read(shared, &mut reader);
    assert_eq!(reader.position(), watermark);
    sleeps
}

/// Publishes `batches` batches of 1 record and wakes when the cursor says so; counts the wakes.
fn write_waking(shared: &Arc<Shared>, batches: u32, watermark: u64) -> u32 {
    let mut writer = producer(shared);
    let mut wakes = 0;
    for _ in 0..batches {
        assert!(write(shared, &mut writer));
        writer.publish();
        if writer.wake_needed(watermark) {
            wakes += 1;
            shared.wake.notify();
        }
    }
    wakes
}

/// A reader that sleeps for any record, against 2 batches. A lost wake leaves it asleep, which loom reports as a
/// deadlock. At most 5 preemptions.
#[test]
fn no_wake_is_lost_and_no_announcement_is_answered_twice() {
    explore(Some(5), || {
        let shared = Shared::new(4);
        let other = shared.clone();
        let thread = thread::spawn(move || read_any(&other, 2));
        let wakes = write_waking(&shared, 2, u64::MAX);
        let sleeps = thread.join().unwrap();
        assert!(wakes <= sleeps, "{wakes} wakes for {sleeps} sleeps");
    });
}

/// A reader that sleeps for 2 records at once, against 2 batches: the second wakes it, at most once. At most 5
/// preemptions.
#[test]
fn the_watermark_wakes_once_it_is_reached() {
    explore(Some(5), || {
        let shared = Shared::new(4);
        let other = shared.clone();
        let thread = thread::spawn(move || read_filled(&other, 2 * RECORD));
        let wakes = write_waking(&shared, 2, 2 * RECORD);
        let sleeps = thread.join().unwrap();
        assert!(wakes <= 1 && wakes <= sleeps, "{wakes} wakes for {sleeps} sleeps");
    });
}
