//! What a run found, as a table.

use std::fmt::Write as _;

use crate::case::{Case, burst};
use crate::report::{DISTURBED, LatencyRow, Report, Row};
use crate::statistics::Spread;

/// Prints how it was measured and what was found.
pub(crate) fn print(report: &Report, markdown: bool) {
    print!("{}", if markdown { in_markdown(report) } else { in_columns(report) });
}

/// A heading and rows of cells.
struct Table<'a> {
    head: &'a [&'a str],
    // The first so many columns are words, the others numbers.
    words: usize,
    rows: Vec<Vec<String>>,
}

const COSTS: &[&str] =
    &["receiver", "ns/datagram", "min", "max", "ratio", "min", "max", "received/s", "lost"];
const LATENCIES: &[&str] = &["receiver", "p50 us", "p99 us", "p99.9 us", "max us", "lost"];

fn in_columns(report: &Report) -> String {
    let mut text = lines(report).join("\n") + "\n";
    for (case, table) in tables(report) {
        // Nothing is written that could fail.
        let _ = write!(text, "\n{}\n{}", heading(case, report), table.in_columns());
    }
    let absences = absences(report);
    if !absences.is_empty() {
        let _ = writeln!(text, "\n{}", absences.join("\n"));
    }
    text
}

fn in_markdown(report: &Report) -> String {
    let mut text = String::new();
    for line in lines(report) {
        let _ = writeln!(text, "- {line}");
    }
    if !report.rows.is_empty() {
        let _ = write!(text, "\n{}", matrix(report));
    }
    for (case, table) in tables(report).into_iter().filter(|(_, table)| table.head == LATENCIES) {
        let _ = write!(text, "\n**{}**\n\n{}", heading(case, report), table.in_markdown());
    }
    let absences = absences(report);
    if !absences.is_empty() {
        let _ = writeln!(text, "\n- {}", absences.join("\n- "));
    }
    text
}

/// Receivers down, cases across.
fn matrix(report: &Report) -> String {
    let mut cases: Vec<Case> = report.rows.iter().map(|row| row.case).collect();
    cases.dedup();
    let mut receivers: Vec<&str> = Vec::new();
    for row in &report.rows {
        if !receivers.contains(&row.receiver.as_str()) {
            receivers.push(&row.receiver);
        }
    }
    let cell = |receiver: &str, case: Case| {
        let row = report.rows.iter().find(|row| row.case == case && row.receiver == receiver)?;
        let mut text = format!("{:.0} ns", row.cost()?.median);
        if let Some(Spread { median, min, max, .. }) = row.ratio {
            let _ = write!(text, ", {median:.2} ({min:.2}-{max:.2})");
        }
        if row.loss() > 0.0 {
            let _ = write!(text, ", lost {}", percent(row.loss()));
        }
        Some(text)
    };
    let head = cases.iter().map(|case| heading(*case, report));
    let head: Vec<String> = ["receiver".to_owned()].into_iter().chain(head).collect();
    let rows = receivers.into_iter().map(|receiver| {
        let cells = cases.iter().map(|case| cell(receiver, *case).unwrap_or_else(|| "-".to_owned()));
        [receiver.to_owned()].into_iter().chain(cells).collect()
    });
    Table { head: &head.iter().map(String::as_str).collect::<Vec<_>>(), words: 1, rows: rows.collect() }
        .in_markdown()
}

/// The machine and the method, a line each.
fn lines(report: &Report) -> Vec<String> {
    let method = &report.method;
    let mut lines = vec![format!("machine: {}", report.machine)];
    lines.push(format!(
        "method: {} round(s) of {} s, all receivers of a case in turn in each round; sender on core {}, receiver (all its \
         threads) on core {}; {}{}; receive buffer {} KiB asked for; {}",
        method.rounds,
        method.seconds,
        method.sender_core,
        method.receiver_core,
        if method.segmented { "UDP_SEGMENT" } else { "sendmmsg" },
        method.burst.map(|burst| format!(", {burst} datagrams a send")).unwrap_or_default(),
        method.receive_buffer / 1024,
        if method.own_loopback { "network namespaces of the run's own" } else { "the host's own loopback" },
    ));
    if report.rows.is_empty() {
        lines.push(
            "figures: from the time a datagram was due to be sent, whether or not the sender was late, until its reader \
             has it; median over the rounds, max of all"
                .to_owned(),
        );
    } else {
        lines.push(format!(
            "figures: processor time of the receiving process (user and system, all threads) over the datagrams that it \
             received; median, min and max over the rounds; ratio to {} within a round",
            method.baseline
        ));
    }
    let (all, disturbed) = report.disturbed();
    if disturbed > 0 {
        lines.push(format!(
            "sender or receiver waited more than {:.0} % of the time for a core that others had, in {disturbed} of {all} \
             measurements: do not trust small differences",
            DISTURBED * 100.0
        ));
    }
    lines
}

fn heading(case: Case, report: &Report) -> String {
    let burst = report.method.burst.unwrap_or_else(|| burst(case.rate));
    format!("{case}, {burst} a send")
}

