//! Datagrams from this system's sockets, as fast as the receiver takes them, and what was sent.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::queue::ReceiveQueue;
use crate::interrupt;

/// The longest datagram that IPv4 carries.
const LONGEST: u64 = 65_507;
/// The longest that fits into one frame of an Ethernet.
const USUAL: u64 = 1_472;

/// Longest that a receiver may leave what it was sent in its queue.
const STUCK: Duration = Duration::from_secs(20);

/// Datagrams to send.
pub(super) struct Traffic<'a> {
    /// Taken in turn.
    pub(super) to: &'a [SocketAddr],
    pub(super) count: u64,
    /// Datagrams a second at the most.
    pub(super) rate: u32,
    /// The first one's number; numbers make payloads differ.
    pub(super) first: u64,
    /// Payload bytes; `None` mixes every length there is, short ones more often.
    pub(super) size: Option<usize>,
}

/// One datagram: from where, to where, and its payload's length and 64-bit SipHash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Print {
    source: SocketAddr,
    destination: SocketAddr,
    length: usize,
    hash: u64,
}

/// Datagrams without an order, each with how often it occurs.
#[derive(Default, Debug)]
pub(super) struct Prints(HashMap<Print, usize>);

impl Traffic<'_> {
    /// Sends all of it, waiting whenever a receiver's queue is filled by half, and hands back what was sent.
    pub(super) fn send(&self) -> Result<Prints> {
        let mut ways = self.to.iter().map(|to| Way::open(*to)).collect::<Result<Vec<_>>>()?;
        let mut sent = Prints::default();
        let mut payload = Vec::new();
        let start = Instant::now();
        for index in 0..self.count {
            let number = self.first + index;
            fill(&mut payload, number, self.size.map_or_else(|| mixed(number), Ok)?);
            let due = start + Duration::from_secs(1) * u32::try_from(index)? / self.rate;
            if let Some(early) =
                due.checked_duration_since(Instant::now()).filter(|early| early.as_millis() > 0)
            {
                thread::sleep(early);
            }
            let way = usize::try_from(index)? % ways.len();
            sent.add(ways[way].send(&payload)?);
        }
        Ok(sent)
    }
}

impl Print {
    pub(super) fn new(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(payload);
        Self { source, destination, length: payload.len(), hash: hasher.finish() }
    }
}

impl Prints {
    pub(super) fn add(&mut self, print: Print) {
        *self.0.entry(print).or_default() += 1;
    }

    /// Adds all of `others`.
    pub(super) fn extend(&mut self, others: Self) {
        for (print, count) in others.0 {
            *self.0.entry(print).or_default() += count;
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.values().sum()
    }

    /// Those to `destination` alone.
    pub(super) fn to(&self, destination: SocketAddr) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(print, _)| print.destination == destination)
                .map(|(k, v)| (*k, *v))
                .collect(),
        )
    }

    /// Fails unless `found` has each of these as often as it was sent, and nothing else.
    pub(super) fn same(&self, found: &Self) -> Result<()> {
        self.contains(found)?;
        let missing = found.lacking(self);
        ensure!(
            missing.is_empty(),
            "{} sent, {} found{}",
            self.len(),
            found.len(),
            told("missing", &missing)
        );
        Ok(())
    }

    /// Fails unless `found` has each of these at least once, and nothing else.
    pub(super) fn all_in(&self, found: &Self) -> Result<()> {
        let strangers: Vec<Print> =
            found.0.keys().filter(|print| !self.0.contains_key(print)).copied().collect();
        let missing: Vec<Print> =
            self.0.keys().filter(|print| !found.0.contains_key(print)).copied().collect();
        ensure!(
            strangers.is_empty() && missing.is_empty(),
            "{} sent, {} found{}{}",
            self.len(),
            found.len(),
            told("missing", &missing),
            told("never sent", &strangers)
        );
        Ok(())
    }

    /// Fails unless each of `found` is one of these, and occurs no more often than it was sent.
    pub(super) fn contains(&self, found: &Self) -> Result<()> {
        let strangers = self.lacking(found);
        ensure!(
            strangers.is_empty(),
            "{} sent, {} found{}",
            self.len(),
            found.len(),
            told("never sent", &strangers)
        );
        Ok(())
    }

    /// Those of `others` that occur more often than here.
    fn lacking(&self, others: &Self) -> Vec<Print> {
        let often = |print: &Print| self.0.get(print).copied().unwrap_or_default();
        others.0.iter().filter(|(print, count)| **count > often(print)).map(|(print, _)| *print).collect()
    }
}

fn told(what: &str, prints: &[Print]) -> String {
    prints.first().map_or_else(String::new, |Print { source, destination, length, .. }| {
        format!("; {} {what}, the first {source} to {destination}, {length} bytes", prints.len())
    })
}

