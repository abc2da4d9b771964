//! The driver as the Windows program installs it.

use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::interrupt;
use crate::process::{self, Finished};
use crate::wine::check::{Check, Room};
use crate::wine::copy;
use crate::wine::kept::Kept;
use crate::wine::traffic::Traffic;

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "program-installs",
        proves: "skua driver install, start, status, stop and uninstall do what they say",
        run: program_installs,
    },
    Check {
        name: "start-at-boot",
        proves: "a driver installed with --auto starts a sink at boot, which keeps datagrams until somebody reads",
        run: start_at_boot,
    },
];

/// Longest that a program may take.
const LIMIT: Duration = Duration::from_secs(60);

fn program_installs(room: &Room<'_>) -> Result<()> {
    let image = under_test(room)?;
    skua(room, &["driver", "install", "--sys", &image])?.success()?;
    skua(room, &["driver", "start"])?.success()?;
    let running = skua(room, &["driver", "status"])?;
    ensure!(running.stdout.contains("running"), "started, and the status is: {}", running.stdout);
    let sink = Kept::start(room, "installed", &["127.0.0.1:0"], &[])?;
    let sent = Traffic { to: &sink.local, count: 100, rate: 1_000, first: 0, size: Some(10) }.send()?;
    let count = u64::try_from(sent.len())?;
    sink.until("everything published", |stats| stats.published == count)?;
    skua(room, &["driver", "stop"])?.success()?;
    let stopped = skua(room, &["driver", "status"])?;
    ensure!(stopped.stdout.contains("stopped"), "stopped, and the status is: {}", stopped.stdout);
    skua(room, &["driver", "uninstall"])?.success()?;
    let removed = skua(room, &["driver", "status"])?;
    ensure!(removed.stderr.contains("not installed"), "removed, and the status is: {}", removed.stderr);
    room.is_sound(None)
}

fn start_at_boot(room: &Room<'_>) -> Result<()> {
    // A port that is free now; the driver binds it at boot.
    let address = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let image = under_test(room)?;
    skua(room, &["driver", "install", "--sys", &image, "--auto", "--listen", &address])?.success()?;
    room.restart()?;
    let deadline = Instant::now() + LIMIT;
    let sink = loop {
        if let Ok(sink) = Kept::find(room, "boot") {
            break sink;
        }
        ensure!(Instant::now() < deadline, "no sink started at boot");
        interrupt::check()?;
    };
    ensure!(sink.local == [address.parse()?], "it listens at {:?}", sink.local);
    let sent = Traffic { to: &sink.local, count: 1_000, rate: 2_000, first: 0, size: None }.send()?;
    let count = u64::try_from(sent.len())?;
    sink.until("everything published", |stats| stats.published == count)?;
    let path = room.file("capture.pcapng");
    let reader = sink.read(&path)?;
    reader.signal(rustix::process::Signal::INT)?;
    reader.wait(LIMIT)?.success()?;
    sent.same(&crate::wine::pcapng::read(&path)?)?;
    skua(room, &["driver", "uninstall"])?.success()?;
    room.is_sound(None)
}

/// A copy of skua.sys that imports from the stand-ins, as Windows names it.
fn under_test(room: &Room<'_>) -> Result<String> {
    let mut image = fs::read(room.built("skua.sys")).context("cannot read skua.sys")?;
    copy::import_stand_ins(&mut image)?;
    let path = room.file("under-test.sys");
    fs::write(&path, image).context("cannot write the copy")?;
    Ok(format!("Z:{}", path.display()))
}

fn skua(room: &Room<'_>, arguments: &[&str]) -> Result<Finished> {
    process::run(room.skua().args(arguments), LIMIT)
}
