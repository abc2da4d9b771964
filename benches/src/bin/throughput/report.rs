//! What a run found, as it is kept in a file.

use std::fs;
use std::path::Path as FilePath;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::case::{Case, Path, Rate};
use crate::machine::Machine;
use crate::statistics::Spread;

/// Of the file's shape. One that is read by this program has this one.
const VERSION: u32 = 1;

/// How long others may keep sender and receiver waiting, as part of the time.
pub(crate) const DISTURBED: f64 = 0.05;

/// One run.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(crate) struct Report {
    pub(crate) version: u32,
    pub(crate) machine: Machine,
    pub(crate) method: Method,
    /// What a datagram costs; empty for a run of `latency`.
    #[serde(default)]
    pub(crate) rows: Vec<Row>,
    /// How long a datagram takes; empty for a run of `run`.
    #[serde(default)]
    pub(crate) latencies: Vec<LatencyRow>,
    pub(crate) absent: Vec<Absent>,
}

/// How it was measured.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(crate) struct Method {
    /// Seconds since 1970-01-01 UTC at the start.
    pub(crate) started: u64,
    pub(crate) rounds: u32,
    /// Of each measurement.
    pub(crate) seconds: f64,
    pub(crate) sender_core: usize,
    pub(crate) receiver_core: usize,
    /// Bytes asked for by every receiver.
    pub(crate) receive_buffer: u32,
    /// Datagrams in one send, where that was asked for; otherwise by rate.
    pub(crate) burst: Option<u16>,
    /// Whether the sender used UDP_SEGMENT.
    pub(crate) segmented: bool,
    /// Whether lo is that of a network namespace of the run's own.
    pub(crate) own_loopback: bool,
    /// The receiver to which the others are compared, in the same round.
    pub(crate) baseline: String,
}

/// A receiver in a case.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) case: Case,
    pub(crate) receiver: String,
    pub(crate) rounds: Vec<Round>,
    /// Its cost by the baseline's of the same round, of rounds in which both were measured.
    pub(crate) ratio: Option<Spread>,
}

/// A receiver in a case, once.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub(crate) struct Round {
    /// Its number; what has the same number was measured in the same minute.
    pub(crate) round: u32,
    /// Datagrams, as the sender counted them.
    pub(crate) sent: u64,
    /// Datagrams, as the receiver counted them.
    pub(crate) received: u64,
    /// Processor time of the receiving process, user and system.
    pub(crate) cpu_ns: u64,
    /// How long was sent.
    pub(crate) seconds: f64,
    /// The part of the time in which sender or receiver waited for a core that others had, whichever was more.
    pub(crate) disturbance: f64,
}

/// How long datagrams took to a receiver.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(crate) struct LatencyRow {
    #[serde(flatten)]
    pub(crate) case: Case,
    pub(crate) receiver: String,
    pub(crate) rounds: Vec<LatencyRound>,
}

/// How long datagrams took to a receiver, once. Times are ns.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub(crate) struct LatencyRound {
    pub(crate) round: u32,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
    /// As of [`Round`].
    pub(crate) disturbance: f64,
}

/// A receiver that was not measured.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Absent {
    pub(crate) receiver: String,
    /// Where; everywhere when there is none.
    pub(crate) path: Option<Path>,
    pub(crate) why: String,
    /// It is there, and did not do what it should.
    #[serde(default)]
    pub(crate) failed: bool,
}

impl Report {
    /// With nothing measured yet.
    pub(crate) fn new(machine: Machine, method: Method) -> Self {
        Self {
            version: VERSION,
            machine,
            method,
            rows: Vec::new(),
            latencies: Vec::new(),
            absent: Vec::new(),
        }
    }

    /// From a file.
    pub(crate) fn read(file: &FilePath) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let report: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} was not written by `throughput --json`", file.display()))?;
        ensure!(
            report.version == VERSION,
            "{} has version {} of this format, and this program reads {VERSION}; measure again",
            file.display(),
            report.version
        );
        Ok(report)
    }

    /// Into a file, which is replaced.
    pub(crate) fn write(&self, file: &FilePath) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Adds what was measured of a receiver in a case.
    pub(crate) fn add(&mut self, case: Case, receiver: &str, round: Round) {
        match self.rows.iter_mut().find(|row| row.case == case && row.receiver == receiver) {
            Some(row) => row.rounds.push(round),
            None => {
                self.rows.push(Row { case, receiver: receiver.to_owned(), rounds: vec![round], ratio: None });
            }
        }
    }

    /// Adds how long datagrams took to a receiver in a case.
    pub(crate) fn add_latency(&mut self, case: Case, receiver: &str, round: LatencyRound) {
        match self.latencies.iter_mut().find(|row| row.case == case && row.receiver == receiver) {
            Some(row) => row.rounds.push(round),
            None => {
                self.latencies.push(LatencyRow { case, receiver: receiver.to_owned(), rounds: vec![round] });
            }
        }
    }

    /// How many measurements there are, and how many of them were disturbed.
    pub(crate) fn disturbed(&self) -> (usize, usize) {
        let costs = self.rows.iter().flat_map(|row| &row.rounds).map(|round| round.disturbance);
        let latencies = self.latencies.iter().flat_map(|row| &row.rounds).map(|round| round.disturbance);
        let all: Vec<f64> = costs.chain(latencies).collect();
        (all.len(), all.iter().filter(|part| **part > DISTURBED).count())
    }

    /// Compares every row with the baseline's.
    pub(crate) fn compare_with_baseline(&mut self) {
        let bases: Vec<Row> =
            self.rows.iter().filter(|row| row.receiver == self.method.baseline).cloned().collect();
        for row in &mut self.rows {
            row.ratio = bases.iter().find(|base| base.case == row.case).and_then(|base| row.ratios(base));
        }
    }
}

