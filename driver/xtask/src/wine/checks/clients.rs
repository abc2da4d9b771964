//! Drivers of somebody else's, in C, over what skua.sys runs on: that it is Windows' kernel that stands there, and not one
//! made for Skua.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::wine::check::{Check, Room};
use crate::wine::service::Service;
use crate::{c_engine, cargo, interrupt, process, tool};

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "client-echo",
        proves: "a WSK client of somebody else's runs beside skua.sys: its requests are cancelled and ended as it asks, and \
                 it echoes datagrams of every size, over IPv4 and IPv6",
        run: echo,
    },
    Check {
        name: "client-unload",
        proves: "the client is loaded and unloaded 20 times while datagrams come",
        run: unload,
    },
    Check {
        name: "client-engine",
        proves: "a driver in C with the engine's library inside forwards datagrams of every size by its rules, in the memory in \
                 which they came, and is unloaded with nothing left",
        run: engine,
    },
    Check {
        name: "client-routines",
        proves: "the routines that stand in for Wine's do what Windows' do",
        run: routines,
    },
    Check {
        name: "client-wrong",
        proves: "a driver that breaks rules of NT fails its check, once for each",
        run: wrong,
    },
];

/// The drivers, by their names under driver/wine/client.
pub(in crate::wine) const CLIENTS: [&str; 4] = ["echo", "routines", "wrong", ENGINE];

/// The driver of engine/capi/examples.
const ENGINE: &str = "cforward";

/// Where the client listens, of either family.
const PORT: u16 = 17007;
/// Longest that compiling a driver may take.
const COMPILE: Duration = Duration::from_secs(60);
/// Longest that a driver's thread may take to open its sockets.
const START: Duration = Duration::from_secs(30);
/// Longest that an echo may take.
const ECHO: Duration = Duration::from_secs(10);
/// How often the client is loaded.
const TIMES: u32 = 20;
/// How many rules wrong.c breaks.
const BROKEN: usize = 10;

/// Payload lengths: none, one, an Ethernet frame, more, the largest of each family.
const LENGTHS_V4: [usize; 5] = [0, 1, 1_472, 9_000, 65_507];
const LENGTHS_V6: [usize; 5] = [0, 1, 1_452, 9_000, 65_487];

fn echo(room: &Room<'_>) -> Result<()> {
    let mut skua = room.driver()?;
    skua.start()?;
    let mut client = compiled(room, "echo")?;
    client.start()?;
    for (address, lengths) in
        [(IpAddr::V4(Ipv4Addr::LOCALHOST), LENGTHS_V4), (IpAddr::V6(Ipv6Addr::LOCALHOST), LENGTHS_V6)]
    {
        let socket = connected(address)?;
        socket.set_read_timeout(Some(ECHO))?;
        for (round, length) in (0..20).flat_map(|round| lengths.map(|length| (round, length))) {
            let payload: Vec<u8> = (0..=250u8).cycle().skip(round).take(length).collect();
            socket.send(&payload)?;
            let mut echoed = vec![0; 65_536];
            let received = socket.recv(&mut echoed);
            let received = received.with_context(|| format!("no echo of {length} bytes from {address}"))?;
            ensure!(
                echoed[..received] == payload,
                "{length} bytes to {address} came back as {received} others"
            );
        }
    }
    room.is_sound(Some(&client))?;
    client.stop()?;
    client.delete()?;
    room.is_sound(Some(&skua))?;
    skua.stop()?;
    skua.delete()
}

fn unload(room: &Room<'_>) -> Result<()> {
    let mut client = compiled(room, "echo")?;
    let sockets = [connected(Ipv4Addr::LOCALHOST.into())?, connected(Ipv6Addr::LOCALHOST.into())?];
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for socket in &sockets {
                    // Refused while nobody listens.
                    let _ = socket.send(&[7; 300]);
                }
                thread::sleep(Duration::from_micros(300));
            }
        });
        let cycles = (1..=TIMES).try_for_each(|time| {
            client.start().and_then(|()| client.stop()).with_context(|| format!("time {time} of {TIMES}"))
        });
        over.store(true, Ordering::Relaxed);
        cycles
    })?;
    client.delete()
}

