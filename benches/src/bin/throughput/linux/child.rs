//! A process on a core of its own, in a network of the caller's choice, that does not outlive its owner.

// UNSAFETY: what a new process does before it becomes another program must not allocate.
#![expect(unsafe_code, reason = "a new process is moved before it becomes another program")]

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child as StdChild, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use rustix::thread::{CpuSet, LinkNameSpaceType, move_into_link_name_space, sched_setaffinity};

use super::run::interrupted;

/// How often a wait looks for Ctrl-C.
const SLICE: Duration = Duration::from_millis(20);

/// Where a process runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The only core of all its threads.
    pub(crate) core: usize,
    /// Its network namespace; this program's own when there is none.
    pub(crate) namespace: Option<Arc<OwnedFd>>,
}

/// A running process. Dropping it kills it.
pub(crate) struct Child {
    name: String,
    child: StdChild,
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

/// What a process prints, line by line, read as it comes: a full pipe never stops it.
struct Lines {
    incoming: Receiver<String>,
    seen: Vec<String>,
}

impl Child {
    /// Starts `command` at `place`, in a process group of its own: Ctrl-C reaches its owner first, which ends it in order.
    pub(crate) fn start(command: &mut Command, place: &Place) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut core = CpuSet::new();
        core.set(place.core);
        let namespace = place.namespace.clone();
        let prepare = move || {
            // The kernel ends what its owner could not.
            set_parent_process_death_signal(Some(Signal::KILL))?;
            sched_setaffinity(None, &core)?;
            if let Some(namespace) = &namespace {
                enter(namespace)?;
            }
            Ok(())
        };
        // SAFETY: three system calls, with memory that was set aside before.
        unsafe { command.pre_exec(prepare) };
        let mut child =
            command.spawn().with_context(|| format!("cannot start {name} on core {}", place.core))?;
        let stdin = child.stdin.take();
        let stdout = Lines::read(child.stdout.take());
        let stderr = Lines::read(child.stderr.take());
        Ok(Self { name, child, stdin, stdout, stderr })
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its input is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("cannot tell {} to {line}", self.name))
    }

    /// Waits for a line on its standard output that `found` makes something of.
    pub(crate) fn hear<T>(&mut self, limit: Duration, found: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let heard = self.stdout.find(limit, found);
        heard.map_err(|end| self.explain(end))
    }

    /// Waits for a line on its standard error that `found` makes something of.
    pub(crate) fn hear_error<T>(
        &mut self,
        limit: Duration,
        found: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let heard = self.stderr.find(limit, found);
        heard.map_err(|end| self.explain(end))
    }

    /// Waits until `ready` says so.
    pub(crate) fn until(&mut self, limit: Duration, mut ready: impl FnMut(u32) -> bool) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !ready(self.id()) {
            if self.child.try_wait()?.is_some() {
                return Err(self.explain(End::Closed));
            }
            if Instant::now() > deadline {
                return Err(self.explain(End::Late(limit)));
            }
            interrupted()?;
            thread::sleep(SLICE / 10);
        }
        Ok(())
    }

    /// Closes its standard input.
    pub(crate) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Asks it to end, as `kill` does.
    pub(crate) fn terminate(&self) -> Result<()> {
        let id = Pid::from_raw(self.id().cast_signed()).context("a process without a number")?;
        kill_process(id, Signal::TERM).with_context(|| format!("cannot end {}", self.name))
    }

    fn explain(&mut self, end: End) -> anyhow::Error {
        // What it printed last says most.
        thread::sleep(SLICE);
        self.stderr.take();
        let said = self.stderr.seen.iter().rev().take(3).rev().cloned().collect::<Vec<_>>().join("; ");
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        match end {
            End::Interrupted(error) => error,
            End::Closed => anyhow::anyhow!("{} ended early{said}", self.name),
            End::Late(limit) => anyhow::anyhow!("{} did not answer within {limit:?}{said}", self.name),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails for one that has ended, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why a line did not come.
enum End {
    Closed,
    Late(Duration),
    Interrupted(anyhow::Error),
}

impl Lines {
    fn read(pipe: Option<impl Read + Send + 'static>) -> Self {
        let (tell, incoming) = mpsc::channel();
        if let Some(pipe) = pipe {
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(io::Result::ok) {
                    if tell.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Self { incoming, seen: Vec::new() }
    }

    fn find<T>(
        &mut self,
        limit: Duration,
        mut found: impl FnMut(&str) -> Option<T>,
    ) -> std::result::Result<T, End> {
        let deadline = Instant::now() + limit;
        loop {
            match self.incoming.recv_timeout(SLICE) {
                Ok(line) => {
                    let value = found(&line);
                    self.seen.push(line);
                    if let Some(value) = value {
                        return Ok(value);
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(End::Closed),
                Err(mpsc::RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                    return Err(End::Late(limit));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => interrupted().map_err(End::Interrupted)?,
            }
        }
    }

    fn take(&mut self) {
        self.seen.extend(self.incoming.try_iter());
    }
}

/// Moves the calling thread into a network namespace.
pub(crate) fn enter(namespace: &OwnedFd) -> io::Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}
