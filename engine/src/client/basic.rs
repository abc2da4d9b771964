//! A basic socket: no data, options and I/O controls alone.

// UNSAFETY: the handle owns its block.
#![expect(unsafe_code, reason = "the block stays in place until the handle's close is through")]

use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::time::Duration;

use skua_pools::{OutOfMemory, Tag};

use crate::abi::status::{NTSTATUS, STATUS_SUCCESS};
use crate::abi::wsk::WSK_FLAG_BASIC_SOCKET;
use crate::anchor::Anchor;
use crate::client::base::SocketBase;
use crate::client::close;
use crate::client::control::{Controlled, sealed::HasBase};
use crate::client::finish::Ready;
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::registration::Provider;
use crate::request::Requests;
use crate::socket::CloseError;

/// Pool tag of basic sockets.
const TAG: Tag = Tag::new(b"SkBa");

#[repr(C)]
struct BasicBlock<K: Kernel> {
    base: SocketBase<K>,
}

/// A basic socket. It has no events, so it has no handler and no context.
///
/// Dropping it never waits: the socket goes on closing on its registration's list.
///
/// # Invariants
/// The handle owns the base, which is not freed before the handle's close is through.
pub struct BasicSocket<K: Kernel> {
    base: NonNull<SocketBase<K>>,
}

// SAFETY: the base is Sync and belongs to no thread.
unsafe impl<K: Kernel> Send for BasicSocket<K> {}
// SAFETY: as for Send.
unsafe impl<K: Kernel> Sync for BasicSocket<K> {}

impl<K: Kernel> BasicSocket<K> {
    /// A block for a socket to come.
    pub(super) fn new(
        provider: &Provider<K>,
        requests: &Requests<K>,
        is_ipv6: bool,
    ) -> Result<Self, OutOfMemory> {
        let base = SocketBase::new(provider.block.clone(), requests.clone(), free::<K>);
        let block = Anchor::new(provider.kernel(), TAG, BasicBlock { base })?;
        // SAFETY: it lies where it will stay.
        unsafe { block.base.prepare() };
        // SAFETY: nobody else has it.
        unsafe { block.base.reset(WSK_FLAG_BASIC_SOCKET, is_ipv6) };
        Ok(Self { base: block.into_value().cast() })
    }

    /// What opening one asks of memory, in bytes.
    #[must_use]
    pub fn bytes() -> usize {
        Anchor::<BasicBlock<K>, K>::bytes()
    }

    /// Closes it. Requests under way are cancelled by the close.
    ///
    /// # Errors
    /// [`CloseError`] past the deadline: the socket goes on closing on its registration's list.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn close(self, deadline: Duration, passive: &Passive<'_>) -> Result<(), CloseError> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the handle owned it, and is gone.
        unsafe { close::close(this.base, deadline, passive) }
    }
}

impl<K: Kernel> Ready for BasicSocket<K> {
    fn ready(&self) -> NTSTATUS {
        STATUS_SUCCESS
    }
}

impl<K: Kernel> HasBase<K> for BasicSocket<K> {
    #[expect(private_interfaces, reason = "sealed")]
    fn base(&self) -> &SocketBase<K> {
        // SAFETY: the handle owns it.
        unsafe { self.base.as_ref() }
    }
}

impl<K: Kernel> Controlled<K> for BasicSocket<K> {}

impl<K: Kernel> Drop for BasicSocket<K> {
    fn drop(&mut self) {
        // SAFETY: the handle owned it, and is gone.
        unsafe { close::leave_to_list(self.base) };
    }
}

/// Frees a closed socket's block.
///
/// # Safety
/// The base lies in a block of this type that nobody else has.
unsafe fn free<K: Kernel>(base: NonNull<SocketBase<K>>) {
    // SAFETY: `new` gave up the anchor that this takes up again.
    drop(unsafe { Anchor::<BasicBlock<K>, K>::from_value(base.cast()) });
}
