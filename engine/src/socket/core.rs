//! The part of a socket that the data paths use.

// UNSAFETY: calls through the socket's own dispatch table.
#![expect(unsafe_code, reason = "the table is valid from the open to the end of WskCloseSocket")]

use ::core::cell::UnsafeCell;
use ::core::net::SocketAddr;
use ::core::ptr::{NonNull, null_mut};
use ::core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use skua_pools::{Released, Rundown};

use crate::abi::nt::KEVENT;
use crate::abi::wsk::{WSK_DATAGRAM_INDICATION, WSK_PROVIDER_DATAGRAM_DISPATCH, WSK_SOCKET};
use crate::abi::zeroed;
use crate::address::Endpoint;
use crate::kernel::Kernel;
use crate::operation::Operation;
use crate::processor::Dispatch;
use crate::socket::options::{SocketOptions, Wanted};
use crate::socket::request::Request;

/// A socket as callbacks, sends and retained datagrams see it.
///
/// # Invariants
/// It lies in a block that is freed only after WskCloseSocket completed, which is called only once `rundown` has
/// drained: whoever is inside may use `socket` and its table.
pub(crate) struct SocketCore<K: Kernel> {
    pub kernel: K,
    /// Written once, between WskSocket and bind, or by the close of a socket whose WskSocket had been given up.
    socket: AtomicPtr<WSK_SOCKET>,
    /// Where the socket is bound. Written once, after bind; callbacks that come sooner see port 0 for that moment.
    bound: UnsafeCell<Endpoint>,
    bound_is_set: AtomicBool,
    /// Counts callbacks, send calls and retained datagrams.
    pub rundown: Rundown<K>,
    /// Signalled by whoever leaves last after the rundown was closed. Its last touch of the socket.
    pub drained: UnsafeCell<KEVENT>,
    /// Counts send calls from the hand-over to the end of the completion routine, which may outlast the completion of
    /// WskCloseSocket.
    pub sends: Rundown<K>,
    /// Signalled by the completion that ends last after `sends` was closed.
    pub sends_drained: UnsafeCell<KEVENT>,
    /// Set by the stop; callbacks count what they are given as `closing` from then on.
    pub stopping: AtomicBool,
    /// When the provider said that the socket is dead, in ticks of the performance counter; 0 while it did not. Written
    /// by the callback that is told.
    pub died: AtomicU64,
    /// For open, options, bind and membership: one request at a time, at PASSIVE_LEVEL, through `&mut` of the handle.
    pub control: Request<K>,
    /// For WskCloseSocket: a close must not depend on memory that may be exhausted.
    pub close: Operation<K>,
    /// What control messages the datagrams should carry, and whether any.
    pub wanted: Wanted,
    pub is_told: bool,
    /// Where everything goes that is sent to no other address.
    pub remote: Option<SocketAddr>,
    /// The number under which records name the socket.
    pub id: u16,
    /// Whether what it brings may stay lent beyond the callback.
    pub lends: bool,
    /// Its family: addresses given to it must be of the same.
    pub is_ipv6: bool,
}

// SAFETY: `bound` is written once before `bound_is_set`, `drained` is the kernel's to guard, the rest is Sync.
unsafe impl<K: Kernel> Sync for SocketCore<K> {}
// SAFETY: nothing belongs to a thread.
unsafe impl<K: Kernel> Send for SocketCore<K> {}

impl<K: Kernel> SocketCore<K> {
    pub(crate) fn new(kernel: K, [rundown, sends]: [Rundown<K>; 2], options: &SocketOptions<'_>) -> Self {
        Self {
            socket: AtomicPtr::new(null_mut()),
            bound: UnsafeCell::new(Endpoint::default()),
            bound_is_set: AtomicBool::new(false),
            rundown,
            drained: UnsafeCell::new(zeroed()),
            stopping: AtomicBool::new(false),
            died: AtomicU64::new(0),
            control: Request::new(kernel.clone()),
            close: Operation::new(kernel.clone()),
            sends,
            sends_drained: UnsafeCell::new(zeroed()),
            wanted: options.wanted,
            remote: options.remote(),
            is_told: options.wanted.any(),
            id: options.id,
            lends: true,
            is_ipv6: options.local.is_ipv6(),
            kernel,
        }
    }

