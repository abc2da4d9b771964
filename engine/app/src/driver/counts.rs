//! A sink's counts, as the driver tells them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use skua_engine::DropReason;
use skua_engine::abi::status::NTSTATUS;
use skua_protocol::{ListenerReport, ListenerState, SinkState, SourceReport};

use super::client::{Client, Report};
use super::error::DriverError;
use crate::sink::intake::Counts;
use crate::snapshot::{ReaderAt, Snapshot, Source, Sources, lost_here};

/// The counts of a sink in the driver. Once the sink is gone they stay as they were last.
pub(crate) struct DriverCounts {
    client: Arc<Client>,
    sink: u64,
    last: Mutex<Snapshot>,
}

impl DriverCounts {
    /// Of this sink.
    pub(crate) fn new(client: Arc<Client>, sink: u64) -> Self {
        Self { client, sink, last: Mutex::default() }
    }

    /// Takes the counts and the first of the sources.
    ///
    /// # Errors
    /// [`DriverError`], when the sink or the driver is gone.
    pub(crate) fn take(&self) -> Result<Snapshot, DriverError> {
        let report = self.client.report(self.sink)?;
        let mut snapshot = report.snapshot();
        sources(&self.client, self.sink)?.sum_up(&mut snapshot);
        Ok(snapshot)
    }
}

impl Counts for DriverCounts {
    fn snapshot(&self) -> Snapshot {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // What could not be asked for is what it was.
        if let Ok(mut snapshot) = self.take() {
            snapshot.reader = ReaderAt::Here;
            *last = snapshot;
        }
        last.clone()
    }

    fn losses(&self) -> u64 {
        let report = self.client.report(self.sink);
        report.map_or_else(|_| self.last_losses(), |report| lost_here(&report.drops()))
    }
}

impl DriverCounts {
    fn last_losses(&self) -> u64 {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).lost_here()
    }
}

/// Every source of a sink.
///
/// # Errors
/// [`DriverError`].
pub(crate) fn sources(client: &Client, sink: u64) -> Result<Sources, DriverError> {
    let mut sources = Sources::default();
    client.sources(sink, |row| match source(row) {
        Some(source) => sources.add(source),
        None => sources.add_other(row.datagrams),
    })?;
    Ok(sources)
}

/// The source that a row is about; `None` for the row of all that have none.
fn source(row: &SourceReport) -> Option<Source> {
    let address = Ipv6Addr::from(row.address);
    let address = match row.family {
        4 => IpAddr::V4(address.to_ipv4_mapped()?),
        6 => IpAddr::V6(address),
        _ => return None,
    };
    Some(Source { address, datagrams: row.datagrams, bytes: row.bytes, refused: row.refused })
}

impl Report {
    /// As a snapshot without sources.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let sink = &self.sink;
        Snapshot {
            at: self.span(sink.now.saturating_sub(sink.started)),
            sockets: self.addresses(),
            workers: usize::try_from(sink.shards).unwrap_or(usize::MAX),
            indicated: sink.indicated,
            delivered: sink.accepted.saturating_add(sink.released),
            bytes: sink.bytes,
            retained: sink.kept.saturating_sub(sink.released),
            drops: self.drops(),
            published: sink.published,
            reader: if sink.attached == 0 { ReaderAt::Nowhere } else { ReaderAt::Elsewhere },
            troubles: self.listeners.iter().filter_map(|listener| self.trouble(listener)).collect(),
            ..Snapshot::default()
        }
    }

    /// Drops, in the order of [`DropReason::ALL`].
    pub(crate) fn drops(&self) -> [u64; DropReason::COUNT] {
        let mut drops = [0; DropReason::COUNT];
        drops.iter_mut().zip(self.sink.drops).for_each(|(place, count)| *place = count);
        drops
    }

    /// Datagrams for which there was no room in a ring.
    pub(crate) fn ring_full(&self) -> u64 {
        let reasons = DropReason::ALL.into_iter().zip(self.drops());
        reasons.filter(|(reason, _)| *reason == DropReason::RingFull).map(|(_, count)| count).sum()
    }

    /// The addresses listened on, with their real ports.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(address).collect()
    }

    /// What is kept, in words; empty when that is everything.
    pub(crate) fn filter_in_words(&self) -> String {
        let sink = &self.sink;
        let mut words = Vec::new();
        if sink.allow_listed != 0 {
            words.push(format!("from {} allowed prefixes", sink.prefixes));
        }
        if sink.limits.source_rate != 0 {
            words.push(format!("at most {}/s from one source", sink.limits.source_rate));
        }
        if sink.limits.sample > 1 {
            words.push(format!("one in {}", sink.limits.sample));
        }
        words.join(", ")
    }

    /// Number and name.
    pub(crate) fn title(&self) -> String {
        match self.name() {
            name if name.is_empty() => self.sink.sink.to_string(),
            name => format!("{} ({name})", self.sink.sink),
        }
    }

    /// What the sink does, in a word.
    pub(crate) fn state(&self) -> &'static str {
        match SinkState::from_number(self.sink.state) {
            Some(SinkState::Running) => "running",
            Some(SinkState::Quiescent) => "quiescent",
            _ => "unknown",
        }
    }

    /// Ticks of the driver's counter as a time.
    pub(crate) fn span(&self, ticks: u64) -> Duration {
        let rate = u128::from(self.sink.ticks_per_second.max(1));
        let nanoseconds = u128::from(ticks) * 1_000_000_000 / rate;
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    fn trouble(&self, listener: &ListenerReport) -> Option<(SocketAddr, String)> {
        let waiting = ListenerState::from_number(listener.state) == Some(ListenerState::Waiting);
        let status = NTSTATUS::from_bits(listener.status.cast_unsigned());
        waiting
            .then(|| Some((address(listener)?, format!("not open: {status}; it is tried again"))))
            .flatten()
    }
}

/// Where a listener listens, or is to.
pub(crate) fn address(listener: &ListenerReport) -> Option<SocketAddr> {
    let mut address = listener.asked.socket_address().ok()?;
    if listener.port != 0 {
        address.set_port(listener.port);
    }
    Some(address)
}

/// A listener's state, in a word.
pub(crate) fn listener_state(listener: &ListenerReport) -> &'static str {
    match ListenerState::from_number(listener.state) {
        Some(ListenerState::Open) => "open",
        Some(ListenerState::Waiting) => "waiting",
        Some(ListenerState::Closed) => "closed",
        _ => "unknown",
    }
}
