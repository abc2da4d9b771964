//! The loop that lets each site fail in turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::{FaultSite, Faults};
use crate::{Finding, HostConfig, HostKernel, OnFinding, Outstanding, VerifierConfig};

/// Runs a scenario again and again, each time with another call failing, until each has failed.
#[derive(Clone, Copy, Debug)]
pub struct FaultLoop {
    /// Longest that one run may take.
    pub patience: Duration,
    /// Runs after which there should have been an end.
    pub limit: usize,
}

impl Default for FaultLoop {
    /// A minute a run, and 10,000 runs.
    fn default() -> Self {
        Self { patience: Duration::from_secs(60), limit: 10_000 }
    }
}

/// What a loop that came to its end did.
#[derive(Clone, Debug)]
pub struct FaultReport {
    /// Runs, of which the last met nothing that had not failed.
    pub runs: usize,
    /// What has failed, in the order in which it did.
    pub sites: Vec<FaultSite>,
    /// Calls that could have failed, over all runs.
    pub calls: u64,
}

/// What a run did wrong.
#[derive(Debug, Error)]
pub enum FaultFailure {
    /// The scenario panicked: an assertion of its own, or a defect.
    #[error("it panicked: {message}\nafter: {}", shown(site.as_ref()))]
    Panicked {
        /// What failed before.
        site: Option<FaultSite>,
        /// With what.
        message: String,
    },
    /// The scenario did not end in time.
    #[error("it did not end in {limit:?}\nafter: {}", shown(site.as_ref()))]
    Hung {
        /// What failed before.
        site: Option<FaultSite>,
        /// How long it was waited for.
        limit: Duration,
    },
    /// Something was left behind.
    #[error("it left {outstanding:?}\nafter: {}", shown(site.as_ref()))]
    Left {
        /// What failed before.
        site: Option<FaultSite>,
        /// What is left.
        outstanding: Outstanding,
    },
    /// The verifier found that a rule was broken.
    #[error("{} rules were broken, the first: {}\nafter: {}", findings.len(), first(findings), shown(site.as_ref()))]
    Found {
        /// What failed before.
        site: Option<FaultSite>,
        /// The rules.
        findings: Vec<Finding>,
    },
    /// New sites kept turning up.
    #[error("there was no end in {runs} runs: the scenario takes another way each time")]
    NoEnd {
        /// How many there were.
        runs: usize,
    },
}

fn shown(site: Option<&FaultSite>) -> String {
    site.map_or_else(|| "nothing had failed".to_owned(), FaultSite::to_string)
}

fn first(findings: &[Finding]) -> String {
    findings.first().map(Finding::to_string).unwrap_or_default()
}

impl FaultLoop {
    /// Runs `scenario` over kernels made from `config`, whose faults and verifier are the loop's. The scenario copes with
    /// every failure, checks what it wants to be true after it, and leaves nothing behind.
    ///
    /// # Errors
    /// The first run that panics, does not end, leaves something, or breaks a rule; or no end.
    pub fn run<S>(&self, config: &HostConfig, scenario: S) -> Result<FaultReport, FaultFailure>
    where
        S: Fn(&HostKernel) + Send + Sync + 'static,
    {
        let scenario = Arc::new(scenario);
        let faults = Arc::new(Faults::default());
        let mut sites = Vec::new();
        // A run may take another way because of what the threads do: the end is two that meet nothing new.
        let mut quiet = 0;
        for runs in 1..=self.limit {
            match self.one(config, &faults, &scenario)? {
                Some(site) => {
                    sites.push(site);
                    quiet = 0;
                }
                None => quiet += 1,
            }
            if quiet == 2 {
                return Ok(FaultReport { runs, sites, calls: faults.calls() });
            }
        }
        Err(FaultFailure::NoEnd { runs: self.limit })
    }

    /// One run: what failed in it.
    fn one<S>(
        &self,
        config: &HostConfig,
        faults: &Arc<Faults>,
        scenario: &Arc<S>,
    ) -> Result<Option<FaultSite>, FaultFailure>
    where
        S: Fn(&HostKernel) + Send + Sync + 'static,
    {
        let verifier = VerifierConfig { on_finding: OnFinding::Record, ..VerifierConfig::default() };
        let kernel = HostKernel::new(HostConfig {
            faults: Some(Arc::clone(faults)),
            verifier: Some(verifier),
            ..config.clone()
        });
        let (ended, end) = channel();
        faults.begin();
        let thread = {
            let (kernel, scenario) = (kernel.clone(), Arc::clone(scenario));
            std::thread::spawn(move || {
                let result = catch_unwind(AssertUnwindSafe(|| scenario(&kernel)));
                drop(kernel);
                let _ = ended.send(result.map_err(|panic| message(&*panic)));
            })
        };
        let result = end.recv_timeout(self.patience);
        let site = faults.end();
        match result {
            Ok(Ok(())) => {}
            Ok(Err(message)) => return Err(FaultFailure::Panicked { site, message }),
            Err(RecvTimeoutError::Timeout) => {
                return Err(FaultFailure::Hung { site, limit: self.patience });
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(FaultFailure::Panicked { site, message: "the thread is gone".to_owned() });
            }
        }
        let _ = thread.join();
        let until = Instant::now() + self.patience;
        // Threads of the provider may still be on their way out.
        while !kernel.outstanding().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let outstanding = kernel.outstanding();
        if !outstanding.is_empty() {
            return Err(FaultFailure::Left { site, outstanding });
        }
        let findings = kernel.take_findings();
        if !findings.is_empty() {
            return Err(FaultFailure::Found { site, findings });
        }
        Ok(site)
    }
}

/// What a panic says.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
