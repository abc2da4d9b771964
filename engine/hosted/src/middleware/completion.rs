//! A completed packet on its way up.

use std::fmt;
use std::sync::Arc;

use skua_engine::abi::status::NTSTATUS;

use super::packet::Packet;
use super::{Arguments, Function, LayeredSocket};
use crate::HostKernel;

/// What the provider has completed a packet with. It may be changed, kept for a while, and passed on from any thread.
pub struct Completion {
    /// `IoStatus.Status`.
    pub status: NTSTATUS,
    /// `IoStatus.Information`. Of a call that made a socket, the layer's.
    pub information: usize,
    /// Whether the packet is marked pending, which says that the call returns STATUS_PENDING.
    pub is_pending: bool,
    packet: Arc<Packet>,
    /// How many of the middlewares are still to see it.
    above: usize,
}

impl Completion {
    pub(super) fn new(packet: Arc<Packet>, status: NTSTATUS, information: usize, is_pending: bool) -> Self {
        let above = packet.layer.middleware.len();
        Self { status, information, is_pending, packet, above }
    }

    /// As from the middleware above which `above` others are.
    pub(super) fn from(
        packet: Arc<Packet>,
        above: usize,
        (status, information): (NTSTATUS, usize),
        is_pending: bool,
    ) -> Self {
        Self { status, information, is_pending, packet, above }
    }

    /// The function.
    #[must_use]
    pub fn function(&self) -> Function {
        self.packet.function()
    }

    /// What it was passed down with. What the pointers lead to is still the provider's to write.
    #[must_use]
    pub fn arguments(&self) -> Arguments {
        self.packet.arguments()
    }

    /// The socket that it was called on, if one.
    #[must_use]
    pub fn socket(&self) -> Option<&Arc<LayeredSocket>> {
        self.packet.socket.as_ref()
    }

    /// What [`Call::packet`](super::Call::packet) was.
    #[must_use]
    pub fn packet(&self) -> u64 {
        self.packet.id
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &HostKernel {
        &self.packet.layer.kernel
    }

    /// Waits until the call that brought the packet is about to return, which no middleware then has to do with. Not for the
    /// thread that makes the call.
    pub fn wait_for_return(&self) {
        self.packet.layer.wait_for_return(&self.packet);
    }

    /// Passes it on.
    pub fn pass(mut self) {
        let Some(above) = self.above.checked_sub(1) else {
            return self.packet.finish(self.status, self.information, self.is_pending);
        };
        self.above = above;
        let middleware = Arc::clone(&self.packet.layer.middleware[above]);
        middleware.complete(self);
    }

    /// Passes it on at DISPATCH_LEVEL, as network stacks complete what they had kept.
    pub fn pass_later(self) {
        let kernel = self.kernel().clone();
        let raised = kernel.raise();
        self.pass();
        drop(raised);
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completion")
            .field("function", &self.function())
            .field("status", &self.status)
            .field("information", &self.information)
            .field("is_pending", &self.is_pending)
            .finish_non_exhaustive()
    }
}
