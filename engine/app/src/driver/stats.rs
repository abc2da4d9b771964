//! `skua stats`: the counts of sinks in the driver, once.

use std::fmt;
use std::net::SocketAddr;

use serde::Serialize;
use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_FOUND};

use super::client::{Client, Report};
use super::counts::{address, listener_state, sources};
use super::error::DriverError;
use super::link::Refusal;
use crate::cli::{StatsArgs, SummaryForm};
use crate::say;
use crate::sink::summary::{DropLine, Drops};
use crate::snapshot::{ReaderAt, Snapshot, Source};

/// Prints the counts.
///
/// # Errors
/// [`DriverError`].
pub(crate) fn run(args: &StatsArgs) -> Result<(), DriverError> {
    let client = Client::open()?;
    let sinks = match &args.sink {
        Some(name) => vec![client.find(Some(name))?],
        None => client.sinks()?,
    };
    if sinks.is_empty() && args.summary == SummaryForm::Text {
        say("no sink runs in the driver");
    }
    for sink in sinks {
        let stats = match Stats::take(&client, sink, args.sources) {
            // One of all that ended meanwhile.
            Err(DriverError::Refused { refusal: Refusal(STATUS_NOT_FOUND), .. }) if args.sink.is_none() => {
                continue;
            }
            other => other?,
        };
        match args.summary {
            SummaryForm::Text => say(stats.to_string().trim_end()),
            SummaryForm::Json => say(&serde_json::to_string(&stats).unwrap_or_default()),
        }
    }
    Ok(())
}

/// Everything that is counted of one sink.
#[derive(Serialize, Debug)]
pub(crate) struct Stats {
    sink: u64,
    name: String,
    state: &'static str,
    reader: bool,
    seconds: f64,
    workers: usize,
    ring: u64,
    snaplen: u32,
    filter: String,
    listeners: Vec<Listener>,
    indicated: u64,
    delivered: u64,
    published: u64,
    bytes: u64,
    retained: u64,
    #[serde(serialize_with = "drops")]
    #[serde(rename = "drops")]
    totals: Snapshot,
    exact: bool,
    wakes: u64,
    ring_high_water: u64,
    reader_faults: u64,
    memory: u64,
    shared_memory: u64,
    sources: u64,
    other: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_table: Option<Vec<Row>>,
}

/// One address that a sink listens on, or is to.
#[derive(Serialize, Debug)]
struct Listener {
    local: SocketAddr,
    state: &'static str,
    /// What the last attempt that failed ended with.
    status: Option<String>,
    attempts: u32,
    reopened: u32,
    closed_seconds: f64,
}

/// One source.
#[derive(Serialize, Debug)]
struct Row {
    address: std::net::IpAddr,
    datagrams: u64,
    bytes: u64,
    refused: u64,
}

impl Stats {
    /// Takes them.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn take(client: &Client, sink: u64, table: bool) -> Result<Self, DriverError> {
        let report = client.report(sink)?;
        let mut totals = report.snapshot();
        let sources = sources(client, sink)?;
        let source_table = table.then(|| sources.clone().into_sorted().into_iter().map(Row::from).collect());
        sources.sum_up(&mut totals);
        let counts = &report.sink;
        Ok(Self {
            sink,
            name: report.name(),
            state: report.state(),
            reader: totals.reader != ReaderAt::Nowhere,
            seconds: totals.at.as_secs_f64(),
            workers: totals.workers,
            ring: counts.ring_bytes,
            snaplen: counts.snap_length,
            filter: report.filter_in_words(),
            listeners: listeners(&report),
            indicated: totals.indicated,
            delivered: totals.delivered,
            published: totals.published,
            bytes: totals.bytes,
            retained: totals.retained,
            exact: counts.exact != 0,
            wakes: counts.wakes,
            ring_high_water: counts.high_water,
            reader_faults: counts.reader_faults,
            memory: counts.memory,
            shared_memory: counts.shared_memory,
            sources: totals.sources,
            other: totals.other,
            source_table,
            totals,
        })
    }
}

fn listeners(report: &Report) -> Vec<Listener> {
    let listener = |listener: &skua_protocol::ListenerReport| {
        let status = NTSTATUS::from_bits(listener.status.cast_unsigned());
        Some(Listener {
            local: address(listener)?,
            state: listener_state(listener),
            status: (listener.status != 0).then(|| status.to_string()),
            attempts: listener.attempts,
            reopened: listener.reopened,
            closed_seconds: report.span(listener.closed_ticks).as_secs_f64(),
        })
    };
    report.listeners.iter().filter_map(listener).collect()
}

impl From<Source> for Row {
    fn from(Source { address, datagrams, bytes, refused }: Source) -> Self {
        Self { address, datagrams, bytes, refused }
    }
}

fn drops<S: serde::Serializer>(totals: &Snapshot, serializer: S) -> Result<S::Ok, S::Error> {
    Drops(totals).serialize(serializer)
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) };
        writeln!(
            f,
            "sink {}{name}: {}, {}, {:.1} s",
            self.sink,
            self.state,
            self.totals.reader.in_words(),
            self.seconds
        )?;
        for Listener { local, state, status, reopened, closed_seconds, .. } in &self.listeners {
            write!(f, "  {local} {state}")?;
            if let Some(status) = status {
                write!(f, ", last failure {status}")?;
            }
            if *closed_seconds > 0.0 {
                write!(f, ", closed for {closed_seconds:.1} s, reopened {reopened} times")?;
            }
            writeln!(f)?;
        }
        if !self.filter.is_empty() {
            writeln!(f, "  keeps {}", self.filter)?;
        }
        writeln!(
            f,
            "  indicated {}, delivered {}, published {}, {} bytes, {} sources; {}",
            self.indicated,
            self.delivered,
            self.published,
            self.bytes,
            self.sources,
            DropLine(&self.totals)
        )?;
        writeln!(
            f,
            "  {} ring(s) of {} bytes, at most {} in use; {} bytes of nonpaged pool in the driver",
            self.workers, self.ring, self.ring_high_water, self.memory
        )?;
        for Row { address, datagrams, bytes, refused } in self.source_table.iter().flatten() {
            writeln!(f, "  source {address}: {datagrams} datagrams, {bytes} bytes, {refused} refused")?;
        }
        if self.source_table.is_some() && self.other > 0 {
            writeln!(f, "  sources without a row: {} datagrams", self.other)?;
        }
        Ok(())
    }
}
