//! However the sink ends, it drains, flushes and reports.

use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::Signal;

use crate::e2e::capture::Capture;
use crate::e2e::case::{Case, Room};
use crate::e2e::datagram;
use crate::e2e::sender::Sender;
use crate::e2e::sink::{Options, Report, Sink};

pub(super) const CASES: &[Case] = &[
    Case { name: "end-by-sigint", proves: "SIGINT: stop, drain, flush, summary, status 0", run: by_sigint },
    Case { name: "end-by-sigterm", proves: "SIGTERM does the same", run: by_sigterm },
    Case { name: "end-by-time", proves: "--for does the same", run: by_time },
    Case {
        name: "end-in-a-burst",
        proves: "ended while datagrams pour in, it still accounts for each one it saw",
        run: in_a_burst,
    },
];

fn by_sigint(room: &Room) -> Result<()> {
    ends(room, "60s", |sink| sink.stop_by(Signal::INT))
}

fn by_sigterm(room: &Room) -> Result<()> {
    ends(room, "60s", |sink| sink.stop_by(Signal::TERM))
}

fn by_time(room: &Room) -> Result<()> {
    ends(room, "4s", Sink::wait)
}

fn ends(room: &Room, life: &'static str, end: impl FnOnce(Sink) -> Result<Report>) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None).listen("127.0.0.1:0").set("--write", &path).life(life).start()?;
    let sent = Sender { rate: Some(5_000), ..Sender::new(sink.address(), 300, 2_000) }.send(room)?;
    let report = end(sink)?;
    report.summary.lossless(sent.len())?;
    ensure!(report.summary.seconds < 30.0, "{} seconds", report.summary.seconds);
    ensure!(!report.stderr.contains('\x1b'), "escape codes off a terminal:\n{}", report.stderr);
    datagram::same(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}

fn in_a_burst(room: &Room) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None).listen("127.0.0.1:0").set("--write", &path).start()?;
    let address = sink.address();
    let (sent, report) = std::thread::scope(|scope| {
        // Two seconds of sending; the end comes about in their middle, wherever that falls among the sink's batches.
        let sender = scope
            .spawn(move || Sender { rate: Some(10_000), ..Sender::new(address, 300, 20_000) }.send(room));
        std::thread::sleep(Duration::from_secs(1));
        let report = sink.stop();
        let sent = sender.join().unwrap_or_else(|_| anyhow::bail!("the thread that sends panicked"));
        (sent, report)
    });
    let (sent, report) = (sent?, report?);
    ensure!(report.summary.indicated < u64::try_from(sent.len())?, "ended too late: {:?}", report.summary);
    ensure!(report.summary.written == report.summary.delivered, "not all written: {:?}", report.summary);
    let capture = Capture::read(&path)?;
    ensure!(
        u64::try_from(capture.packets.len())? == report.summary.written,
        "{} packets",
        capture.packets.len()
    );
    datagram::part(&sent, &capture.datagrams(), "the capture")
}
