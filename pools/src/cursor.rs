//! The two words of a ring and what either side does with them.
//!
//! ```text
//! head    bytes ever published      written by the producer only
//! cursor  bytes ever released       written by the reader only, which is not believed
//!
//!         63                                    3   2   1   0
//!        +---------------------------------------+---+---+---+
//! cursor | position, a multiple of 8             | 0 | F | A |   A: sleeping, wake at any record (WAIT_ANY)
//!        +---------------------------------------+---+---+---+   F: sleeping, wake at the watermark (WAIT_FILL)
//! ```
//!
//! Both only grow; 2^64 bytes are not reached in a machine's life (5 years at 100 GB/s). Unread is `[cursor, head)`, free
//! is the rest of the capacity, and an offset into the data is a position modulo the capacity, a power of two.
//!
//! # Why no wake is lost
//! Each side stores its own word, passes a sequentially consistent fence, and loads the other's:
//!
//! | reader, about to sleep             | producer, after a batch            |
//! |------------------------------------|------------------------------------|
//! | cursor = position + flag           | head = new head                    |
//! | fence(SeqCst)                      | fence(SeqCst)                      |
//! | loads head: new data? do not sleep | loads cursor: flag? wake           |
//!
//! One of the two fences comes first in the single order of such fences, and the side whose fence comes second sees the
//! other's store. If that is the reader, it does not sleep; if it is the producer, it wakes.
//!
//! # Why a wait is woken once
//! The producer remembers the whole word it woke for. A waiting reader stores nothing, so the word stays and later
//! batches do not wake again. The same word can come back only from a reader that waits anew without having moved, and
//! what it waits for has then happened already: its own look at the head keeps it awake.

use crate::primitive::{Ordering, fence};

/// Cursor flag: the reader sleeps until there is any record.
pub const WAIT_ANY: u64 = 1;
/// Cursor flag: the reader sleeps until the producer's watermark is reached.
pub const WAIT_FILL: u64 = 2;

/// Positions are multiples of this; it leaves room for the flags.
pub(crate) const POSITION_UNIT: u64 = 8;

const FLAGS: u64 = WAIT_ANY | WAIT_FILL;

/// What a reader sleeps for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// Any record.
    Any,
    /// At least this many unread bytes, the same number as the producer's watermark. A smaller one sleeps on until the
    /// producer's is reached; a larger one is woken early, and not again before it has released something.
    Fill(u64),
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// At the cursor: the start of a new ring, or where the last reader released.
    Cursor,
    /// At a position that this reader stored elsewhere, the end of some record; between cursor and head.
    At(u64),
    /// At the head, skipping what is unread: the way in when the last reader left a cursor that cannot be.
    Head,
}

/// Why a reader cannot begin where it wants to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadAttach {
    Head(u64),
    Cursor { cursor: u64, head: u64 },
    Position { position: u64, cursor: u64, head: u64 },
}

/// The producer published a head that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadHead(pub(crate) u64);

/// One of the two words, wherever it lives: in mapped bytes, or in a model's own memory.
pub(crate) trait Word {
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, value: u64, order: Ordering);
}

/// The producer's side: what is written, what is published, how far the reader has come.
///
/// # Invariants
/// `accepted <= published <= tail <= accepted + capacity`, all multiples of 8. None of them is ever read back from
/// shared memory, except `accepted`, which takes a cursor's position only if that keeps this true.
pub(crate) struct ProducerCursor<W> {
    head: W,
    cursor: W,
    capacity: u64,
    tail: u64,
    published: u64,
    accepted: u64,
    /// The cursor word last woken for; 0, which has no flag, when none was.
    woken: u64,
    faults: u64,
}

impl<W: Word> ProducerCursor<W> {
    /// Starts an empty ring of `capacity` bytes.
    pub(crate) fn new(head: W, cursor: W, capacity: u64) -> Self {
        head.store(0, Ordering::Release);
        Self { head, cursor, capacity, tail: 0, published: 0, accepted: 0, woken: 0, faults: 0 }
    }

    /// Where the next byte goes.
    #[inline]
    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    /// Bytes written and not released by the reader, as far as its cursor was last accepted.
    #[inline]
    pub(crate) fn used(&self) -> u64 {
        self.tail - self.accepted
    }

    /// Whether `bytes` more fit, looking at the reader's cursor only if they did not fit before it moved.
    #[inline]
    pub(crate) fn has_room(&mut self, bytes: u64) -> bool {
        bytes <= self.capacity - self.used() || {
            self.refresh();
            bytes <= self.capacity - self.used()
        }
    }

    /// Looks at the reader's cursor.
    pub(crate) fn refresh(&mut self) {
        // Acquire: the reader's last reads of the bytes it released come before this side's next writes there.
        let word = self.cursor.load(Ordering::Acquire);
        self.accept(word);
    }

