//! A client's call on its way down.

// UNSAFETY: a call that is kept goes from thread to thread.
#![expect(unsafe_code, reason = "arguments are raw pointers")]

use std::fmt;
use std::sync::{Arc, Weak};

use skua_engine::abi::status::{NTSTATUS, STATUS_PENDING};

use super::layer::Shared;
use super::packet::Packet;
use super::{Arguments, Completion, Function, LayeredSocket, lower};
use crate::HostKernel;

/// A client's call.
pub struct Call<'a> {
    /// What it is called with, to be changed before it is passed on.
    pub arguments: Arguments,
    pub(super) layer: &'a Arc<Shared>,
    pub(super) socket: Option<&'a Arc<LayeredSocket>>,
    pub(super) packet: Option<&'a Arc<Packet>>,
    /// How many of the middlewares have seen it.
    seen: usize,
}

impl<'a> Call<'a> {
    pub(super) const fn new(
        layer: &'a Arc<Shared>,
        socket: Option<&'a Arc<LayeredSocket>>,
        packet: Option<&'a Arc<Packet>>,
        arguments: Arguments,
    ) -> Self {
        Self { arguments, layer, socket, packet, seen: 0 }
    }

    /// The function.
    #[must_use]
    pub const fn function(&self) -> Function {
        self.arguments.function()
    }

    /// The socket that it is called on; `None` for a function of the client.
    #[must_use]
    pub const fn socket(&self) -> Option<&Arc<LayeredSocket>> {
        self.socket
    }

    /// Whether there is a packet to be completed.
    #[must_use]
    pub const fn has_packet(&self) -> bool {
        self.packet.is_some()
    }

    /// The number of its packet, which no other has or had; `None` when there is none.
    #[must_use]
    pub fn packet(&self) -> Option<u64> {
        self.packet.map(|packet| packet.id)
    }

    /// What cancels the packet at the provider below, from anywhere; `None` when there is none.
    #[must_use]
    pub fn canceller(&self) -> Option<Canceller> {
        self.packet.map(|packet| Canceller(Arc::downgrade(packet)))
    }

    /// The address of the WSK_CLIENT that clients of this layer have.
    pub(crate) fn client(&self) -> usize {
        Arc::as_ptr(self.layer).addr()
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &HostKernel {
        &self.layer.kernel
    }

    /// Passes it on, to the next middleware or to the provider, and returns what the function returned. A call with a packet
    /// is passed on once.
    pub fn pass(&mut self) -> NTSTATUS {
        let layer = Arc::clone(self.layer);
        let Some(middleware) = layer.middleware.get(self.seen) else { return lower::call(self) };
        self.seen += 1;
        let status = middleware.call(self);
        self.seen -= 1;
        status
    }

    /// Completes the packet, if there is one, without passing the call on, and returns `status`.
    pub fn complete(&mut self, status: NTSTATUS, information: usize) -> NTSTATUS {
        if let Some(packet) = self.packet {
            Completion::from(Arc::clone(packet), self.above(), (status, information), false).pass();
        }
        status
    }

    /// Gives the packet, if there is one, back to the client uncompleted, and returns `status`.
    pub fn abandon(&mut self, status: NTSTATUS) -> NTSTATUS {
        if let Some(packet) = self.packet {
            packet.give_up();
        }
        status
    }

    /// Keeps the call, to be passed on or completed later from any thread, in which case STATUS_PENDING is to be returned.
    /// `None` when it has no packet. What its pointers lead to is kept by the client until the packet is completed.
    #[must_use]
    pub fn hold(&mut self) -> Option<(Held, NTSTATUS)> {
        let packet = Arc::clone(self.packet?);
        packet.set_held();
        Some((Held { arguments: self.arguments, packet, seen: self.seen }, STATUS_PENDING))
    }

    /// Middlewares above the one that has the call.
    const fn above(&self) -> usize {
        self.seen.saturating_sub(1)
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("arguments", &self.arguments)
            .field("socket", &self.socket)
            .field("has_packet", &self.has_packet())
            .finish_non_exhaustive()
    }
}

/// A call that a middleware keeps, and for which STATUS_PENDING was returned. Letting go of it leaves the client's packet
/// uncompleted.
pub struct Held {
    arguments: Arguments,
    packet: Arc<Packet>,
    seen: usize,
}

// SAFETY: what the arguments point at is the provider's until the packet is completed, on whichever thread that is.
unsafe impl Send for Held {}

impl Held {
    /// The arguments.
    #[must_use]
    pub const fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Whether the client has cancelled its packet meanwhile.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.packet.is_cancelled()
    }

    /// Passes the call on.
    pub fn pass(self) {
        let Self { arguments, packet, seen } = self;
        let mut call = Call {
            arguments,
            layer: &packet.layer,
            socket: packet.socket.as_ref(),
            packet: Some(&packet),
            seen,
        };
        let _returned = call.pass();
    }

    /// Completes the packet without passing the call on.
    pub fn complete(self, status: NTSTATUS, information: usize) {
        let above = self.seen.saturating_sub(1);
        Completion::from(self.packet, above, (status, information), true).pass_later();
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// Cancels a packet at the provider below, as IoCancelIrp of the client's does.
#[derive(Clone)]
pub struct Canceller(Weak<Packet>);

impl Canceller {
    /// Cancels it, unless it is completed.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL, without the cancel spin lock.
    pub fn cancel(self) {
        if let Some(packet) = self.0.upgrade() {
            packet.cancel();
        }
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}
