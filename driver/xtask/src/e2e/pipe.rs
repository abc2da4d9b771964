//! A pipe that takes what fits into it, and nothing more until somebody reads.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

/// Holds the reading end of a named pipe open without reading, so that a writer can open it.
pub(super) struct StuckPipe {
    _reader: File,
}

impl StuckPipe {
    /// Makes the pipe at `path`.
    pub(super) fn make(path: &Path) -> Result<Self> {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).context("cannot make a pipe")?;
        let reader = OpenOptions::new()
            .read(true)
            // A blocking open would wait for the writer.
            .custom_flags(i32::try_from(OFlags::NONBLOCK.bits())?)
            .open(path)
            .context("cannot open the pipe")?;
        Ok(Self { _reader: reader })
    }
}
