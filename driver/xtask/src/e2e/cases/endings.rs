//! However the sink ends, it drains, flushes and reports.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use crate::e2e::capture::Capture;
use crate::e2e::case::{Case, Room};
use crate::e2e::datagram;
use crate::e2e::pipe::StuckPipe;
use crate::e2e::sender::Sender;
use crate::e2e::sink::{Options, Report, Sink};
use crate::{process, tool};

/// Longest that a run on a terminal may take.
const TERMINAL: Duration = Duration::from_secs(20);

pub(super) const CASES: &[Case] = &[
    Case { name: "end-by-sigint", proves: "SIGINT: stop, drain, flush, summary, status 0", run: by_sigint },
    Case { name: "end-by-sigterm", proves: "SIGTERM does the same", run: by_sigterm },
    Case { name: "end-by-time", proves: "--for does the same", run: by_time },
    Case {
        name: "end-in-a-burst",
        proves: "ended while datagrams pour in, it still accounts for each one it saw",
        run: in_a_burst,
    },
    Case {
        name: "end-with-stuck-output",
        proves: "an output that takes nothing delays the end, and neither prevents it nor goes uncounted",
        run: with_stuck_output,
    },
    Case {
        name: "terminal",
        proves: "on a terminal there is a live view, and the terminal is as before when it ends",
        run: terminal,
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

fn with_stuck_output(room: &Room) -> Result<()> {
    let pipe = room.file("pipe");
    let stuck = StuckPipe::make(&pipe)?;
    let sink = Options::new(room, None).listen("127.0.0.1:0").set("--write", &pipe).start()?;
    // More than the pipe and the writer's buffer hold, less than the ring does.
    let sent = Sender { rate: Some(2_000), ..Sender::new(sink.address(), 1_000, 2_000) }.send(room)?;
    let report = sink.stop_failed()?;
    drop(stuck);
    report.summary.accounts_for(sent.len())?;
    ensure!(report.summary.published == u64::try_from(sent.len())?, "{:?}", report.summary);
    ensure!(report.summary.written < report.summary.published, "the pipe took it all: {:?}", report.summary);
    Ok(())
}

fn terminal(room: &Room) -> Result<()> {
    // script(1) runs a command on a terminal of its own, which has no size yet, and copies what is shown there.
    let (before, after) = (room.file("before"), room.file("after"));
    let shell = format!(
        "stty rows 24 cols 120; stty -g > {before}; {skua} sink --listen 127.0.0.1:0 --for 3s; \
         status=$?; stty -g > {after}; exit $status",
        skua = room.skua().display(),
        before = before.display(),
        after = after.display(),
    );
    let mut command = tool::SCRIPT.command();
    command.args(["--quiet", "--return", "--command", &shell, "/dev/null"]).env("TERM", "xterm");
    let shown = process::run(&mut command, TERMINAL)?.success()?.stdout;
    let (enter, leave) = ("\x1b[?1049h", "\x1b[?1049l");
    let (_, view) = shown.split_once(enter).with_context(|| format!("no view:\n{shown:?}"))?;
    let (view, rest) = view.split_once(leave).with_context(|| format!("the view stays:\n{shown:?}"))?;
    ensure!(view.contains("127.0.0.1"), "the view does not say where it listens:\n{view:?}");
    ensure!(rest.contains("\x1b[?25h"), "the cursor stays hidden:\n{rest:?}");
    ensure!(rest.contains("indicated 0"), "no totals after the view:\n{rest:?}");
    let (before, after) = (fs::read_to_string(before)?, fs::read_to_string(after)?);
    ensure!(before == after, "the terminal's settings were {before} and are {after}");
    Ok(())
}