/// A socket and the receiver it sends to.
struct Way {
    socket: UdpSocket,
    source: SocketAddr,
    destination: SocketAddr,
    queue: ReceiveQueue,
    /// Bytes that the receiver's queue may hold unless somebody looks.
    unseen: u64,
}

impl Way {
    fn open(destination: SocketAddr) -> Result<Self> {
        let local: SocketAddr = match destination.ip() {
            IpAddr::V4(_) => ([127, 0, 0, 1], 0).into(),
            IpAddr::V6(_) => ([0, 0, 0, 0, 0, 0, 0, 1], 0).into(),
        };
        let socket = UdpSocket::bind(local).context("cannot open a socket to send from")?;
        let source = socket.local_addr()?;
        let queue = ReceiveQueue::of(destination)?;
        Ok(Self { socket, source, destination, queue, unseen: u64::MAX })
    }

    fn send(&mut self, payload: &[u8]) -> Result<Print> {
        // What the system charges for a datagram is the memory it lies in: at most double its length and a page.
        let charged = 2 * u64::try_from(payload.len())? + 4096;
        self.unseen = self.unseen.saturating_add(charged);
        if self.unseen > ReceiveQueue::HALF {
            self.wait()?;
            self.unseen = charged;
        }
        let sent = self.socket.send_to(payload, self.destination).context("cannot send")?;
        ensure!(sent == payload.len(), "the system cut a datagram of {} bytes", payload.len());
        Ok(Print::new(self.source, self.destination, payload))
    }

    /// Waits until the receiver has taken everything.
    fn wait(&self) -> Result<()> {
        let deadline = Instant::now() + STUCK;
        while self.queue.bytes()? > 0 {
            interrupt::check()?;
            if Instant::now() >= deadline {
                bail!("{} takes nothing off its queue", self.destination);
            }
            thread::yield_now();
        }
        Ok(())
    }
}

/// A length for datagram `number`: now and then any there is, mostly one that an Ethernet carries whole. The shortest and
/// the longest come first.
fn mixed(number: u64) -> Result<usize> {
    let random = scramble(number);
    let length = match number {
        0 | 1 => 0,
        2 | 3 => LONGEST,
        _ if number % 64 < 2 => random % (LONGEST + 1),
        _ => random % (USUAL + 1),
    };
    Ok(usize::try_from(length)?)
}

/// Bytes that no other number's payload has, as far as there is room for 8 of them.
fn fill(payload: &mut Vec<u8>, number: u64, length: usize) {
    payload.clear();
    payload.extend_from_slice(&number.to_be_bytes()[..length.min(8)]);
    let mut state = number;
    while payload.len() < length {
        state = scramble(state);
        let left = (length - payload.len()).min(8);
        payload.extend_from_slice(&state.to_le_bytes()[..left]);
    }
}

/// SplitMix64's step.
fn scramble(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prints(payloads: &[&[u8]]) -> Prints {
        let [source, destination] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut prints = Prints::default();
        for payload in payloads {
            prints.add(Print::new(source, destination, payload));
        }
        prints
    }

    #[test]
    fn what_is_missing_strange_or_doubled_is_noticed() {
        let sent = prints(&[b"a", b"a", b"b"]);
        sent.same(&prints(&[b"b", b"a", b"a"])).unwrap();
        for found in
            [&[b"a", b"b"][..], &[b"a", b"a", b"b", b"b"], &[b"a", b"a", b"b", b"c"], &[b"a", b"a", b"c"]]
        {
            let found: Vec<&[u8]> = found.iter().map(|payload| &payload[..]).collect();
            sent.same(&prints(&found)).unwrap_err();
        }
        sent.contains(&prints(&[b"a"])).unwrap();
        sent.contains(&prints(&[b"c"])).unwrap_err();
        sent.all_in(&prints(&[b"a", b"a", b"a", b"b"])).unwrap();
        sent.all_in(&prints(&[b"a"])).unwrap_err();
        sent.all_in(&prints(&[b"a", b"b", b"c"])).unwrap_err();
    }

    #[test]
    fn every_datagram_long_enough_differs_and_every_length_occurs() {
        let mut payload = Vec::new();
        let mut seen = Prints::default();
        let lengths: Vec<usize> = (0..2_000).map(|number| mixed(number).unwrap()).collect();
        for (number, length) in lengths.iter().enumerate().filter(|(_, length)| **length >= 8) {
            fill(&mut payload, number as u64, *length);
            assert_eq!(payload.len(), *length);
            let here = SocketAddr::from(([127, 0, 0, 1], 1));
            seen.add(Print::new(here, here, &payload));
        }
        assert!(seen.0.values().all(|count| *count == 1));
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&0), Some(&65_507)));
        assert!(lengths.iter().filter(|length| **length > 1_472).count() > 30);
    }
}
