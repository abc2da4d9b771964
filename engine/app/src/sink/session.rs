//! One run of a sink, from the command line to the totals.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::destinations::Destinations;
use super::error::{RunError, StartError};
use super::face::Face;
use super::intake::{Counts, Intake, Sleep};
use super::metrics::{self, Exposed};
use super::reader::{Ends, Event, Gauges, Reader};
use super::summary::Summary;
use super::supply::Proof;
use super::verify::Verdict;
use crate::cli::{OutputArgs, SummaryForm};
use crate::say;
use crate::signals::Stop;
use crate::snapshot::{Pulse, RingFill, Snapshot};

/// How long the reader may make no progress at the end before it is given up: an output that takes nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads what `intake` takes in until the time is over or somebody asks for the end.
///
/// # Errors
/// [`RunError`] when reading did not start, or when an output or a ring failed on the way.
pub(crate) fn run(args: &OutputArgs, intake: Box<dyn Intake>, stop: Stop) -> Result<(), RunError> {
    let mut session = Session::start(args, intake, stop)?;
    // The view restores the terminal before the totals are printed.
    let shown = session.watch(args, &mut Face::choose(args.json_on_stdout()));
    let totals = session.end();
    let summary = Summary { totals: &totals };
    match args.summary {
        // A standard output that takes nothing would keep the totals for ever.
        SummaryForm::Json if !(session.given_up && args.json_on_stdout()) => {
            say(&serde_json::to_string(&summary).unwrap_or_default());
        }
        _ => eprintln!("{summary}"),
    }
    shown.map_err(RunError::Terminal)?;
    match session.errors {
        0 => Ok(()),
        errors => Err(RunError::Incomplete(errors)),
    }
}

/// A sink at work.
struct Session {
    // None once it is given up.
    intake: Option<Box<dyn Intake>>,
    counts: Arc<dyn Counts>,
    gauges: Arc<Gauges>,
    ring_bytes: u64,
    sleep: Arc<dyn Sleep>,
    events: Receiver<Event>,
    totals: Sender<Snapshot>,
    verdict: Option<Arc<Mutex<Verdict>>>,
    exposed: Exposed,
    stop: Stop,
    errors: usize,
    given_up: bool,
}

