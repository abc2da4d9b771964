//! Connections between the TCP example of `skua-hosted`, which is a WSK client, and programs that are not Skua.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::case::Room;
use crate::process::Process;
use crate::tool;

/// Longest that one connection may take, at any size a case asks for.
pub(super) const LIMIT: Duration = Duration::from_secs(120);

const PYTHON_STREAM: &str = include_str!("stream.py");

/// What the Python program saw of a connection.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    /// Hash of what it sent.
    pub(super) sent: String,
    /// Bytes that it received, and their hash.
    pub(super) bytes: u64,
    pub(super) received: String,
}

/// The example, doing what `arguments` say.
pub(super) fn wsk(room: &Room, arguments: &[&str]) -> Command {
    let mut command = Command::new(room.tcp());
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The address where the example says that it listens.
pub(super) fn listening(process: &mut Process) -> Result<SocketAddr> {
    process.until("the address it listens at", LIMIT, |process| {
        let line = process.stderr();
        line.lines().find_map(|line| line.strip_prefix("listening at ")?.trim().parse().ok())
    })
}

/// The Python program.
pub(super) fn python(room: &Room, arguments: &[&str]) -> Result<Command> {
    let script = room.file("stream.py");
    fs::write(&script, PYTHON_STREAM).context("cannot write the program")?;
    let mut command = tool::PYTHON.command();
    command.arg(script).args(arguments).stdin(Stdio::null());
    Ok(command)
}

/// The program at one end of a connection, from the moment that it can be connected to or has begun to connect.
pub(super) struct Peer {
    process: Process,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Peer {
    /// Listens at `host`, to send `bytes`: with `when` `first` at once, with `last` behind the end of what it receives.
    pub(super) fn listen(room: &Room, host: &str, bytes: u64, when: &str) -> Result<Self> {
        let mut command = python(room, &["listen", host, "0", &bytes.to_string(), when])?;
        let mut process = Process::start(&mut command)?;
        let address = process.until("the address it listens at", LIMIT, |process| {
            process.stderr().lines().find_map(|line| line.trim().parse().ok())
        })?;
        Ok(Self { process, address })
    }

    /// Connects to `address`, to send `bytes`.
    pub(super) fn connect(room: &Room, address: SocketAddr, bytes: u64, when: &str) -> Result<Self> {
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = python(room, &["connect", &host, &port, &bytes.to_string(), when])?;
        Ok(Self { process: Process::start(&mut command)?, address })
    }

    /// Waits for its end.
    pub(super) fn finish(self) -> Result<Seen> {
        let finished = self.process.wait(LIMIT)?.success()?;
        serde_json::from_str(&finished.stdout).context("the program printed no object")
    }
}

/// Bytes from a program, as the standard input of another.
pub(super) struct Generator {
    process: Process,
}

impl Generator {
    /// `bytes` of them, to be read from what comes with it.
    pub(super) fn start(room: &Room, bytes: u64) -> Result<(Self, Stdio)> {
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        let mut command = python(room, &["generate", &bytes.to_string()])?;
        let process = Process::start_into(&mut command, writer)?;
        Ok((Self { process }, reader.into()))
    }

    /// The hash of all of them.
    pub(super) fn finish(self) -> Result<String> {
        #[derive(Deserialize)]
        struct Sent {
            sent: String,
        }
        let finished = self.process.wait(LIMIT)?.success()?;
        let sent: Sent = serde_json::from_str(&finished.stderr).context("the program printed no object")?;
        Ok(sent.sent)
    }
}

/// `sha256sum` of what is written to what comes with it.
pub(super) struct Hash {
    process: Process,
}

impl Hash {
    pub(super) fn start() -> Result<(Self, std::io::PipeWriter)> {
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        let mut command = tool::SHA256SUM.command();
        let process = Process::start(command.stdin(reader))?;
        Ok((Self { process }, writer))
    }

    pub(super) fn finish(self) -> Result<String> {
        let finished = self.process.wait(LIMIT)?.success()?;
        let hash = finished.stdout.split_whitespace().next().unwrap_or_default();
        ensure!(hash.len() == 64, "not a hash: {}", finished.stdout);
        Ok(hash.to_owned())
    }
}

/// The hash of a file.
pub(super) fn hash_of(path: &std::path::Path) -> Result<String> {
    let (hash, mut writer) = Hash::start()?;
    let mut file = fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    std::io::copy(&mut file, &mut writer).context("cannot hand the file to sha256sum")?;
    drop(writer);
    hash.finish()
}
