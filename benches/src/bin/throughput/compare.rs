//! Two runs beside each other.

use std::fmt;

use crate::case::Case;
use crate::report::{Report, Row};
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
    receiver: String,
    before: Option<Spread>,
    after: Option<Spread>,
    verdict: Verdict,
    // Whether it lost nothing before and something after.
    loses: bool,
}

impl Comparison {
    /// Of ratios to the baseline where both runs have the same, and of times otherwise or when `absolute`.
    pub(crate) fn of(before: &Report, after: &Report, absolute: bool) -> Self {
        let ratios = !absolute && before.method.baseline == after.method.baseline;
        let figure = |row: &Row| if ratios { row.ratio } else { row.cost() };
        let find = |report: &Report, case: Case, receiver: &str| {
            report.rows.iter().find(|row| row.case == case && row.receiver == receiver).cloned()
        };
        let gone = before.rows.iter().filter(|row| find(after, row.case, &row.receiver).is_none());
        let lines = after.rows.iter().chain(gone).map(|row| {
            let (was, is) = (find(before, row.case, &row.receiver), find(after, row.case, &row.receiver));
            let figures = [&was, &is].map(|row| row.as_ref().and_then(figure));
            Line {
                case: row.case,
                receiver: row.receiver.clone(),
                before: figures[0],
                after: figures[1],
                verdict: Verdict::of(figures[0], figures[1]),
                loses: is.is_some_and(|row| row.loss() > 0.0) && was.is_some_and(|row| row.loss() <= 0.0),
            }
        });
        let what =
            if ratios { format!("ratio to {}", before.method.baseline) } else { "ns a datagram".to_owned() };
        Self { what, lines: lines.collect() }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: median (lower to upper quartile); same: within {:.0} %, or the quartiles overlap",
            self.what,
            SAME * 100.0
        )?;
        let width = self.lines.iter().map(|line| line.receiver.len()).max().unwrap_or_default();
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
                line.receiver,
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
    fn different_baselines_are_compared_by_time() {
        let (before, mut after) = (run(&[(100.0, 50.0)]), run(&[(300.0, 50.0)]));
        after.method.baseline = "std".to_owned();
        assert_eq!(Comparison::of(&before, &after, false).lines[1].verdict, Verdict::Same);
    }
}
