//! Rings that are mapped for their reader.

use skua_pools::WaitFor;
use skua_record::{Clock, Lane, Record, merge};

use super::supply::{Mark, Portion, Proof};
use crate::shared::MappedReader;

/// How rings' room is given back: in portions of this part of one ring.
const PORTIONS: u64 = 16;

/// All rings of one sink. One that cannot be read any more is left out from then on.
///
/// What was handed out is given back to the rings by [`Taps::release`], and by an announcement of a sleep.
pub(crate) struct Taps {
    taps: Vec<Tap>,
    rings: usize,
    clock: Clock,
    // What the rings left out had proved.
    proof: Proof,
}

/// One ring, and its number.
struct Tap {
    index: usize,
    ring: MappedReader,
}

impl Taps {
    /// Of at least one ring.
    pub(crate) fn new(rings: Vec<MappedReader>) -> Option<Self> {
        let clock = *rings.first()?.ring.geometry().clock();
        let taps: Vec<Tap> = rings.into_iter().enumerate().map(|(index, ring)| Tap { index, ring }).collect();
        Some(Self { rings: taps.len(), taps, clock, proof: Proof::default() })
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn rings(&self) -> usize {
        self.rings
    }

    pub(crate) fn marks(&mut self, mut note: impl FnMut(Mark)) {
        for Tap { index, ring } in &mut self.taps {
            let unread = ring.ring.unread().unwrap_or(0);
            note(Mark { ring: *index, position: ring.ring.position(), unread });
        }
    }

    pub(crate) fn portion(&mut self, mut visit: impl FnMut(&Record<'_>)) -> Portion {
        let limit = self.taps.first().map_or(0, |tap| tap.ring.ring.geometry().data_bytes() / PORTIONS);
        let mut visit = |record: &Record<'_>, _number| visit(record);
        let mut lanes: Vec<Lane<'_>> =
            self.taps.iter_mut().map(|tap| Lane::new(&mut tap.ring.ring)).collect();
        let mut progress = merge(&mut lanes, limit, &mut visit);
        let stopped = lanes.iter().any(|lane| lane.stopped().is_some());
        drop(lanes);
        let mut corrupt = Vec::new();
        if stopped {
            // A ring whose damage is to be passed over, which gives back what it handed out.
            for Tap { index, ring } in &mut self.taps {
                match ring.ring.read(limit, &mut visit) {
                    Ok(read) => {
                        progress.records += read.records;
                        progress.limited |= read.limited;
                    }
                    Err(error) => corrupt.push((*index, error)),
                }
            }
        }
        for (lost, _) in &corrupt {
            self.leave_out(*lost);
        }
        Portion { progress, corrupt, ended: None }
    }

    pub(crate) fn release(&mut self) {
        for tap in &mut self.taps {
            tap.ring.ring.release();
        }
    }

    pub(crate) fn prepare_sleep(&mut self, wait: WaitFor) -> bool {
        // A ring that cannot be read is found out by the next look.
        self.taps.iter_mut().all(|tap| tap.ring.ring.prepare_wait(wait).unwrap_or(false))
    }

    pub(crate) fn cancel_sleep(&mut self) {
        for tap in &mut self.taps {
            tap.ring.ring.cancel_wait();
        }
    }

    pub(crate) fn proof(&self) -> Proof {
        self.taps.iter().fold(self.proof, |proof, tap| proof.add(&tap.ring))
    }

    fn leave_out(&mut self, index: usize) {
        if let Some(place) = self.taps.iter().position(|tap| tap.index == index) {
            let tap = self.taps.remove(place);
            self.proof = self.proof.add(&tap.ring);
        }
    }
}

impl Proof {
    fn add(self, reader: &MappedReader) -> Self {
        let (continuity, damage) = (reader.ring.continuity(), reader.ring.damage());
        Self {
            broken: self.broken + continuity.missing + continuity.backward,
            damaged: self.damaged + damage.records + damage.bytes,
        }
    }
}
