//! A driver of an embedder's: the engine inside it, and nothing of skua.sys.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context as _, Result, bail, ensure};

use crate::interrupt;
use crate::wine::check::{Check, Room};
use crate::wine::kept::Kept;
use crate::wine::service::Service;

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "embedded-forward",
        proves: "forward.sys, the engine in a driver of its own, forwards datagrams of every size both ways over IPv4 and IPv6, \
                 drops what its rules refuse, and gives all pool back",
        run: forward,
    },
    Check {
        name: "embedded-unload",
        proves: "forward.sys is loaded and unloaded 20 times amid datagrams, and gives all pool back each time",
        run: unload,
    },
    Check {
        name: "embedded-beside",
        proves: "skua.sys and forward.sys, each with the engine inside, work side by side, and each goes on when the other is \
                 unloaded",
        run: beside,
    },
];

/// The service, and the image.
pub(in crate::wine) const NAME: &str = "forward";

/// The ports of the image: its outer and inner sockets, and where each side's datagrams go.
const OUTER: u16 = 17_101;
const INNER: u16 = 17_102;
const INSIDE: u16 = 17_103;
const OUTSIDE: u16 = 17_104;
/// Whose datagrams it drops.
const UNWANTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const FAMILIES: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
/// The largest payload of both families.
const LENGTHS: [usize; 6] = [0, 1, 17, 1_452, 9_000, 65_487];

/// Longest that the driver may take to open its sockets, which it does on a thread, or a datagram to pass.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it is asked whether it forwards yet.
const ASK: Duration = Duration::from_millis(100);
/// How often it is loaded.
const TIMES: u32 = 20;
/// What it says at the end of an unload that left nothing.
const GIVEN_BACK: &str = "forward: unloaded, all pool given back";

fn forward(room: &Room<'_>) -> Result<()> {
    let mut driver = install(room)?;
    driver.start()?;
    let mut passed = 0;
    for address in FAMILIES {
        let ends = Ends::open(address)?;
        passed += ends.until_it_forwards()?;
        for _ in 0..10 {
            for length in LENGTHS {
                ends.both_ways(length)?;
                passed += 2;
            }
        }
    }
    let unwanted = UdpSocket::bind((UNWANTED, 0))?;
    for _ in 0..5 {
        unwanted.send_to(b"unwanted", (Ipv4Addr::LOCALHOST, OUTER))?;
    }
    // What came behind them has passed, so they have been judged.
    let ends = Ends::open(FAMILIES[0])?;
    ends.both_ways(100)?;
    passed += 2;
    room.is_sound(Some(&driver))?;
    let said = unloaded(room, &mut driver)?;
    let (forwarded, dropped) = last_counts(&said)?;
    ensure!(
        forwarded == passed && dropped == 5,
        "{passed} passed, and it counts {forwarded}; 5 were dropped, and it counts {dropped}:\n{said}"
    );
    driver.delete()
}

fn unload(room: &Room<'_>) -> Result<()> {
    let mut driver = install(room)?;
    let ends = Ends::open(FAMILIES[0])?;
    for time in 1..=TIMES {
        driver.start().with_context(|| format!("time {time} of {TIMES}"))?;
        ends.until_it_forwards().with_context(|| format!("time {time} of {TIMES}"))?;
        // Some of these are under way when it is unloaded.
        for _ in 0..50 {
            ends.outside.send_to(&[7; 300], (Ipv4Addr::LOCALHOST, OUTER))?;
        }
        unloaded(room, &mut driver).with_context(|| format!("time {time} of {TIMES}"))?;
        ends.empty()?;
    }
    driver.delete()
}

fn beside(room: &Room<'_>) -> Result<()> {
    let mut skua = room.driver()?;
    let mut driver = install(room)?;
    let ends = Ends::open(FAMILIES[0])?;
    // skua.sys goes first, then forward.sys.
    for skua_first in [true, false] {
        skua.start()?;
        driver.start()?;
        let kept = Kept::start(room, "beside", &["127.0.0.1:0"], &[])?;
        let sender = UdpSocket::bind("127.0.0.1:0")?;
        let mut sent = 0;
        let mut to_skua = |kept: &Kept<'_>, count: u64| -> Result<()> {
            for _ in 0..count {
                sender.send_to(b"to skua.sys", kept.local[0])?;
            }
            sent += count;
            kept.until("datagrams of the sender", |stats| stats.indicated == sent).map(drop)
        };
        ends.until_it_forwards()?;
        for length in LENGTHS {
            ends.both_ways(length)?;
            to_skua(&kept, 10)?;
        }
        if skua_first {
            kept.stop()?;
            skua.stop()?;
            LENGTHS.iter().try_for_each(|length| ends.both_ways(*length))?;
            room.is_sound(Some(&driver))?;
            unloaded(room, &mut driver)?;
        } else {
            unloaded(room, &mut driver)?;
            to_skua(&kept, 50)?;
            room.is_sound(Some(&skua))?;
            kept.stop()?;
            skua.stop()?;
        }
    }
    driver.delete()?;
    skua.delete()
}