    /// Initialises the events and IRPs in place.
    ///
    /// # Safety
    /// `self` lies where it will stay, and this is called once.
    pub(crate) unsafe fn prepare(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.control.prepare() };
        // SAFETY: the caller's promise.
        unsafe { self.close.prepare() };
        // SAFETY: nobody waits on it yet.
        unsafe { self.kernel.ke_initialize_event(self.drained.get(), false) };
        // SAFETY: as above.
        unsafe { self.kernel.ke_initialize_event(self.sends_drained.get(), false) };
    }

    /// The provider's socket; null before it is created.
    #[inline]
    pub(crate) fn socket(&self) -> *mut WSK_SOCKET {
        self.socket.load(Ordering::Relaxed)
    }

    pub(super) fn set_socket(&self, socket: NonNull<WSK_SOCKET>) {
        self.socket.store(socket.as_ptr(), Ordering::Release);
    }

    /// The provider's table for this socket.
    ///
    /// # Safety
    /// The socket was created and its WskCloseSocket has not completed.
    #[inline]
    pub(crate) unsafe fn dispatch(&self) -> &WSK_PROVIDER_DATAGRAM_DISPATCH {
        // SAFETY: the caller's promise.
        let table = unsafe { (*self.socket()).Dispatch };
        // SAFETY: a datagram socket's table is of this type (WSK docs, WSK_SOCKET).
        unsafe { &*table.cast::<WSK_PROVIDER_DATAGRAM_DISPATCH>() }
    }

    /// Where the socket is bound; unspecified until it is.
    #[inline]
    pub(crate) fn bound(&self) -> Endpoint {
        if self.bound_is_set.load(Ordering::Acquire) {
            // SAFETY: written once, before the mark.
            unsafe { *self.bound.get() }
        } else {
            Endpoint::default()
        }
    }

    /// # Safety
    /// Called once, by the thread that opens the socket.
    pub(super) unsafe fn set_bound(&self, bound: Endpoint) {
        // SAFETY: nobody reads it before the mark, and it is written once.
        unsafe { self.bound.get().write(bound) };
        self.bound_is_set.store(true, Ordering::Release);
    }

    /// Gives one indication back.
    ///
    /// # Safety
    /// `node` is lent, is the caller's to give back, and its `Next` is null. The caller is inside the rundown.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub(crate) unsafe fn release(&self, node: NonNull<WSK_DATAGRAM_INDICATION>) {
        // SAFETY: inside the rundown the socket is open.
        let Some(release) = (unsafe { self.dispatch() }).WskRelease else { return };
        // SAFETY: the caller's promise. The only failure is INVALID_PARAMETER, for what was not lent.
        let _only_if_not_lent = unsafe { release(self.socket(), node.as_ptr()) };
    }

    /// Leaves the rundown; the last to leave after it was closed signals.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub(crate) fn leave(&self, shard: u32) {
        if self.rundown.release(shard, 1) == Released::Last {
            self.signal(&self.drained);
        }
    }

    /// The end of a send's completion; the last one after `sends` was closed signals.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn end_send(&self, shard: u32) {
        if self.sends.release(shard, 1) == Released::Last {
            self.signal(&self.sends_drained);
        }
    }

    /// Signals that nobody is inside. The last touch of the socket by its caller: the one who waits may free the block at
    /// once. At DISPATCH_LEVEL, so that the instructions after it are not preempted.
    #[cold]
    pub(super) fn signal(&self, event: &UnsafeCell<KEVENT>) {
        let kernel = self.kernel.clone();
        let event = event.get();
        let dispatch = Dispatch::raise(&kernel);
        // SAFETY: initialised by `prepare`; the block lives until this signal is seen.
        unsafe { kernel.ke_set_event(event) };
        drop(dispatch);
    }
}
