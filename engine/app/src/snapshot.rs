//! What is known of a running sink at one moment, and what two moments say together.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use skua_engine::DropReason;

use crate::sink::verify::Verdict;

/// Every count of a sink at one moment. Counts run from the start and never go back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Since the sockets were opened.
    pub(crate) at: Duration,
    /// The addresses listened on.
    pub(crate) sockets: Vec<SocketAddr>,
    /// Threads that receive.
    pub(crate) workers: usize,
    /// Datagrams the provider lent.
    pub(crate) indicated: u64,
    /// Datagrams the handler accepted.
    pub(crate) delivered: u64,
    /// Payload bytes of those.
    pub(crate) bytes: u64,
    /// Datagrams kept and not yet given back.
    pub(crate) retained: u64,
    /// Datagrams refused, by [`DropReason::ALL`]'s order.
    pub(crate) drops: [u64; DropReason::COUNT],
    /// Records put into the rings.
    pub(crate) published: u64,
    /// Records taken out of the rings.
    pub(crate) read: u64,
    /// Datagrams that reached every output.
    pub(crate) written: u64,
    /// What the stack below dropped before it reached the provider; `None` where the host cannot tell.
    pub(crate) lost_below: Option<u64>,
    /// The reasons of what was lost below, each with its count; none where the host does not give any.
    pub(crate) lost_by: Vec<(&'static str, u64)>,
    /// The rings, one a shard.
    pub(crate) rings: Vec<RingFill>,
    /// The sources with the most datagrams, most first.
    pub(crate) top: Vec<Source>,
    /// How many sources have a row of their own.
    pub(crate) sources: u64,
    /// What came from sources without a row.
    pub(crate) other: u64,
    /// What `--verify` found.
    pub(crate) verdict: Option<Verdict>,
    /// Who reads the sink.
    pub(crate) reader: ReaderAt,
    /// Addresses that are not listened on though they were asked for, and why not.
    pub(crate) troubles: Vec<(SocketAddr, String)>,
}

/// Who takes the records of a sink out of its rings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum ReaderAt {
    /// This program.
    #[default]
    Here,
    /// Another one.
    Elsewhere,
    /// Nobody.
    Nowhere,
}

impl ReaderAt {
    /// In words.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Here => "read here",
            Self::Elsewhere => "read by another program",
            Self::Nowhere => "without a reader",
        }
    }
}

/// How full a ring is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct RingFill {
    /// Bytes the ring holds.
    pub(crate) capacity: u64,
    /// Bytes ever published.
    pub(crate) published_bytes: u64,
    /// The most bytes that were in use since the snapshot before.
    pub(crate) peak: u64,
}

/// One source of datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    /// Its address.
    pub(crate) address: IpAddr,
    /// Datagrams that came from it.
    pub(crate) datagrams: u64,
    /// Their payload bytes.
    pub(crate) bytes: u64,
    /// Those that its limit refused.
    pub(crate) refused: u64,
}

/// The sources heard so far, put together from rows: a source has one in each shard that heard it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    rows: HashMap<IpAddr, Source>,
    other: u64,
}

/// How many sources a snapshot names.
const TOP_SOURCES: usize = 10;

impl Sources {
    /// Adds a row.
    pub(crate) fn add(&mut self, row: Source) {
        let none = Source { datagrams: 0, bytes: 0, refused: 0, ..row };
        let source = self.rows.entry(row.address).or_insert(none);
        source.datagrams += row.datagrams;
        source.bytes += row.bytes;
        source.refused += row.refused;
    }

    /// Adds datagrams of sources without a row.
    pub(crate) fn add_other(&mut self, datagrams: u64) {
        self.other += datagrams;
    }

    /// Every source, the one with the most datagrams first.
    pub(crate) fn into_sorted(self) -> Vec<Source> {
        let mut sorted: Vec<Source> = self.rows.into_values().collect();
        sorted.sort_unstable_by_key(|source| (Reverse(source.datagrams), source.address));
        sorted
    }

    /// Says in `snapshot` how many there are, and names the first.
    pub(crate) fn sum_up(self, snapshot: &mut Snapshot) {
        snapshot.sources = self.rows.len() as u64;
        snapshot.other = self.other;
        snapshot.top = self.into_sorted();
        snapshot.top.truncate(TOP_SOURCES);
    }
}

impl Snapshot {
    /// Datagrams refused, for whatever reason.
    pub(crate) fn dropped(&self) -> u64 {
        self.drops.iter().sum()
    }

