//! One plain line a second, for logs and pipes.

use std::fmt;
use std::time::Duration;

use super::summary::{DropLine, LostBelow};
use crate::snapshot::{Pulse, ReaderAt, Snapshot};

/// The line: no escape codes, and nothing that was not counted.
pub(crate) struct StatusLine<'a> {
    pub(crate) now: &'a Snapshot,
    pub(crate) pulse: &'a Pulse,
}

impl fmt::Display for StatusLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { now, pulse } = self;
        write!(
            f,
            "{:.0}s {:.0}/s {:.3} MB/s indicated {} delivered {}",
            now.at.as_secs_f64(),
            pulse.rate,
            pulse.byte_rate / 1e6,
            now.indicated,
            now.delivered,
        )?;
        if now.reader != ReaderAt::Here {
            return write!(f, " published {} {}, {}", now.published, DropLine(now), now.reader.in_words());
        }
        write!(
            f,
            " written {} {} lost below {} stall budget {} (least {})",
            now.written,
            DropLine(now),
            LostBelow(now.lost_below),
            Budget(pulse.stall_budget),
            Budget(pulse.least_stall_budget),
        )?;
        if let Some(verdict) = &now.verdict {
            write!(f, " {verdict}")?;
        }
        Ok(())
    }
}

/// A stall budget, in ms.
pub(crate) struct Budget(pub(crate) Option<Duration>);

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(budget) => write!(f, "{} ms", budget.as_millis()),
            None => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_plain() {
        let now =
            Snapshot { at: Duration::from_secs(3), indicated: 5, lost_below: Some(0), ..Snapshot::default() };
        let pulse = Pulse {
            rate: 5.0,
            byte_rate: 2_500.0,
            stall_budget: Some(Duration::from_millis(812)),
            least_stall_budget: Some(Duration::from_millis(40)),
        };
        assert_eq!(
            StatusLine { now: &now, pulse: &pulse }.to_string(),
            "3s 5/s 0.003 MB/s indicated 5 delivered 0 written 0 dropped 0 lost below 0 stall budget 812 ms (least 40 ms)"
        );
    }

    #[test]
    fn what_is_only_watched_is_not_said_to_be_written() {
        let now = Snapshot { published: 7, reader: ReaderAt::Nowhere, ..Snapshot::default() };
        assert_eq!(
            StatusLine { now: &now, pulse: &Pulse::default() }.to_string(),
            "0s 0/s 0.000 MB/s indicated 0 delivered 0 published 7 dropped 0, without a reader"
        );
    }
}
