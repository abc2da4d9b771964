//! What a reader takes records from.

use skua_pools::{Corrupt, WaitFor};
use skua_record::{Clock, Progress, Record};

use super::intake::Ended;
use super::taps::Taps;
use crate::driver::packed::Packed;

/// The rings of one sink, as this reader reaches them.
pub(crate) enum Supply {
    /// Mapped, one by one.
    Mapped(Taps),
    /// Copied by the driver.
    Packed(Packed),
}

/// What the records' numbers prove about all rings together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Proof {
    /// Numbers that were skipped or came again.
    pub(crate) broken: u64,
    /// Frames that held no record, and bytes where no frame was.
    pub(crate) damaged: u64,
}

/// How far one ring is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    /// The ring's number.
    pub(crate) ring: usize,
    /// Bytes of it ever read.
    pub(crate) position: u64,
    /// Bytes published and not read.
    pub(crate) unread: u64,
}

/// What one look at the rings brought.
#[derive(Debug, Default)]
pub(crate) struct Portion {
    /// The records that were handed out.
    pub(crate) progress: Progress,
    /// Rings that cannot be read any more.
    pub(crate) corrupt: Vec<(usize, Corrupt)>,
    /// The sink is no more, or does not give records any more.
    pub(crate) ended: Option<Ended>,
}

impl Supply {
    /// How the rings' times are meant; of every ring, as they were opened together.
    pub(crate) fn clock(&self) -> Clock {
        match self {
            Self::Mapped(taps) => taps.clock(),
            Self::Packed(packed) => packed.clock(),
        }
    }

    /// How many rings there are, readable or not.
    pub(crate) fn rings(&self) -> usize {
        match self {
            Self::Mapped(taps) => taps.rings(),
            Self::Packed(packed) => packed.rings(),
        }
    }

    /// How far each ring is read.
    pub(crate) fn marks(&mut self, note: impl FnMut(Mark)) {
        match self {
            Self::Mapped(taps) => taps.marks(note),
            Self::Packed(packed) => packed.marks(note),
        }
    }

    /// Hands out what is published now, up to a portion of it, in the order of time.
    pub(crate) fn portion(&mut self, visit: impl FnMut(&Record<'_>)) -> Portion {
        match self {
            Self::Mapped(taps) => taps.portion(visit),
            Self::Packed(packed) => packed.portion(visit),
        }
    }

    /// Gives the room of what was handed out back to the rings.
    pub(crate) fn release(&mut self) {
        match self {
            Self::Mapped(taps) => taps.release(),
            // The driver does so at the next request.
            Self::Packed(_) => {}
        }
    }

    /// Announces a sleep until a ring has what is waited for, and says whether there is none that has.
    pub(crate) fn prepare_sleep(&mut self, wait: WaitFor) -> bool {
        match self {
            Self::Mapped(taps) => taps.prepare_sleep(wait),
            Self::Packed(packed) => packed.prepare_sleep(wait),
        }
    }

    /// Withdraws the announcement.
    pub(crate) fn cancel_sleep(&mut self) {
        match self {
            Self::Mapped(taps) => taps.cancel_sleep(),
            Self::Packed(_) => {}
        }
    }

    /// What was proved so far.
    pub(crate) fn proof(&self) -> Proof {
        match self {
            Self::Mapped(taps) => taps.proof(),
            Self::Packed(packed) => packed.proof(),
        }
    }
}
