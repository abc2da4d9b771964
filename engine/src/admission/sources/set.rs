//! Rows that are searched together.

use core::sync::atomic::{AtomicU64, Ordering, fence};

use super::meter::Meter;
use super::row::{Source, SourceRow};
use crate::admission::key::Key;
use crate::admission::rules::load;

/// Rows in a set: as many as one word has bytes for their tags.
pub(super) const WAYS: usize = 8;

/// How often a reader tries to read a row that is being given away.
const READ_ATTEMPTS: usize = 4;

/// The lowest bit of every byte.
const LOW_BITS: u64 = 0x0101_0101_0101_0101;

/// The highest bit of every byte.
const HIGH_BITS: u64 = LOW_BITS << 7;

/// Eight rows and what is needed to find one of them.
///
/// ```text
///   0  tags: a byte for each row       8  ripe      16  version
///  64  first: a word for each row
/// 128  row 0: address, meter         192  row 1     ...                640
/// ```
///
/// A datagram whose source has a row here reads the line of the tags, and reads and writes the line of that row.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(in crate::admission) struct Set {
    /// Byte i is the tag of row i, at least 0x80, or 0 where the row is nobody's. Written by the shard; a reader takes it
    /// as part of the row.
    tags: AtomicU64,
    /// No row is idle before this time. Written and read by the shard alone.
    ripe: AtomicU64,
    /// Odd while a row is being given to a source, and two more each time. Written by the shard.
    version: AtomicU64,
    _rest_of_line: [u64; 5],
    /// Ticks of the first datagram of each row's source.
    first: [AtomicU64; WAYS],
    rows: [Row; WAYS],
}

/// One source.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Row {
    high: AtomicU64,
    low: AtomicU64,
    meter: Meter,
}

const _: () = assert!(size_of::<Row>() == 64);
const _: () = assert!(size_of::<Set>() == 128 + WAYS * 64);

/// A source's tag, in every byte of a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag(u64);

impl Tag {
    #[inline]
    pub(super) fn new(hash: u64) -> Self {
        // The highest bit tells a tag from none.
        Self((hash & 0x7f | 0x80) * LOW_BITS)
    }
}

/// The row was being given to another source at every attempt to read it.
#[derive(Debug)]
pub(super) struct Unread;

impl Set {
    /// The meter of the source that `key` and its `tag` are of, if it has a row here.
    #[inline]
    pub(super) fn find(&self, key: Key, tag: Tag) -> Option<&Meter> {
        let mut candidates = self.candidates(tag);
        while candidates != 0 {
            let row = self.row(way_of(candidates));
            if load(&row.low) == key.low && load(&row.high) == key.high {
                return Some(&row.meter);
            }
            candidates &= candidates - 1;
        }
        None
    }

    /// The row that a source with this tag most likely has, if it has one here; any row otherwise.
    #[inline]
    pub(super) fn likely(&self, tag: Tag) -> *const u8 {
        let row = self.row(way_of(self.candidates(tag) | 1 << 63));
        (&raw const *row).cast()
    }

    /// A row that is nobody's.
    pub(super) fn vacant(&self) -> Option<usize> {
        let vacant = zero_bytes(load(&self.tags));
        (vacant != 0).then(|| way_of(vacant))
    }

    /// Of a set without vacant rows, the row that was silent longest, if that is for at least `idle` ticks.
    ///
    /// All rows are looked at only when one may be idle: a set that has none says so from one word until the time when
    /// the row that was silent longest would be. So sources without a row cannot make every datagram of theirs cost
    /// eight lines.
    pub(super) fn idle(&self, now: u64, idle: u64) -> Option<usize> {
        if now < load(&self.ripe) {
            return None;
        }
        let silence = self.rows.iter().map(|row| row.meter.last()).enumerate();
        let (way, last) = silence.min_by_key(|&(_, last)| last)?;
        let ripe = last.saturating_add(idle);
        self.ripe.store(ripe, Ordering::Relaxed);
        (now >= ripe).then_some(way)
    }

    /// Gives a row to a source heard for the first time `now`, with `credits` in its token bucket.
    ///
    /// ```text
    ///  shard                                 reader
    ///  -----                                 ------
    ///  version odd            Relaxed        version -> v          Acquire (1)
    ///  fence                  Release (2)    reads the row         Relaxed
    ///  writes the row         Relaxed        fence                 Acquire (3)
    ///  version even, later    Release (4)    version = v, and v even ?
    /// ```
    ///
    /// (1) with (4): what the reader reads is at least as new as what version v left. Had it read a word of the next
    /// source, (3) with (2) would show it a later version.
    pub(super) fn give(&self, way: usize, key: Key, tag: Tag, credits: u64, now: u64) -> &Meter {
        let version = load(&self.version);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        let row = self.row(way);
        row.high.store(key.high, Ordering::Relaxed);
        row.low.store(key.low, Ordering::Relaxed);
        row.meter.reset(credits, now);
        self.first_of(way).store(now, Ordering::Relaxed);
        let byte = 0xff << (way % WAYS * 8);
        self.tags.store(load(&self.tags) & !byte | tag.0 & byte, Ordering::Relaxed);
        self.version.store(version.wrapping_add(2), Ordering::Release);
        &row.meter
    }

    /// A row's counts, or `None` where it is nobody's; [`Unread`] after 4 attempts.
    pub(super) fn read(&self, way: usize) -> Result<Option<SourceRow>, Unread> {
        for _ in 0..READ_ATTEMPTS {
            let version = self.version.load(Ordering::Acquire);
            let row = self.peek(way);
            fence(Ordering::Acquire);
            if version.is_multiple_of(2) && load(&self.version) == version {
                return Ok(row);
            }
        }
        Err(Unread)
    }

    /// A row's counts, for the thread that writes them.
    pub(super) fn peek(&self, way: usize) -> Option<SourceRow> {
        if load(&self.tags) >> (way % WAYS * 8) & 0xff == 0 {
            return None;
        }
        let row = self.row(way);
        let key = Key { high: load(&row.high), low: load(&row.low) };
        Some(row.meter.read(Source::Address(key.address()), load(self.first_of(way))))
    }

    /// The rows with this tag, as the highest bits of their bytes; possibly with a row of another tag above one of them.
    ///
    /// Never a vacant one: the byte that is wrongly taken for zero differs from the tag in its lowest bit, and a vacant
    /// row's differs in its highest.
    #[inline]
    fn candidates(&self, tag: Tag) -> u64 {
        zero_bytes(load(&self.tags) ^ tag.0)
    }

    #[inline]
    fn row(&self, way: usize) -> &Row {
        &self.rows[way % WAYS]
    }

    fn first_of(&self, way: usize) -> &AtomicU64 {
        &self.first[way % WAYS]
    }
}

/// The highest bit of every byte that is zero, and possibly of bytes of one above a zero byte.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS
}

/// Which byte the lowest bit is in.
#[inline]
fn way_of(bits: u64) -> usize {
    (bits.trailing_zeros() / 8) as usize
}