fn engine(room: &Room<'_>) -> Result<()> {
    let examples = c_engine::home().join("examples");
    let image = room.file("cforward.sys");
    let mut command = mingw(&image);
    command.arg("-I").arg(c_engine::home().join("include"));
    command.args([examples.join("forward.c"), examples.join("forward_driver.c")]);
    command.arg(room.built("libskua_kernel.a"));
    process::run(command.args(LIBRARIES).arg("-lgcc"), COMPILE)?.success()?;
    for time in 1..=3 {
        let bytes = fs::read(&image).with_context(|| format!("cannot read {}", image.display()))?;
        let mut driver = room.install(ENGINE, bytes)?;
        let before = room.said().matches("forward: started: 00000000").count();
        driver.start()?;
        let deadline = Instant::now() + START;
        while room.said().matches("forward: started: 00000000").count() == before {
            ensure!(Instant::now() < deadline, "the driver does not start:\n{}", room.said());
            interrupt::check()?;
            thread::sleep(Duration::from_millis(10));
        }
        c_engine::through().with_context(|| format!("time {time}"))?;
        driver.stop()?;
        driver.delete()?;
        let said = room.said();
        ensure!(
            said.contains("forward: unloaded: 00000000")
                && said.contains("indicated 15, forwarded 10, dropped 5"),
            "it did not end well:\n{said}"
        );
        room.is_sound(None)?;
    }
    Ok(())
}

fn routines(room: &Room<'_>) -> Result<()> {
    let mut driver = compiled(room, "routines")?;
    driver.start().with_context(|| format!("not all routines do:\n{}", room.said()))?;
    driver.stop()?;
    driver.delete()
}

fn wrong(room: &Room<'_>) -> Result<()> {
    let mut driver = compiled(room, "wrong")?;
    driver.start()?;
    driver.stop()?;
    driver.delete()?;
    let noticed = room.is_sound(None).err().context("nothing was noticed")?.to_string();
    let rules = noticed.matches("skua-wine: violation: ").count();
    ensure!(rules == BROKEN, "of {BROKEN} broken rules, {rules} were noticed:\n{noticed}");
    Ok(())
}

/// The driver `name` of driver/wine/client, installed and not started.
fn compiled<'a>(room: &Room<'a>, name: &str) -> Result<Service<'a>> {
    let image = room.file(&format!("{name}.sys"));
    let mut command = mingw(&image);
    command.arg(cargo::root().join(format!("driver/wine/client/{name}.c")));
    process::run(command.args(LIBRARIES), COMPILE)?.success()?;
    room.install(name, fs::read(&image).with_context(|| format!("cannot read {}", image.display()))?)
}

/// What a driver for Windows imports from; behind its own files.
const LIBRARIES: [&str; 3] = ["-lnetio", "-lntoskrnl", "-lhal"];

/// Compiles and links a driver into `image`, as far as files and libraries do not say more.
fn mingw(image: &Path) -> Command {
    let mut command = tool::MINGW_GCC.command();
    command.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-nostdlib", "-shared"]);
    command.arg("-I").arg(cargo::root().join("engine/hosted/c/include"));
    // Debian's place for the headers of drivers, and that of others.
    command.args(["-I/usr/share/mingw-w64/include/ddk", "-I/usr/x86_64-w64-mingw32/include/ddk"]);
    command
        .args(["-Wl,--subsystem,native,-e,DriverEntry,--exclude-all-symbols,--gc-sections", "-o"])
        .arg(image);
    command
}

fn connected(address: IpAddr) -> Result<UdpSocket> {
    let local =
        if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
    let socket = UdpSocket::bind((local, 0)).context("cannot open a socket to send from")?;
    socket.connect(SocketAddr::new(address, PORT)).context("cannot reach this host")?;
    Ok(socket)
}
