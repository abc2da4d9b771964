//! TCP over WSK against ordinary programs, in both directions.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use crate::e2e::case::{Case, Room};
use crate::e2e::stream::{Generator, Hash, LIMIT, Peer, hash_of, listening, python, wsk};
use crate::process::{self, Process};
use crate::tool;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "tcp-python",
        proves: "listen, connection and stream sockets carry 8 MB each way at once, over IPv4 and IPv6",
        run: both_ways,
    },
    Case {
        name: "tcp-gigabyte-sent",
        proves: "1 GB sent over WSK has the hash that a Python server computes",
        run: gigabyte_sent,
    },
    Case {
        name: "tcp-gigabyte-received",
        proves: "1 GB received over WSK has the hash that a Python client computes",
        run: gigabyte_received,
    },
    Case {
        name: "tcp-half-close",
        proves: "an end that has ended its direction still receives, whichever end that is",
        run: half_close,
    },
    Case { name: "tcp-ncat", proves: "ncat connects, and is connected to", run: ncat },
    Case {
        name: "tcp-curl",
        proves: "curl downloads from a listening socket, and uploads to one",
        run: curl,
    },
    Case {
        name: "tcp-echo",
        proves: "50 connections at once get back what they sent, from callbacks that keep it while it is sent",
        run: echo,
    },
    Case {
        name: "tcp-churn",
        proves: "10,000 connections leave no descriptor, thread, memory, socket or IRP behind",
        run: churn,
    },
];

const GIGABYTE: u64 = 1 << 30;

fn both_ways(room: &Room) -> Result<()> {
    for host in ["127.0.0.1", "::1"] {
        let any = if host == "::1" { "[::1]:0" } else { "127.0.0.1:0" };
        for role in ["listen", "stream-listen"] {
            let (generator, input) = Generator::start(room, 8 << 20)?;
            let (hash, output) = Hash::start()?;
            let mut wsk = Process::start_into(wsk(room, &[role, any]).stdin(input), output)?;
            let peer = Peer::connect(room, listening(&mut wsk)?, 8 << 20, "first")?;
            compare(role, wsk, peer, generator, hash, 8 << 20)?;
        }
        for role in ["connect", "stream-connect"] {
            let (generator, input) = Generator::start(room, 8 << 20)?;
            let (hash, output) = Hash::start()?;
            let peer = Peer::listen(room, host, 8 << 20, "first")?;
            let address = peer.address.to_string();
            let wsk = Process::start_into(wsk(room, &[role, &address]).stdin(input), output)?;
            compare(role, wsk, peer, generator, hash, 8 << 20)?;
        }
    }
    Ok(())
}

/// Both directions of a connection, as both ends saw them.
fn compare(role: &str, wsk: Process, peer: Peer, generator: Generator, hash: Hash, bytes: u64) -> Result<()> {
    let seen = peer.finish()?;
    wsk.wait(LIMIT)?.success()?;
    let (generated, received) = (generator.finish()?, hash.finish()?);
    ensure!(seen.bytes == bytes, "{role}: {} bytes of {bytes} were received", seen.bytes);
    ensure!(seen.received == generated, "{role}: what was sent over WSK is not what was received");
    ensure!(seen.sent == received, "{role}: what was received over WSK is not what was sent");
    Ok(())
}

fn gigabyte_sent(room: &Room) -> Result<()> {
    let (generator, input) = Generator::start(room, GIGABYTE)?;
    let (hash, output) = Hash::start()?;
    let peer = Peer::listen(room, "127.0.0.1", 0, "first")?;
    let address = peer.address.to_string();
    let wsk = Process::start_into(wsk(room, &["connect", &address]).stdin(input), output)?;
    compare("connect", wsk, peer, generator, hash, GIGABYTE)
}

fn gigabyte_received(room: &Room) -> Result<()> {
    let (generator, input) = Generator::start(room, 0)?;
    let (hash, output) = Hash::start()?;
    let mut wsk = Process::start_into(wsk(room, &["listen", "127.0.0.1:0"]).stdin(input), output)?;
    let peer = Peer::connect(room, listening(&mut wsk)?, GIGABYTE, "first")?;
    compare("listen", wsk, peer, generator, hash, 0)
}

fn half_close(room: &Room) -> Result<()> {
    // WSK's end ends first: the other sends only behind that.
    let (generator, input) = Generator::start(room, 1 << 20)?;
    let (hash, output) = Hash::start()?;
    let peer = Peer::listen(room, "127.0.0.1", 3 << 20, "last")?;
    let address = peer.address.to_string();
    let connected = Process::start_into(wsk(room, &["connect", &address]).stdin(input), output)?;
    compare("connect", connected, peer, generator, hash, 1 << 20)?;
    // The other end ends first: WSK's has nothing to send before it has all of that.
    let (reader, mut writer) = std::io::pipe().context("cannot make a pipe")?;
    let mut listener = Process::start(wsk(room, &["listen", "127.0.0.1:0"]).stdin(reader))?;
    let peer = Peer::connect(room, listening(&mut listener)?, 4, "first")?;
    listener.until("what was sent to it", LIMIT, |listener| (listener.stdout().len() >= 4).then_some(()))?;
    writer.write_all(b"behind the end").context("cannot write to the listener")?;
    drop(writer);
    let seen = peer.finish()?;
    listener.wait(LIMIT)?.success()?;
    ensure!(seen.bytes == 14, "{} bytes came behind the end", seen.bytes);
    Ok(())
}

