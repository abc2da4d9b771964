//! What drivers printed, and what Wine says when one of them faults.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// What Wine writes when a driver's process is about to end, and what stands in for ntoskrnl.exe when a driver breaks a rule
/// of NT; and what skua.sys says of memory that it leaves behind.
const CRASHES: [&str; 9] = [
    "Unhandled page fault",
    "Unhandled exception",
    "Unhandled breakpoint",
    "unimplemented function",
    "KeBugCheck",
    "were not given back",
    "skua-wine: violation",
    "skua-wine: fatal",
    // Rust's own panics, of what stands below the driver.
    "panicked at",
];

/// Lines to show of a check that failed.
const TAIL: usize = 20;

/// The log of a prefix, up to now.
pub(super) struct Log(String);

impl Log {
    /// Its name in the prefix's folder.
    pub(super) const FILE: &str = "wine.log";

    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        // Drivers may print anything.
        Ok(Self(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A place to look from later.
    pub(super) fn end(&self) -> usize {
        self.0.len()
    }

    /// What came after the place `start`.
    pub(super) fn since(&self, start: usize) -> &str {
        self.0.get(start..).unwrap_or_default()
    }

    /// The last lines of what came after the place `start`.
    pub(super) fn tail(&self, start: usize) -> String {
        let lines: Vec<&str> = self.since(start).lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

/// The lines of a log that tell of a crash.
pub(super) fn crashes(text: &str) -> Vec<&str> {
    text.lines().filter(|line| CRASHES.iter().any(|crash| line.contains(crash))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_told_from_what_a_driver_prints() {
        let text = "0024:warn:debugstr:vDbgPrintExWithPrefix 00000000:00000001: skua: started
wine: Unhandled page fault on write access to 0000000000000000 at address 000000014000101A (thread 0038), starting debugger...
wine: Call from 000000007B0128E8 to unimplemented function ntoskrnl.exe.EtwRegister, aborting
0024:err:ntoskrnl:KeBugCheckEx wine: bug check 0x1
0050:err:winediag:nodrv_CreateWindow Application tried to create a window, but no driver could be loaded.";
        let found = crashes(text);
        assert_eq!(found, text.lines().skip(1).take(3).collect::<Vec<_>>());
    }
}
