//! `--packet-ring`: datagrams lent from the ring of a packet socket.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::Signal;

use super::networks::{SENDER_ENDS, SINK_ENDS, hosts};
use crate::e2e::capture::Capture;
use crate::e2e::case::{Case, Room};
use crate::e2e::datagram;
use crate::e2e::namespace::Namespace;
use crate::e2e::sender::{self, Fate, Sender};
use crate::e2e::sink::{Options, Report};
use crate::{process, tool};

/// Longest that a sink may take to say that it cannot start.
const REFUSAL: Duration = Duration::from_secs(10);

/// Longest that a client may take.
const CLIENT: Duration = Duration::from_secs(60);

pub(super) const CASES: &[Case] = &[
    Case {
        name: "ring-loopback",
        proves: "on lo each datagram is seen once, up to the longest",
        run: loopback,
    },
    Case {
        name: "ring-two-hosts",
        proves: "both families over interfaces, in fragments of IPv4 too",
        run: two_hosts,
    },
    Case {
        name: "ring-frames",
        proves: "headers of every shape are read, or counted with a reason",
        run: frames,
    },
    Case { name: "ring-fragments", proves: "a datagram in fragments of IPv6 is lost once", run: fragments },
    Case {
        name: "ring-segmented",
        proves: "super-buffers arrive as the datagrams they are made of",
        run: segmented,
    },
    Case { name: "ring-multicast-ipv4", proves: "a group is heard where it was joined", run: multicast_v4 },
    Case { name: "ring-multicast-ipv6", proves: "the same over IPv6", run: multicast_v6 },
    Case { name: "ring-overload", proves: "what finds no room is lost_below", run: overload },
    Case {
        name: "ring-overload-segmented",
        proves: "super-buffers that find no room count as many datagrams as they hold",
        run: overload_segmented,
    },
    Case { name: "ring-flood", proves: "as fast as a sender can: sent = indicated + lost below", run: flood },
    Case {
        name: "ring-workers",
        proves: "several workers share a port, each datagram going to one",
        run: workers,
    },
    Case {
        name: "ring-claim",
        proves: "the port is taken, and nobody is told that it is closed",
        run: claim,
    },
    Case { name: "ring-privilege", proves: "without CAP_NET_RAW the sink says what to do", run: privilege },
    Case {
        name: "ring-kept",
        proves: "what a client keeps stays, holds the ring, is copied then, and the ring goes on",
        run: kept,
    },
];

fn options(room: &Room, namespace: &Namespace) -> Options {
    Options::new(room, Some(namespace)).flag("--packet-ring")
}