fn ncat(room: &Room) -> Result<()> {
    let (file, copy) = (room.file("sent"), room.file("received"));
    let (generator, input) = Generator::start(room, 5_000_000)?;
    let mut cat = std::process::Command::new("cat");
    let output = fs::File::create(&file).context("cannot make a file")?;
    Process::start_into(cat.stdin(input), output)?.wait(LIMIT)?.success()?;
    let sent = generator.finish()?;
    let open = || fs::File::open(&file).context("cannot open what is sent");
    let create = || fs::File::create(&copy).context("cannot make a file");

    // ncat connects: one direction, then the other.
    for to_wsk in [true, false] {
        let input = if to_wsk { Stdio::null() } else { open()?.into() };
        let mut listener =
            Process::start_into(wsk(room, &["listen", "127.0.0.1:0"]).stdin(input), create()?)?;
        let address = listening(&mut listener)?;
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let mut command = tool::NCAT.command();
        let direction = if to_wsk { "--send-only" } else { "--recv-only" };
        command.args([direction, &host, &port]);
        if to_wsk {
            Process::start(command.stdin(open()?))?.wait(LIMIT)?.success()?;
        } else {
            Process::start_into(command.stdin(Stdio::null()), create()?)?.wait(LIMIT)?.success()?;
        }
        listener.wait(LIMIT)?.success()?;
        ensure!(hash_of(&copy)? == sent, "ncat connects, towards WSK: {to_wsk}");
    }
    // ncat listens.
    for to_wsk in [true, false] {
        let port = free_port()?;
        let text = port.to_string();
        let mut command = tool::NCAT.command();
        command.args(["-v", "--listen", "127.0.0.1", &text]);
        let mut ncat = if to_wsk {
            Process::start(command.arg("--send-only").stdin(open()?))?
        } else {
            Process::start_into(command.arg("--recv-only").stdin(Stdio::null()), create()?)?
        };
        ncat.until("the port", LIMIT, |ncat| ncat.stderr().contains("Listening on").then_some(()))?;
        let address = SocketAddr::from(([127, 0, 0, 1], port)).to_string();
        let mut connected = wsk(room, &["stream-connect", &address]);
        if to_wsk {
            Process::start_into(&mut connected, create()?)?.wait(LIMIT)?.success()?;
        } else {
            Process::start(connected.stdin(open()?))?.wait(LIMIT)?.success()?;
        }
        ncat.wait(LIMIT)?.success()?;
        ensure!(hash_of(&copy)? == sent, "ncat listens, towards WSK: {to_wsk}");
    }
    Ok(())
}

/// A port that nobody has; for a program that cannot choose one and say so.
fn free_port() -> Result<u16> {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(probe.local_addr()?.port())
}

fn curl(room: &Room) -> Result<()> {
    let body: Vec<u8> = (0..3_000_000u32).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let (page, copy) = (room.file("page"), room.file("copy"));
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    fs::write(&page, [head.as_bytes(), &body].concat()).context("cannot write the page")?;
    let served = fs::File::open(&page).context("cannot open the page")?;
    let mut server = Process::start(wsk(room, &["listen", "127.0.0.1:0"]).stdin(served))?;
    let address = listening(&mut server)?;
    let mut command = tool::CURL.command();
    command.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--output"]).arg(&copy);
    process::run(command.arg(format!("http://{address}/page")), LIMIT)?.success()?;
    let request = server.wait(LIMIT)?.success()?.stdout;
    ensure!(request.starts_with("GET /page HTTP/1.1\r\n"), "the request was {request:.80}");
    ensure!(fs::read(&copy)? == body, "the download is not what was served");

    // Small enough to be sent before the answer is looked for.
    let upload: String = (0..5_000).map(|number| format!("{number:05}\n")).collect();
    let (sent, answer) = (room.file("upload"), room.file("answer"));
    fs::write(&sent, &upload).context("cannot write the upload")?;
    fs::write(&answer, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").context("cannot write")?;
    let answer = fs::File::open(&answer).context("cannot open the answer")?;
    let mut server = Process::start(wsk(room, &["stream-listen", "127.0.0.1:0"]).stdin(answer))?;
    let address = listening(&mut server)?;
    let mut command = tool::CURL.command();
    command.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--header", "Expect:"]);
    command.arg("--data-binary").arg(format!("@{}", sent.display()));
    process::run(command.arg(format!("http://{address}/upload")), LIMIT)?.success()?;
    let request = server.wait(LIMIT)?.success()?.stdout;
    ensure!(request.ends_with(&upload), "{} bytes of the request came", request.len());
    Ok(())
}

fn echo(room: &Room) -> Result<()> {
    let mut server = Process::start(&mut wsk(room, &["echo", "127.0.0.1:0", "50"]))?;
    let address = listening(&mut server)?;
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let mut swarm = python(room, &["swarm", &host, &port, "50", "1000000"])?;
    let printed = process::run(&mut swarm, LIMIT)?.success()?.stdout;
    ensure!(printed.trim() == r#"{"same": 50}"#, "of 50 connections: {printed}");
    server.wait(LIMIT)?.success().map(drop)
}

fn churn(room: &Room) -> Result<()> {
    let finished = process::run(&mut wsk(room, &["churn", "10000", "100"]), LIMIT)?.success()?;
    ensure!(finished.stdout.starts_with("10000 connections"), "{}", finished.stdout);
    Ok(())
}
