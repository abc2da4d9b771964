//! Rows that are searched together.

use core::array;
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
///   0  tags: a byte for each row       8  oldest    16  version
///  64  first: a word for each row
/// 128  row 0: address, meter         192  row 1     ...                640
/// ```
///
/// A datagram whose source has the row that it prefers reads and writes the line of that row. For one whose source has
/// another row, the line of the tags and that row's come in addition.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(in crate::admission) struct Set {
    /// Byte i is the tag of row i, at least 0x80, or 0 where the row is nobody's. Written by the shard; a reader takes it
    /// as part of the row.
    tags: AtomicU64,
    /// No source of a row was heard for the last time before this. Written and read by the shard alone.
    oldest: AtomicU64,
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

impl Row {
    fn new(key: Key) -> Self {
        Self { high: AtomicU64::new(key.high), low: AtomicU64::new(key.low), meter: Meter::default() }
    }

    #[inline]
    fn is_of(&self, key: Key) -> bool {
        // Both at once, because it mostly is.
        (load(&self.low) ^ key.low) | (load(&self.high) ^ key.high) == 0
    }
}

const _: () = assert!(size_of::<Row>() == 64);
const _: () = assert!(size_of::<Set>() == 128 + WAYS * 64);

/// The row was being given to another source at every attempt to read it.
#[derive(Debug)]
pub(super) struct Unread;

impl Set {
    /// A set of vacant rows that hold `key`, whose first set is another one.
    pub(super) fn new(key: Key) -> Self {
        Self { rows: array::from_fn(|_| Row::new(key)), ..Self::default() }
    }

    /// The meter of the source that `key` and its `hash` are of, if this is its first set and it has the row that it
    /// prefers. One line is read.
    #[inline]
    pub(super) fn find_preferred(&self, key: Key, hash: u64) -> Option<&Meter> {
        let row = self.row(preferred_way(hash));
        row.is_of(key).then_some(&row.meter)
    }

    /// Where the preferred row is.
    #[inline]
    pub(super) fn preferred(&self, hash: u64) -> *const u8 {
        (&raw const *self.row(preferred_way(hash))).cast()
    }

    /// The meter of the source, if it has a row here.
    #[inline]
    pub(super) fn find(&self, key: Key, hash: u64) -> Option<&Meter> {
        // Among the zero bytes may be a row of another tag, but no vacant one: what is wrongly taken for zero differs
        // from the tag in its lowest bit, and a vacant row differs in its highest.
        let mut candidates = zero_bytes(load(&self.tags) ^ (tag(hash) * LOW_BITS));
        while candidates != 0 {
            let row = self.row(way_of(candidates));
            if row.is_of(key) {
                return Some(&row.meter);
            }
            candidates &= candidates - 1;
        }
        None
    }

    /// A row that is nobody's: the preferred one if it is, else any.
    pub(super) fn vacant(&self, hash: u64) -> Option<usize> {
        let vacant = zero_bytes(load(&self.tags));
        let preferred = preferred_way(hash);
        // The lowest zero byte is told exactly, and so is every one when no byte is a one: tags are at least 0x80.
        if vacant >> (preferred * 8) & 0x80 != 0 {
            return Some(preferred);
        }
        (vacant != 0).then(|| way_of(vacant))
    }

    /// Of a set without vacant rows, the row that was silent longest, if that is for at least `idle` ticks.
    ///
    /// All rows are looked at only when one may be idle: a set that has none says so from one word until the time when
    /// the row that was silent longest would be. So sources without a row cannot make every datagram of theirs cost
    /// eight lines. The word says when that row was heard, so that it holds whatever `idle` comes to be.
    pub(super) fn idle(&self, now: u64, idle: u64) -> Option<usize> {
        if now < load(&self.oldest).saturating_add(idle) {
            return None;
        }
        let silence = self.rows.iter().map(|row| row.meter.last()).enumerate();
        let (way, last) = silence.min_by_key(|&(_, last)| last)?;
        self.oldest.store(last, Ordering::Relaxed);
        (now >= last.saturating_add(idle)).then_some(way)
    }

    /// Gives a row to a source heard for the first time `now`, with a full token bucket.
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
    pub(super) fn give(&self, way: usize, key: Key, hash: u64, now: u64) -> &Meter {
        let version = load(&self.version);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        let row = self.row(way);
        row.high.store(key.high, Ordering::Relaxed);
        row.low.store(key.low, Ordering::Relaxed);
        row.meter.reset(now);
        self.first_of(way).store(now, Ordering::Relaxed);
        let place = way % WAYS * 8;
        self.tags.store(load(&self.tags) & !(0xff << place) | tag(hash) << place, Ordering::Relaxed);
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

    #[inline]
    fn row(&self, way: usize) -> &Row {
        &self.rows[way % WAYS]
    }

    fn first_of(&self, way: usize) -> &AtomicU64 {
        &self.first[way % WAYS]
    }
}

/// What a row's byte is for a source of this hash: the highest bit tells it from a vacant row's.
#[inline]
fn tag(hash: u64) -> u64 {
    hash >> 3 & 0x7f | 0x80
}

/// The row that a source of this hash has if it can choose.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "less than 8")]
fn preferred_way(hash: u64) -> usize {
    (hash % WAYS as u64) as usize
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
