//! Drivers of somebody else's, in C, over what skua.sys runs on: that it is Windows' kernel that stands there, and not one
//! made for Skua.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::wine::check::{Check, Room};
use crate::wine::service::Service;
use crate::{cargo, process, tool};

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
pub(in crate::wine) const CLIENTS: [&str; 3] = ["echo", "routines", "wrong"];

/// Where the client listens, of either family.
const PORT: u16 = 17007;
/// Longest that compiling a driver may take.
const COMPILE: Duration = Duration::from_secs(60);
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
    let mut command = tool::MINGW_GCC.command();
    command.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-nostdlib", "-shared"]);
    command.arg("-I").arg(cargo::root().join("engine/hosted/c/include"));
    // Debian's place for the headers of drivers, and that of others.
    command.args(["-I/usr/share/mingw-w64/include/ddk", "-I/usr/x86_64-w64-mingw32/include/ddk"]);
    command.args(["-Wl,--subsystem,native,-e,DriverEntry,--exclude-all-symbols", "-o"]).arg(&image);
    command.arg(cargo::root().join(format!("driver/wine/client/{name}.c")));
    process::run(command.args(["-lnetio", "-lntoskrnl", "-lhal"]), COMPILE)?.success()?;
    room.install(name, fs::read(&image).with_context(|| format!("cannot read {}", image.display()))?)
}

fn connected(address: IpAddr) -> Result<UdpSocket> {
    let local =
        if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
    let socket = UdpSocket::bind((local, 0)).context("cannot open a socket to send from")?;
    socket.connect(SocketAddr::new(address, PORT)).context("cannot reach this host")?;
    Ok(socket)
}
