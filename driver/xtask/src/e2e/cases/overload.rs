//! Overloaded on purpose: what is missing is counted.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::Signal;

use crate::e2e::capture::Capture;
use crate::e2e::case::{Case, Room};
use crate::e2e::datagram;
use crate::e2e::namespace::Namespace;
use crate::e2e::pipe::StuckPipe;
use crate::e2e::sender::Sender;
use crate::e2e::sink::Options;
use crate::process::Process;

/// Longest that reading the rest of a pipe may take.
const COPY: Duration = Duration::from_secs(30);

pub(super) const CASES: &[Case] = &[
    Case {
        name: "stalled-writer",
        proves: "with its output stuck the ring fills, and ring_full is what is missing",
        run: stalled_writer,
    },
    Case {
        name: "stopped-process",
        proves: "what overflows the socket's buffer is lost_below",
        run: stopped_process,
    },
    Case { name: "flood", proves: "as fast as a sender can: sent = indicated + lost below", run: flood },
    Case {
        name: "full-disk",
        proves: "a full disk ends the capture, leaves it readable, and not the sink",
        run: full_disk,
    },
];

fn stalled_writer(room: &Room) -> Result<()> {
    let (pipe, path) = (room.file("pipe"), room.file("capture.pcapng"));
    let stuck = StuckPipe::make(&pipe)?;
    let sink = Options::new(room, None)
        .listen("127.0.0.1:0")
        .set("--snaplen", "1024")
        .set("--ring", "64K")
        .set("--write", &pipe)
        .start()?;
    let lost = Sender { rate: Some(5_000), ..Sender::new(sink.address(), 1_000, 5_000) }.send(room)?;
    // The writer goes on once the pipe is read, up to the end that the sink gives it.
    let copy = Process::start(Command::new("cp").arg(&pipe).arg(&path).stdin(Stdio::null()))?;
    // A packet tells what was lost before it, so some have to follow.
    let kept = Sender { rate: Some(100), ..Sender::new(sink.address(), 1_001, 50) }.send(room)?;
    let report = sink.stop()?;
    copy.wait(COPY)?.success()?;
    drop(stuck);

    let sent = [lost, kept].concat();
    report.summary.accounts_for(sent.len())?;
    let ring_full = report.summary.drops("ring_full");
    ensure!(ring_full > 0, "the ring was never full: {:?}", report.summary);
    ensure!(report.summary.written == report.summary.published, "not all written: {:?}", report.summary);
    let capture = Capture::read(&path)?;
    ensure!(
        u64::try_from(capture.packets.len())? == report.summary.written,
        "{} packets",
        capture.packets.len()
    );
    let told: u64 = capture.packets.iter().map(|packet| packet.dropped).sum();
    ensure!(told == ring_full, "the capture tells of {told} drops: {:?}", report.summary);
    datagram::part(&sent, &capture.datagrams(), "the capture")
}

fn stopped_process(room: &Room) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None)
        .listen("127.0.0.1:0")
        .set("--receive-buffer", "128K")
        .set("--write", &path)
        .start()?;
    sink.signal(Signal::STOP)?;
    // 2 MB, which no socket with such a buffer holds.
    let sent = Sender::new(sink.address(), 1_000, 2_000).send(room)?;
    sink.signal(Signal::CONT)?;
    let report = sink.stop()?;
    report.summary.accounts_for(sent.len())?;
    ensure!(report.summary.lost_below > Some(0), "nothing was lost: {:?}", report.summary);
    ensure!(report.summary.indicated > 0, "nothing arrived: {:?}", report.summary);
    datagram::part(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}

fn flood(room: &Room) -> Result<()> {
    let sink = Options::new(room, None).listen("127.0.0.1:0").flag("--discard").start()?;
    let sent = Sender::new(sink.address(), 100, 200_000).send(room)?;
    let report = sink.stop()?;
    report.summary.accounts_for(sent.len())?;
    ensure!(report.summary.published == report.summary.delivered, "{:?}", report.summary);
    ensure!(report.summary.written == report.summary.published, "{:?}", report.summary);
    Ok(())
}

fn full_disk(room: &Room) -> Result<()> {
    let namespace = Namespace::open()?;
    let disk = room.file("disk");
    std::fs::create_dir(&disk)?;
    namespace.mount_small(&disk, 256 * 1024)?;
    let path = disk.join("capture.pcapng");
    let sink = Options::new(room, Some(&namespace)).listen("127.0.0.1:0").set("--write", &path).start()?;
    let sent = Sender {
        rate: Some(1_000),
        namespace: Some(&namespace),
        ..Sender::new(sink.address(), 1_000, 1_000)
    }
    .send(room)?;
    let report = sink.stop_failed()?;
    report.summary.accounts_for(sent.len())?;
    ensure!(report.summary.delivered == u64::try_from(sent.len())?, "the sink stopped: {:?}", report.summary);
    ensure!(report.summary.written < report.summary.delivered, "all written: {:?}", report.summary);
    ensure!(report.stderr.contains("No space left"), "nothing said of the disk:\n{}", report.stderr);
    let capture = Capture::read(&namespace.outside(&path))?;
    let packets = u64::try_from(capture.packets.len())?;
    ensure!(packets == report.summary.written, "{packets} packets: {:?}", report.summary);
    datagram::part(&sent, &capture.datagrams(), "the capture")
}
