//! Datagram sockets: opened, bound, joined to groups, sent through, closed.

pub(crate) mod block;
mod close;
mod control;
pub(crate) mod core;
mod membership;
mod open;
pub(crate) mod options;

pub use close::CloseError;
pub use membership::{Membership, MembershipError};
pub use open::{ListenError, ListenStep};
pub use options::{Info, Sharing, SocketOptions, Wanted};

use ::core::mem::ManuallyDrop;
use ::core::net::SocketAddr;
use ::core::sync::atomic::Ordering;

use crate::abi::sockaddr::SOCKADDR_INET;
use crate::address::Endpoint;
use crate::anchor::Anchor;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::send::batch::{SendBatch, SendError};
use crate::send::control::{Control, SendOptions};
use block::SocketBlock;

/// A bound datagram socket. Opened by [`Engine::listen`](crate::Engine::listen).
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
        self.core().dead.load(Ordering::Acquire)
    }

    /// Sends a copy of `payload`.
    ///
    /// # Errors
    /// [`SendError`]. A failure after the hand-over is not an error here: the engine's counters tell.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn send(&self, remote: SocketAddr, payload: &[u8], options: &SendOptions) -> Result<(), SendError> {
        let mut batch = self.send_batch(remote, options)?;
        batch.push(payload)?;
        batch.send().map(drop)
    }

    /// Begins a batch of datagrams to `remote`, to be filled and sent by one call.
    ///
    /// # Errors
    /// [`SendError::Closing`].
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; DISPATCH_LEVEL as long as the batch lives.
    pub fn send_batch(
        &self,
        remote: SocketAddr,
        options: &SendOptions,
    ) -> Result<SendBatch<'_, K, H>, SendError> {
        let control = Control::new(options, &Endpoint::from(remote));
        SendBatch::new(&self.block, SOCKADDR_INET::from(remote), control)
    }

    fn core(&self) -> &core::SocketCore<K> {
        &self.block.core
    }
}
