//! What the rules refuse is counted under the rule that refused it.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::e2e::capture::Capture;
use crate::e2e::case::{Case, Room};
use crate::e2e::datagram::{self, Datagram};
use crate::e2e::sender::Sender;
use crate::e2e::sink::Options;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "allow-list",
        proves: "only sources within --allow pass; the others are not_allowed",
        run: allow,
    },
    Case {
        name: "source-rate",
        proves: "each source has --source-rate; above it is rate_limited",
        run: source_rate,
    },
    Case { name: "sample", proves: "--sample 1/10 keeps a tenth; the rest is sampled", run: sample },
    Case {
        name: "snap-length",
        proves: "--snaplen cuts the payload and keeps its original length",
        run: snap_length,
    },
];

fn allow(room: &Room) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None)
        .listen("127.0.0.1:0")
        .set("--allow", "127.0.2.0/24")
        .set("--allow", "127.0.3.7")
        .set("--write", &path)
        .start()?;
    let from = [[127, 0, 2, 1], [127, 0, 2, 200], [127, 0, 3, 7], [127, 0, 3, 8], [127, 0, 4, 1]];
    let sent = Sender {
        from: from.map(|host| SocketAddr::from((host, 0))).to_vec(),
        rate: Some(2_000),
        ..Sender::new(sink.address(), 40, 1_000)
    }
    .send(room)?;
    let report = sink.stop()?;
    report.summary.accounts_for(sent.len())?;
    // Five sources take turns, three of them allowed.
    ensure!(report.summary.drops("not_allowed") == 400, "{:?}", report.summary);
    let allowed: Vec<Datagram> = sent
        .into_iter()
        .filter(|datagram| {
            let host = datagram.source.ip().to_string();
            host.starts_with("127.0.2.") || host == "127.0.3.7"
        })
        .collect();
    datagram::same(&allowed, &Capture::read(&path)?.datagrams(), "the capture")
}

fn source_rate(room: &Room) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None)
        .listen("127.0.0.1:0")
        .set("--source-rate", "100")
        .set("--write", &path)
        .start()?;
    // Two seconds: 2,000 a second from one source, then 50 a second from another, which has a bucket of its own.
    let loud = Sender { rate: Some(2_000), ..Sender::new(sink.address(), 40, 4_000) }.send(room)?;
    let quiet = Sender {
        from: vec![SocketAddr::from(([127, 0, 0, 9], 0))],
        rate: Some(50),
        ..Sender::new(sink.address(), 41, 50)
    }
    .send(room)?;
    let report = sink.stop()?;
    let sent = [loud, quiet.clone()].concat();
    report.summary.accounts_for(sent.len())?;
    let refused = report.summary.drops("rate_limited");
    ensure!(report.summary.delivered + refused == report.summary.indicated, "{:?}", report.summary);
    let found = Capture::read(&path)?.datagrams();
    datagram::part(&sent, &found, "the capture")?;
    let (kept_quiet, kept_loud): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|datagram| datagram.source == quiet[0].source);
    datagram::same(&quiet, &kept_quiet, "the source below its rate")?;
    // A bucket's worth at once, then 100 a second for two seconds; a slow machine stretches the two seconds.
    ensure!((200..=1_000).contains(&kept_loud.len()), "{} of 4,000 kept at 100 a second", kept_loud.len());
    Ok(())
}

fn sample(room: &Room) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None)
        .listen("127.0.0.1:0")
        .set("--sample", "1/10")
        .set("--write", &path)
        .start()?;
    let sent = Sender { rate: Some(5_000), ..Sender::new(sink.address(), 64, 5_000) }.send(room)?;
    let report = sink.stop()?;
    report.summary.accounts_for(sent.len())?;
    ensure!(report.summary.delivered == 500, "{:?}", report.summary);
    ensure!(report.summary.drops("sampled") == 4_500, "{:?}", report.summary);
    let found = Capture::read(&path)?.datagrams();
    ensure!(found.len() == 500, "{} packets", found.len());
    datagram::part(&sent, &found, "the capture")
}

fn snap_length(room: &Room) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None)
        .listen("127.0.0.1:0")
        .set("--snaplen", "100")
        .set("--write", &path)
        .start()?;
    let sizes = vec![0, 99, 100, 101, 9_000];
    let sent = Sender { sizes, rate: Some(1_000), ..Sender::new(sink.address(), 0, 500) }.send(room)?;
    let report = sink.stop()?;
    report.summary.lossless(sent.len())?;
    let capture = Capture::read(&path)?;
    let cut: Vec<Datagram> = sent
        .iter()
        .map(|datagram| Datagram {
            payload: datagram.payload.iter().copied().take(100).collect(),
            ..datagram.clone()
        })
        .collect();
    datagram::same(&cut, &capture.datagrams(), "the capture")?;
    let lengths = |wanted: usize| capture.packets.iter().filter(|packet| packet.original == wanted).count();
    for size in [0, 99, 100, 101, 9_000] {
        ensure!(lengths(size) == 100, "{} packets of {size} bytes on the wire", lengths(size));
    }
    Ok(())
}
