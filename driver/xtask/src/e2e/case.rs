//! A case: one thing proved, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::namespace::Namespace;

/// One thing proved.
pub(super) struct Case {
    /// What the command line chooses it by.
    pub(super) name: &'static str,
    /// The claim, as a sentence.
    pub(super) proves: &'static str,
    /// Runs it. An error is the claim's refutation, or says why it could not be tried.
    pub(super) run: fn(&Room) -> Result<()>,
}

impl Case {
    /// Whether one of `filters` is in the name; every case matches no filters.
    pub(super) fn matches(&self, filters: &[String]) -> bool {
        filters.is_empty() || filters.iter().any(|filter| self.name.contains(filter.as_str()))
    }
}

/// What a case works with. Its folder is removed with it.
pub(super) struct Room {
    skua: PathBuf,
    tcp: PathBuf,
    ring: PathBuf,
    folder: TempDir,
}

impl Room {
    pub(super) fn new(skua: PathBuf, tcp: PathBuf, ring: PathBuf) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("skua-e2e-").tempdir().context("cannot make a folder")?;
        Ok(Self { skua, tcp, ring, folder })
    }

    /// A file in the case's folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary under test.
    pub(super) fn skua(&self) -> &Path {
        &self.skua
    }

    /// The client of WSK that speaks TCP.
    pub(super) fn tcp(&self) -> &Path {
        &self.tcp
    }

    /// The client of WSK that keeps what it is lent from a packet ring.
    pub(super) fn ring(&self) -> &Path {
        &self.ring
    }

    /// The binary under test as a command, in a namespace when there is one.
    pub(super) fn skua_in(&self, namespace: Option<&Namespace>) -> Command {
        match namespace {
            Some(namespace) => {
                let mut command = namespace.enter();
                command.arg(&self.skua);
                command
            }
            None => Command::new(&self.skua),
        }
    }
}