fn loopback(room: &Room) -> Result<()> {
    let host = Namespace::open()?;
    let path = room.file("capture.pcapng");
    let sink = options(room, &host).listen("127.0.0.1:0").listen("[::1]:0").set("--write", &path).start()?;
    let sent = Sender {
        to: sink.local.clone(),
        from: vec!["127.0.0.1:0".parse()?, "[::1]:0".parse()?],
        sizes: vec![0, 1, 1_400, 9_000, 65_000],
        rate: Some(2_000),
        namespace: Some(&host),
        ..Sender::new(sink.address(), 0, 1_000)
    }
    .send(room)?;
    sink.stop()?.summary.lossless(sent.len())?;
    datagram::same(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}

fn two_hosts(room: &Room) -> Result<()> {
    let (inner, outer) = hosts()?;
    let path = room.file("capture.pcapng");
    let sink =
        options(room, &inner).listen("10.77.0.1:0").listen("[fd77:1::1]:0").set("--write", &path).start()?;
    let send = |number: usize, from: &str, sizes: Vec<usize>| {
        Sender {
            to: vec![sink.local[number]],
            from: vec![from.parse()?],
            sizes,
            rate: Some(1_000),
            namespace: Some(&outer),
            ..Sender::new(sink.local[number], 0, 400)
        }
        .send(room)
    };
    // From 1,473 bytes on IPv4 has to fragment.
    let over_v4 = send(0, "10.77.0.2:0", vec![0, 1, 1_472, 1_473, 9_000])?;
    let over_v6 = send(1, "[fd77:1::2]:0", vec![0, 1, 1_400])?;
    let report = sink.stop()?;
    let sent = [over_v4, over_v6].concat();
    report.summary.lossless(sent.len())?;
    ensure!(report.summary.sources == 2, "{} sources", report.summary.sources);
    datagram::same(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}

fn frames(room: &Room) -> Result<()> {
    let (inner, outer) = hosts()?;
    let path = room.file("capture.pcapng");
    // Both families at one socket, which has a ring for each.
    let sink = options(room, &inner).listen("[::]:0").set("--write", &path).start()?;
    let hardware = inner.hardware_address(SINK_ENDS[0].interface)?;
    let addresses = ["10.77.0.2", "10.77.0.1", "fd77:0::2", "fd77:0::1"];
    let port = sink.address().port();
    let sent = sender::frames(room, &outer, SENDER_ENDS[0].interface, &hardware, addresses, port)?;
    let report = sink.stop()?;
    let named = |fate: Fate| -> Vec<&str> {
        sent.iter().filter(|(_, it)| *it == fate).map(|(name, _)| name.as_str()).collect()
    };
    let found = Capture::read(&path)?.datagrams();
    let mut found: Vec<String> =
        found.iter().map(|it| String::from_utf8_lossy(&it.payload).into_owned()).collect();
    found.sort_unstable();
    let mut lent = named(Fate::Lent);
    lent.sort_unstable();
    ensure!(found == lent, "lent {found:?} instead of {lent:?}");
    let lost = named(Fate::Lost);
    ensure!(
        report.summary.lost_below == Some(u64::try_from(lost.len())?),
        "of {lost:?} were counted: {:?}",
        report.summary
    );
    ensure!(lost_by(&report, "bad_checksum") == 3, "{:?}", report.summary.lost_by);
    ensure!(lost_by(&report, "malformed") == 2, "{:?}", report.summary.lost_by);
    Ok(())
}

fn fragments(room: &Room) -> Result<()> {
    let (inner, outer) = hosts()?;
    let sink = options(room, &inner).listen("[fd77:0::1]:0").flag("--discard").start()?;
    let sent = Sender {
        from: vec!["[fd77:0::2]:0".parse()?],
        sizes: vec![100, 9_000],
        rate: Some(1_000),
        namespace: Some(&outer),
        ..Sender::new(sink.address(), 0, 200)
    }
    .send(room)?;
    let report = sink.stop()?;
    report.summary.accounts_for(sent.len())?;
    ensure!(lost_by(&report, "fragmented") == 100, "{:?}", report.summary);
    ensure!(report.summary.indicated == 100, "{:?}", report.summary);
    Ok(())
}

fn segmented(room: &Room) -> Result<()> {
    let (inner, outer) = hosts()?;
    for (host, local, from) in [
        (&outer, "10.77.0.1:0", "10.77.0.2:0"),
        (&outer, "[fd77:0::1]:0", "[fd77:0::2]:0"),
        (&inner, "127.0.0.1:0", "127.0.0.1:0"),
    ] {
        let path = room.file("capture.pcapng");
        let sink = options(room, &inner).listen(local).set("--write", &path).start()?;
        let sent = Sender {
            from: vec![from.parse()?],
            rate: Some(20_000),
            segments: 20,
            namespace: Some(host),
            ..Sender::new(sink.address(), 1_000, 4_000)
        }
        .send(room)?;
        sink.stop()?.summary.lossless(sent.len())?;
        datagram::same(&sent, &Capture::read(&path)?.datagrams(), local)?;
    }
    Ok(())
}

fn multicast_v4(room: &Room) -> Result<()> {
    multicast(room, "0.0.0.0:0", "239.77.1.2", ["10.77.0.2:0", "10.77.1.2:0"])
}

fn multicast_v6(room: &Room) -> Result<()> {
    // ff15: transient, site-local.
    multicast(room, "[::]:0", "ff15::77", ["[fd77:0::2]:0", "[fd77:1::2]:0"])
}

fn multicast(room: &Room, local: &str, group: &str, from: [&str; 2]) -> Result<()> {
    let (inner, outer) = hosts()?;
    let path = room.file("capture.pcapng");
    let sink = options(room, &inner)
        .listen(local)
        .set("--group", format!("{group}@{}", SINK_ENDS[0].interface))
        .set("--write", &path)
        .start()?;
    let to = SocketAddr::new(group.parse()?, sink.address().port());
    let send = |network: usize| {
        Sender {
            to: vec![to],
            from: vec![from[network].parse()?],
            rate: Some(1_000),
            interface: Some(SENDER_ENDS[network].interface),
            namespace: Some(&outer),
            ..Sender::new(to, 100, 200)
        }
        .send(room)
    };
    let joined = send(0)?;
    send(1)?;
    sink.stop()?.summary.lossless(joined.len())?;
    datagram::same(&joined, &Capture::read(&path)?.datagrams(), "the capture")
}

fn overload(room: &Room) -> Result<()> {
    stopped(room, 1)
}

fn overload_segmented(room: &Room) -> Result<()> {
    stopped(room, 40)
}

/// A sink that does not run for a while, with the smallest ring there is.
fn stopped(room: &Room, segments: usize) -> Result<()> {
    let (inner, outer) = hosts()?;
    let path = room.file("capture.pcapng");
    let sink = options(room, &inner)
        .listen("10.77.0.1:0")
        .set("--receive-buffer", "1M")
        .set("--write", &path)
        .start()?;
    sink.signal(Signal::STOP)?;
    // 4 MB, which no ring of 1 MiB holds.
    let sent = Sender {
        from: vec!["10.77.0.2:0".parse()?],
        segments,
        namespace: Some(&outer),
        ..Sender::new(sink.address(), 1_000, 4_000)
    }
    .send(room)?;
    sink.signal(Signal::CONT)?;
    let report = sink.stop()?;
    report.summary.accounts_for(sent.len())?;
    ensure!(lost_by(&report, "ring_full") > 0, "the ring was never full: {:?}", report.summary);
    ensure!(report.summary.indicated > 0, "nothing arrived: {:?}", report.summary);
    datagram::part(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}

fn flood(room: &Room) -> Result<()> {
    let host = Namespace::open()?;
    let sink =
        options(room, &host).listen("127.0.0.1:0").set("--receive-buffer", "1M").flag("--discard").start()?;
    let sent = Sender { namespace: Some(&host), ..Sender::new(sink.address(), 100, 200_000) }.send(room)?;
    let report = sink.stop()?;
    report.summary.accounts_for(sent.len())?;
    ensure!(report.summary.written == report.summary.delivered, "{:?}", report.summary);
    Ok(())
}

fn workers(room: &Room) -> Result<()> {
    let (inner, outer) = hosts()?;
    let path = room.file("capture.pcapng");
    let sink =
        options(room, &inner).listen("10.77.0.1:0").set("--workers", "2").set("--write", &path).start()?;
    let sent = Sender {
        from: (0..8).map(|_| Ok("10.77.0.2:0".parse()?)).collect::<Result<_>>()?,
        sizes: vec![10, 9_000],
        rate: Some(2_000),
        namespace: Some(&outer),
        ..Sender::new(sink.address(), 0, 2_000)
    }
    .send(room)?;
    sink.stop()?.summary.lossless(sent.len())?;
    datagram::same(&sent, &Capture::read(&path)?.datagrams(), "the capture")
}

fn claim(room: &Room) -> Result<()> {
    let host = Namespace::open()?;
    let sink = options(room, &host).listen("127.0.0.1:0").flag("--discard").start()?;
    let mut second = room.skua_in(Some(&host));
    second.args(["sink", "--listen", &sink.address().to_string(), "--for", "1s"]).stdin(Stdio::null());
    let second = process::run(&mut second, REFUSAL)?;
    ensure!(second.status.code() == Some(1), "a second sink had the port: {}", second.stderr);
    // A socket that is connected is told when its port is closed, and the sender fails.
    let connected = "import socket,sys,time\n\
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
        s.connect((sys.argv[1], int(sys.argv[2])))\n\
        for _ in range(20):\n    s.send(b'hello')\n    time.sleep(0.005)\n";
    let mut command = host.enter();
    command.arg(tool::PYTHON.command().get_program()).args(["-c", connected]);
    command.args([sink.address().ip().to_string(), sink.address().port().to_string()]);
    process::run(&mut command, REFUSAL)?.success()?;
    sink.stop()?.summary.lossless(20)
}

fn privilege(room: &Room) -> Result<()> {
    let mut command = tool::SETPRIV.command();
    command.args(["--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]).arg(room.skua());
    command.args(["sink", "--packet-ring", "--listen", "127.0.0.1:0", "--for", "1s"]).stdin(Stdio::null());
    let refused = process::run(&mut command, REFUSAL)?;
    ensure!(refused.status.code() == Some(1), "it ended with {:?}", refused.status);
    let told = refused.stderr.lines().next_back().unwrap_or_default().to_owned();
    ensure!(
        told.contains("--packet-ring") && told.contains("setcap cap_net_raw"),
        "it said: {}",
        refused.stderr
    );
    Ok(())
}

fn kept(room: &Room) -> Result<()> {
    let host = Namespace::open()?;
    let mut command = host.enter();
    process::run(command.arg(room.ring()).stdin(Stdio::null()), CLIENT)?.success().map(drop)
}

fn lost_by(report: &Report, reason: &str) -> u64 {
    report.summary.lost_by.get(reason).copied().unwrap_or_default()
}
