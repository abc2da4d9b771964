//! Programs that mean the driver harm.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use rustix::process::Signal;

use crate::process;
use crate::wine::check::{Check, Room};
use crate::wine::kept::Kept;
use crate::wine::pcapng;
use crate::wine::traffic::Traffic;

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "hostile-requests",
        proves: "100,000 requests of every code, short, long, misaligned and random, do no harm",
        run: requests,
    },
    Check {
        name: "hostile-cursors",
        proves: "a reader that writes nonsense into its cursors is found faulty, and harms no other sink",
        run: cursors,
    },
];

/// Longest that the requests may take.
const REQUESTS: Duration = Duration::from_secs(300);
/// Longest that any other program may take to end.
const END: Duration = Duration::from_secs(60);

fn requests(room: &Room<'_>) -> Result<()> {
    let mut driver = room.driver()?;
    driver.start()?;
    let mut hammer = room.program("hammer.exe");
    let said =
        process::run(hammer.args(["requests", "--tries", "100000", "--seed", "1"]), REQUESTS)?.success()?;
    println!("{}", said.stdout.trim_end());
    room.is_sound(Some(&driver))?;
    driver.stop()?;
    driver.delete()
}

fn cursors(room: &Room<'_>) -> Result<()> {
    const COUNT: u64 = 20_000;
    let mut driver = room.driver()?;
    driver.start()?;
    let sink = Kept::start(room, "attacked", &["127.0.0.1:0"], &["--ring", "16M"])?;
    let bystander = Kept::start(room, "bystander", &["127.0.0.1:0"], &["--ring", "64M"])?;
    let path = room.file("bystander.pcapng");
    let reader = bystander.read(&path)?;
    let both = [sink.local[0], bystander.local[0]];
    let sent = thread::scope(|scope| -> Result<_> {
        let traffic = Traffic { to: &both, count: COUNT, rate: 4_000, first: 0, size: Some(400) };
        let sender = scope.spawn(move || traffic.send());
        let mut hammer = room.program("hammer.exe");
        let number = sink.number()?.to_string();
        process::run(hammer.args(["cursors", "--sink", &number, "--seconds", "3"]), END)?.success()?;
        sender.join().map_err(|_| anyhow!("the sender panicked"))?
    })?;
    let stats = sink.stats()?;
    ensure!(stats.reader_faults > 0, "the reader was not found faulty: {stats:?}");
    // Nobody else noticed.
    let others = sent.to(bystander.local[0]);
    let count = u64::try_from(others.len())?;
    bystander.until("everything published", |stats| stats.published == count)?;
    reader.signal(Signal::INT)?;
    reader.wait(END)?.success()?;
    others.same(&pcapng::read(&path)?)?;
    // Nothing says where the next reader should go on; the sink's successor has no such past.
    sink.stop()?;
    let sink = Kept::start(room, "attacked", &["127.0.0.1:0"], &["--ring", "16M"])?;
    let path = room.file("next.pcapng");
    let reader = sink.read(&path)?;
    let sent =
        Traffic { to: &sink.local, count: 1_000, rate: 2_000, first: COUNT, size: Some(400) }.send()?;
    sink.until("everything published", |stats| stats.published == 1_000)?;
    reader.signal(Signal::INT)?;
    reader.wait(END)?.success()?;
    sent.same(&pcapng::read(&path)?)?;
    sink.stop()?;
    bystander.stop()?;
    room.is_sound(Some(&driver))?;
    driver.stop()?;
    driver.delete()
}
