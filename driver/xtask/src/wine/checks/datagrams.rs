//! Datagrams of this system, through the driver, into captures.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::e2e::sink::{Options, Sink};
use crate::wine::check::{Check, Room};
use crate::wine::pcapng;
use crate::wine::queue::ReceiveQueue;
use crate::wine::traffic::Traffic;

/// Longest that a sink may take for what is queued, and for its next line of status.
const DELIVERY: Duration = Duration::from_secs(20);

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "datagrams",
        proves: "200,000 datagrams of 0 to 65,507 bytes over IPv4 and IPv6 are in the capture, byte for byte",
        run: datagrams,
    },
    Check {
        name: "copied-records",
        proves: "a reader that maps nothing gets the same records, copied by the driver",
        run: copied_records,
    },
    Check { name: "two-sinks", proves: "two sinks at once each take their own datagrams", run: two_sinks },
];

fn datagrams(room: &Room<'_>) -> Result<()> {
    carried(room, 200_000, &["--ring", "64M"])
}

fn copied_records(room: &Room<'_>) -> Result<()> {
    carried(room, 5_000, &["--ring", "64M", "--no-map"])
}

/// Sends `count` datagrams to a sink with these options, and fails unless all of them are in its capture.
fn carried(room: &Room<'_>, count: u64, options: &[&str]) -> Result<()> {
    let mut driver = room.driver()?;
    driver.start()?;
    let path = room.file("capture.pcapng");
    let mut sink = driver_sink(room).listen("127.0.0.1:0").listen("[::1]:0").set("--write", &path);
    for option in options {
        sink = sink.flag(option);
    }
    let mut sink = sink.start()?;
    let sent = Traffic { to: &sink.local, count, rate: 20_000, first: 0, size: None }.send()?;
    delivered(&mut sink, sent.len())?;
    let lost = lost_below(&sink.local)?;
    let report = sink.stop()?;
    ensure!(lost == 0, "{lost} datagrams found no room in the sockets' queues");
    report.summary.complete(sent.len())?;
    sent.same(&pcapng::read(&path)?)?;
    room.is_sound(Some(&driver))?;
    driver.stop()?;
    driver.delete()
}

fn two_sinks(room: &Room<'_>) -> Result<()> {
    let mut driver = room.driver()?;
    driver.start()?;
    let paths = ["first.pcapng", "second.pcapng"].map(|name| room.file(name));
    let mut sinks = Vec::new();
    for path in &paths {
        sinks.push(driver_sink(room).listen("127.0.0.1:0").set("--write", path).start()?);
    }
    let addresses: Vec<SocketAddr> = sinks.iter().map(|sink| sink.address()).collect();
    let sent = Traffic { to: &addresses, count: 20_000, rate: 10_000, first: 0, size: Some(300) }.send()?;
    for ((mut sink, path), address) in sinks.into_iter().zip(&paths).zip(addresses) {
        let own = sent.to(address);
        delivered(&mut sink, own.len())?;
        sink.stop()?.summary.complete(own.len())?;
        own.same(&pcapng::read(path)?)?;
    }
    room.is_sound(Some(&driver))?;
    driver.stop()?;
    driver.delete()
}

/// Waits until the sink says that it has delivered `count` datagrams. The sockets' queues are empty before that: what the
/// provider has taken and not indicated when a sink stops is dropped as closing.
fn delivered(sink: &mut Sink, count: usize) -> Result<()> {
    let said = format!(" delivered {count} ");
    sink.until("everything is delivered", DELIVERY, |printed| printed.contains(&said).then_some(()))
}

fn driver_sink(room: &Room<'_>) -> Options {
    Options::of(room.skua()).flag("--driver").life("10m")
}

/// Datagrams that the sockets at `addresses` had no room for.
fn lost_below(addresses: &[SocketAddr]) -> Result<u64> {
    addresses.iter().map(|address| ReceiveQueue::of(*address)?.drops()).sum()
}
