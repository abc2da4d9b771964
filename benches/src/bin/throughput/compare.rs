//! Two runs beside each other.

use std::fmt;

use crate::case::Case;
use crate::report::{LatencyRound, Report};
use crate::statistics::Spread;

/// How much two medians may differ and be the same: what a link order or a neighbour's cache makes of a figure.
const SAME: f64 = 0.03;

/// How a row came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Better,
    Worse,
    Same,
    /// There is nothing to compare it with.
    Unknown,
}

impl Verdict {
    /// Of costs: the middle halves of all rounds lie apart, and the medians differ by more than [`SAME`].
    fn of(before: Option<Spread>, after: Option<Spread>) -> Self {
        let (Some(before), Some(after)) = (before, after) else { return Self::Unknown };
        let change = (after.median - before.median).abs();
        if change <= before.median * SAME {
            Self::Same
        } else if after.upper < before.lower {
            Self::Better
        } else if after.lower > before.upper {
            Self::Worse
        } else {
            Self::Same
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::Unknown => "-",
        })
    }
}

/// What became of each row.
pub(crate) struct Comparison {
    what: String,
    lines: Vec<Line>,
}

struct Line {
    case: Case,
    name: String,
    before: Option<Spread>,
    after: Option<Spread>,
    verdict: Verdict,
    // Whether it lost nothing before and something after.
    loses: bool,
}

impl Comparison {
    /// Of ratios to the baseline where both runs have the same, and of times otherwise or when `absolute`. Latencies are
    /// times always.
    pub(crate) fn of(before: &Report, after: &Report, absolute: bool) -> Self {
        let ratios = !absolute && before.method.baseline == after.method.baseline;
        let (before_figures, after_figures) = (figures(before, ratios), figures(after, ratios));
        let find = |figures: &[Figure], wanted: &Figure| {
            figures.iter().find(|figure| (figure.case, &figure.name) == (wanted.case, &wanted.name)).cloned()
        };
        let gone = before_figures.iter().filter(|figure| find(&after_figures, figure).is_none());
        let lines = after_figures.iter().chain(gone).map(|figure| {
            let (was, is) = (find(&before_figures, figure), find(&after_figures, figure));
            let [old, new] = [&was, &is].map(|figure| figure.as_ref().and_then(|figure| figure.spread));
            Line {
                case: figure.case,
                name: figure.name.clone(),
                before: old,
                after: new,
                verdict: Verdict::of(old, new),
                loses: is.is_some_and(|figure| figure.loss > 0.0)
                    && was.is_some_and(|figure| figure.loss <= 0.0),
            }
        });
        let what =
            if ratios { format!("ratio to {}", before.method.baseline) } else { "ns a datagram".to_owned() };
        Self { what, lines: lines.collect() }
    }
}

/// Something of a receiver that may be better or worse.
#[derive(Clone)]
struct Figure {
    case: Case,
    name: String,
    spread: Option<Spread>,
    loss: f64,
}

