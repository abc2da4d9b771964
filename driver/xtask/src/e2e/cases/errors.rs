//! Errors: one line that says what, where and what to do; exit status 1, and 2 for usage.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::e2e::case::{Case, Room};
use crate::e2e::sink::Options;
use crate::process;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "port-taken",
        proves: "a port in use ends the start, with the NTSTATUS that WSK gives",
        run: port_taken,
    },
    Case {
        name: "bad-start",
        proves: "what cannot start says what, where and what to do, on one line",
        run: bad_start,
    },
    Case { name: "bad-usage", proves: "what cannot be meant exits with 2", run: bad_usage },
];

/// Longest that a failing start may take.
const LIMIT: Duration = Duration::from_secs(10);

fn port_taken(room: &Room) -> Result<()> {
    let other = UdpSocket::bind("127.0.0.1:0")?;
    let taken = other.local_addr()?.to_string();
    fails(room, &["sink", "--listen", &taken, "--discard"], 1, &[&taken, "STATUS_"])?;
    // A sink's own port too.
    let sink = Options::new(room, None).listen("127.0.0.1:0").flag("--discard").start()?;
    let taken = sink.address().to_string();
    fails(room, &["sink", "--listen", &taken, "--discard"], 1, &[&taken, "STATUS_"])?;
    sink.stop()?.summary.lossless(0)
}

fn bad_start(room: &Room) -> Result<()> {
    let nowhere = room.file("missing/capture.pcapng").display().to_string();
    let listen = ["sink", "--listen", "127.0.0.1:0"];
    // 192.0.2.0/24 is set aside for documentation: no host has it.
    fails(room, &["sink", "--listen", "192.0.2.1:9125", "--discard"], 1, &["192.0.2.1:9125", "STATUS_"])?;
    fails(room, &[&listen[..], &["--write", &nowhere]].concat(), 1, &[&nowhere])?;
    fails(room, &[&listen[..], &["--json", &nowhere]].concat(), 1, &[&nowhere])?;
    // 16 KiB do not hold four records of 65,507 bytes.
    fails(room, &[&listen[..], &["--ring", "16K", "--discard"]].concat(), 1, &["ring"])
}

fn bad_usage(room: &Room) -> Result<()> {
    for arguments in [
        &["sink", "--listen", "127.0.0.1:0", "--no-such-option"][..],
        &["sink", "--listen", "here"],
        &["sink", "--listen", "127.0.0.1:0", "--sample", "2/3"],
        &["sink", "--listen", "127.0.0.1:0", "--allow", "10.0.0.0/33"],
        &["no-such-command"],
    ] {
        fails(room, arguments, 2, &["skua: "])?;
    }
    Ok(())
}

/// Fails unless the command ends with `code` and one line on standard error that has all of `words`.
fn fails(room: &Room, arguments: &[&str], code: i32, words: &[&str]) -> Result<()> {
    let finished = process::run(Command::new(room.skua()).args(arguments), LIMIT)?;
    let command = &finished.command;
    ensure!(finished.status.code() == Some(code), "{command}: {}\n{}", finished.status, finished.stderr);
    ensure!(
        finished.stderr.lines().count() == 1,
        "{command}: more or less than a line:\n{}",
        finished.stderr
    );
    for word in words {
        ensure!(finished.stderr.contains(word), "{command}: nothing of {word} in: {}", finished.stderr);
    }
    Ok(())
}
