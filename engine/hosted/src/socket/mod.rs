//! Sockets: one type a category, each with its own dispatch table, and the register of those that are open.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) mod address_change;
mod address_list;
pub(crate) mod basic;
mod bind;
pub(crate) mod close;
pub(crate) mod control;
pub(crate) mod controls;
pub(crate) mod datagram;
mod datagram_control;
pub(crate) mod events;
pub(crate) mod handle;
mod multicast;
pub(crate) mod options;
pub(crate) mod pending;
mod release;
pub(crate) mod scope;
mod table;

use self::datagram::DatagramSocket;
use crate::HostKernel;
#[cfg(target_os = "linux")]
use crate::config::PacketRingLosses;
use crate::kernel::lock::hold;
use crate::stream::StreamSocket;

/// The open sockets of one kernel but for basic ones, and what the closed ones left behind.
#[derive(Default)]
pub(crate) struct Sockets {
    open: Mutex<Vec<Arc<DatagramSocket>>>,
    /// The open sockets over TCP, by address.
    streams: Mutex<HashMap<usize, Arc<StreamSocket>>>,
    /// Datagrams lost below sockets that are closed. Written with `open` locked.
    lost_by_closed: AtomicU64,
    /// Whether a closed socket could not tell. Written with `open` locked.
    has_untold: AtomicBool,
    /// Datagrams that sockets have filtered that are closed. Written with `open` locked.
    filtered_by_closed: AtomicU64,
    /// How often hosts have told sockets that are closed that nobody listens. Written with `open` locked.
    refused_to_closed: AtomicU64,
    #[cfg(target_os = "linux")]
    ring_losses_by_closed: Mutex<PacketRingLosses>,
}

impl Sockets {
    pub(crate) fn add(&self, socket: Arc<DatagramSocket>) {
        hold(&self.open).push(socket);
    }

    /// Takes a socket out whose losses are final.
    pub(crate) fn remove(&self, socket: &DatagramSocket) {
        let mut open = hold(&self.open);
        match socket.lost() {
            Some(lost) => _ = self.lost_by_closed.fetch_add(lost, Ordering::Relaxed),
            None => self.has_untold.store(true, Ordering::Relaxed),
        }
        self.filtered_by_closed.fetch_add(socket.filtered(), Ordering::Relaxed);
        self.refused_to_closed.fetch_add(socket.wire().refused(), Ordering::Relaxed);
        #[cfg(target_os = "linux")]
        hold(&self.ring_losses_by_closed).add(&socket.wire().ring_losses());
        open.retain(|known| !std::ptr::eq(Arc::as_ptr(known), socket));
    }

    /// The bound sockets, of `local` or all.
    pub(crate) fn bound(&self, local: Option<&SocketAddr>) -> Vec<Arc<DatagramSocket>> {
        let wanted = |socket: &&Arc<DatagramSocket>| match socket.local() {
            Some(bound) => local.is_none_or(|local| bound == local),
            None => false,
        };
        hold(&self.open).iter().filter(wanted).cloned().collect()
    }

    pub(crate) fn add_stream(&self, socket: Arc<StreamSocket>) {
        hold(&self.streams).insert(Arc::as_ptr(&socket).addr(), socket);
    }

    pub(crate) fn remove_stream(&self, socket: &StreamSocket) {
        let removed = hold(&self.streams).remove(&std::ptr::from_ref(socket).addr());
        // Outside of the lock: it may be the last.
        drop(removed);
    }

    /// The sockets over TCP, of `local` or all.
    pub(crate) fn streams(&self, local: Option<&SocketAddr>) -> Vec<Arc<StreamSocket>> {
        let wanted =
            |socket: &&Arc<StreamSocket>| local.is_none_or(|local| socket.local().as_ref() == Some(local));
        hold(&self.streams).values().filter(wanted).cloned().collect()
    }

    #[cfg(target_os = "linux")]
    fn ring_losses(&self) -> PacketRingLosses {
        let open = hold(&self.open);
        let mut losses = *hold(&self.ring_losses_by_closed);
        open.iter().for_each(|socket| losses.add(&socket.wire().ring_losses()));
        losses
    }

    fn filtered(&self) -> u64 {
        let open = hold(&self.open);
        let by_open: u64 = open.iter().map(|socket| socket.filtered()).sum();
        by_open + self.filtered_by_closed.load(Ordering::Relaxed)
    }

