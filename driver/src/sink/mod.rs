//! One sink at work: engine, rings, listeners, reader.
//!
//! The control thread owns it; what processors do for it goes on inside the engine.

mod change;
mod read;
mod report;
mod start;
mod wake;
mod watch;

pub(crate) use start::StartFailure;

use core::time::Duration;

use skua_engine::abi::status::{NTSTATUS, STATUS_CANCELLED, STATUS_END_OF_FILE, STATUS_SHARING_VIOLATION};
use skua_engine::{DropReason, Engine, Passive, Provider, Sink};
use skua_pools::{Slab, Tag};
use skua_protocol::{Listener as Place, ReaderAttached, SINK_NAME_BYTES, SinkState};
use skua_record::CURSOR_BYTES;

use crate::executive::Executive;
use crate::request::FileId;
use crate::sections::Sections;
use crate::trace;
use crate::wait::WaitCell;
use read::Packed;
use wake::ReaderWake;
use watch::{Notice, Sight, Watch};

/// The handler of a sink's sockets.
type RingSink<E> = Sink<E, Sections<E>, ReaderWake<E>>;

/// A socket of a sink, opened again when it dies.
type Listener<E> = skua_engine::Listener<E, RingSink<E>>;

/// A listener, and what was asked for.
struct Listening<E: Executive> {
    asked: Place,
    listener: Listener<E>,
}

/// Pool tag of what the driver itself keeps of a sink.
const TAG: Tag = Tag::new(b"SkDr");

/// How long callbacks may take to leave a socket that closes; nothing of a sink's is retained.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// A sink, from its start to its end.
pub(crate) struct RunningSink<E: Executive> {
    // Dropped in this order: what reads the engine's rings and what feeds it before the engine.
    packed: Option<Packed<E>>,
    listeners: Slab<Listening<E>, E>,
    engine: Engine<E, RingSink<E>>,
    /// By which programs know it; never used again.
    number: u64,
    name: [u8; SINK_NAME_BYTES],
    /// Which of the device's cells its reader waits at.
    place: usize,
    state: SinkState,
    /// Whether there is an allow-list, and how many rules it has.
    allow_listed: bool,
    prefixes: u32,
    reader: Option<FileId>,
    /// What is random in its sections' names.
    sections: [u8; 16],
    /// The performance counter at its start.
    started: u64,
    /// What did not fit into the rings, up to when the last reader left.
    full_before: u64,
    watch: Watch,
}

impl<E: Executive> RunningSink<E> {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn place(&self) -> usize {
        self.place
    }

    /// Whether `file` is the reader.
    ///
    /// # Errors
    /// STATUS_SHARING_VIOLATION.
    pub(crate) fn check_reader(&self, file: FileId) -> Result<(), NTSTATUS> {
        if self.reader == Some(file) { Ok(()) } else { Err(STATUS_SHARING_VIOLATION) }
    }

    /// Makes `file` the reader, and tells it where the rings are. One that was attached already is told again.
    ///
    /// # Errors
    /// STATUS_SHARING_VIOLATION if another file is the reader.
    pub(crate) fn attach(&mut self, file: FileId, cell: &WaitCell<E>) -> Result<ReaderAttached, NTSTATUS> {
        if self.reader.is_some_and(|reader| reader != file) {
            return Err(STATUS_SHARING_VIOLATION);
        }
        if self.reader.is_none() {
            cell.reset();
        }
        self.reader = Some(file);
        let sink = self.engine.handler();
        let config = sink.config();
        let clock = sink.clock();
        Ok(ReaderAttached {
            sink: self.number,
            sections: self.sections,
            rings: sink.rings(),
            reserved: 0,
            data_bytes: config.data_region_bytes() as u64,
            cursor_bytes: CURSOR_BYTES as u64,
            watermark: config.watermark,
            ticks: clock.ticks(),
            unix_nanoseconds: clock.unix_nanoseconds(clock.ticks()),
            ticks_per_second: clock.ticks_per_second(),
            ring_full_before: self.full_before,
        })
    }

    /// Lets `file` go if it is the reader, because it asked for that.
    pub(crate) fn detach(&mut self, file: FileId, cell: &WaitCell<E>) {
        if self.check_reader(file).is_ok() {
            self.release_packed();
            self.let_go(file, cell);
        }
    }

    /// Lets `file` go if it is the reader, and ends its wait. What is in the rings stays for the next.
    pub(crate) fn let_go(&mut self, file: FileId, cell: &WaitCell<E>) {
        if self.check_reader(file).is_ok() {
            self.reader = None;
            self.packed = None;
            self.full_before = self.engine.stats().dropped(DropReason::RingFull);
            cell.end(STATUS_CANCELLED);
        }
    }

    /// Opens what is closed and due again. When to be called next, in ticks of the performance counter, if ever.
    pub(crate) fn poll(&mut self, provider: &Provider<E>, now: u64, passive: &Passive<'_>) -> Option<u64> {
        let Self { listeners, engine, number, .. } = self;
        let poll = |Listening { listener, .. }: &mut Listening<E>| {
            let attempts = listener.stats(now).attempts;
            let due = listener.poll(engine, provider, now, passive);
            let stats = listener.stats(now);
            if let Some(failure) = stats.failure.filter(|_| stats.attempts > attempts) {
                trace::bind_failed(*number, listener.local_address(), failure.status());
            }
            due
        };
        listeners.iter_mut().filter_map(poll).min()
    }

    /// Tells ETW what an operator should know, at most once in [`watch::INTERVAL`].
    pub(crate) fn watch(&mut self, now: u64) {
        let clock = *self.engine.handler().clock();
        if !self.watch.is_due(now, &clock) {
            return;
        }
        let number = self.number;
        let sight = self.sight(now);
        self.watch.look(&sight, &clock, |notice| match notice {
            Notice::Drops { reason, datagrams, milliseconds } => {
                trace::drops(number, reason, datagrams, milliseconds);
            }
            Notice::Stall { idle, budget } => trace::stall(number, idle, budget),
        });
    }

    /// The sink as it is. What a reader's cursors say is not believed by anything but the event.
    fn sight(&self, now: u64) -> Sight {
        let sink = self.engine.handler();
        let (mut released, mut unread, mut free) = (0_u64, 0_u64, u64::MAX);
        for mut ring in (0..sink.rings()).filter_map(|ring| self.reader_of(ring)) {
            let waiting = ring.unread().unwrap_or(0);
            released = released.wrapping_add(ring.position());
            unread = unread.saturating_add(waiting);
            free = free.min(ring.geometry().data_bytes().saturating_sub(waiting));
        }
        Sight { now, drops: self.engine.stats().drops, released, unread, free }
    }

    /// Closes the listeners: counts are final, rings can still be read, and the reader is woken to see the end.
    pub(crate) fn quiesce(&mut self, cell: &WaitCell<E>, passive: &Passive<'_>) {
        self.state = SinkState::Quiescent;
        for Listening { listener, .. } in self.listeners.iter_mut() {
            // What outlives the limit is on the registration's closing list.
            let _outstanding = listener.close(CLOSE_LIMIT, passive);
        }
        cell.wake();
    }

    /// Ends it: whoever waits is told, and what is in the rings is gone when their reader has unmapped them.
    pub(crate) fn stop(mut self, cell: &WaitCell<E>, passive: &Passive<'_>) {
        self.quiesce(cell, passive);
        cell.end(STATUS_END_OF_FILE);
        cell.reset();
        let stats = self.engine.stats();
        let published = self.engine.handler().stats().published;
        trace::sink_stopped(self.number, stats.indicated, published, stats.dropped_total());
    }
}
