//! A result on its way from the one who completes a request to the one who asked for it.
//!
//! The request lies in a slot with room for its result and a cell for a waker. One thread asks and looks again, one
//! completes, and the one who asked may lose interest at any time. One word says who may touch what:
//!
//! | bit      | set by    | meaning                                                                     |
//! |----------|-----------|-----------------------------------------------------------------------------|
//! | FILLED   | the asker | the cell holds a waker; whoever finds it there at `claim` takes it out      |
//! | ENDING   | completer | the request is over; the slot is the completer's until DONE                 |
//! | DONE     | completer | the result may be read; the slot is the asker's, and the completer's last touch was this |
//! | WATCHED  | the asker | the asker waits on an event in the slot: signalling it is the last touch instead |
//! | DETACHED | the asker | nobody will look: whoever sets the second of DETACHED and DONE frees the slot |
//!
//! | asker polls                     | completer                       | and so                                     |
//! |---------------------------------|---------------------------------|--------------------------------------------|
//! | fills the cell, sets FILLED     |                                 |                                            |
//! |                                 | sets ENDING: FILLED, takes it   |                                            |
//! | clears FILLED: finds ENDING     |                                 | leaves the cell alone, polls once more     |
//! |                                 | sets DONE, wakes                | the next poll reads the result             |
//!
//! | asker polls                     | completer                       | and so                                     |
//! |---------------------------------|---------------------------------|--------------------------------------------|
//! | clears FILLED, fills the cell   |                                 |                                            |
//! |                                 | sets ENDING: not FILLED         | the completer leaves the cell alone        |
//! | sets FILLED: finds ENDING       | sets DONE, wakes nobody         | the asker takes it out, polls once more    |
//!
//! | asker drops                     | completer                       | and so                                     |
//! |---------------------------------|---------------------------------|--------------------------------------------|
//! | sets DETACHED: not DONE         | sets DONE: finds DETACHED       | the completer frees the slot               |
//! | sets DETACHED: finds DONE       | (its last touch was DONE)       | the asker frees the slot                   |
//!
//! Every step is one exchange of one word, so of two of them one comes first. Nobody waits, and nothing repeats.

use crate::primitive::{AtomicU32, Ordering};

const FILLED: u32 = 1;
const ENDING: u32 = 2;
const DONE: u32 = 4;
const WATCHED: u32 = 8;
const DETACHED: u32 = 16;

/// What the asker finds that wants its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it says who may touch the cell"]
pub enum Cell {
    /// The cell is the asker's, and holds what it held.
    Asker,
    /// The request is over and its result not yet to be read: the cell is the completer's. Look again.
    Ending,
    /// The result may be read, and everything is the asker's.
    Done,
}

/// What the completer finds that has written the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it says who owns the slot"]
pub enum Finished {
    /// The slot is the asker's. Not to be touched again.
    Handed,
    /// The slot is the asker's as soon as the event in it is signalled, which is the completer's to do.
    Watched,
    /// Nobody asks any more: the slot is the completer's to free.
    Detached,
}

/// The word of one request; see the tables above. It serves one request after the other.
pub struct Handover(AtomicU32);

impl Default for Handover {
    fn default() -> Self {
        Self::new()
    }
}

impl Handover {
    /// One without a request.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU32::new(ENDING | DONE))
    }

    /// The asker's, who owns the slot and is about to hand the request over.
    ///
    /// # IRQL
    /// Any.
    pub fn begin(&self) {
        // What hands the request over orders this.
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether the result may be read.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire) & DONE != 0
    }

    /// Whether the request is over, though its result may not be there to read yet.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.0.load(Ordering::Acquire) & ENDING != 0
    }

    /// The asker wants its cell back, to change the waker in it or to drop it.
    ///
    /// # IRQL
    /// Any.
    pub fn reclaim(&self) -> Cell {
        Self::cell(self.0.fetch_and(!FILLED, Ordering::AcqRel))
    }

    /// The asker has filled the cell, which it had [reclaimed](Handover::reclaim) (or never offered), and lends it to the
    /// completer. On [`Cell::Ending`] the completer had passed before: the cell is the asker's to empty, nobody wakes.
    ///
    /// # IRQL
    /// Any.
    pub fn offer(&self) -> Cell {
        Self::cell(self.0.fetch_or(FILLED, Ordering::AcqRel))
    }

    /// The asker is going to wait on the event in the slot. True: the result is there, nobody signals.
    ///
    /// # IRQL
    /// Any.
    #[must_use = "true means that there is nothing to wait for"]
    pub fn watch(&self) -> bool {
        self.0.fetch_or(WATCHED, Ordering::AcqRel) & DONE != 0
    }

    /// The asker gives up waiting on the event. True: it is signalled, now or in a moment, and the slot is the asker's only
    /// then.
    ///
    /// # IRQL
    /// Any.
    #[must_use = "true means that the signal has to be waited for"]
    pub fn unwatch(&self) -> bool {
        self.0.fetch_and(!WATCHED, Ordering::AcqRel) & DONE != 0
    }

    /// The asker will not look again. True: the request was done, so the slot is the asker's to free. False: it is the
    /// completer's, and the asker's last touch was this.
    ///
    /// The asker has reclaimed its cell, and does not watch.
    ///
    /// # IRQL
    /// Any.
    #[must_use = "true means that the slot is the caller's to free"]
    pub fn detach(&self) -> bool {
        self.0.fetch_or(DETACHED, Ordering::AcqRel) & DONE != 0
    }

    /// Takes the request over to complete it. `None`: somebody else has. Else whether the cell holds a waker, which is the
    /// completer's to take out.
    ///
    /// # IRQL
    /// Any.
    #[must_use = "only one completes"]
    pub fn claim(&self) -> Option<bool> {
        let before = self.0.fetch_or(ENDING, Ordering::AcqRel);
        (before & ENDING == 0).then_some(before & FILLED != 0)
    }

    /// The completer, whose [`claim`](Handover::claim) it was, has written the result and emptied the cell.
    ///
    /// # IRQL
    /// Any.
    pub fn finish(&self) -> Finished {
        let before = self.0.fetch_or(DONE, Ordering::AcqRel);
        if before & DETACHED != 0 {
            Finished::Detached
        } else if before & WATCHED != 0 {
            Finished::Watched
        } else {
            Finished::Handed
        }
    }

    fn cell(before: u32) -> Cell {
        if before & DONE != 0 {
            Cell::Done
        } else if before & ENDING != 0 {
            Cell::Ending
        } else {
            Cell::Asker
        }
    }
}
