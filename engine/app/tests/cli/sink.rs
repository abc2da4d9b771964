//! A sink under test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use serde_json::Value;

pub(crate) use rustix::process::Signal;

/// A command of the binary under test.
pub(crate) fn skua(args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("skua"));
    command.args(args);
    command
}

/// A sink that runs. Dropping it kills it.
pub(crate) struct Sink {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<JoinHandle<Vec<String>>>,
    /// Where it listens, in the order of `--listen`.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where its metrics are, if they are anywhere.
    pub(crate) metrics: Option<String>,
}

/// How a sink ended.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) status: ExitStatus,
    /// What was on standard output and not read before, without the summary.
    pub(crate) lines: Vec<String>,
    pub(crate) stderr: Vec<String>,
    pub(crate) summary: Value,
}

impl Sink {
    /// Starts `skua sink --summary json` and waits until it listens.
    pub(crate) fn start(args: &[&str]) -> Self {
        let sockets = args.iter().filter(|arg| **arg == "--listen").count();
        let mut command = skua(&["sink", "--summary", "json"]);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        let (lines, stderr) = follow(child.stderr.take().unwrap());
        let mut sink = Self { child, stdout, stderr: Some(stderr), addresses: Vec::new(), metrics: None };
        while sink.addresses.len() < sockets {
            let Ok(line) = lines.recv() else { panic!("the sink ended: {:?}", sink.finish()) };
            if let Some(address) = line.strip_prefix("skua: listening on ") {
                sink.addresses.push(address.parse().unwrap());
            } else if let Some(url) = line.strip_prefix("skua: metrics at http://") {
                sink.metrics = Some(url.trim_end_matches("/metrics").to_owned());
            }
        }
        sink
    }

    /// Its only address.
    pub(crate) fn address(&self) -> SocketAddr {
        assert_eq!(self.addresses.len(), 1);
        self.addresses[0]
    }

    /// The next line of `--json -`.
    pub(crate) fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Standard output, to be read elsewhere or closed.
    pub(crate) fn take_stdout(&mut self) -> BufReader<ChildStdout> {
        self.stdout.take().unwrap()
    }

    /// Asks for the end and waits for it.
    pub(crate) fn stop(self) -> Report {
        self.end_by(Signal::INT)
    }

    /// Asks for the end without waiting.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.process(), signal).unwrap();
    }

    /// Its process.
    pub(crate) fn process(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end_by(self, signal: Signal) -> Report {
        self.signal(signal);
        self.finish()
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Report {
        let mut text = String::new();
        if let Some(mut stdout) = self.stdout.take() {
            stdout.read_to_string(&mut text).unwrap();
        }
        let status = self.child.wait().unwrap();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let summary = lines.pop().map_or(Value::Null, |line| serde_json::from_str(&line).unwrap());
        Report { status, lines, stderr, summary }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Already gone, if the test got that far.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Collects lines in a thread, and passes them on while somebody listens.
fn follow(stream: impl Read + Send + 'static) -> (Receiver<String>, JoinHandle<Vec<String>>) {
    let (tell, lines) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut all = Vec::new();
        for line in BufReader::new(stream).lines() {
            let line = line.unwrap();
            let _ = tell.send(line.clone());
            all.push(line);
        }
        all
    });
    (lines, thread)
}

impl Report {
    /// A count of the summary.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.summary[key].as_u64().unwrap_or_else(|| panic!("{key} in {self:?}"))
    }

    /// How many datagrams were dropped, for all reasons.
    pub(crate) fn dropped(&self) -> u64 {
        self.summary["drops"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
    }

    /// Everything sent is in exactly one count, and nothing else is.
    pub(crate) fn accounts_for(&self, sent: u64) {
        assert_eq!(self.count("indicated") + self.count("lost_below"), sent, "{self:?}");
        assert_eq!(self.count("delivered") + self.dropped(), self.count("indicated"), "{self:?}");
        assert_eq!(self.count("published"), self.count("delivered"), "{self:?}");
        assert_eq!(self.count("retained"), 0, "{self:?}");
    }

    /// Every datagram sent went all the way.
    pub(crate) fn lossless(&self, sent: u64) {
        self.accounts_for(sent);
        assert_eq!(self.count("written"), sent, "{self:?}");
        assert!(self.status.success(), "{self:?}");
    }

    /// What was said that is no status line.
    pub(crate) fn messages(&self) -> Vec<&str> {
        self.stderr.iter().filter_map(|line| line.strip_prefix("skua: ")).collect()
    }
}

/// The path as the command line takes it.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
