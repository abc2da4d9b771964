//! A check: one thing proved of the driver, on a system that survives it or is noticed not to.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use tempfile::TempDir;

use super::log::crashes;
use super::prefix::Prefix;
use super::service::Service;

/// One thing proved.
pub(super) struct Check {
    /// What the command line chooses it by.
    pub(super) name: &'static str,
    /// The claim, as a sentence.
    pub(super) proves: &'static str,
    /// Runs it. An error is the claim's refutation, or says why it could not be tried.
    pub(super) run: fn(&Room<'_>) -> Result<()>,
}

impl Check {
    /// Whether one of `filters` is in the name; every check matches no filters.
    pub(super) fn matches(&self, filters: &[String]) -> bool {
        filters.is_empty() || filters.iter().any(|filter| self.name.contains(filter.as_str()))
    }
}

/// What a check works with. Its folder is removed with it.
pub(super) struct Room<'a> {
    prefix: &'a Prefix,
    /// Where build-sys put the images.
    images: PathBuf,
    folder: TempDir,
    /// Up to where the log was looked at.
    seen: Cell<usize>,
}

impl<'a> Room<'a> {
    pub(super) fn new(prefix: &'a Prefix, images: &Path) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("skua-wine-").tempdir().context("cannot make a folder")?;
        let seen = Cell::new(prefix.log()?.end());
        Ok(Self { prefix, images: images.to_owned(), folder, seen })
    }

    pub(super) fn prefix(&self) -> &'a Prefix {
        self.prefix
    }

    /// A file in the check's folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What build-sys made, by its name.
    pub(super) fn built(&self, name: &str) -> PathBuf {
        self.images.join(name)
    }

    /// `skua.exe` under Wine, in the check's folder.
    pub(super) fn skua(&self) -> Command {
        self.program("skua.exe")
    }

    /// A program that was built, under Wine, in the check's folder.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = self.prefix.wine(self.built(name));
        command.current_dir(self.folder.path());
        command
    }

    /// skua.sys, installed and not started.
    pub(super) fn driver(&self) -> Result<Service<'a>> {
        self.driver_with(|_| Ok(()))
    }

    /// skua.sys after `change`, installed and not started.
    pub(super) fn driver_with(&self, change: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<Service<'a>> {
        let path = self.built("skua.sys");
        let mut image = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        change(&mut image)?;
        Service::install(self.prefix, "skua", image)
    }

    /// Another driver, installed as the service `name` and not started.
    pub(super) fn install(&self, name: &str, image: Vec<u8>) -> Result<Service<'a>> {
        Service::install(self.prefix, name, image)
    }

    /// What drivers printed since the log was looked at.
    pub(super) fn said(&self) -> String {
        self.prefix
            .log()
            .map_or_else(|error| format!("{error:#}"), |log| log.since(self.seen.get()).to_owned())
    }

    /// Ends every process and starts Windows again, as after a crash. Installed drivers stay installed.
    pub(super) fn restart(&self) -> Result<()> {
        self.prefix.reboot()?;
        self.seen.set(self.prefix.log()?.end());
        Ok(())
    }

    /// Fails when a driver faulted since this was asked last, or when `service`, which should run, has no process.
    pub(super) fn is_sound(&self, service: Option<&Service<'_>>) -> Result<()> {
        let log = self.prefix.log()?;
        let text = log.since(self.seen.replace(log.end()));
        let crashes = crashes(text);
        ensure!(crashes.is_empty(), "a driver crashed:\n  {}", crashes.join("\n  "));
        if let Some(service) = service {
            ensure!(service.is_alive()?, "the driver's process has gone");
        }
        Ok(())
    }
}
