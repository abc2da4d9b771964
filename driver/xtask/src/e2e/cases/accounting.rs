//! Below the rate that the machine sustains, nothing is missing and all counts agree.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use crate::e2e::capture::Capture;
use crate::e2e::case::{Case, Room};
use crate::e2e::metrics::Metrics;
use crate::e2e::sender::Sender;
use crate::e2e::sink::Options;
use crate::e2e::{datagram, ndjson};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "sizes-ipv4",
        proves: "payloads of 0 to 65,507 bytes are the same at both ends",
        run: sizes_v4,
    },
    Case { name: "sizes-ipv6", proves: "the same over IPv6", run: sizes_v6 },
    Case {
        name: "paced",
        proves: "50,000 datagrams at 20,000 a second: none missing in any count",
        run: paced,
    },
    Case { name: "discard", proves: "--discard counts what it reads and throws away", run: discard },
    Case { name: "metrics", proves: "/metrics gives the same totals as the summary", run: metrics },
];

/// Empty, a byte, the most that fits an Ethernet frame, a jumbo frame, and the most that UDP over IPv4 can carry.
const SIZES: [usize; 5] = [0, 1, 1_472, 9_000, 65_507];

fn sizes_v4(room: &Room) -> Result<()> {
    sizes(room, "127.0.0.1:0")
}

fn sizes_v6(room: &Room) -> Result<()> {
    sizes(room, "[::1]:0")
}

fn sizes(room: &Room, local: &str) -> Result<()> {
    let (capture, json) = (room.file("capture.pcapng"), room.file("datagrams.ndjson"));
    let start = seconds_since_1970()?;
    let sink =
        Options::new(room, None).listen(local).set("--write", &capture).set("--json", &json).start()?;
    let sent = Sender {
        sizes: SIZES.to_vec(),
        // The largest take most of a socket's buffer: a few at a time, so that pace and not luck keeps them.
        rate: Some(200),
        ..Sender::new(sink.address(), 0, 100)
    }
    .send(room)?;
    let report = sink.stop()?;
    let end = seconds_since_1970()?;
    report.summary.lossless(sent.len())?;
    let bytes: usize = sent.iter().map(|datagram| datagram.payload.len()).sum();
    ensure!(report.summary.bytes == u64::try_from(bytes)?, "{bytes} bytes sent: {:?}", report.summary);
    let capture = Capture::read(&capture)?;
    datagram::same(&sent, &capture.datagrams(), "the capture")?;
    for packet in &capture.packets {
        ensure!(!packet.cut, "cut: {} bytes of {}", packet.payload.len(), packet.original);
        ensure!((start..=end).contains(&packet.time), "time {} is not within {start}..{end}", packet.time);
    }
    datagram::same(&sent, &ndjson::read(&std::fs::read_to_string(&json)?)?, "NDJSON")
}

fn paced(room: &Room) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None).listen("127.0.0.1:0").set("--write", &path).start()?;
    let sent = Sender { rate: Some(20_000), ..Sender::new(sink.address(), 200, 50_000) }.send(room)?;
    let report = sink.stop()?;
    report.summary.lossless(sent.len())?;
    datagram::same(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}

fn discard(room: &Room) -> Result<()> {
    let sink = Options::new(room, None).listen("127.0.0.1:0").flag("--discard").start()?;
    let sent = Sender { rate: Some(10_000), ..Sender::new(sink.address(), 512, 10_000) }.send(room)?;
    let report = sink.stop()?;
    report.summary.lossless(sent.len())?;
    ensure!(report.summary.workers == 1, "{} workers by default", report.summary.workers);
    ensure!(report.summary.sources == 1, "{} sources", report.summary.sources);
    ensure!(report.summary.sockets[0].local == sent[0].destination, "another socket: {:?}", report.summary);
    Ok(())
}

fn metrics(room: &Room) -> Result<()> {
    let mut sink = Options::new(room, None)
        .listen("127.0.0.1:0")
        .flag("--discard")
        .set("--metrics", "127.0.0.1:0")
        .start()?;
    let address = sink.until("the address of /metrics", Duration::from_secs(10), |stderr| {
        let line = stderr.lines().find(|line| line.contains("/metrics"))?;
        line.split_whitespace()
            .find_map(|word| word.trim_start_matches("http://").trim_end_matches("/metrics").parse().ok())
    })?;
    let sent = Sender { rate: Some(5_000), ..Sender::new(sink.address(), 100, 5_000) }.send(room)?;
    let all = f64::from(u32::try_from(sent.len())?);
    // The socket may still hold some when the sender ends.
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut metrics = Metrics::get(address)?;
    while metrics.value("skua_datagrams_indicated_total")? < all && Instant::now() < deadline {
        metrics = Metrics::get(address)?;
    }
    ensure!(metrics.content_type.contains("text"), "content type {}", metrics.content_type);
    for series in ["skua_datagrams_indicated_total", "skua_datagrams_delivered_total"] {
        ensure!(metrics.value(series)? == all, "{series} is {} of {all}", metrics.value(series)?);
    }
    ensure!(metrics.value("skua_datagrams_dropped_total{reason=\"ring_full\"}")? == 0.0, "the ring was full");
    sink.stop()?.summary.lossless(sent.len())
}

fn seconds_since_1970() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}
