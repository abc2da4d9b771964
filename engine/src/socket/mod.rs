//! Datagram sockets: opened, bound, joined to groups, sent through, closed.

// UNSAFETY: passes a filter's lists on, for which its caller vouches.
#![expect(unsafe_code, reason = "lists are met by address")]

pub(crate) mod block;
mod close;
mod control;
pub(crate) mod core;
mod membership;
mod open;
pub(crate) mod options;
mod outlet;
mod request;

pub use close::CloseError;
pub use membership::{Membership, MembershipError};
pub use open::{OpenSocketError, OpenStep};
pub use options::{Info, Owner, Sharing, SocketOptions, Wanted};
pub use outlet::{Outlet, OutletBusy};

use ::core::ffi::c_void;
use ::core::mem::ManuallyDrop;
use ::core::net::SocketAddr;
use ::core::sync::atomic::Ordering;

use crate::abi::status::NTSTATUS;
use crate::address::Endpoint;
use crate::anchor::Anchor;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::nbl::NblList;
use crate::processor::Dispatch;
use crate::send::batch::{SendBatch, SendError};
use crate::send::context::CallersBuffer;
use crate::send::control::SendOptions;
use block::SocketBlock;

/// A bound datagram socket. Opened by [`Engine::open_socket`](crate::Engine::open_socket).
///
/// Dropping it never waits: the socket goes on closing on its registration's list. [`DatagramSocket::close`] waits.
pub struct DatagramSocket<K: Kernel, H: Handler<K>> {
    /// Taken once, by `close` or by the drop.
    block: ManuallyDrop<Anchor<SocketBlock<K, H>, K>>,
}

impl<K: Kernel, H: Handler<K>> DatagramSocket<K, H> {
    /// Where it is bound: the port is the real one, also if 0 was asked for.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.core().bound().into()
    }

    /// Whether the provider has said that the socket is dead: only its close is left.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.died().is_some()
    }

    /// When the provider said that the socket is dead, in ticks of the performance counter.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn died(&self) -> Option<u64> {
        let died = self.core().died.load(Ordering::Acquire);
        (died != 0).then_some(died)
    }

    /// Sends a copy of `payload`.
    ///
    /// # Errors
    /// [`SendError`]. A failure after the hand-over is not an error here: the engine's counters tell.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn send(&self, remote: SocketAddr, payload: &[u8], options: &SendOptions) -> Result<(), SendError> {
        self.send_batch(remote, options, |batch| batch.push(payload).err())
            .and_then(|(refused, _)| refused.map_or(Ok(()), Err))
    }

    /// Lets `fill` add datagrams to a batch, then hands it over by one call: WskSendTo for one datagram, WskSendMessages
    /// for more. What `fill` returned, and how many datagrams were handed over. Those may still fail later; the engine's
    /// counters tell.
    ///
    /// # Errors
    /// [`SendError`]: none was handed over.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; `fill` runs at DISPATCH_LEVEL.
    pub fn send_batch<R>(
        &self,
        remote: SocketAddr,
        options: &SendOptions,
        fill: impl FnOnce(&mut SendBatch<'_, K, H>) -> R,
    ) -> Result<(R, usize), SendError> {
        let remote = self.in_family(remote)?;
        Dispatch::with(&self.core().kernel, |dispatch| {
            SendBatch::enter(&self.block, dispatch)?;
            let mut batch = SendBatch::new(&self.block, dispatch, remote);
            if !batch.control().set(options, &Endpoint::from(remote)) {
                return Err(SendError::Family);
            }
            let filled = fill(&mut batch);
            batch.send().map(|sent| (filled, sent))
        })
    }

    /// Sends the datagrams of network buffer lists by one call, out of their own memory. How many there are.
    ///
    /// `done` is called once with `context` when the lists are the caller's again, unless this fails before they were handed
    /// over; it may be called inside this call, and must not wait.
    ///
    /// # Errors
    /// [`SendError`]; the lists are the caller's then, and `done` is not called, unless it is [`SendError::Refused`], with
    /// which it has been. [`SendError::Malformed`] for an empty chain and for a buffer with less data than headers.
    ///
    /// # Safety
    /// Lists, buffers, their reserved bytes and their MDLs, which describe locked pages or nonpaged pool, are the caller's, and
    /// stay as they are until `done` was called, which may be on any thread.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub unsafe fn send_nbl(
        &self,
        remote: SocketAddr,
        options: &SendOptions,
        list: &NblList,
        done: unsafe extern "C" fn(context: *mut c_void, status: NTSTATUS),
        context: *mut c_void,
    ) -> Result<usize, SendError> {
        // SAFETY: the caller's promise.
        let (buffer, rest, datagrams) = unsafe { list.build() }.ok_or(SendError::Malformed)?;
        let first = CallersBuffer { buffer, done, context };
        let (pushed, sent) = self.send_batch(remote, options, |batch| {
            // SAFETY: the caller's promise.
            unsafe { batch.push_nodes(first, rest, datagrams) }
        })?;
        pushed.map(|()| sent)
    }

    /// The address as this socket takes it: an IPv6 socket takes IPv4 addresses mapped.
    fn in_family(&self, remote: SocketAddr) -> Result<SocketAddr, SendError> {
        match (self.core().is_ipv6, remote) {
            (true, SocketAddr::V4(v4)) => Ok(SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())),
            (false, SocketAddr::V6(_)) => Err(SendError::Family),
            (_, same) => Ok(same),
        }
    }

    fn core(&self) -> &core::SocketCore<K> {
        &self.block.core
    }
}
