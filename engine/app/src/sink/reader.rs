//! The thread that takes records out of the rings and hands them to the outputs.
//!
//! ```text
//!            rings had records                              rings were empty
//!   awake -------------------------> resting                for a whole rest
//!     ^                              sleeps until a ring is filled to the watermark,  ------> idle
//!     |                              or until the flush interval is over                      sleeps until there
//!     |                                 |                                                     is any record
//!     +---------------------------------+------------------------------------------------------+
//! ```
//!
//! Resting, the reader is not woken for single records: at any rate it wakes about once in a flush interval, or as often
//! as rings fill. Idle, it does not wake at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant, SystemTime};

use skua_pools::{Corrupt, WaitFor};
use skua_record::{Clock, Lane, Progress, Record, merge};

use super::alarm::Alarm;
use super::output::{OutputError, Outputs};
use crate::shared::MappedReader;
use crate::snapshot::Snapshot;

/// How long records may wait in a ring before they are read, and in an output before they are flushed.
pub(crate) const FLUSH_INTERVAL: Duration = Duration::from_millis(10);

/// The longest sleep of an idle reader: a bound on what a lost wake would cost, were there one.
const IDLE_SLEEP: Duration = Duration::from_secs(1);

/// How rings' room is given back: in portions of this part of one ring.
const PORTIONS: u64 = 16;

/// What the reader shows the other threads while it runs.
#[derive(Debug)]
pub(crate) struct Gauges {
    read: AtomicU64,
    written: AtomicU64,
    rings: Box<[RingGauge]>,
    finishing: AtomicBool,
}

/// What the reader shows of one ring.
#[derive(Debug, Default)]
struct RingGauge {
    // Bytes of the ring ever read.
    position: AtomicU64,
    // The most bytes found unread since the last look at this.
    peak: AtomicU64,
}

impl Gauges {
    /// For `rings` rings.
    pub(crate) fn new(rings: usize) -> Arc<Self> {
        Arc::new(Self {
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            rings: (0..rings).map(|_| RingGauge::default()).collect(),
            finishing: AtomicBool::new(false),
        })
    }

    /// Records taken out of the rings.
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Datagrams that reached every output.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// For each ring, the bytes ever read and the most found unread since this was last asked.
    pub(crate) fn rings(&self) -> impl Iterator<Item = (u64, u64)> {
        self.rings
            .iter()
            .map(|ring| (ring.position.load(Ordering::Relaxed), ring.peak.swap(0, Ordering::Relaxed)))
    }

    /// Says that nothing is published any more: the reader reads what is there and ends. Follow it with the alarm.
    pub(crate) fn finish(&self) {
        self.finishing.store(true, Ordering::Release);
    }
}

/// What the reader tells, in this order: any number of failures, then that the rings are empty, then its end.
#[derive(Debug)]
pub(crate) enum Event {
    /// An output failed; the others go on.
    Failed(OutputError),
    /// A ring cannot be read any more.
    Corrupt(usize, Corrupt),
    /// Everything published was read. The reader waits for the totals.
    Drained,
    /// The outputs are finished.
    Finished(Proof),
}

/// What the records' numbers prove about all rings together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Proof {
    /// Numbers that were skipped or came again.
    pub(crate) broken: u64,
    /// Frames that held no record, and bytes where no frame was.
    pub(crate) damaged: u64,
}

/// The reader of all rings of one sink.
pub(crate) struct Reader {
    rings: Vec<Tap>,
    // Of every ring: they were opened together.
    clock: Clock,
    // What rings that cannot be read any more had proved.
    proof: Proof,
    losses: u64,
    ends: Ends,
}

/// What a reader is connected to.
pub(crate) struct Ends {
    pub(crate) outputs: Outputs,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) alarm: Alarm,
    /// Unread bytes at which the sink wakes a resting reader: its watermark.
    pub(crate) watermark: u64,
    /// How many datagrams were lost so far.
    pub(crate) count_losses: Box<dyn Fn() -> u64 + Send>,
    pub(crate) events: Sender<Event>,
    /// Brings the totals when everything is at rest.
    pub(crate) totals: Receiver<Snapshot>,
}

/// One ring, and its place among the gauges.
struct Tap {
    index: usize,
    ring: MappedReader,
}

impl Reader {
    /// Of all rings of a sink, at least one.
    pub(crate) fn new(rings: Vec<MappedReader>, ends: Ends) -> Option<Self> {
        let clock = *rings.first()?.ring.geometry().clock();
        let rings = rings.into_iter().enumerate().map(|(index, ring)| Tap { index, ring }).collect();
        Some(Self { rings, clock, proof: Proof::default(), losses: 0, ends })
    }

