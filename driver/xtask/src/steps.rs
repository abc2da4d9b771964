//! Named steps with the minutes each one used.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::interrupt;

/// A run of steps. Each announces itself as it starts; all of them run even when one fails, so that one run shows
/// everything that is wrong.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

impl Steps {
    /// Runs one step, unless the run was interrupted.
    pub(crate) fn run(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        if interrupt::check().is_err() {
            return;
        }
        println!("\n==> {name}");
        let start = Instant::now();
        let failure = work().err().map(|error| format!("{error:#}"));
        if let Some(message) = &failure {
            println!("{name} FAILED: {message}");
        }
        self.done.push(Step { name, took: start.elapsed(), failure });
    }

    /// Prints the table and fails when any step did.
    pub(crate) fn finish(self) -> Result<()> {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or_default().max("step".len());
        println!("\n{:width$}  minutes  result", "step");
        for step in &self.done {
            let result = if step.failure.is_some() { "FAILED" } else { "ok" };
            println!("{:width$}  {:7.2}  {result}", step.name, minutes(step.took));
        }
        let total = self.done.iter().map(|step| step.took).sum();
        println!("{:width$}  {:7.2}", "total", minutes(total));
        interrupt::check()?;
        let failed: Vec<_> =
            self.done.iter().filter(|step| step.failure.is_some()).map(|step| step.name).collect();
        if failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", failed.join(", "));
    }
}

fn minutes(took: Duration) -> f64 {
    took.as_secs_f64() / 60.0
}