fn install<'a>(room: &Room<'a>) -> Result<Service<'a>> {
    let path = room.built("forward.sys");
    let image = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    room.install(NAME, image)
}

/// Unloads the driver, and returns what was said until then; fails unless all pool was given back.
fn unloaded(room: &Room<'_>, driver: &mut Service<'_>) -> Result<String> {
    driver.stop()?;
    let said = room.said();
    ensure!(said.contains(GIVEN_BACK), "it does not say that it gave its pool back:\n{said}");
    room.is_sound(None)?;
    Ok(said)
}

/// Datagrams forwarded and dropped by rule, summed over the last line about each forwarder.
fn last_counts(said: &str) -> Result<(u64, u64)> {
    let mut sum = (0, 0);
    for address in ["127.0.0.1:17101", "[::1]:17101"] {
        let line = said.lines().rev().find(|line| line.contains(&format!("forward: {address} ")));
        let line = line.with_context(|| format!("it says nothing of {address}:\n{said}"))?;
        let count = |key: &str| -> Result<u64> {
            let value = line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            value.and_then(|value| value.parse().ok()).with_context(|| format!("no {key} in: {line}"))
        };
        sum = (sum.0 + count("forwarded")?, sum.1 + count("handler")?);
    }
    Ok(sum)
}

/// Sockets of this system on both sides of the driver.
struct Ends {
    address: IpAddr,
    outside: UdpSocket,
    inside: UdpSocket,
}

impl Ends {
    fn open(address: IpAddr) -> Result<Self> {
        let open = |port| {
            let socket = UdpSocket::bind((address, port))
                .with_context(|| format!("cannot open port {port} of {address}"))?;
            socket.set_read_timeout(Some(LIMIT))?;
            io::Result::Ok(socket).map_err(anyhow::Error::from)
        };
        Ok(Self { address, outside: open(OUTSIDE)?, inside: open(INSIDE)? })
    }

    /// Sends until something comes through, and waits until nothing does any more. How many datagrams passed.
    fn until_it_forwards(&self) -> Result<u64> {
        let deadline = Instant::now() + LIMIT;
        self.inside.set_read_timeout(Some(ASK))?;
        loop {
            interrupt::check()?;
            // Refused while nobody listens.
            let _refused = self.outside.send_to(b"are you there?", (self.address, OUTER));
            if self.inside.recv(&mut [0; 64]).is_ok() {
                break;
            }
            if Instant::now() >= deadline {
                bail!("nothing passes {} within {LIMIT:?}", self.address);
            }
        }
        let more = self.drain()?;
        self.inside.set_read_timeout(Some(LIMIT))?;
        Ok(1 + more)
    }

    /// Takes what is on the inner socket until nothing came for a while.
    fn drain(&self) -> Result<u64> {
        self.inside.set_read_timeout(Some(ASK))?;
        let mut taken = 0;
        while self.inside.recv(&mut [0; 512]).is_ok() {
            taken += 1;
            interrupt::check()?;
        }
        Ok(taken)
    }

    /// Takes everything that is left.
    fn empty(&self) -> Result<()> {
        self.drain()?;
        self.inside.set_read_timeout(Some(LIMIT)).map_err(Into::into)
    }

    /// A datagram of so many bytes in, and another out.
    fn both_ways(&self, length: usize) -> Result<()> {
        let payload: Vec<u8> = (0..=250_u8).cycle().skip(length % 7).take(length).collect();
        for (from, by, to, leaves_by) in
            [(&self.outside, OUTER, &self.inside, INNER), (&self.inside, INNER, &self.outside, OUTER)]
        {
            from.send_to(&payload, (self.address, by))?;
            let mut bytes = vec![0; 65_536];
            let (received, source) = to
                .recv_from(&mut bytes)
                .with_context(|| format!("{length} bytes to port {by} do not pass"))?;
            ensure!(bytes[..received] == payload, "{length} bytes became {received} others");
            let expected = SocketAddr::new(self.address, leaves_by);
            ensure!(source == expected, "a datagram left by {source}, not by {expected}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_about_each_forwarder_counts() {
        let said = "\
0x forward: 127.0.0.1:17101 indicated=0 forwarded=0 handler=0 not_allowed=0
0x forward: [::1]:17101 indicated=0 forwarded=0 handler=0 not_allowed=0
0x forward: 127.0.0.1:17101 indicated=9 forwarded=4 handler=5 not_allowed=0
0x forward: [::1]:17101 indicated=7 forwarded=7 handler=0 not_allowed=0
";
        assert_eq!(last_counts(said).unwrap(), (11, 5));
        last_counts("forward: 127.0.0.1:17101 forwarded=x handler=1").unwrap_err();
    }
}
