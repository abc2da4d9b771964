//! Several rings, read in the order of time.

use core::ops::ControlFlow;

use skua_pools::{Batch, Corrupt};

use crate::reader::{Damage, Progress, RingReader};
use crate::record::Record;
use crate::sequence::Sequence;

/// One ring's part in a [`merge()`]: what it has published, from the oldest on.
///
/// After the lanes, [`RingReader::release`] gives their room back to the writers.
pub struct Lane<'r> {
    batch: Batch<'r>,
    sequence: &'r mut Sequence,
    damage: &'r mut Damage,
    // The oldest record not handed out; None when there is none, or none was looked for yet.
    next: Option<(Record<'r>, u64)>,
    stopped: Option<Corrupt>,
}

impl<'r> Lane<'r> {
    /// The lane of a ring.
    pub fn new(reader: &'r mut RingReader) -> Self {
        let (batch, sequence, damage) = reader.parts();
        Self { batch, sequence, damage, next: None, stopped: None }
    }

    /// Why the lane ended before everything published was read. [`RingReader::read`] passes over what it can.
    #[must_use]
    pub fn stopped(&self) -> Option<Corrupt> {
        self.stopped
    }

    /// Takes records from the ring, oldest first, until `visit` breaks off.
    #[inline]
    fn each(&mut self, mut visit: impl FnMut(Record<'r>, u64) -> ControlFlow<()>) {
        while self.stopped.is_none() {
            let Some(frame) = self.batch.next() else { return };
            match frame {
                Ok(frame) => match Record::parse(frame) {
                    Ok(record) => {
                        let number = self.sequence.follow(record.header().sequence);
                        if visit(record, number).is_break() {
                            return;
                        }
                    }
                    Err(_) => self.damage.records += 1,
                },
                Err(corrupt) => self.stopped = Some(corrupt),
            }
        }
    }

    /// Hands out records that have nothing to be compared with, until `limit` bytes of the ring were.
    #[inline]
    fn read(&mut self, limit: u64, mut visit: impl FnMut(&Record<'_>, u64)) -> Progress {
        let mut progress = Progress { limited: limit == 0, ..Progress::default() };
        let mut bytes = 0;
        let mut hand_out = |record: Record<'r>, number| {
            progress.count(&record);
            bytes += record.ring_bytes();
            visit(&record, number);
            progress.limited = bytes >= limit;
            if progress.limited { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let goes_on = match self.next.take() {
            Some((record, number)) => hand_out(record, number).is_continue(),
            None => limit > 0,
        };
        if goes_on {
            self.each(hand_out);
        }
        progress
    }

    /// The time of the oldest record, looked for in the ring if need be.
    #[inline]
    fn time(&mut self) -> Option<u64> {
        if self.next.is_none() {
            let mut next = None;
            self.each(|record, number| {
                next = Some((record, number));
                ControlFlow::Break(())
            });
            self.next = next;
        }
        self.time_of_next()
    }

    /// The time of the record taken from the ring and not handed out.
    fn time_of_next(&mut self) -> Option<u64> {
        self.next.as_ref().map(|(record, _)| record.header().time)
    }
}

/// Hands out the records that the lanes' rings have published, oldest first, each with its number extended to 64 bits.
/// Stops early after the record with which `limit` bytes of the rings were handed out, and after those already taken from
/// the other rings, so that room is given back in portions.
///
/// # The window
/// Within one call times never go back, unless one ring's own do. From one call to the next they go back by less than
/// the window: the time the call took, plus the longest time from a record's stamp to its publication. A record that
/// came out too early was published before one with an earlier stamp, and the latter was not there when its lane was
/// found empty, which was within the call.
#[inline]
pub fn merge(lanes: &mut [Lane<'_>], limit: u64, mut visit: impl FnMut(&Record<'_>, u64)) -> Progress {
    if let [lane] = lanes {
        return lane.read(limit, visit);
    }
    let mut progress = Progress::default();
    let mut bytes = 0;
    loop {
        progress.limited = bytes >= limit;
        // Past the limit no lane is looked into any more, but what was taken from a ring must not be lost with its lane.
        let time = if progress.limited { Lane::time_of_next } else { Lane::time };
        let times = lanes.iter_mut().filter_map(|lane| Some((time(lane)?, lane)));
        let oldest = times.min_by_key(|(time, _)| *time);
        let Some((record, number)) = oldest.and_then(|(_, lane)| lane.next.take()) else { return progress };
        progress.count(&record);
        bytes += record.ring_bytes();
        visit(&record, number);
    }
}
