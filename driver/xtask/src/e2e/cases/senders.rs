//! Senders that people have at hand.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::e2e::capture::Capture;
use crate::e2e::case::{Case, Room};
use crate::e2e::datagram::{self, Datagram};
use crate::e2e::ndjson;
use crate::e2e::sender::{self, Sender};
use crate::e2e::sink::Options;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "logger",
        proves: "syslog messages from util-linux logger arrive, all of them",
        run: logger,
    },
    Case { name: "ncat", proves: "what ncat sends over IPv4 and IPv6 arrives byte for byte", run: ncat },
    Case { name: "many-sources", proves: "280 sources over IPv4 and IPv6 are told apart", run: many_sources },
    Case {
        name: "dual-stack",
        proves: "one socket at [::] takes IPv4 too, and shows it as IPv4",
        run: dual_stack,
    },
];

fn logger(room: &Room) -> Result<()> {
    let sink = Options::new(room, None).listen("127.0.0.1:0").set("--json", "-").start()?;
    let messages: Vec<String> =
        (0..200).map(|number| format!("message {number} of 200: naïve text")).collect();
    sender::logger(room, sink.address(), &messages)?;
    let report = sink.stop()?;
    report.summary.lossless(messages.len())?;
    let found = ndjson::read(&report.stdout)?;
    ensure!(found.len() == messages.len(), "{} lines of NDJSON", found.len());
    for (message, datagram) in messages.iter().zip(&found) {
        // RFC 5424: priority, version, time and the rest of a header, then the message.
        let text = String::from_utf8_lossy(&datagram.payload);
        ensure!(text.starts_with("<13>1 ") && text.ends_with(message.as_str()), "not {message}: {text}");
    }
    Ok(())
}

fn ncat(room: &Room) -> Result<()> {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let path = room.file("capture.pcapng");
        let sink = Options::new(room, None).listen(local).set("--write", &path).start()?;
        sender::ncat(room, sink.address(), "temperature=21.5\n")?;
        let destination = sink.address();
        sink.stop()?.summary.lossless(1)?;
        let capture = Capture::read(&path)?;
        let [packet] = capture.packets.as_slice() else {
            anyhow::bail!("{} packets", capture.packets.len());
        };
        ensure!(packet.payload == b"temperature=21.5\n", "ncat's text arrived as {:?}", packet.payload);
        ensure!(packet.destination == destination, "{destination} became {}", packet.destination);
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

fn many_sources(room: &Room) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None)
        .listen("127.0.0.1:0")
        .listen("[::1]:0")
        .set("--write", &path)
        .set("--workers", "2")
        .start()?;
    // 250 addresses of the loopback network, and 30 sockets on the one address that IPv6's has.
    let v4 = (1..=250).map(|host| SocketAddr::from(([127, 0, 1, host], 0)));
    let v6 = (0..30).map(|_| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0)));
    let sent = Sender {
        to: sink.local.clone(),
        from: v4.chain(v6).collect(),
        rate: Some(5_000),
        ..Sender::new(sink.address(), 64, 5_000)
    }
    .send(room)?;
    let report = sink.stop()?;
    report.summary.lossless(sent.len())?;
    // A source is an address: its ports count together.
    ensure!(report.summary.sources == 251, "{} sources", report.summary.sources);
    let found: Vec<Datagram> = Capture::read(&path)?.datagrams();
    datagram::same(&sent, &found, "the capture")
}

fn dual_stack(room: &Room) -> Result<()> {
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, None).listen("[::]:0").set("--write", &path).start()?;
    let port = sink.address().port();
    let to: Vec<SocketAddr> = vec![([127, 0, 0, 1], port).into(), ([0, 0, 0, 0, 0, 0, 0, 1], port).into()];
    let from = to.iter().map(|to| SocketAddr::new(to.ip(), 0)).collect();
    let sent =
        Sender { from, rate: Some(1_000), to: to.clone(), ..Sender::new(to[0], 80, 200) }.send(room)?;
    let report = sink.stop()?;
    report.summary.lossless(sent.len())?;
    ensure!(report.summary.sources == 2, "{} sources", report.summary.sources);
    datagram::same(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}
