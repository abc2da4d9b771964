//! Every receiver there is, and how it is started.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path as FilePath, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use serde_json::Value;

use super::child::{Child, Place};
use super::program::{self, Program};
use super::receive::{Own, Taken};
use crate::case::Path;

/// How long a receiver may take to start or to end.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// Its number (capability.h).
const CAP_NET_RAW: u32 = 13;

/// The option of `skua sink` that takes a capability.
const PACKET_RING: &str = "--packet-ring";

/// Options of `skua sink` that have a row of their own: what it is called, the options, and what they do.
const SINKS: [(&str, &[&str], &str); 6] = [
    ("skua", &[], "skua sink --discard, the whole process, reader included"),
    (
        "skua-payloads",
        &["--snaplen", "65535"],
        "skua, keeping the payloads too, which it does not without an output",
    ),
    ("skua-unmoderated", &["--moderation", "0s"], "skua, taking datagrams when they come"),
    ("skua-coalesce", &["--coalesce"], "skua, letting the system join datagrams"),
    (
        "skua-coalesce-unmoderated",
        &["--coalesce", "--moderation", "0s"],
        "skua, letting the system join datagrams and taking them when they come",
    ),
    ("skua-packet-ring", &[PACKET_RING], "skua, over an AF_PACKET ring"),
];

/// A receiver.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    /// What it is, in one line.
    pub(crate) what: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Own(Own),
    Sink(&'static [&'static str]),
    Program(Program),
}

/// What every receiver is started with.
pub(crate) struct Start<'a> {
    pub(crate) place: &'a Place,
    /// The address and the interface to receive on.
    pub(crate) address: IpAddr,
    pub(crate) interface: &'a str,
    /// Bytes to ask for.
    pub(crate) receive_buffer: u32,
    /// Payload bytes of the longest datagram.
    pub(crate) size: u16,
    /// Whether datagrams say when they were due.
    pub(crate) latency: bool,
    /// The `skua` program.
    pub(crate) skua: &'a FilePath,
}

/// A receiver at work.
pub(crate) struct Running {
    pub(super) child: Child,
    /// Where it receives.
    pub(super) address: SocketAddr,
    pub(super) counts: Counts,
    /// What it reads and writes; removed when it has ended.
    pub(super) _folder: Option<tempfile::TempDir>,
}

/// Who counts what a receiver took.
pub(super) enum Counts {
    /// It does, and says so when its input is closed.
    Own,
    /// `skua` does, and says so when it ends.
    Summary,
    /// The kernel counts what it did not take.
    Socket,
    /// tcpdump does, and says so when it ends. The socket claims the port, and is never read.
    Capture(#[expect(dead_code, reason = "only has to be open")] std::net::UdpSocket),
}

/// All receivers, with the programs that the user adds.
pub(crate) fn all(programs: &[Program]) -> Vec<Contestant> {
    let own = Own::value_variants().iter().filter_map(|own| {
        let value = own.to_possible_value()?;
        Some(Contestant {
            name: value.get_name().to_owned(),
            what: value.get_help().map(ToString::to_string).unwrap_or_default(),
            kind: Kind::Own(*own),
        })
    });
    let sinks = SINKS.into_iter().map(|(name, options, what)| Contestant {
        name: name.to_owned(),
        what: what.to_owned(),
        kind: Kind::Sink(options),
    });
    let foreign = program::known().into_iter().chain(programs.iter().cloned()).map(|program| Contestant {
        name: program.name.clone(),
        what: program.what.clone(),
        kind: Kind::Program(program),
    });
    own.chain(sinks).chain(foreign).collect()
}

/// Prints all receivers.
pub(crate) fn list(skua: Option<PathBuf>) -> Result<()> {
    let skua = skua_program(skua)?;
    let all = all(&[]);
    let width = all.iter().map(|contestant| contestant.name.len()).max().unwrap_or_default();
    for contestant in all {
        let missing = contestant.missing(&skua, None).map(|why| format!(" [absent: {why}]"));
        println!("{:width$}  {}{}", contestant.name, contestant.what, missing.unwrap_or_default());
    }
    Ok(())
}

impl Contestant {
    /// Why it cannot be measured here, or on `path`, if it cannot.
    pub(crate) fn missing(&self, skua: &FilePath, path: Option<Path>) -> Option<String> {
        match &self.kind {
            Kind::Own(_) => None,
            Kind::Sink(options) => {
                let help = Command::new(skua).args(["sink", "--help"]).output();
                let Ok(help) = help.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()) else {
                    return Some(format!("cannot run {}", skua.display()));
                };
                let unknown =
                    options.iter().find(|option| option.starts_with("--") && !help.contains(**option));
                if let Some(option) = unknown {
                    return Some(format!("this skua has no {option}"));
                }
                let forbidden = path.is_some() && options.contains(&PACKET_RING) && !has_net_raw();
                forbidden.then(|| "it takes CAP_NET_RAW; run this as root, or with --namespaces".to_owned())
            }
            Kind::Program(program) => program.missing(path),
        }
    }

    /// Whether it says how long datagrams took to it.
    pub(crate) fn tells_latency(&self) -> bool {
        matches!(self.kind, Kind::Own(_))
    }

