//! A driver in a prefix, as a service: created, started, stopped, deleted by Wine's `sc`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::copy;
use super::prefix::Prefix;
use crate::interrupt;

/// Longest that `sc` may take, a driver's start or unload included.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(10);

/// A driver that was installed.
pub(super) struct Service<'a> {
    prefix: &'a Prefix,
    name: String,
    /// The process that the driver runs in, once it was started.
    process: Option<u32>,
}

impl<'a> Service<'a> {
    /// Installs the driver `image` as the service `name`, so that it imports from the stand-ins.
    pub(super) fn install(prefix: &'a Prefix, name: &str, mut image: Vec<u8>) -> Result<Self> {
        copy::import_stand_ins(&mut image)?;
        let file = prefix.windows(&format!("system32/drivers/{name}.sys"));
        fs::write(&file, image).with_context(|| format!("cannot write {}", file.display()))?;
        let path = format!(r"C:\windows\system32\drivers\{name}.sys");
        prefix.run("sc", &["create", name, "type=", "kernel", "binPath=", &path], LIMIT)?;
        Ok(Self { prefix, name: name.to_owned(), process: None })
    }

    /// Starts it: the driver's DriverEntry returns success.
    pub(super) fn start(&mut self) -> Result<()> {
        let before = self.prefix.driver_processes()?;
        self.prefix.run("sc", &["start", &self.name], LIMIT)?;
        self.until("RUNNING")?;
        let after = self.prefix.driver_processes()?;
        self.process = after.into_iter().find(|process| !before.contains(process));
        ensure!(self.process.is_some(), "{} runs, and no process has come with it", self.name);
        Ok(())
    }

    /// Stops it: the driver's unload routine returns, and its process ends.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.prefix.run("sc", &["stop", &self.name], LIMIT)?;
        self.has_stopped()
    }

    /// Waits until it has stopped, at somebody else's bidding.
    pub(super) fn has_stopped(&mut self) -> Result<()> {
        self.until("STOPPED")?;
        self.has_vanished()?;
        self.process = None;
        Ok(())
    }

    /// Waits until its process is there no more.
    pub(super) fn has_vanished(&self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while self.is_alive()? {
            ensure!(Instant::now() < deadline, "{}: its process goes on", self.name);
            interrupt::check()?;
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Removes what a check that failed may have left. It must not run.
    pub(super) fn forget(prefix: &Prefix, name: &str) {
        // There may be none.
        drop(prefix.run("sc", &["delete", name], LIMIT));
    }

    /// Removes it; it must not run.
    pub(super) fn delete(self) -> Result<()> {
        self.prefix.run("sc", &["delete", &self.name], LIMIT).map(drop)
    }

    /// Whether the process that it was started in is still there. `sc query` says so long after a crash.
    pub(super) fn is_alive(&self) -> Result<bool> {
        let Some(process) = self.process else { return Ok(false) };
        Ok(self.prefix.driver_processes()?.contains(&process))
    }

    /// The process that the driver runs in.
    pub(super) fn process(&self) -> Result<u32> {
        self.process.with_context(|| format!("{} was not started", self.name))
    }

    /// Waits until the service is in `state`, as `sc query` calls it.
    fn until(&self, state: &str) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let said = self.prefix.run("sc", &["query", &self.name], LIMIT)?.stdout;
            if said.contains(state) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("{} is not {state} within {LIMIT:?}:\n{said}", self.name);
            }
            interrupt::check()?;
            std::thread::sleep(POLL);
        }
    }
}