impl LatencyRow {
    /// As [`Row::loss`].
    pub(crate) fn loss(&self) -> f64 {
        lost(self.rounds.iter().map(|round| (round.sent, round.received)))
    }
}

/// Part of what was sent that was not received.
fn lost(rounds: impl Iterator<Item = (u64, u64)>) -> f64 {
    let (sent, received) =
        rounds.fold((0, 0), |(sent, received), round| (sent + round.0, received + round.1));
    if sent == 0 { 0.0 } else { 1.0 - received as f64 / sent as f64 }
}

impl Row {
    /// Processor time of the receiver, ns a datagram that it received.
    pub(crate) fn cost(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(Round::cost))
    }

    /// Datagrams received a second of sending.
    pub(crate) fn speed(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(|round| round.received as f64 / round.seconds))
    }

    /// Part of the datagrams sent that was not received, over all rounds.
    pub(crate) fn loss(&self) -> f64 {
        lost(self.rounds.iter().map(|round| (round.sent, round.received)))
    }

    /// Whether the sender kept up: less than 98 % of what was asked for was sent otherwise.
    pub(crate) fn kept_rate(&self) -> bool {
        let sent = Spread::of(self.rounds.iter().map(|round| round.sent as f64 / round.seconds));
        match (self.case.rate, sent) {
            (Rate::Paced(rate), Some(sent)) => sent.median >= f64::from(rate) * 0.98,
            _ => true,
        }
    }

    fn ratios(&self, base: &Self) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| {
            let base = base.rounds.iter().find(|base| base.round == round.round)?;
            Some(round.cost() / base.cost())
        }))
    }
}

impl Round {
    /// Processor time of the receiver, ns a datagram that it received.
    pub(crate) fn cost(&self) -> f64 {
        self.cpu_ns as f64 / self.received as f64
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run of two receivers over as many rounds as there are costs, in ns a datagram.
    pub(crate) fn run(costs: &[(f64, f64)]) -> Report {
        let method = Method {
            started: 1,
            rounds: 3,
            seconds: 0.5,
            sender_core: 0,
            receiver_core: 1,
            receive_buffer: 1 << 24,
            burst: None,
            segmented: true,
            own_loopback: false,
            baseline: "recvmmsg".to_owned(),
        };
        let mut report = Report::new(Machine::here(), method);
        let case = Case { path: Path::Lo, size: 64, rate: Rate::Paced(200_000) };
        for (number, (base, other)) in (1..).zip(costs) {
            for (receiver, cost) in [("recvmmsg", base), ("skua", other)] {
                let spent = std::time::Duration::from_secs_f64(cost * 1e-9 * 100_000.0);
                let round = Round {
                    round: number,
                    sent: 100_000,
                    received: 100_000,
                    cpu_ns: u64::try_from(spent.as_nanos()).unwrap(),
                    seconds: 0.5,
                    disturbance: 0.0,
                };
                report.add(case, receiver, round);
            }
        }
        report.compare_with_baseline();
        report
    }

    #[test]
    fn a_ratio_is_taken_within_a_round() {
        // The machine was twice as slow in the second round; the receivers' relation was the same in all.
        let report = run(&[(100.0, 50.0), (200.0, 100.0), (100.0, 50.0)]);
        let ratio = report.rows[1].ratio.unwrap();
        assert_eq!((ratio.median, ratio.min, ratio.max), (0.5, 0.5, 0.5));
        assert_eq!(report.rows[1].cost().unwrap().max, 100.0);
        assert_eq!(report.rows[0].ratio.unwrap().median, 1.0);
        assert_eq!(report.rows[0].loss(), 0.0);
    }

    #[test]
    fn a_round_without_its_baseline_has_no_ratio() {
        let mut report = run(&[(100.0, 50.0)]);
        report.rows.remove(0);
        report.compare_with_baseline();
        assert_eq!(report.rows[0].ratio, None);
    }

    #[test]
    fn a_file_gives_back_what_was_written() {
        let mut report = run(&[(100.0, 50.0), (110.0, 56.0)]);
        report.absent.push(Absent {
            receiver: "socat".to_owned(),
            path: None,
            why: "not installed".to_owned(),
            failed: false,
        });
        let case = Case { path: Path::VethGro, size: 1400, rate: Rate::Max };
        let round = LatencyRound {
            round: 1,
            sent: 9,
            received: 8,
            p50: 1,
            p99: 2,
            p999: 3,
            max: 4,
            disturbance: 0.5,
        };
        report.add_latency(case, "skua", round);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        report.write(&file).unwrap();
        assert_eq!(Report::read(&file).unwrap(), report);
        assert!(fs::read_to_string(&file).unwrap().contains("\"path\": \"veth-gro\""));
    }

    #[test]
    fn a_file_of_another_kind_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("b.json");
        fs::write(&file, "{}").unwrap();
        assert!(format!("{:#}", Report::read(&file).unwrap_err()).contains("b.json"));
        let mut newer = run(&[(1.0, 1.0)]);
        newer.version = VERSION + 1;
        newer.write(&file).unwrap();
        assert!(format!("{:#}", Report::read(&file).unwrap_err()).contains("measure again"));
    }
}
