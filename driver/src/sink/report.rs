//! What is told of a sink.

use skua_engine::DropReason;
use skua_engine::abi::status::{STATUS_BUFFER_TOO_SMALL, STATUS_SUCCESS};
use skua_engine::admission::{Limits as InForce, Rate, Source, SourceRow};
use skua_protocol::{Limits, ListenerReport, ListenerState, SinkReport, SourceReport, SourcesReport};

use super::{Listening, RunningSink};
use crate::executive::Executive;
use crate::request::{Answer, Request};

impl<E: Executive> RunningSink<E> {
    /// Completes `request` with a snapshot of the sink and of its listeners.
    pub(crate) fn report(&self, executive: &E, request: Request, now: u64) {
        let mut answer = Answer::new(request);
        let pushed = answer.push(&self.snapshot(executive, now)).and_then(|()| {
            let mut reports = self.listeners.iter().map(|place| listener_report(place, now));
            reports.try_for_each(|report| answer.push(&report))
        });
        answer.finish(executive, pushed.map_or(STATUS_BUFFER_TOO_SMALL, |()| STATUS_SUCCESS));
    }

    /// Completes `request` with as many rows of the source table, from number `first` on, as it has room for.
    pub(crate) fn sources(&self, executive: &E, request: Request, first: u64) {
        let mut answer = Answer::new(request);
        let mut head = SourcesReport { count: 0, unread: 0, next: 0 };
        if answer.push(&head).is_none() {
            return answer.finish(executive, STATUS_BUFFER_TOO_SMALL);
        }
        let mut number = 0;
        let unread = self.engine.admission().sources(|row| {
            if number >= first && head.next == 0 {
                match answer.push(&source_report(&row)) {
                    Some(()) => head.count += 1,
                    None => head.next = number,
                }
            }
            number += 1;
        });
        if head.count == 0 && head.next != 0 {
            return answer.finish(executive, STATUS_BUFFER_TOO_SMALL);
        }
        head.unread = u32::try_from(unread).unwrap_or(u32::MAX);
        answer.replace_front(&head);
        answer.finish(executive, STATUS_SUCCESS);
    }

    fn snapshot(&self, executive: &E, now: u64) -> SinkReport {
        let stats = self.engine.stats();
        let sink = self.engine.handler();
        let rings = sink.stats();
        let mut drops = [0; 16];
        for (place, count) in drops.iter_mut().zip(stats.drops) {
            *place = count;
        }
        let ring_bytes = sink.config().ring_bytes;
        let each = (sink.config().data_region_bytes() + skua_record::CURSOR_BYTES) as u64;
        SinkReport {
            sink: self.number,
            name: self.name,
            state: self.state as u32,
            attached: u32::from(self.reader.is_some()),
            shards: sink.rings(),
            listeners: u32::try_from(self.listeners.count()).unwrap_or(u32::MAX),
            ring_bytes: ring_bytes as u64,
            snap_length: u32::from(sink.config().snap_length),
            exact: u32::from(stats.exact),
            started: self.started,
            now,
            ticks_per_second: executive.performance_frequency(),
            indicated: stats.indicated,
            accepted: stats.accepted,
            kept: stats.kept,
            released: stats.released,
            bytes: stats.bytes,
            batches: stats.batches,
            without_info: stats.without_info,
            drops,
            drop_reasons: u32::try_from(DropReason::COUNT).unwrap_or(0),
            reserved: 0,
            published: rings.published,
            published_bytes: rings.published_bytes,
            wakes: rings.wakes,
            high_water: rings.high_water,
            reader_faults: rings.reader_faults,
            limits: limits(&self.engine.admission().limits()),
            allow_listed: u32::from(self.allow_listed),
            prefixes: self.prefixes,
            aged_out: self.engine.admission().aged_out(),
            memory: memory_in_use(executive),
            shared_memory: each.saturating_mul(u64::from(sink.rings())),
        }
    }
}

/// Bytes of nonpaged pool that the driver holds, over all tags.
fn memory_in_use<E: Executive>(executive: &E) -> u64 {
    (0..).map_while(|index| executive.pool_use(index)).map(|account| account.in_use as u64).sum()
}

fn source_report(row: &SourceRow) -> SourceReport {
    let (family, address) = match row.source {
        Source::Address(address) => (if address.as_ipv4().is_some() { 4 } else { 6 }, address.octets()),
        _ => (0, [0; 16]),
    };
    SourceReport {
        address,
        datagrams: row.datagrams,
        bytes: row.bytes,
        refused: row.refused(),
        family,
        reserved: 0,
    }
}

/// A listener as programs are told of it. One with groups that it could not join is open.
fn listener_report<E: Executive>(place: &Listening<E>, now: u64) -> ListenerReport {
    let stats = place.listener.stats(now);
    let state = match stats.state {
        skua_engine::ListenerState::Open { .. } => ListenerState::Open,
        skua_engine::ListenerState::Waiting { .. } => ListenerState::Waiting,
        skua_engine::ListenerState::Closed => ListenerState::Closed,
    };
    ListenerReport {
        asked: place.asked,
        port: place.listener.local_address().port(),
        reserved: 0,
        state: state as u32,
        status: stats.failure.map_or(0, |failure| failure.status().0),
        attempts: stats.attempts,
        reopened: u32::try_from(stats.reopened).unwrap_or(u32::MAX),
        reserved_too: 0,
        closed_ticks: stats.closed_ticks,
    }
}

/// The limits in force, as requests give them.
fn limits(limits: &InForce) -> Limits {
    let numbers = |rate: Option<Rate>| rate.map_or((0, 0), |rate| (rate.per_second.get(), rate.burst.get()));
    let (source_rate, source_burst) = numbers(limits.rate);
    let (other_rate, other_burst) = numbers(limits.other_rate);
    let sample = limits.sample.get();
    Limits { source_rate, source_burst, other_rate, other_burst, sample, reserved: 0 }
}