fn figures(report: &Report, ratios: bool) -> Vec<Figure> {
    let costs = report.rows.iter().map(|row| Figure {
        case: row.case,
        name: row.receiver.clone(),
        spread: if ratios { row.ratio } else { row.cost() },
        loss: row.loss(),
    });
    let latencies = report.latencies.iter().flat_map(|row| {
        let figure = |quantile: &str, of: fn(&LatencyRound) -> u64| Figure {
            case: row.case,
            name: format!("{} {quantile}, us", row.receiver),
            spread: Spread::of(row.rounds.iter().map(|round| of(round) as f64 / 1e3)),
            loss: row.loss(),
        };
        [figure("p50", |round| round.p50), figure("p99", |round| round.p99)]
    });
    costs.chain(latencies).collect()
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: median (lower to upper quartile); same: within {:.0} %, or the quartiles overlap",
            self.what,
            SAME * 100.0
        )?;
        let width = self.lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
        let mut case = None;
        for line in &self.lines {
            if case != Some(line.case) {
                writeln!(f, "\n{}", line.case)?;
                case = Some(line.case);
            }
            let figure = |spread: Option<Spread>| {
                spread.map_or_else(
                    || "-".to_owned(),
                    |Spread { median, lower, upper, .. }| format!("{median:.2} ({lower:.2} to {upper:.2})"),
                )
            };
            writeln!(
                f,
                "{:width$}  {:>24}  {:>24}  {}{}",
                line.name,
                figure(line.before),
                figure(line.after),
                line.verdict,
                if line.loses { ", loses datagrams now" } else { "" }
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Path, Rate};
    use crate::report::tests::run;

    fn verdicts(before: &[f64], after: &[f64]) -> Vec<Verdict> {
        let of = |costs: &[f64]| run(&costs.iter().map(|cost| (100.0, *cost)).collect::<Vec<_>>());
        Comparison::of(&of(before), &of(after), false).lines.iter().map(|line| line.verdict).collect()
    }

    #[test]
    fn what_lies_apart_is_better_or_worse() {
        use Verdict::{Better, Same, Worse};
        assert_eq!(verdicts(&[50.0, 52.0, 51.0], &[40.0, 41.0, 42.0]), [Same, Better]);
        assert_eq!(verdicts(&[40.0, 41.0, 42.0], &[50.0, 52.0, 51.0]), [Same, Worse]);
    }

    #[test]
    fn what_overlaps_is_the_same_however_far_the_medians_are() {
        assert_eq!(verdicts(&[40.0, 50.0, 60.0], &[44.0, 54.0, 64.0])[1], Verdict::Same);
        // One wild round does not make a row the same as another.
        assert_eq!(
            verdicts(&[50.0, 51.0, 52.0, 51.0, 90.0], &[40.0, 41.0, 40.0, 41.0, 80.0])[1],
            Verdict::Better
        );
    }

    #[test]
    fn a_small_change_is_none() {
        assert_eq!(verdicts(&[100.0; 3], &[102.0; 3])[1], Verdict::Same);
        assert_eq!(verdicts(&[100.0; 3], &[104.0; 3])[1], Verdict::Worse);
    }

    #[test]
    fn a_row_of_one_run_alone_is_shown_without_a_verdict() {
        let (before, mut after) = (run(&[(100.0, 50.0)]), run(&[(100.0, 50.0)]));
        after.rows.pop();
        let comparison = Comparison::of(&before, &after, false);
        assert_eq!(comparison.lines[1].verdict, Verdict::Unknown);
        assert!(comparison.to_string().contains("skua"));
    }

    #[test]
    fn new_losses_are_said() {
        let (before, mut after) = (run(&[(100.0, 50.0)]), run(&[(100.0, 50.0)]));
        after.rows[1].rounds[0].received -= 1;
        assert!(Comparison::of(&before, &after, true).to_string().contains("loses datagrams now"));
    }

    #[test]
    fn latencies_are_compared_too() {
        let with = |times: [u64; 3]| {
            let mut report = run(&[]);
            let case = Case { path: Path::Lo, size: 64, rate: Rate::Paced(10_000) };
            for (number, time) in (1..).zip(times) {
                let (p50, p99, p999, max) = (time, 2 * time, 3 * time, 4 * time);
                let round = LatencyRound {
                    round: number,
                    sent: 1,
                    received: 1,
                    p50,
                    p99,
                    p999,
                    max,
                    disturbance: 0.0,
                };
                report.add_latency(case, "tokio", round);
            }
            report
        };
        let comparison = Comparison::of(&with([50, 51, 52]), &with([40, 41, 42]), false);
        assert_eq!(
            comparison.lines.iter().map(|line| line.verdict).collect::<Vec<_>>(),
            [Verdict::Better; 2]
        );
    }

    #[test]
    fn different_baselines_are_compared_by_time() {
        let (before, mut after) = (run(&[(100.0, 50.0)]), run(&[(300.0, 50.0)]));
        after.method.baseline = "std".to_owned();
        assert_eq!(Comparison::of(&before, &after, false).lines[1].verdict, Verdict::Same);
    }
}
