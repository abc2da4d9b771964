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
use skua_record::{Clock, Progress, Record};

use super::intake::{Ended, Sleep};
use super::output::{OutputError, Outputs};
use super::supply::{Proof, Supply};
use crate::snapshot::Snapshot;

/// How long records may wait in a ring before they are read, and in an output before they are flushed.
pub(crate) const FLUSH_INTERVAL: Duration = Duration::from_millis(10);

/// The longest sleep of an idle reader: a bound on what a lost wake would cost, were there one.
const IDLE_SLEEP: Duration = Duration::from_secs(1);

/// Portions that are still read of a sink that goes on: a portion is a sixteenth of a ring at least, so that what was in
/// the rings at the end is among them, and a flood does not keep the reader for ever.
const LAST_PORTIONS: usize = 16;

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
    /// The sink is no more. What is in its rings is read.
    Ended(Ended),
    /// Everything published was read. The reader waits for the totals.
    Drained,
    /// The outputs are finished.
    Finished(Proof),
}

/// The reader of all rings of one sink.
pub(crate) struct Reader {
    supply: Supply,
    clock: Clock,
    losses: u64,
    // The sink ended under the reader.
    ended: bool,
    ends: Ends,
}

/// What a reader is connected to.
pub(crate) struct Ends {
    pub(crate) outputs: Outputs,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) sleep: Arc<dyn Sleep>,
    /// Whether records go on coming when the reader is told to finish.
    pub(crate) goes_on: bool,
    /// Whether the rings outlive this program. Then what was read is given back to them when the outputs have passed it on
    /// to the system: were this program killed before, the next reader would have it again.
    pub(crate) outlasted: bool,
    /// Unread bytes at which the sink wakes a resting reader: its watermark.
    pub(crate) watermark: u64,
    /// How many datagrams were lost so far.
    pub(crate) count_losses: Box<dyn Fn() -> u64 + Send>,
    pub(crate) events: Sender<Event>,
    /// Brings the totals when everything is at rest.
    pub(crate) totals: Receiver<Snapshot>,
}

impl Reader {
    /// Of all rings of a sink.
    pub(crate) fn new(supply: Supply, ends: Ends) -> Self {
        // Of a sink that ran before, what was lost until now is not this reader's to tell.
        let losses = if ends.goes_on { (ends.count_losses)() } else { 0 };
        Self { clock: supply.clock(), supply, losses, ended: false, ends }
    }

    /// Reads until told to finish, and then to the end.
    pub(crate) fn run(mut self) {
        self.ends.sleep.adopt();
        let mut unflushed = false;
        let mut last_flush = Instant::now();
        loop {
            // Before the rings: what is published before this is set is seen below, and nothing comes after it.
            let finishing = self.ended || self.ends.gauges.finishing.load(Ordering::Acquire);
            let last = finishing && self.ends.goes_on;
            let found = self.pass(if last { LAST_PORTIONS * self.supply.rings() } else { usize::MAX });
            unflushed |= found;
            if unflushed && (finishing || last_flush.elapsed() >= FLUSH_INTERVAL) {
                self.ends.outputs.flush();
                self.report();
                unflushed = false;
                last_flush = Instant::now();
            }
            match (finishing, found || unflushed) {
                (true, true) if !last => {}
                (true, _) => break,
                (false, true) => self.sleep(WaitFor::Fill(self.ends.watermark), FLUSH_INTERVAL),
                (false, false) => self.sleep(WaitFor::Any, IDLE_SLEEP),
            }
        }
        // Whose sink has ended is told to finish soon; what follows is not expected before.
        while !self.ends.gauges.finishing.load(Ordering::Acquire) {
            std::thread::sleep(FLUSH_INTERVAL);
        }
        self.tell(Event::Drained);
        if let Ok(totals) = self.ends.totals.recv() {
            self.ends.outputs.finish(unix_nanoseconds(), &totals);
            self.report();
        }
        self.tell(Event::Finished(self.supply.proof()));
    }

    /// Reads what is published now, at most so many portions. Says whether there was anything.
    fn pass(&mut self, most: usize) -> bool {
        let gauges = Arc::clone(&self.ends.gauges);
        self.supply.marks(|mark| {
            gauges.rings[mark.ring].peak.fetch_max(mark.unread, Ordering::Relaxed);
        });
        let mut found = false;
        for _ in 0..most {
            let progress = self.portion();
            found |= progress.records > 0;
            gauges.read.fetch_add(progress.records, Ordering::Relaxed);
            self.report();
            if !progress.limited {
                break;
            }
        }
        self.supply.marks(|mark| {
            gauges.rings[mark.ring].position.store(mark.position, Ordering::Relaxed);
        });
        found
    }

    /// Reads one portion.
    fn portion(&mut self) -> Progress {
        // Losses since the last portion stand before the first record of this one. They may have happened a little
        // later: by at most the time it takes to get here again.
        let losses = (self.ends.count_losses)();
        let mut lost = losses.saturating_sub(self.losses);
        let (outputs, clock) = (&mut self.ends.outputs, &self.clock);
        let portion = self.supply.portion(|record: &Record<'_>| {
            outputs.write(record, clock.unix_nanoseconds(record.header().time), std::mem::take(&mut lost));
        });
        if self.ends.outlasted && portion.progress.records > 0 {
            self.ends.outputs.flush();
        }
        self.supply.release();
        // Without a record to say it with, losses stay to be said.
        self.losses = losses.saturating_sub(lost);
        for (ring, error) in portion.corrupt {
            self.tell(Event::Corrupt(ring, error));
        }
        if let Some(ended) = portion.ended {
            self.end(ended);
        }
        portion.progress
    }

    fn report(&mut self) {
        self.ends.gauges.written.store(self.ends.outputs.written(), Ordering::Relaxed);
        for failure in self.ends.outputs.take_failed() {
            self.tell(Event::Failed(failure));
        }
    }

    /// Sleeps until a ring has what is waited for, at most `span`.
    fn sleep(&mut self, wait: WaitFor, span: Duration) {
        if self.supply.prepare_sleep(wait)
            && !self.ends.gauges.finishing.load(Ordering::Acquire)
            && let Err(ended) = self.ends.sleep.sleep(span)
        {
            self.end(ended);
        }
        self.supply.cancel_sleep();
    }

    /// Nothing more will come. Told once.
    fn end(&mut self, ended: Ended) {
        if !self.ended {
            self.ended = true;
            self.tell(Event::Ended(ended));
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens only when the program is ending.
        let _ = self.ends.events.send(event);
    }
}

/// Now, in ns since 1970-01-01 UTC.
pub(crate) fn unix_nanoseconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
