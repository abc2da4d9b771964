//! Senders that are not Skua.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::case::Room;
use super::datagram::Datagram;
use super::namespace::Namespace;
use crate::process;
use crate::tool::{self, Tool};

/// Longest that a sender may take, at any rate a case asks for.
const LIMIT: Duration = Duration::from_secs(40);

/// Sends through sockets of its own and writes down each datagram that a socket took.
const PYTHON_SENDER: &str = include_str!("sender.py");

/// Sends frames made by hand.
const PYTHON_FRAMES: &str = include_str!("frames.py");

/// A run of the Python sender.
pub(super) struct Sender<'a> {
    pub(super) to: Vec<SocketAddr>,
    /// One socket each; port 0 lets the system choose.
    pub(super) from: Vec<SocketAddr>,
    /// Payload lengths in bytes, taken in turn.
    pub(super) sizes: Vec<usize>,
    pub(super) count: usize,
    /// Datagrams a second; `None` sends as fast as the sockets take them.
    pub(super) rate: Option<u32>,
    /// Datagrams handed over in one buffer, which the system cuts apart; more than 1 needs a single size.
    pub(super) segments: usize,
    /// The interface that multicast leaves by.
    pub(super) interface: Option<&'a str>,
    pub(super) namespace: Option<&'a Namespace>,
}

impl Sender<'_> {
    /// `count` datagrams of `size` bytes, from one socket on the address family's loopback address, to `to`.
    pub(super) fn new(to: SocketAddr, size: usize, count: usize) -> Self {
        let from = match to.ip() {
            IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], 0)),
            IpAddr::V6(_) => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0)),
        };
        Self {
            to: vec![to],
            from: vec![from],
            sizes: vec![size],
            count,
            rate: None,
            segments: 1,
            interface: None,
            namespace: None,
        }
    }

    /// Sends, and hands back what was sent.
    pub(super) fn send(&self, room: &Room) -> Result<Vec<Datagram>> {
        let script = room.file("sender.py");
        let manifest = room.file("manifest");
        fs::write(&script, PYTHON_SENDER).context("cannot write the sender")?;
        let mut command = run_in(self.namespace, tool::PYTHON);
        command.arg(&script).arg("--manifest").arg(&manifest).args(["--count", &self.count.to_string()]);
        for to in &self.to {
            command.args(["--to", &to.to_string()]);
        }
        for from in &self.from {
            command.args(["--from", &from.to_string()]);
        }
        for size in &self.sizes {
            command.args(["--size", &size.to_string()]);
        }
        if self.segments > 1 {
            command.args(["--segments", &self.segments.to_string()]);
        }
        if let Some(rate) = self.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        if let Some(interface) = self.interface {
            command.args(["--interface", interface]);
        }
        process::run(&mut command, LIMIT)?.success()?;
        read_manifest(&manifest)
    }
}

/// What is to become of a frame that was made by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It is indicated.
    Lent,
    /// It is counted as lost below.
    Lost,
    /// It is none of the sink's.
    Passed,
}

/// Sends frames made by hand from one end of a pair of interfaces to the other, which has this hardware address, and says
/// what is to become of each, by the name that is its payload.
pub(super) fn frames(
    room: &Room,
    namespace: &Namespace,
    interface: &str,
    hardware: &str,
    addresses: [&str; 4],
    port: u16,
) -> Result<Vec<(String, Fate)>> {
    let script = room.file("frames.py");
    fs::write(&script, PYTHON_FRAMES).context("cannot write the sender of frames")?;
    let mut command = run_in(Some(namespace), tool::PYTHON);
    command.arg(&script).args([interface, hardware]).args(addresses).arg(port.to_string());
    let told = process::run(&mut command, LIMIT)?.success()?.stdout;
    told.lines()
        .map(|line| {
            let (name, fate) = line.split_once(' ').with_context(|| format!("not a frame: {line}"))?;
            let fate = match fate {
                "lent" => Fate::Lent,
                "lost" => Fate::Lost,
                "passed" => Fate::Passed,
                other => bail!("not a fate: {other}"),
            };
            Ok((name.to_owned(), fate))
        })
        .collect()
}

/// `logger`, one syslog message a line.
pub(super) fn logger(room: &Room, to: SocketAddr, lines: &[String]) -> Result<()> {
    let file = room.file("messages");
    fs::write(&file, lines.join("\n") + "\n").context("cannot write the messages")?;
    let (host, port) = (to.ip().to_string(), to.port().to_string());
    let mut command = tool::LOGGER.command();
    command
        .args(["--udp", "--rfc5424", "--tag", "skua", "--server", &host, "--port", &port, "--file"])
        .arg(file);
    process::run(&mut command, LIMIT)?.success().map(drop)
}

/// `ncat`, one datagram.
pub(super) fn ncat(room: &Room, to: SocketAddr, text: &str) -> Result<()> {
    let file = room.file("text");
    fs::write(&file, text).context("cannot write the text")?;
    let (host, port) = (to.ip().to_string(), to.port().to_string());
    let mut command = tool::NCAT.command();
    command.args(["--udp", "--send-only", &host, &port]);
    command.stdin(Stdio::from(fs::File::open(file).context("cannot read the text back")?));
    process::Process::start(&mut command)?.wait(LIMIT)?.success().map(drop)
}

fn run_in(namespace: Option<&Namespace>, tool: Tool) -> Command {
    match namespace {
        Some(namespace) => {
            let mut command = namespace.enter();
            command.arg(tool.command().get_program());
            command
        }
        None => tool.command(),
    }
}

/// A line a datagram: source, destination, payload in hexadecimal.
fn read_manifest(path: &Path) -> Result<Vec<Datagram>> {
    let text = fs::read_to_string(path).context("cannot read the sender's manifest")?;
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let (Some(source), Some(destination), Some(payload)) = (words.next(), words.next(), words.next())
            else {
                bail!("a line of the sender's manifest is cut: {line:.80}");
            };
            Ok(Datagram {
                source: source.parse().with_context(|| format!("not an address: {source}"))?,
                destination: destination.parse().with_context(|| format!("not an address: {destination}"))?,
                payload: from_hex(payload)?,
            })
        })
        .collect()
}

/// Bytes from pairs of hexadecimal digits.
pub(super) fn from_hex(digits: &str) -> Result<Vec<u8>> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).context("not hexadecimal")?;
            u8::from_str_radix(pair, 16).with_context(|| format!("not hexadecimal: {pair}"))
        })
        .collect()
}
