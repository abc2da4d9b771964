//! The socket below a WSK socket: one that claims the port, and the rings that receive.

use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_SUPPORTED};

use super::filter;
use super::groups::Groups;
use super::losses::Losses;
use super::reach::Reach;
use super::receiver::RingReceiver;
use super::ring::{self, Place, Ring, Shape};
use super::wire::Version;
use crate::config::{PacketRing, PacketRingLosses};
use crate::kernel::lock::hold;
use crate::os::linux::drops::Drops;
use crate::os::linux::{Descriptor, LinuxSocket, Shared as Claim};
use crate::os::{
    Buffer, Family, Query, Receiver, SendBatch, Sent, Setting, StackEndpoint, StackSocket, settings,
};
use crate::receive::unmapped;
use crate::status;

/// Bytes of a ring where SO_RCVBUF was not set.
const DEFAULT_BYTES: u32 = 4 << 20;

/// The rings of one worker, one for each version of IP.
type Rings = Box<[Arc<Ring>]>;

/// A UDP socket over rings.
pub(super) struct PacketRingSocket(Arc<Shared>);

/// What a socket shares with its receivers.
pub(super) struct Shared {
    pub(super) claim: LinuxSocket,
    timeout: u32,
    /// SO_RCVBUF.
    bytes: AtomicU32,
    /// By worker. Set by bind.
    rings: OnceLock<Box<[Rings]>>,
    /// The address bound to, as packets have it. Set by bind.
    local: OnceLock<IpAddr>,
    groups: Mutex<Groups>,
    /// Changes with `groups`.
    groups_version: AtomicU32,
    pub(super) losses: Losses,
    /// Nothing more is let in.
    ending: AtomicBool,
    /// Workers that have seen the end of their rings.
    drained: AtomicU32,
    books: Mutex<Books>,
}

/// What was read of counters that the kernel keeps.
#[derive(Default)]
struct Books {
    /// Frames that found no room in a ring.
    ring_full: u64,
    claimed: Drops,
    /// What the claiming socket had dropped when the rings began to hear.
    at_bind: u64,
    /// The last word, once the socket is closed.
    closed: Option<PacketRingLosses>,
}

impl PacketRingSocket {
    pub(super) fn open(
        family: Family,
        config: PacketRing,
    ) -> std::result::Result<Box<dyn StackSocket>, NTSTATUS> {
        // Who may not is told now, not at bind.
        ring::check().map_err(|error| status::of(&error))?;
        let claim = settings::open(family).and_then(|socket| {
            let claim = Descriptor::new(socket);
            filter::attach(&claim.sock(), &filter::nothing())?;
            Ok(claim)
        });
        let claim = claim.map_err(|error| status::of(&error))?;
        Ok(Box::new(Self(Arc::new(Shared {
            claim: LinuxSocket(Arc::new(LinuxSocket::shared(family, claim))),
            timeout: u32::from(config.block_timeout.clamp(1, 1000)),
            bytes: AtomicU32::new(DEFAULT_BYTES),
            rings: OnceLock::new(),
            local: OnceLock::new(),
            groups: Mutex::default(),
            groups_version: AtomicU32::new(0),
            losses: Losses::default(),
            ending: AtomicBool::new(false),
            drained: AtomicU32::new(0),
            books: Mutex::default(),
        }))))
    }
}

impl Shared {
    /// The rings of a worker.
    pub(super) fn rings(&self, worker: u32) -> &[Arc<Ring>] {
        self.rings.get().and_then(|rings| rings.get(worker as usize)).map_or(&[], |rings| rings)
    }

    /// Every ring.
    fn all_rings(&self) -> impl Iterator<Item = &Arc<Ring>> {
        self.rings.get().into_iter().flatten().flatten()
    }

    pub(super) fn claim(&self) -> &Claim {
        &self.claim.0
    }

    /// What the socket is reached by.
    pub(super) fn reach(&self) -> Reach {
        Reach::new(self.local.get().copied().unwrap_or(Ipv4Addr::UNSPECIFIED.into()))
    }

    /// The port bound to.
    pub(super) fn port(&self) -> u16 {
        settings::local(self.claim().first.sock()).map_or(0, |local| local.port())
    }