    /// Starts it. It receives when this returns.
    pub(crate) fn start(&self, start: &Start<'_>) -> Result<Running> {
        let started = match &self.kind {
            Kind::Own(own) => start_own(*own, start),
            Kind::Sink(options) => start_sink(options, start),
            Kind::Program(program) => program.start(start),
        };
        started.with_context(|| format!("{} did not start", self.name))
    }
}

impl Running {
    /// Its process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it receives.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, and says what it took of `sent` datagrams, its own way of counting.
    pub(crate) fn finish(mut self, sent: u64) -> Result<Taken> {
        let only = |datagrams| Taken { datagrams, bytes: 0, latency: None };
        match self.counts {
            Counts::Own => {
                self.child.hang_up();
                self.child.hear(LIMIT, |line| serde_json::from_str(line).ok())
            }
            Counts::Summary => {
                self.child.terminate()?;
                let written = |line: &str| serde_json::from_str::<Value>(line).ok()?["written"].as_u64();
                self.child.hear(LIMIT, written).map(only)
            }
            Counts::Socket => {
                let lost = socket(self.child.id(), self.address.port()).context("its socket is gone")?;
                self.child.terminate()?;
                Ok(only(sent.saturating_sub(lost)))
            }
            Counts::Capture(_) => {
                self.child.terminate()?;
                let captured = |line: &str| line.strip_suffix(" packets captured")?.parse().ok();
                self.child.hear_error(LIMIT, captured).map(only)
            }
        }
    }
}

fn start_own(own: Own, start: &Start<'_>) -> Result<Running> {
    let mut command = Command::new(std::env::current_exe()?);
    let value = own.to_possible_value().context("a receiver without a name")?;
    command
        .args(["receive", value.get_name(), "--listen"])
        .arg(SocketAddr::new(start.address, 0).to_string())
        .arg("--receive-buffer")
        .arg(start.receive_buffer.to_string())
        .arg("--size")
        .arg(start.size.to_string());
    if start.latency {
        command.arg("--latency");
    }
    let mut child = Child::start(&mut command, start.place)?;
    let address = child.hear(LIMIT, |line| line.strip_prefix("listening on ")?.parse().ok())?;
    Ok(Running { child, address, counts: Counts::Own, _folder: None })
}

fn start_sink(options: &[&str], start: &Start<'_>) -> Result<Running> {
    let mut command = Command::new(start.skua);
    command
        .args(["sink", "--discard", "--summary", "json", "--listen"])
        .arg(SocketAddr::new(start.address, 0).to_string())
        .arg("--receive-buffer")
        .arg(start.receive_buffer.to_string())
        .args(options.iter().map(|option| option.replace("{interface}", start.interface)));
    let mut child = Child::start(&mut command, start.place)?;
    let address = child.hear_error(LIMIT, |line| line.strip_prefix("skua: listening on ")?.parse().ok())?;
    Ok(Running { child, address, counts: Counts::Summary, _folder: None })
}

/// Whether this process, and so what it starts, may open packet sockets: the set of its capabilities is in hexadecimal in
/// proc_pid_status(5).
fn has_net_raw() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| set & (1 << CAP_NET_RAW) != 0)
}

/// What the kernel did not hand to the socket on `port` in the network of process `id`; `None` when there is no such
/// socket.
pub(super) fn socket(id: u32, port: u16) -> Option<u64> {
    let tables = ["udp", "udp6"].map(|table| fs::read_to_string(format!("/proc/{id}/net/{table}")));
    tables.into_iter().flatten().find_map(|table| lost_of(&table, port))
}

/// Of a table of sockets as in /proc/net/udp: the local address is in the second column, its port in hexadecimal after a
/// colon, and what was dropped in the last.
fn lost_of(table: &str, port: u16) -> Option<u64> {
    let port = format!(":{port:04X}");
    let line = table
        .lines()
        .skip(1)
        .find(|line| line.split_whitespace().nth(1).is_some_and(|address| address.ends_with(&port)))?;
    line.split_whitespace().last()?.parse().ok()
}

/// The `skua` to measure: the one given, the one that cargo builds where it runs this program, or the one beside it.
pub(crate) fn skua_program(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given);
    }
    let own = std::env::current_exe()?;
    let beside = own.with_file_name("skua");
    // Cargo sets both for `cargo run`; a skua that is there may be older than its source.
    if let (Some(cargo), Some(package)) = (std::env::var_os("CARGO"), std::env::var_os("CARGO_MANIFEST_DIR"))
    {
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--package", "skua-app"]).current_dir(package);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        let built = command.status().context("cannot run cargo")?;
        anyhow::ensure!(built.success(), "skua does not build");
    }
    anyhow::ensure!(
        beside.exists(),
        "no skua at {}; build it (cargo build --release -p skua-app) or give --skua",
        beside.display()
    );
    Ok(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_have_names_of_their_own() {
        let mut names: Vec<String> = all(&[]).into_iter().map(|contestant| contestant.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(
            ["std", "recvmmsg-gro", "skua", "rsyslog"].iter().all(|name| names.iter().any(|n| n == name))
        );
    }

    #[test]
    fn the_kernels_count_is_that_of_the_port() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            \x20 12: 0100007F:23A5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7 2 0000000000000000 41\n\
            \x20 13: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 8 2 0000000000000000 0\n";
        assert_eq!(lost_of(table, 0x23a5), Some(41));
        assert_eq!(lost_of(table, 53), Some(0));
        assert_eq!(lost_of(table, 54), None);
    }
}
