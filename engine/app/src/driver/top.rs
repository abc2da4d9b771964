//! `skua top`: a sink in the driver, looked at without being read.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::client::Client;
use super::counts::DriverCounts;
use super::error::DriverError;
use crate::cli::TopArgs;
use crate::signals::Stop;
use crate::sink::face::Face;
use crate::snapshot::Pulse;

/// Why there is nothing to see, or nothing more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TopError {
    /// The driver, or the sink.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// Signals cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    /// The terminal failed.
    #[error("the terminal could not be drawn on: {0}; redirect standard error to have plain lines instead")]
    Terminal(io::Error),
}

/// Shows a sink until its time is over or somebody asks for the end.
///
/// # Errors
/// [`TopError`].
pub(crate) fn run(args: &TopArgs) -> Result<(), TopError> {
    let stop = Stop::on_signals().map_err(TopError::Signals)?;
    let client = Client::open()?;
    let sink = client.find(args.sink.as_ref())?;
    let counts = DriverCounts::new(Arc::new(client), sink);
    let end = args.duration.map(|span| Instant::now() + span.0);
    let mut face = Face::choose(false);
    let mut before = counts.take()?;
    let mut pulse = Pulse::default();
    let mut next = Instant::now() + face.interval();
    loop {
        let until = end.map_or(next, |end| end.min(next));
        let asked = face.wait(until, &stop).map_err(TopError::Terminal)?;
        if asked || end.is_some_and(|end| Instant::now() >= end) {
            return Ok(());
        }
        if Instant::now() >= next {
            let now = counts.take()?;
            now.new_troubles(&before).for_each(|line| face.notice(line));
            pulse = pulse.advance(&before, &now);
            face.show(&now, &pulse).map_err(TopError::Terminal)?;
            before = now;
            next += face.interval();
        }
    }
}
