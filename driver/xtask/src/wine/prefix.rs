//! A Wine prefix: a Windows of its own, in a folder, with its services.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::log::Log;
use crate::process::{self, Finished};
use crate::tool;

/// Longest that making a prefix, or starting or ending its services, may take.
const LIMIT: Duration = Duration::from_secs(180);

/// The environment besides the prefix: 64 bits, no screen, nothing said but what drivers print and what goes wrong.
const ENVIRONMENT: [(&str, &str); 3] =
    [("WINEARCH", "win64"), ("DISPLAY", ""), ("WINEDEBUG", "-all,+debugstr,err+all")];

/// A prefix whose services run. All its processes end when it is dropped, unless it is told to leave them.
pub(crate) struct Prefix {
    folder: PathBuf,
    leave: bool,
}

impl Prefix {
    /// Makes one in `folder`, which need not exist, and starts its services.
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // Wine takes absolute paths alone.
        let prefix = Self { folder: folder.canonicalize()?, leave: false };
        prefix.boot()?;
        // Without a debugger, a crash ends the process at once instead of waiting for one.
        let key = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug";
        prefix.run("reg", &["add", key, "/v", "Debugger", "/d", "", "/f"], LIMIT)?;
        Ok(prefix)
    }

    /// The prefix in `folder`, whether or not anything runs in it.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("no prefix in {}", folder.display()))?;
        Ok(Self { folder, leave: true })
    }

    /// Ends everything that runs in it, and starts the services again.
    pub(super) fn reboot(&self) -> Result<()> {
        self.end()?;
        self.boot()
    }

    /// Ends everything that runs in it.
    pub(super) fn end(&self) -> Result<()> {
        // Its status says whether anything ran.
        process::run(self.command(tool::WINESERVER).arg("-k"), LIMIT)?;
        process::run(self.command(tool::WINESERVER).arg("-w"), LIMIT)?.success().map(drop)
    }

    /// The server stays until it is told to end, and with it the services. They inherit the output of the first program,
    /// and with it what drivers print goes to the log; nobody could wait for the end of a pipe that they hold.
    fn boot(&self) -> Result<()> {
        for command in [self.command(tool::WINESERVER).arg("-p"), self.wine("wineboot").arg("--update")] {
            let path = self.folder.join(Log::FILE);
            let log = File::options().create(true).append(true).open(&path);
            let log = log.with_context(|| format!("cannot write {}", path.display()))?;
            process::run_as_it_is(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log), LIMIT)?;
        }
        Ok(())
    }

    /// Runs a program of Windows to a successful end.
    pub(super) fn run(&self, program: &str, arguments: &[&str], limit: Duration) -> Result<Finished> {
        process::run(self.wine(program).args(arguments), limit)?.success()
    }

    /// `wine program`, ready for its arguments.
    pub(crate) fn wine(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command(tool::WINE);
        command.arg(program);
        command
    }

    /// A file below `C:\windows`, as this system names it.
    pub(super) fn windows(&self, file: &str) -> PathBuf {
        self.folder.join("drive_c/windows").join(file)
    }

    /// What drivers printed, and Wine's errors, since the prefix was made.
    pub(super) fn log(&self) -> Result<Log> {
        Log::read(&self.folder)
    }

    /// The processes that drivers run in, by their ids.
    pub(super) fn driver_processes(&self) -> Result<Vec<u32>> {
        let prefix = format!("WINEPREFIX={}", self.folder.display());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").context("cannot list the processes")? {
            let Ok(entry) = entry else { continue };
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // One that ended meanwhile has neither file, or empty ones.
            let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
            let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
            let is_ours = environment.split(|byte| *byte == 0).any(|variable| variable == prefix.as_bytes());
            if is_ours && String::from_utf8_lossy(&line).contains("winedevice.exe") {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// The environment for running programs in this prefix by hand, in a shell's words.
    pub(super) fn environment(&self) -> String {
        let folder = self.folder.to_string_lossy();
        // Drivers have their own already; of programs, only what they print themselves is wanted.
        let quiet = ENVIRONMENT.map(|(name, value)| (name, if name == "WINEDEBUG" { "-all" } else { value }));
        let all = std::iter::once(("WINEPREFIX", folder.as_ref())).chain(quiet);
        all.map(|(name, value)| format!("export {name}='{value}'\n")).collect()
    }

    /// Leaves everything running when this is dropped.
    pub(super) fn leave(&mut self) {
        self.leave = true;
    }

    /// Without randomised addresses: once in some thousand starts the heap of Wine's loader would lie where Windows' shared
    /// data goes, and the program would not start.
    fn command(&self, tool: tool::Tool) -> Command {
        let mut command = tool::SETARCH.command();
        command.arg("--addr-no-randomize").arg(tool.path());
        command.env("WINEPREFIX", &self.folder).envs(ENVIRONMENT);
        command
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        if !self.leave {
            // Not by this program's own waits, which end at once after an interrupt.
            drop(self.command(tool::WINESERVER).arg("-k").status());
            drop(self.command(tool::WINESERVER).arg("-w").status());
        }
    }
}