    /// Datagrams refused because they were to be: not allowed, above their source's rate, or not sampled.
    pub(crate) fn filtered(&self) -> u64 {
        self.by_reason().filter(|(reason, _)| is_policy(*reason)).map(|(_, count)| count).sum()
    }

    /// Datagrams lost inside Skua: refused though nobody asked for that.
    pub(crate) fn lost_here(&self) -> u64 {
        lost_here(&self.drops)
    }

    /// What is in trouble that was not in `before`, a line each.
    pub(crate) fn new_troubles(&self, before: &Self) -> impl Iterator<Item = String> {
        let known = |address| before.troubles.iter().any(|(before, _)| before == address);
        self.troubles
            .iter()
            .filter(move |(address, _)| !known(address))
            .map(|(address, trouble)| format!("{address}: {trouble}"))
    }

    /// Each reason with its count.
    pub(crate) fn by_reason(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.drops)
    }
}

/// Whether a refusal is what the operator asked for.
fn is_policy(reason: DropReason) -> bool {
    matches!(reason, DropReason::NotAllowed | DropReason::RateLimited | DropReason::Sampled)
}

/// Datagrams lost inside Skua, of drops in [`DropReason::ALL`]'s order.
pub(crate) fn lost_here(drops: &[u64; DropReason::COUNT]) -> u64 {
    DropReason::ALL.into_iter().zip(drops).filter(|(reason, _)| !is_policy(*reason)).map(|(_, n)| n).sum()
}

/// What happened between two snapshots, and the least stall budget of all so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse {
    /// Datagrams indicated a second.
    pub(crate) rate: f64,
    /// Payload bytes delivered a second.
    pub(crate) byte_rate: f64,
    /// How long the reader may sleep before the fullest ring has no room, at the present rate; `None` without traffic.
    pub(crate) stall_budget: Option<Duration>,
    /// The least of those.
    pub(crate) least_stall_budget: Option<Duration>,
}

impl Pulse {
    /// The pulse after `now`, when `self` was the one before and `before` its snapshot.
    #[must_use]
    pub(crate) fn advance(&self, before: &Snapshot, now: &Snapshot) -> Self {
        let seconds = now.at.saturating_sub(before.at).as_secs_f64().max(1e-3);
        let per_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        let stall_budget = now
            .rings
            .iter()
            .zip(&before.rings)
            .filter_map(|(ring, before)| {
                let rate = per_second(ring.published_bytes, before.published_bytes);
                let free = ring.capacity.saturating_sub(ring.peak) as f64;
                (rate > 0.0).then(|| Duration::from_secs_f64((free / rate).min(MOST_SECONDS)))
            })
            .min();
        Self {
            rate: per_second(now.indicated, before.indicated),
            byte_rate: per_second(now.bytes, before.bytes),
            stall_budget,
            least_stall_budget: [self.least_stall_budget, stall_budget].into_iter().flatten().min(),
        }
    }
}

/// A stall budget beyond a day is shown as a day.
const MOST_SECONDS: f64 = 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, indicated: u64, ring: RingFill) -> Snapshot {
        Snapshot { at: Duration::from_secs(seconds), indicated, rings: vec![ring], ..Snapshot::default() }
    }

    #[test]
    fn the_stall_budget_is_free_bytes_over_byte_rate_and_its_minimum_stays() {
        let ring = |published_bytes, peak| RingFill { capacity: 1000, published_bytes, peak };
        let snapshots = [
            at(0, 0, ring(0, 0)),
            at(1, 50, ring(5000, 500)),
            at(2, 60, ring(6000, 0)),
            at(3, 60, ring(6000, 0)),
        ];
        let mut pulse = Pulse::default();
        let mut seen = Vec::new();
        for pair in snapshots.windows(2) {
            pulse = pulse.advance(&pair[0], &pair[1]);
            seen.push((pulse.rate, pulse.stall_budget, pulse.least_stall_budget));
        }
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(seen, [(50.0, ms(100), ms(100)), (10.0, ms(1000), ms(100)), (0.0, None, ms(100))]);
    }

    #[test]
    fn what_was_asked_for_is_not_a_loss() {
        let snapshot = Snapshot { drops: [1; DropReason::COUNT], ..Snapshot::default() };
        assert_eq!(snapshot.dropped(), 13);
        assert_eq!(snapshot.filtered(), 3);
        assert_eq!(snapshot.lost_here(), 10);
    }
}