    /// After how many ms a block that is not full is handed over.
    pub(super) fn timeout(&self) -> u32 {
        self.timeout
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    pub(super) fn note_drained(&self) {
        self.drained.fetch_add(1, Ordering::SeqCst);
    }

    /// The groups joined, if they are others than in `version`, which becomes theirs.
    pub(super) fn groups_since(&self, version: &mut u32) -> Option<Groups> {
        let now = self.groups_version.load(Ordering::Acquire);
        if now == *version {
            return None;
        }
        *version = now;
        Some(hold(&self.groups).clone())
    }

    fn bind(&self, local: SocketAddr, workers: u32) -> Result<SocketAddr> {
        let claim = self.claim();
        let versions = self.versions(local.ip())?;
        let share = self.bytes.load(Ordering::Relaxed) as usize / versions.len();
        let open = |version| Ring::open(Shape { version, bytes: share, timeout: self.timeout }).map(Arc::new);
        let open_all = |_| versions.iter().map(|version| open(*version)).collect();
        let rings = (0..workers).map(open_all).collect::<Result<Box<[Rings]>>>()?;
        let applied = hold(&claim.applied).clone().unwrap_or_default();
        let bound = claim.bind(local, 1, false)?;
        let heard = self.hear(&rings, bound);
        if let Err(error) = heard {
            // A socket cannot be unbound, so another takes its number.
            let another = claim.another(&applied)?;
            filter::attach(&another.sock(), &filter::nothing())?;
            claim.first.replace(&another)?;
            *hold(&claim.applied) = Some(applied);
            return Err(error);
        }
        let mut books = hold(&self.books);
        books.at_bind = books.claimed.sample(std::iter::once(&claim.first)).unwrap_or_default();
        drop(books);
        let _ = self.local.set(unmapped(bound.ip()));
        let _ = self.rings.set(rings);
        Ok(bound)
    }

    /// Has the rings hear what is sent to `bound`.
    fn hear(&self, rings: &[Rings], bound: SocketAddr) -> Result<()> {
        let interface = match bound {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        let families = rings.first().map_or(0, |rings| rings.len());
        for family in 0..families {
            let mut group = None;
            for ring in rings.iter().filter_map(|rings| rings.get(family)) {
                let local = match ring.version() {
                    Version::V4 => unmapped(bound.ip()),
                    Version::V6 => bound.ip(),
                };
                ring.bind(&Place { local, port: bound.port(), interface })?;
                match ring.share(group) {
                    Ok(id) => group = Some(id),
                    // Fragments of IPv4 are lost then, and counted.
                    Err(_) if rings.len() == 1 => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// What a socket bound to `local` receives packets of.
    fn versions(&self, local: IpAddr) -> Result<Vec<Version>> {
        Ok(match local {
            IpAddr::V4(_) => vec![Version::V4],
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => vec![Version::V4],
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) if !self.claim().first.sock().only_v6()? => {
                vec![Version::V6, Version::V4]
            }
            IpAddr::V6(_) => vec![Version::V6],
        })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        let mut books = hold(&self.books);
        if books.closed.is_none() {
            books.ring_full += self.all_rings().map(|ring| ring.take_lost()).sum::<u64>();
        }
        books
    }

    /// What was lost, the last word of it when `is_at_rest`.
    fn lost(&self, books: &mut Books, is_at_rest: bool) -> PacketRingLosses {
        if let Some(closed) = books.closed {
            return closed;
        }
        let first = std::iter::once(&self.claim().first);
        let reached = if is_at_rest { books.claimed.sample(first) } else { None };
        self.losses.sum_up(books.ring_full, reached.map(|reached| reached.saturating_sub(books.at_bind)))
    }

    /// Whether everything that was let in has been taken.
    fn is_at_rest(&self) -> bool {
        self.is_ending()
            && self.drained.load(Ordering::SeqCst) as usize == self.rings.get().map_or(0, |it| it.len())
    }
}

impl StackEndpoint for PacketRingSocket {
    fn set(&self, setting: &Setting) -> std::result::Result<(), NTSTATUS> {
        match *setting {
            Setting::Buffer(Buffer::Receive, bytes) => self.0.bytes.store(bytes, Ordering::Relaxed),
            // The claiming socket shall count datagrams one by one, and need not look at clocks.
            Setting::Coalesce(_) | Setting::Timestamps(_) => _ = self.0.claim().wanted.note(setting),
            _ => {
                self.0.claim.set(setting)?;
                if hold(&self.0.groups).note(setting) {
                    self.0.groups_version.fetch_add(1, Ordering::Release);
                }
            }
        }
        Ok(())
    }

    fn query(&self, query: Query) -> std::result::Result<u32, NTSTATUS> {
        match query {
            Query::Buffer(Buffer::Receive) => Ok(self.0.bytes.load(Ordering::Relaxed)),
            _ => self.0.claim.query(query),
        }
    }

    fn segments(&self) -> bool {
        self.0.claim.segments()
    }

    /// Each of those that share one would see everything.
    fn share_address(&self) {}

    fn close(&self) {
        let mut books = self.0.books();
        if books.closed.is_none() {
            self.0.all_rings().for_each(|ring| ring.end());
            books.closed = Some(self.0.lost(&mut books, true));
        }
        drop(books);
        self.0.claim.close();
    }
}

impl StackSocket for PacketRingSocket {
    fn bind(
        &self,
        local: SocketAddr,
        workers: u32,
        shared: bool,
    ) -> std::result::Result<SocketAddr, NTSTATUS> {
        if shared {
            return Err(STATUS_NOT_SUPPORTED);
        }
        self.0.bind(local, workers).map_err(|error: Error| status::of(&error))
    }

    fn receiver(&self, worker: u32, batch: usize) -> Box<dyn Receiver> {
        Box::new(RingReceiver::new(Arc::clone(&self.0), worker, batch))
    }

    fn connect(&self, remote: SocketAddr) -> std::result::Result<(), NTSTATUS> {
        self.0.claim.connect(remote)
    }

    fn refused(&self) -> u64 {
        self.0.claim.refused()
    }

    fn most_segments(&self) -> usize {
        self.0.claim.most_segments()
    }

    fn send(&self, batch: &SendBatch<'_>) -> Sent {
        self.0.claim.send(batch)
    }

    fn wait_writable(&self) {
        self.0.claim.wait_writable();
    }

    fn end(&self) {
        self.0.ending.store(true, Ordering::SeqCst);
        self.0.all_rings().for_each(|ring| ring.end());
        self.0.claim.end();
    }

    fn stop(&self) {
        self.end();
        self.0.claim.stop();
    }

    fn lost(&self) -> Option<u64> {
        Some(self.ring_losses().total())
    }

    fn ring_losses(&self) -> PacketRingLosses {
        let is_at_rest = self.0.is_at_rest();
        let mut books = self.0.books();
        self.0.lost(&mut books, is_at_rest)
    }

    fn lent_memory(&self) -> Vec<Range<usize>> {
        self.0.all_rings().map(|ring| ring.addresses()).collect()
    }
}

/// Whether an error of a packet socket concerns nobody: its interface went down.
pub(super) fn is_passing(error: &Error) -> bool {
    error.kind() == ErrorKind::NetworkDown
}
