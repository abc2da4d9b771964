//! Two hosts: network namespaces joined by pairs of interfaces.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::e2e::capture::Capture;
use crate::e2e::case::{Case, Room};
use crate::e2e::datagram;
use crate::e2e::namespace::{End, Namespace};
use crate::e2e::sender::Sender;
use crate::e2e::sink::Options;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "two-hosts",
        proves: "datagrams that cross interfaces, fragmented ones too, arrive whole",
        run: two_hosts,
    },
    Case {
        name: "segmented",
        proves: "a sender's super-buffers arrive as the datagrams they were cut into",
        run: segmented,
    },
    Case {
        name: "multicast-ipv4",
        proves: "a group joined on one interface is heard on that one only",
        run: multicast_v4,
    },
    Case { name: "multicast-ipv6", proves: "the same over IPv6", run: multicast_v6 },
];

pub(super) const SINK_ENDS: [End; 2] = [
    End { interface: "inner0", addresses: &["10.77.0.1/24", "fd77:0::1/64"] },
    End { interface: "inner1", addresses: &["10.77.1.1/24", "fd77:1::1/64"] },
];
pub(super) const SENDER_ENDS: [End; 2] = [
    End { interface: "outer0", addresses: &["10.77.0.2/24", "fd77:0::2/64"] },
    End { interface: "outer1", addresses: &["10.77.1.2/24", "fd77:1::2/64"] },
];

/// A namespace for the sink and one for the sender, with two networks between them.
pub(super) fn hosts() -> Result<(Namespace, Namespace)> {
    let (sink, sender) = (Namespace::open()?, Namespace::open()?);
    for (inner, outer) in SINK_ENDS.iter().zip(&SENDER_ENDS) {
        sink.connect(inner, &sender, outer)?;
    }
    Ok((sink, sender))
}

fn two_hosts(room: &Room) -> Result<()> {
    let (inner, outer) = hosts()?;
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, Some(&inner))
        .listen("10.77.0.1:0")
        .listen("[fd77:1::1]:0")
        .set("--write", &path)
        .start()?;
    let sent = Sender {
        to: sink.local.clone(),
        from: vec!["10.77.0.2:0".parse()?, "[fd77:1::2]:0".parse()?],
        // From 1,473 bytes on IPv4 has to fragment on an interface whose packets are 1,500 bytes at most.
        sizes: vec![0, 1, 1_472, 1_473, 9_000],
        rate: Some(1_000),
        namespace: Some(&outer),
        ..Sender::new(sink.address(), 0, 1_000)
    }
    .send(room)?;
    let report = sink.stop()?;
    report.summary.lossless(sent.len())?;
    ensure!(report.summary.sources == 2, "{} sources", report.summary.sources);
    datagram::same(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}

fn segmented(room: &Room) -> Result<()> {
    let (inner, outer) = hosts()?;
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, Some(&inner)).listen("10.77.0.1:0").set("--write", &path).start()?;
    let sent = Sender {
        from: vec!["10.77.0.2:0".parse()?],
        rate: Some(10_000),
        segments: 20,
        namespace: Some(&outer),
        ..Sender::new(sink.address(), 1_000, 4_000)
    }
    .send(room)?;
    sink.stop()?.summary.lossless(sent.len())?;
    datagram::same(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}

fn multicast_v4(room: &Room) -> Result<()> {
    multicast(room, "0.0.0.0:0", "239.77.1.2", ["10.77.0.2:0".parse()?, "10.77.1.2:0".parse()?])
}

fn multicast_v6(room: &Room) -> Result<()> {
    // ff15: transient, site-local.
    multicast(room, "[::]:0", "ff15::77", ["[fd77:0::2]:0".parse()?, "[fd77:1::2]:0".parse()?])
}

fn multicast(room: &Room, local: &str, group: &str, from: [SocketAddr; 2]) -> Result<()> {
    let (inner, outer) = hosts()?;
    let path = room.file("capture.pcapng");
    let sink = Options::new(room, Some(&inner))
        .listen(local)
        .set("--group", format!("{group}@{}", SINK_ENDS[0].interface))
        .set("--write", &path)
        .start()?;
    let to = SocketAddr::new(group.parse()?, sink.address().port());
    let send = |network: usize| {
        Sender {
            to: vec![to],
            from: vec![from[network]],
            rate: Some(1_000),
            interface: Some(SENDER_ENDS[network].interface),
            namespace: Some(&outer),
            ..Sender::new(to, 100, 200)
        }
        .send(room)
    };
    let joined = send(0)?;
    send(1)?;
    let report = sink.stop()?;
    report.summary.lossless(joined.len())?;
    // The destination in the capture is the group, which only the control data of each datagram tells.
    datagram::same(&joined, &Capture::read(&path)?.datagrams(), "the capture")
}
