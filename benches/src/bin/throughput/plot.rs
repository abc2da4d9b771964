//! What a run found, as SVG.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use plotters::prelude::*;

use crate::case::Case;
use crate::report::Report;
use crate::statistics::Spread;

/// Of a drawing, in points.
const WIDTH: u32 = 900;
const LINE: u32 = 28;
const HEAD: u32 = 90;

/// Room for names.
const NAMES: u32 = 190;

const OURS: RGBColor = RGBColor(0, 114, 178);
const THEIRS: RGBColor = RGBColor(150, 150, 150);

/// A figure of a receiver.
struct Bar<'a> {
    receiver: &'a str,
    spread: Spread,
}

/// Draws a file for each case into `folder`: bars of medians, with lines from minimum to maximum.
pub(crate) fn draw(report: &Report, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut cases: Vec<Case> = report.rows.iter().map(|row| row.case).collect();
    cases.extend(report.latencies.iter().map(|row| row.case));
    cases.sort();
    cases.dedup();
    ensure!(!cases.is_empty(), "nothing was measured");
    for case in cases {
        let costs: Vec<Bar<'_>> = report
            .rows
            .iter()
            .filter(|row| row.case == case)
            .filter_map(|row| Some(Bar { receiver: &row.receiver, spread: row.cost()? }))
            .collect();
        let latencies: Vec<Bar<'_>> = report
            .latencies
            .iter()
            .filter(|row| row.case == case)
            .filter_map(|row| {
                let spread = Spread::of(row.rounds.iter().map(|round| round.p99 as f64 / 1e3))?;
                Some(Bar { receiver: &row.receiver, spread })
            })
            .collect();
        let name = format!("{}-{}-{}", case.path, case.size, case.rate);
        for (kind, what, bars) in
            [("cost", "processor time, ns a datagram", costs), ("latency", "p99, us", latencies)]
        {
            if !bars.is_empty() {
                let file = folder.join(format!("{kind}-{name}.svg"));
                let title = format!("{case}: {what}");
                chart(&file, &title, &bars)
                    .map_err(|why| anyhow!("cannot draw {}: {why}", file.display()))?;
            }
        }
    }
    Ok(())
}

fn chart(file: &Path, title: &str, bars: &[Bar<'_>]) -> Result<(), Box<dyn std::error::Error>> {
    let count = u32::try_from(bars.len())?;
    let area = SVGBackend::new(file, (WIDTH, HEAD + LINE * count)).into_drawing_area();
    area.fill(&WHITE)?;
    let most = bars.iter().map(|bar| bar.spread.max).fold(0.0, f64::max);
    // The first receiver is on top.
    let rows: Range<f64> = f64::from(count)..0.0;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(8)
        .margin_right(90)
        .x_label_area_size(30)
        .y_label_area_size(NAMES)
        .build_cartesian_2d(0.0..most * 1.02, rows)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .y_labels(0)
        .x_labels(8)
        .x_max_light_lines(1)
        .x_label_formatter(&|value| format!("{value:.0}"))
        .draw()?;
    for (row, bar) in (0..count).map(f64::from).zip(bars) {
        let Spread { median, min, max, .. } = bar.spread;
        let colour = if bar.receiver.starts_with("skua") { OURS } else { THEIRS };
        chart.draw_series([Rectangle::new([(0.0, row + 0.15), (median, row + 0.85)], colour.filled())])?;
        chart.draw_series([PathElement::new([(min, row + 0.5), (max, row + 0.5)], BLACK)])?;
        for end in [min, max] {
            chart.draw_series([PathElement::new([(end, row + 0.35), (end, row + 0.65)], BLACK)])?;
        }
        let (_, y) = chart.backend_coord(&(0.0, row + 0.3));
        area.draw_text(bar.receiver, &("sans-serif", 14).into_text_style(&area), (12, y))?;
        let (x, _) = chart.backend_coord(&(max, row));
        area.draw_text(&format!("{median:.0}"), &("sans-serif", 13).into_text_style(&area), (x + 6, y))?;
    }
    area.present()?;
    Ok(())
}