    fn refused(&self) -> u64 {
        let open = hold(&self.open);
        let to_open: u64 = open.iter().map(|socket| socket.wire().refused()).sum();
        to_open + self.refused_to_closed.load(Ordering::Relaxed)
    }

    /// `None` when one of the sockets cannot tell.
    fn lost(&self) -> Option<u64> {
        let open = hold(&self.open);
        if self.has_untold.load(Ordering::Relaxed) {
            return None;
        }
        let by_open: u64 = open.iter().map(|socket| socket.lost()).sum::<Option<u64>>()?;
        Some(by_open + self.lost_by_closed.load(Ordering::Relaxed))
    }
}

/// What the stack below did, and what can be done to it.
impl HostKernel {
    /// Datagrams that reached sockets of this kernel and were never indicated, over open and closed sockets: the socket
    /// buffer was full, [`HostKernel::quiesce`] had ended the intake, or they were still queued when the socket closed.
    /// `None` when the transport cannot tell, or could not for one of the sockets.
    #[must_use]
    pub fn lost_below(&self) -> Option<u64> {
        if self.stack().tells_lost() { self.sockets().lost() } else { None }
    }

    /// Datagrams that reached sockets of this kernel and were not indicated because the client does not want them, over
    /// open and closed sockets: they came from elsewhere than the address of SIO_WSK_SET_REMOTE_ADDRESS, or were broadcasts
    /// while IP_RECEIVE_BROADCAST is off. They are not among [`HostKernel::lost_below`].
    #[must_use]
    pub fn filtered(&self) -> u64 {
        self.sockets().filtered()
    }

    /// How often other hosts have said that nobody listens where sockets of this kernel are connected to, over open and
    /// closed sockets: see [`ProviderConfig::connects`](crate::ProviderConfig::connects). At least once where any of what
    /// was sent was answered so and something was sent or waited for afterwards; hosts do not answer every datagram.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.sockets().refused()
    }

    /// What [`HostKernel::lost_below`] has over [`Transport::PacketRing`](crate::Transport::PacketRing), by reason; all zero
    /// over other transports.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn packet_ring_losses(&self) -> PacketRingLosses {
        self.sockets().ring_losses()
    }

    /// As [`HostKernel::lost_below`] for the open sockets that are bound to `local`. `None` too when there is none.
    #[must_use]
    pub fn lost_below_at(&self, local: &SocketAddr) -> Option<u64> {
        let bound = self.sockets().bound(Some(local));
        bound.iter().map(|socket| socket.lost()).reduce(|sum, lost| Some(sum? + lost?))?
    }

    /// Ends the intake of the sockets bound to `local`, or of all, and waits until what was queued has been indicated;
    /// whether that was so within `limit`, where one that the clock cannot express is none. A socket that died indicates
    /// nothing more and is not waited for. Afterwards the sockets are only good for sending and closing.
    ///
    /// On Linux a filter turns later datagrams away, which count as lost below from then on. On other transports what
    /// arrives during the call may be either indicated or lost.
    #[must_use]
    pub fn quiesce(&self, local: Option<&SocketAddr>, limit: Duration) -> bool {
        let sockets = self.sockets().bound(local);
        for socket in &sockets {
            socket.end_intake();
        }
        let deadline = Instant::now().checked_add(limit);
        sockets.iter().all(|socket| socket.wait_drained(deadline))
    }

    /// Lets the sockets bound to `local` die, as they do when their transport goes away: the receive or accept event is
    /// called with NULL, requests end with STATUS_FILE_FORCED_CLOSED, and only closing is of use. Returns how many there
    /// were. Sockets over TCP call their events a moment later.
    pub fn kill(&self, local: &SocketAddr) -> usize {
        let sockets = self.sockets().bound(Some(local));
        for socket in &sockets {
            socket.die(0);
        }
        let streams = self.sockets().streams(Some(local));
        for socket in &streams {
            socket.kill();
        }
        sockets.len() + streams.len()
    }

    /// The addresses that payload of the sockets bound to `local` is received to. An indication's MDLs lie within them
    /// when nothing was copied on the way.
    #[must_use]
    pub fn receive_buffers(&self, local: &SocketAddr) -> Vec<Range<usize>> {
        let sockets = self.sockets().bound(Some(local));
        let blocks =
            sockets.iter().filter_map(|socket| socket.arena()).flat_map(|arena| arena.payload_ranges());
        blocks.chain(sockets.iter().flat_map(|socket| socket.wire().lent_memory())).collect()
    }
}
