//! Rings of records: Skua's, those of rtrb and ringbuf in the ways a program would use them, and a queue.

// UNSAFETY: tells rtrb and ringbuf how much was written.
#![expect(unsafe_code, reason = "they take the writer's word for what it wrote")]

use std::hint::spin_loop;
use std::iter::repeat_n;
use std::mem::{MaybeUninit, take};

use crossbeam_queue::ArrayQueue;
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Raw as _};
use ringbuf::{HeapCons, HeapProd};
use skua_pools::{Consumer, Producer};

/// Words of data in each ring: 256 KiB, which a second-level cache holds.
pub(crate) const RING_WORDS: usize = 32 * 1024;

/// The writing end of a ring of records of `N` words.
pub(crate) trait Writer<const N: usize>: Send {
    /// Writes `count` copies of `payload`, waiting for room, and shows them to the reader together.
    fn write(&mut self, payload: &[u64; N], count: usize);
}

/// The reading end.
pub(crate) trait Reader<const N: usize>: Send {
    /// Looks at the records there are, where they lie, and gives their room back.
    fn read(&mut self) -> Seen;
}

/// Records, and the sum of their first and last words: what a reader must have looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) records: u64,
    pub(crate) sum: u64,
}

impl Seen {
    #[inline]
    fn look(&mut self, first: u64, last: u64) {
        self.records += 1;
        self.sum = self.sum.wrapping_add(first).wrapping_add(last);
    }

    #[inline]
    pub(crate) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// Skua's ring: records of any length, each in one piece.
impl<const N: usize> Writer<N> for &mut Producer {
    #[inline]
    fn write(&mut self, payload: &[u64; N], count: usize) {
        let bytes: &[u8] = bytemuck::cast_slice(payload);
        for _ in 0..count {
            let mut room = loop {
                match self.reserve(bytes.len()) {
                    Ok(room) => break room,
                    Err(_) => spin_loop(),
                }
            };
            room.write(0, bytes).expect("as much as was reserved");
            room.commit();
        }
        self.publish();
    }
}

impl<const N: usize> Reader<N> for &mut Consumer {
    #[inline]
    fn read(&mut self) -> Seen {
        let mut seen = Seen::default();
        while let Some(record) = self.next() {
            let record = record.expect("a producer that writes records");
            if let (Some(first), Some(last)) = (record.first_chunk(), record.last_chunk()) {
                seen.look(u64::from_ne_bytes(*first), u64::from_ne_bytes(*last));
            }
        }
        self.release();
        seen
    }
}

/// A ring of words as one of records of any length: a word of length, then the payload, which may wrap.
pub(crate) struct Words<End>(pub(crate) End);

impl<const N: usize> Writer<N> for Words<rtrb::Producer<u64>> {
    #[inline]
    fn write(&mut self, payload: &[u64; N], count: usize) {
        let mut chunk = loop {
            match self.0.write_chunk_uninit(count * (1 + N)) {
                Ok(chunk) => break chunk,
                Err(_) => spin_loop(),
            }
        };
        let (mut first, mut second) = chunk.as_mut_slices();
        for _ in 0..count {
            fill(&mut first, &mut second, &[N as u64]);
            fill(&mut first, &mut second, payload);
        }
        debug_assert!(first.is_empty() && second.is_empty());
        // SAFETY: `count` times the length and the payload are what the chunk was asked for.
        unsafe { chunk.commit_all() };
    }
}

/// Writes `words` at the start of what is left of a chunk.
#[inline]
fn fill<'c>(first: &mut &'c mut [MaybeUninit<u64>], second: &mut &'c mut [MaybeUninit<u64>], words: &[u64]) {
    let (now, later) = words.split_at(words.len().min(first.len()));
    for (part, words) in [(first, now), (second, later)] {
        if !words.is_empty() {
            let (start, rest) = take(part).split_at_mut(words.len());
            start.write_copy_of_slice(words);
            *part = rest;
        }
    }
}

impl<const N: usize> Reader<N> for Words<rtrb::Consumer<u64>> {
    #[inline]
    fn read(&mut self) -> Seen {
        let Ok(chunk) = self.0.read_chunk(self.0.slots()) else { return Seen::default() };
        let (first, second) = chunk.as_slices();
        let seen = look_at(first, second);
        chunk.commit_all();
        seen
    }
}

/// Looks at the records in `first` and `second`, one after the other.
#[inline]
fn look_at(first: &[u64], second: &[u64]) -> Seen {
    let mut seen = Seen::default();
    let word = |at: usize| match first.get(at) {
        Some(word) => *word,
        None => second[at - first.len()],
    };
    let mut at = 0;
    while at < first.len() + second.len() {
        #[expect(clippy::cast_possible_truncation, reason = "the length that the writer wrote, a usize")]
        let len = word(at) as usize;
        seen.look(word(at + 1), word(at + len));
        at += 1 + len;
    }
    seen
}

impl<const N: usize> Writer<N> for Words<HeapProd<u64>> {
    #[inline]
    fn write(&mut self, payload: &[u64; N], count: usize) {
        let words = count * (1 + N);
        while self.0.vacant_len() < words {
            spin_loop();
        }
        let (mut first, mut second) = self.0.vacant_slices_mut();
        for _ in 0..count {
            fill(&mut first, &mut second, &[N as u64]);
            fill(&mut first, &mut second, payload);
        }
        // SAFETY: so many words were vacant, and are written from the first on.
        unsafe { self.0.advance_write_index(words) };
    }
}

impl<const N: usize> Reader<N> for Words<HeapCons<u64>> {
    #[inline]
    fn read(&mut self) -> Seen {
        let (first, second) = self.0.as_slices();
        let words = first.len() + second.len();
        let seen = look_at(first, second);
        self.0.skip(words);
        seen
    }
}

/// crossbeam's queue, which knows no batches.
pub(crate) struct OneByOne<'q, const N: usize>(pub(crate) &'q ArrayQueue<[u64; N]>);

impl<const N: usize> Writer<N> for OneByOne<'_, N> {
    #[inline]
    fn write(&mut self, payload: &[u64; N], count: usize) {
        for _ in 0..count {
            while self.0.push(*payload).is_err() {
                spin_loop();
            }
        }
    }
}

impl<const N: usize> Reader<N> for OneByOne<'_, N> {
    #[inline]
    fn read(&mut self) -> Seen {
        let mut seen = Seen::default();
        while let Some(record) = self.0.pop() {
            seen.look(record[0], record[N - 1]);
        }
        seen
    }
}

/// rtrb as it is made: a ring of values of one size.
pub(crate) struct Arrays<End>(pub(crate) End);

impl<const N: usize> Writer<N> for Arrays<rtrb::Producer<[u64; N]>> {
    #[inline]
    fn write(&mut self, payload: &[u64; N], count: usize) {
        let chunk = loop {
            match self.0.write_chunk_uninit(count) {
                Ok(chunk) => break chunk,
                Err(_) => spin_loop(),
            }
        };
        chunk.fill_from_iter(repeat_n(payload, count).copied());
    }
}

impl<const N: usize> Reader<N> for Arrays<rtrb::Consumer<[u64; N]>> {
    #[inline]
    fn read(&mut self) -> Seen {
        let mut seen = Seen::default();
        let Ok(chunk) = self.0.read_chunk(self.0.slots()) else { return seen };
        let (first, second) = chunk.as_slices();
        for record in first.iter().chain(second) {
            seen.look(record[0], record[N - 1]);
        }
        chunk.commit_all();
        seen
    }
}
