//! Readers that die, are replaced, or wait for what never comes.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::process::Signal;

use crate::process::{self, Process};
use crate::wine::check::{Check, Room};
use crate::wine::kept::Kept;
use crate::wine::pcapng;
use crate::wine::traffic::Traffic;

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "reader-killed",
        proves: "of a reader killed at full rate nothing is lost: the next one goes on where it left off",
        run: killed,
    },
    Check {
        name: "stop-while-reading",
        proves: "a sink is stopped, and the driver unloaded, while readers wait for records",
        run: stopped,
    },
];

/// Longest that a program may take to end.
const END: Duration = Duration::from_secs(30);

fn killed(room: &Room<'_>) -> Result<()> {
    const RATE: u32 = 20_000;
    let mut driver = room.driver()?;
    driver.start()?;
    // The ring holds what comes in the seconds without a reader.
    let sink = Kept::start(room, "kept", &["127.0.0.1:0", "[::1]:0"], &["--ring", "128M"])?;
    let paths = ["first.pcapng", "second.pcapng"].map(|name| room.file(name));
    let first = sink.read(&paths[0])?;
    let (sent, second) = thread::scope(|scope| -> Result<_> {
        let traffic =
            Traffic { to: &sink.local, count: 5 * u64::from(RATE), rate: RATE, first: 0, size: Some(500) };
        let sender = scope.spawn(move || traffic.send());
        thread::sleep(Duration::from_secs(2));
        first.signal(Signal::KILL)?;
        first.wait(END)?;
        thread::sleep(Duration::from_millis(500));
        let second = sink.read(&paths[1])?;
        let sent = sender.join().map_err(|_| anyhow!("the sender panicked"))??;
        Ok((sent, second))
    })?;
    let count = u64::try_from(sent.len())?;
    let stats = sink.until("everything published", |stats| stats.published == count)?;
    ensure!(stats.dropped("ring_full") == 0, "the ring did not last: {stats:?}");
    second.signal(Signal::INT)?;
    second.wait(END)?.success()?;
    let mut found = pcapng::read_cut(&paths[0])?;
    let before = found.len();
    ensure!(before > 0, "the first reader had written nothing when it was killed");
    found.extend(pcapng::read(&paths[1])?);
    sent.all_in(&found).with_context(|| format!("{before} of them by the reader that was killed"))?;
    sink.stop()?;
    room.is_sound(Some(&driver))?;
    driver.stop()?;
    driver.delete()
}

fn stopped(room: &Room<'_>) -> Result<()> {
    let mut driver = room.driver()?;
    driver.start()?;
    let path = room.file("capture.pcapng");

    // A reader that is killed while it waits leaves its place to the next.
    let sink = Kept::start(room, "waiting", &["127.0.0.1:0"], &[])?;
    let reader = waiting(&sink, room)?;
    reader.signal(Signal::KILL)?;
    reader.wait(END)?;
    sink.until("free place", |stats| !stats.reader)?;

    // Its sink ends, and with it the wait.
    let reader = waiting(&sink, room)?;
    sink.stop()?;
    reader.wait(END).context("its sink was stopped")?;
    room.is_sound(Some(&driver))?;

    // The driver ends.
    let sink = Kept::start(room, "waiting", &["127.0.0.1:0"], &[])?;
    let reader = sink.read(&path)?;
    process::run(room.skua().args(["driver", "stop"]), END)?.success()?;
    reader.wait(END).context("its driver was stopped")?;
    room.is_sound(None)?;
    driver.has_stopped()?;
    driver.delete()
}

/// A reader of an idle sink, which waits by now.
fn waiting(sink: &Kept<'_>, room: &Room<'_>) -> Result<Process> {
    let reader = sink.read(&room.file("capture.pcapng"))?;
    // It looks at the rings once before it waits.
    thread::sleep(Duration::from_millis(500));
    Ok(reader)
}