    /// Reads until told to finish, and then to the end.
    pub(crate) fn run(mut self) {
        self.ends.alarm.adopt();
        let mut unflushed = false;
        let mut last_flush = Instant::now();
        loop {
            // Before the rings: what is published before this is set is seen below, and nothing comes after it.
            let finishing = self.ends.gauges.finishing.load(Ordering::Acquire);
            let found = self.pass();
            unflushed |= found;
            if unflushed && (finishing || last_flush.elapsed() >= FLUSH_INTERVAL) {
                self.ends.outputs.flush();
                self.report();
                unflushed = false;
                last_flush = Instant::now();
            }
            match (finishing, found || unflushed) {
                (true, true) => {}
                (true, false) => break,
                (false, true) => self.sleep(WaitFor::Fill(self.ends.watermark), FLUSH_INTERVAL),
                (false, false) => self.sleep(WaitFor::Any, IDLE_SLEEP),
            }
        }
        self.tell(Event::Drained);
        if let Ok(totals) = self.ends.totals.recv() {
            self.ends.outputs.finish(unix_nanoseconds(), &totals);
            self.report();
        }
        let proof = self.rings.iter().fold(self.proof, |proof, tap| proof.add(&tap.ring));
        self.tell(Event::Finished(proof));
    }

    /// Reads what is published now, portion by portion. Says whether there was anything.
    fn pass(&mut self) -> bool {
        for Tap { index, ring } in &mut self.rings {
            let unread = ring.ring.unread().unwrap_or(0);
            self.ends.gauges.rings[*index].peak.fetch_max(unread, Ordering::Relaxed);
        }
        let mut found = false;
        loop {
            let progress = self.portion();
            found |= progress.records > 0;
            self.ends.gauges.read.fetch_add(progress.records, Ordering::Relaxed);
            self.report();
            if !progress.limited {
                break;
            }
        }
        for Tap { index, ring } in &self.rings {
            self.ends.gauges.rings[*index].position.store(ring.ring.position(), Ordering::Relaxed);
        }
        found
    }

    /// Reads one portion, in the order of time where there are several rings.
    fn portion(&mut self) -> Progress {
        // Losses since the last portion stand before the first record of this one. They may have happened a little
        // later: by at most the time it takes to get here again.
        let losses = (self.ends.count_losses)();
        let mut lost = losses.saturating_sub(self.losses);
        let portion = self.rings.first().map_or(0, |tap| tap.ring.ring.geometry().data_bytes() / PORTIONS);
        let (outputs, clock) = (&mut self.ends.outputs, &self.clock);
        let mut visit = |record: &Record<'_>, _number| {
            outputs.write(record, clock.unix_nanoseconds(record.header().time), std::mem::take(&mut lost));
        };
        let mut merged = Progress::default();
        let mut stopped = self.rings.len() == 1;
        if !stopped {
            let mut lanes: Vec<Lane<'_>> =
                self.rings.iter_mut().map(|tap| Lane::new(&mut tap.ring.ring)).collect();
            merged = merge(&mut lanes, portion, &mut visit);
            stopped = lanes.iter().any(|lane| lane.stopped().is_some());
        }
        let mut corrupt = Vec::new();
        for (place, Tap { index, ring }) in self.rings.iter_mut().enumerate() {
            let ring = &mut ring.ring;
            if !stopped {
                ring.release();
                continue;
            }
            // A lone ring, or one whose damage is to be passed over.
            match ring.read(portion, &mut visit) {
                Ok(progress) => {
                    merged.records += progress.records;
                    merged.limited |= progress.limited;
                }
                Err(error) => corrupt.push((place, *index, error)),
            }
        }
        // Without a record to say it with, losses stay to be said.
        self.losses = losses - lost;
        for (place, index, error) in corrupt.into_iter().rev() {
            let tap = self.rings.remove(place);
            self.proof = self.proof.add(&tap.ring);
            self.tell(Event::Corrupt(index, error));
        }
        merged
    }

    fn report(&mut self) {
        self.ends.gauges.written.store(self.ends.outputs.written(), Ordering::Relaxed);
        for failure in self.ends.outputs.take_failed() {
            self.tell(Event::Failed(failure));
        }
    }

    /// Sleeps until a ring has what is waited for, at most `span`.
    fn sleep(&mut self, wait: WaitFor, span: Duration) {
        // A ring that cannot be read is found out by the next pass.
        let may = self.rings.iter_mut().all(|tap| tap.ring.ring.prepare_wait(wait).unwrap_or(false));
        if may && !self.ends.gauges.finishing.load(Ordering::Acquire) {
            self.ends.alarm.sleep(span);
        }
        for tap in &mut self.rings {
            tap.ring.ring.cancel_wait();
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens only when the program is ending.
        let _ = self.ends.events.send(event);
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

/// Now, in ns since 1970-01-01 UTC.
pub(crate) fn unix_nanoseconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
