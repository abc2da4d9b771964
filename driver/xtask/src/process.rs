//! A child process that cannot outlive its owner, and whose every wait has a limit.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::interrupt;

/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(5);

/// A running child in a process group of its own.
///
/// Its standard output and error are read as they come, so a full pipe never stops it. Dropping it kills the group and
/// waits for the child.
pub(crate) struct Process {
    command: String,
    child: Child,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    reaped: bool,
}

/// How a child ended and what it printed; both texts are empty for one that printed to this program's own terminal.
pub(crate) struct Finished {
    pub(crate) command: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `command` to its end within `limit` and hands back what it printed, whatever its exit status.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Finished> {
    Process::start(command.stdin(Stdio::null()))?.wait(limit)
}

/// Runs `command` to a successful end within `limit`, printing to this program's terminal.
pub(crate) fn run_shown(command: &mut Command, limit: Duration) -> Result<()> {
    println!("$ {}", describe(command));
    run_as_it_is(command.stdin(Stdio::null()), limit)
}

/// Runs `command` to a successful end within `limit`, with its input and output where the caller put them. Nothing is
/// waited for but the command itself: what it leaves running may hold its output open.
pub(crate) fn run_as_it_is(command: &mut Command, limit: Duration) -> Result<()> {
    let text = describe(command);
    let child = command.process_group(0).spawn().with_context(|| format!("cannot start {text}"))?;
    Process { command: text, child, stdout: None, stderr: None, reaped: false }
        .wait(limit)?
        .success()
        .map(drop)
}

impl Process {
    /// Starts `command` with its output collected. The caller decides what its standard input is.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let text = describe(command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| format!("cannot start {text}"))?;
        let stdout = child.stdout.take().map(Stream::read);
        let stderr = child.stderr.take().map(Stream::read);
        Ok(Self { command: text, child, stdout, stderr, reaped: false })
    }

    /// Starts `command` with its output to `stdout`, of which nothing is collected, and its errors collected.
    pub(crate) fn start_into(command: &mut Command, stdout: impl Into<Stdio>) -> Result<Self> {
        let text = describe(command);
        command.stdout(stdout).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| format!("cannot start {text}"))?;
        // The command keeps its ends of pipes open, and so whoever reads them from seeing the end.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let stderr = child.stderr.take().map(Stream::read);
        Ok(Self { command: text, child, stdout: None, stderr, reaped: false })
    }

    /// The child's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed on standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.as_ref().map(Stream::text).unwrap_or_default()
    }

    /// What it printed on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.as_ref().map(Stream::text).unwrap_or_default()
    }

    /// Waits until `found` makes something of the child. An end of the child before that is an error that shows its
    /// output.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut found: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.has_ended()?;
            if let Some(value) = found(self) {
                return Ok(value);
            }
            if ended {
                let finished = self.reap()?;
                bail!("{} ended before {what}\n{}", finished.command, finished.stderr);
            }
            self.pause(deadline, limit, what)?;
        }
    }

    /// Sends a signal to the whole group.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process_group(self.group()?, signal).with_context(|| format!("cannot signal {}", self.command))
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self, limit: Duration) -> Result<Finished> {
        let deadline = Instant::now() + limit;
        while !self.has_ended()? {
            self.pause(deadline, limit, "its end")?;
        }
        self.reap()
    }

    /// Whether the child has ended. Its process id stays taken until [`Self::reap`], so that the group's id cannot become
    /// somebody else's between the two.
    fn has_ended(&self) -> Result<bool> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.group()?), look);
        Ok(status.with_context(|| format!("cannot wait for {}", self.command))?.is_some())
    }

    /// Ends what is left of the group, then takes the child's status and the rest of its output.
    fn reap(&mut self) -> Result<Finished> {
        // A descendant that kept the pipes open would hold up the readers for ever.
        self.end_group();
        let status = self.child.wait().with_context(|| format!("cannot wait for {}", self.command))?;
        self.reaped = true;
        Ok(Finished {
            command: self.command.clone(),
            status,
            stdout: self.stdout.take().map(Stream::finish).unwrap_or_default(),
            stderr: self.stderr.take().map(Stream::finish).unwrap_or_default(),
        })
    }

    fn pause(&self, deadline: Instant, limit: Duration, what: &str) -> Result<()> {
        interrupt::check()?;
        if Instant::now() >= deadline {
            bail!("{}: no {what} within {limit:?}\n{}", self.command, self.stderr());
        }
        thread::sleep(POLL);
        Ok(())
    }

    fn group(&self) -> Result<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a child without a process id")
    }

    fn end_group(&self) {
        // The group is gone when its last member is, which is the usual case.
        if let Ok(group) = self.group() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.reaped {
            self.end_group();
            // Nothing is left to do about a child that cannot be waited for.
            drop(self.child.wait());
        }
    }
}

impl Finished {
    /// Fails unless the child exited with status 0.
    pub(crate) fn success(self) -> Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        bail!("{} failed ({})\n{}{}", self.command, self.status, self.stdout, self.stderr);
    }
}

/// One output of a child, read by a thread of its own.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn read(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut part = [0; 16 * 1024];
            // A read error ends the text as the end of the pipe does; the exit status tells the rest.
            while let Ok(count @ 1..) = pipe.read(&mut part) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&part[..count]);
            }
        });
        Self { text, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn finish(self) -> String {
        // The thread cannot panic; if it did, what it had read is still there.
        drop(self.reader.join());
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// The command as a person would type it, without quoting and without the program's folder.
fn describe(command: &Command) -> String {
    let environment = command.get_envs().filter_map(|(key, value)| {
        value.map(|value| format!("{}={}", key.to_string_lossy(), value.to_string_lossy()))
    });
    let program = Path::new(command.get_program());
    let words = std::iter::once(program.file_name().unwrap_or(program.as_os_str()))
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned());
    environment.chain(words).collect::<Vec<_>>().join(" ")
}