    /// Counts `bytes`, a multiple of 8 for which there is room, as written.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: u64) {
        debug_assert!(bytes.is_multiple_of(POSITION_UNIT) && bytes <= self.capacity - self.used());
        self.tail += bytes;
    }

    /// Shows the reader everything written.
    #[inline]
    pub(crate) fn publish(&mut self) {
        // Release: the bytes before the head that covers them.
        self.head.store(self.tail, Ordering::Release);
        self.published = self.tail;
    }

    /// Whether the reader sleeps for what is published by now, and has not been woken from this sleep yet.
    #[inline]
    pub(crate) fn wake_needed(&mut self, watermark: u64) -> bool {
        fence(Ordering::SeqCst);
        let word = self.cursor.load(Ordering::Acquire);
        if !self.accept(word) || word & FLAGS == 0 || word == self.woken {
            return false;
        }
        let unread = self.published - self.accepted;
        let any = word & WAIT_ANY != 0 && unread != 0;
        let fill = word & WAIT_FILL != 0 && unread >= watermark;
        if any || fill {
            self.woken = word;
        }
        any || fill
    }

    /// How many times the cursor held what no honest reader stores.
    pub(crate) fn faults(&self) -> u64 {
        self.faults
    }

    /// Takes over the position in `word`, or counts a fault and keeps the last good one.
    #[inline]
    fn accept(&mut self, word: u64) -> bool {
        let position = word & !FLAGS;
        let good =
            position.is_multiple_of(POSITION_UNIT) && (self.accepted..=self.published).contains(&position);
        if good {
            self.accepted = position;
        } else {
            self.faults = self.faults.saturating_add(1);
        }
        good
    }
}

/// The reader's side: what was read, how far the producer is known to be.
///
/// # Invariants
/// `position <= seen <= position + capacity`, all multiples of 8.
pub(crate) struct ConsumerCursor<W> {
    head: W,
    cursor: W,
    capacity: u64,
    position: u64,
    seen: u64,
}

impl<W: Word> ConsumerCursor<W> {
    /// Attaches between what the last reader released and what is published.
    pub(crate) fn attach(head: W, cursor: W, capacity: u64, at: Attach) -> Result<Self, BadAttach> {
        let published = head.load(Ordering::Acquire);
        if !published.is_multiple_of(POSITION_UNIT) {
            return Err(BadAttach::Head(published));
        }
        let released = cursor.load(Ordering::Relaxed) & !FLAGS;
        let position = match at {
            Attach::Cursor => released,
            Attach::At(position) => position,
            Attach::Head => published,
        };
        let released_good = released.is_multiple_of(POSITION_UNIT)
            && published.checked_sub(released).is_some_and(|unread| unread <= capacity);
        let position_good =
            position.is_multiple_of(POSITION_UNIT) && (released..=published).contains(&position);
        match at {
            // The producer accepts its own head whatever the last reader left in the cursor.
            Attach::Head => {}
            Attach::Cursor | Attach::At(_) if !released_good => {
                return Err(BadAttach::Cursor { cursor: released, head: published });
            }
            Attach::At(_) if !position_good => {
                return Err(BadAttach::Position { position, cursor: released, head: published });
            }
            Attach::Cursor | Attach::At(_) => {}
        }
        Ok(Self { head, cursor, capacity, position, seen: published })
    }

    /// Where the next read begins.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes known to be published and not read.
    #[inline]
    pub(crate) fn available(&self) -> u64 {
        self.seen - self.position
    }

    /// Looks at the producer's head.
    #[inline]
    pub(crate) fn refresh(&mut self) -> Result<(), BadHead> {
        // Acquire: the bytes published come after the head that covers them.
        let head = self.head.load(Ordering::Acquire);
        let good =
            head.is_multiple_of(POSITION_UNIT) && self.seen <= head && head - self.position <= self.capacity;
        if !good {
            return Err(BadHead(head));
        }
        self.seen = head;
        Ok(())
    }

    /// Counts `bytes`, at most what is available, as read.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.available());
        self.position += bytes;
    }

    /// Passes over everything known to be published, and says how many bytes that was.
    pub(crate) fn skip(&mut self) -> u64 {
        let skipped = self.available();
        self.position = self.seen;
        skipped
    }

    /// Gives the producer everything read, and says that this side is awake.
    #[inline]
    pub(crate) fn release(&mut self) {
        // Release: this side's reads of the bytes before the producer's next writes there.
        self.cursor.store(self.position, Ordering::Release);
    }

    /// Releases, announces a sleep, and says whether to sleep. If not, the announcement is withdrawn.
    pub(crate) fn prepare_wait(&mut self, wait: WaitFor) -> Result<bool, BadHead> {
        let (flag, enough) = match wait {
            WaitFor::Any => (WAIT_ANY, 1),
            WaitFor::Fill(watermark) => (WAIT_FILL, watermark),
        };
        self.cursor.store(self.position | flag, Ordering::Release);
        fence(Ordering::SeqCst);
        let looked = self.refresh();
        let sleep = looked.is_ok() && self.available() < enough;
        if !sleep {
            self.release();
        }
        looked.map(|()| sleep)
    }
}