impl Session {
    /// Opens the outputs and starts the reader. What is listened on is printed last, when records are taken.
    fn start(args: &OutputArgs, mut intake: Box<dyn Intake>, stop: Stop) -> Result<Self, StartError> {
        let Destinations { outputs, verdict } = Destinations::open(args, intake.shape(), intake.addresses())?;
        let exposed = Exposed::default();
        if let Some(address) = args.metrics {
            let address = metrics::serve(address, exposed.clone())
                .map_err(|source| StartError::Metrics { address, source })?;
            eprintln!("skua: metrics at http://{address}/metrics");
        }
        let supply = intake.supply()?;
        let gauges = Gauges::new(supply.rings());
        let (counts, sleep) = (intake.counts(), intake.sleep());
        let (tell, events) = mpsc::channel();
        let (totals, take_totals) = mpsc::channel();
        let losses = Arc::clone(&counts);
        let ends = Ends {
            outputs,
            gauges: Arc::clone(&gauges),
            sleep: Arc::clone(&sleep),
            goes_on: intake.goes_on(),
            outlasted: intake.outlasts(),
            watermark: intake.shape().watermark,
            count_losses: Box::new(move || losses.losses()),
            events: tell,
            totals: take_totals,
        };
        let reader = Reader::new(supply, ends);
        std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || reader.run())
            .map_err(|source| StartError::Thread("reader", source))?;
        for address in intake.addresses() {
            eprintln!("skua: listening on {address}");
        }
        Ok(Self {
            ring_bytes: intake.shape().ring_bytes,
            intake: Some(intake),
            counts,
            gauges,
            sleep,
            events,
            totals,
            verdict,
            exposed,
            stop,
            errors: 0,
            given_up: false,
        })
    }

    /// Shows the sink until its time is over or somebody asks for its end.
    fn watch(&mut self, args: &OutputArgs, face: &mut Face) -> io::Result<()> {
        let end = args.duration.map(|span| Instant::now() + span.0);
        let mut pulse = Pulse::default();
        let mut before = self.snapshot();
        self.exposed.set(&before, &pulse);
        let mut next = Instant::now() + face.interval();
        loop {
            while let Ok(event) = self.events.try_recv() {
                let line = self.heed(event);
                line.into_iter().for_each(|line| face.notice(line));
            }
            let until = end.map_or(next, |end| end.min(next));
            if face.wait(until, &self.stop)? || end.is_some_and(|end| Instant::now() >= end) {
                return Ok(());
            }
            if Instant::now() >= next {
                let now = self.snapshot();
                now.new_troubles(&before).for_each(|line| face.notice(line));
                pulse = pulse.advance(&before, &now);
                self.exposed.set(&now, &pulse);
                face.show(&now, &pulse)?;
                before = now;
                next += face.interval();
            }
        }
    }

    /// Stops, drains, flushes. Returns the totals.
    fn end(&mut self) -> Snapshot {
        if let Some(Err(error)) = self.intake.as_mut().map(|intake| intake.settle()) {
            self.error(&error);
        }
        self.gauges.finish();
        self.sleep.wake();
        self.wait_for(|event| matches!(event, Event::Drained));
        // A reader that was given up does not take them.
        let _ = self.totals.send(self.snapshot());
        if let Some(Event::Finished(Proof { broken, damaged })) =
            self.wait_for(|event| matches!(event, Event::Finished(_)))
            && broken + damaged > 0
        {
            self.error(&format!(
                "{broken} records were missing in the rings and {damaged} damaged; this is a bug in skua"
            ));
        }
        let totals = self.snapshot();
        if let Some(Err(error)) = self.intake.take().map(Intake::end) {
            self.error(&error);
        }
        totals
    }

    /// Waits for an event that the reader sends when it gets there, as long as it gets on.
    fn wait_for(&mut self, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let mut progress = (0, 0);
        let mut since = Instant::now();
        while !self.given_up {
            match self.events.recv_timeout(PATIENCE / 10) {
                Ok(event) if wanted(&event) => return Some(event),
                Ok(event) => {
                    if let Some(line) = self.heed(event) {
                        eprintln!("skua: {line}");
                    }
                }
                Err(RecvTimeoutError::Timeout) if since.elapsed() < PATIENCE => {}
                Err(reason) => {
                    let left = self.counts.snapshot().published.saturating_sub(self.gauges.written());
                    let why = match reason {
                        RecvTimeoutError::Timeout => "an output takes nothing; make room for what it writes",
                        RecvTimeoutError::Disconnected => "the reader ended early; this is a bug in skua",
                    };
                    self.error(&format!("{left} records are not written: {why}"));
                    self.given_up = true;
                }
            }
            let now = (self.gauges.read(), self.gauges.written());
            if now != progress {
                (progress, since) = (now, Instant::now());
            }
        }
        None
    }

    /// Takes notice of an event; what the operator should know of it is returned.
    fn heed(&mut self, event: Event) -> Option<String> {
        match event {
            Event::Failed(failure) if failure.is_hang_up() => {
                self.stop.ask();
                None
            }
            Event::Failed(failure) => {
                self.errors += 1;
                Some(failure.to_string())
            }
            Event::Corrupt(ring, error) => {
                self.errors += 1;
                Some(format!("ring {ring}: {error}; its records are lost, this is a bug in skua"))
            }
            Event::Ended(ended) => {
                self.errors += 1;
                self.stop.ask();
                Some(ended.to_string())
            }
            Event::Drained | Event::Finished(_) => None,
        }
    }

    fn error(&mut self, error: &dyn std::fmt::Display) {
        self.errors += 1;
        eprintln!("skua: {error}");
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.counts.snapshot();
        snapshot.read = self.gauges.read();
        snapshot.written = self.gauges.written();
        snapshot.rings = self
            .gauges
            .rings()
            .map(|(published_bytes, peak)| RingFill { capacity: self.ring_bytes, published_bytes, peak })
            .collect();
        let verdict = |verdict: &Arc<Mutex<Verdict>>| *verdict.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.verdict = self.verdict.as_ref().map(verdict);
        snapshot
    }
}
