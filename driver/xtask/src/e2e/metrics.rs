//! What the sink's `/metrics` says, read by a program that is not Skua.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::{process, tool};

/// Longest that one answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Python's HTTP client; it fails for a status that is not 200.
const GET: &str = "import sys, urllib.request; \
    answer = urllib.request.urlopen(sys.argv[1], timeout=5); \
    print(answer.headers['Content-Type']); sys.stdout.write(answer.read().decode())";

/// One answer.
pub(super) struct Metrics {
    pub(super) content_type: String,
    body: String,
}

impl Metrics {
    /// Asks `address`.
    pub(super) fn get(address: SocketAddr) -> Result<Self> {
        let mut command = tool::PYTHON.command();
        command.args(["-c", GET, &format!("http://{address}/metrics")]);
        let finished = process::run(&mut command, LIMIT)?.success()?;
        let (content_type, body) = finished.stdout.split_once('\n').context("an empty answer")?;
        Ok(Self { content_type: content_type.to_owned(), body: body.to_owned() })
    }

    /// The value of the series called `series`, labels and all.
    pub(super) fn value(&self, series: &str) -> Result<f64> {
        let text = self
            .body
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
            .with_context(|| format!("no series {series} in:\n{}", self.body))?;
        text.trim().parse().with_context(|| format!("{series} is not a number: {text}"))
    }
}