fn absences(report: &Report) -> Vec<String> {
    let absent = report.absent.iter().map(|absent| {
        let path = absent.path.map(|path| format!(" on {path}")).unwrap_or_default();
        let what = if absent.failed { "failed" } else { "not measured" };
        format!("{what}{path}: {} ({})", absent.receiver, absent.why)
    });
    let mut late: Vec<(Case, Vec<&str>)> = Vec::new();
    for row in report.rows.iter().filter(|row| !row.kept_rate()) {
        match late.last_mut().filter(|(case, _)| *case == row.case) {
            Some((_, receivers)) => receivers.push(&row.receiver),
            None => late.push((row.case, vec![&row.receiver])),
        }
    }
    let late = late.into_iter().map(|(case, receivers)| {
        format!("{case}: the sender sent less than 98 % of that for {}", receivers.join(", "))
    });
    absent.chain(late).collect()
}

fn tables(report: &Report) -> Vec<(Case, Table<'static>)> {
    let mut tables: Vec<(Case, Table<'static>)> = Vec::new();
    let mut add = |case: Case, head: &'static [&'static str], cells: Vec<String>| match tables
        .iter_mut()
        .find(|(of, _)| *of == case)
    {
        Some((_, table)) => table.rows.push(cells),
        None => tables.push((case, Table { head, words: 1, rows: vec![cells] })),
    };
    for row in &report.rows {
        add(row.case, COSTS, costs(row));
    }
    for row in &report.latencies {
        add(row.case, LATENCIES, latencies(row));
    }
    tables
}

fn costs(row: &Row) -> Vec<String> {
    let three = |spread: Option<Spread>, digits: usize| match spread {
        Some(Spread { median, min, max, .. }) => [median, min, max].map(|value| format!("{value:.digits$}")),
        None => [const { String::new() }; 3].map(|_| "-".to_owned()),
    };
    let speed = row.speed().map_or_else(|| "-".to_owned(), |speed| format!("{:.0}", speed.median));
    let mut cells = vec![row.receiver.clone()];
    cells.extend(three(row.cost(), 0));
    cells.extend(three(row.ratio, 2));
    cells.extend([speed, percent(row.loss())]);
    cells
}

fn latencies(row: &LatencyRow) -> Vec<String> {
    let middle = |of: fn(&crate::report::LatencyRound) -> u64| {
        let spread = Spread::of(row.rounds.iter().map(|round| of(round) as f64 / 1e3));
        spread.map_or_else(|| "-".to_owned(), |spread| format!("{:.1}", spread.median))
    };
    let max = row.rounds.iter().map(|round| round.max).max().unwrap_or_default() as f64 / 1e3;
    vec![
        row.receiver.clone(),
        middle(|round| round.p50),
        middle(|round| round.p99),
        middle(|round| round.p999),
        format!("{max:.1}"),
        percent(row.loss()),
    ]
}

/// Nothing lost is not the same as a loss that rounds to nothing.
fn percent(part: f64) -> String {
    if part <= 0.0 {
        "0".to_owned()
    } else if part < 0.000_1 {
        "<0.01 %".to_owned()
    } else {
        format!("{:.2} %", part * 100.0)
    }
}

impl Table<'_> {
    fn in_columns(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(String::len);
            cells.chain([self.head[column].len()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let cells: Vec<String> =
                cells
                    .zip(&widths)
                    .enumerate()
                    .map(|(column, (cell, &width))| {
                        if column < self.words { format!("{cell:width$}") } else { format!("{cell:>width$}") }
                    })
                    .collect();
            cells.join("  ").trim_end().to_owned() + "\n"
        };
        let mut text = line(&mut self.head.iter().copied());
        for row in &self.rows {
            text += &line(&mut row.iter().map(String::as_str));
        }
        text
    }

    fn in_markdown(&self) -> String {
        let rule = (0..self.head.len()).map(|column| if column < self.words { "---" } else { "---:" });
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(self.head.to_vec()) + &line(rule.collect());
        for row in &self.rows {
            text += &line(row.iter().map(String::as_str).collect());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

    #[test]
    fn columns_are_aligned_and_the_method_stands_above_them() {
        let text = in_columns(&run(&[(1000.0, 50.0), (1200.0, 60.0), (1100.0, 55.0)]));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("machine: ") && lines[1].starts_with("method: "));
        let at = lines.iter().position(|line| line.starts_with("lo, 64 bytes, 200k/s")).unwrap();
        let [head, base, other] = [lines[at + 1], lines[at + 2], lines[at + 3]];
        assert_eq!((head.len(), base.len()), (other.len(), other.len()));
        let cells: Vec<&str> = other.split_whitespace().collect();
        assert_eq!(cells, ["skua", "55", "50", "60", "0.05", "0.05", "0.05", "200000", "0"]);
    }

    #[test]
    fn markdown_has_a_cell_for_every_column() {
        let text = in_markdown(&run(&[(100.0, 50.0)]));
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.iter().all(|row| row.matches('|').count() == 3), "{rows:?}");
        assert_eq!(rows[0], "| receiver | lo, 64 bytes, 200k/s, 16 a send |");
        assert_eq!(rows[3], "| skua | 50 ns, 0.50 (0.50-0.50) |");
    }

    #[test]
    fn a_small_loss_is_not_rounded_away() {
        assert_eq!([0.0, 0.000_001, 0.5].map(percent), ["0", "<0.01 %", "50.00 %"]);
    }
}
