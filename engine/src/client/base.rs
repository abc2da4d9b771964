//! The part that sockets of every category opened by request have in common.

// UNSAFETY: hands requests over whose completions reach the base by address.
#![expect(unsafe_code, reason = "a base stays in place from its reset to the end of its close")]

use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering};

use skua_pools::{Gate, Released};

use crate::abi::nt::{IRP, KEVENT};
use crate::abi::status::NTSTATUS;
use crate::abi::wsk::WSK_SOCKET;
use crate::abi::zeroed;
use crate::anchor::Anchor;
use crate::client::close::{Stage, advance};
use crate::client::inside::{Call, Inside};
use crate::closing::ClosingLink;
use crate::kernel::Kernel;
use crate::operation::Operation;
use crate::processor::Dispatch;
use crate::registration::RegistrationBlock;
use crate::request::slot::Slot;
use crate::request::{Buffer, Finish, Pending, RequestError, Requests, Targets};

/// Frees the block that a base lies in, which is closed.
///
/// # Safety
/// The base lies in a block of the type that the function was made for, which nobody else has.
pub(crate) type Free<K> = unsafe fn(NonNull<SocketBase<K>>);

/// A WSK_SOCKET, who is inside it, and how far its close is.
///
/// # Invariants
/// It lies at the start of a block that is freed only when it is closed: WskCloseSocket has completed, which is called only
/// once `calls` has drained, and every request has ended. Whoever is inside `calls` may use `socket` and its table.
pub(crate) struct SocketBase<K: Kernel> {
    pub kernel: K,
    pub registration: Anchor<RegistrationBlock<K>, K>,
    pub requests: Requests<K>,
    /// Null before it is created. Written by whoever learns of it: a completion, or the accept event.
    socket: AtomicPtr<WSK_SOCKET>,
    /// WSK_FLAG_*_SOCKET. Written by whoever opens it, before anybody else knows of it.
    category: AtomicU32,
    /// Its family. Written like `category`.
    is_ipv6: AtomicBool,
    /// Counts callbacks, calls, and data that a handler retains.
    pub calls: Gate,
    /// Signalled by whoever leaves last after `calls` was closed.
    pub(super) calls_drained: UnsafeCell<KEVENT>,
    /// Counts requests from the call to the end of the completion routine.
    pub pending: Gate,
    /// Signalled by the request that ends last after `pending` was closed.
    pub(super) pending_drained: UnsafeCell<KEVENT>,
    /// The provider has said that the socket is dead.
    pub died: AtomicBool,
    /// For WskCloseSocket: a close must not depend on memory that may be exhausted.
    pub(super) close: Operation<K>,
    /// Written by whoever closes: the handle, then the closing list.
    pub(super) stage: AtomicU8,
    pub(super) link: ClosingLink,
    pub(super) free: Free<K>,
}

// SAFETY: the events are the kernel's to guard, the rest is Sync.
unsafe impl<K: Kernel> Sync for SocketBase<K> {}
// SAFETY: nothing belongs to a thread.
unsafe impl<K: Kernel> Send for SocketBase<K> {}

impl<K: Kernel> SocketBase<K> {
    pub(super) fn new(
        registration: Anchor<RegistrationBlock<K>, K>,
        requests: Requests<K>,
        free: Free<K>,
    ) -> Self {
        let kernel = registration.kernel.clone();
        Self {
            registration,
            requests,
            socket: AtomicPtr::new(null_mut()),
            category: AtomicU32::new(0),
            is_ipv6: AtomicBool::new(false),
            calls: Gate::new(),
            calls_drained: UnsafeCell::new(zeroed()),
            pending: Gate::new(),
            pending_drained: UnsafeCell::new(zeroed()),
            died: AtomicBool::new(false),
            close: Operation::new(kernel.clone()),
            stage: AtomicU8::new(Stage::Open as u8),
            link: ClosingLink::new(advance::<K>),
            free,
            kernel,
        }
    }

    /// Initialises the IRP of its close in place.
    ///
    /// # Safety
    /// `self` lies where it will stay, and this is called once, before [`SocketBase::reset`].
    pub(super) unsafe fn prepare(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.close.prepare() };
    }

    /// Makes it ready for a socket, and counts that one in the registration.
    ///
    /// # Safety
    /// Nobody has the block but the caller.
    pub(super) unsafe fn reset(&self, category: u32, is_ipv6: bool) {
        self.socket.store(null_mut(), Ordering::Relaxed);
        self.category.store(category, Ordering::Relaxed);
        self.is_ipv6.store(is_ipv6, Ordering::Relaxed);
        self.died.store(false, Ordering::Relaxed);
        self.stage.store(Stage::Open as u8, Ordering::Relaxed);
        self.calls.reopen();
        self.pending.reopen();
        // SAFETY: nobody waits on it.
        unsafe { self.kernel.ke_initialize_event(self.calls_drained.get(), false) };
        // SAFETY: as above.
        unsafe { self.kernel.ke_initialize_event(self.pending_drained.get(), false) };
        self.registration.sockets.fetch_add(1, Ordering::Relaxed);
    }

    /// Its address, as what points at it from outside knows it.
    pub(super) fn as_ptr(&self) -> *const Self {
        core::ptr::from_ref(self)
    }

    pub(crate) fn socket(&self) -> *mut WSK_SOCKET {
        self.socket.load(Ordering::Acquire)
    }

    pub(crate) fn set_socket(&self, socket: *mut WSK_SOCKET) {
        self.socket.store(socket, Ordering::Release);
    }

    pub(super) fn is_ipv6(&self) -> bool {
        self.is_ipv6.load(Ordering::Relaxed)
    }

    /// Leaves `calls`. At the last, whoever closes may free the block at once.
    pub(super) fn leave(&self) {
        if self.calls.leave() == Released::Last {
            self.signal(&self.calls_drained);
        }
    }

    /// A request is done. The last touch of the base by its completion.
    pub(crate) fn end_request(&self) {
        if self.pending.leave() == Released::Last {
            self.signal(&self.pending_drained);
        }
    }

    /// As for the datagram socket's: at DISPATCH_LEVEL, so that the instructions after it are not preempted.
    #[cold]
    pub(super) fn signal(&self, event: &UnsafeCell<KEVENT>) {
        let kernel = self.kernel.clone();
        let event = event.get();
        Dispatch::with(&kernel, |_| {
            // SAFETY: initialised by `reset`; the block lives until this signal is seen.
            unsafe { kernel.ke_set_event(event) };
        });
    }

    /// Makes a request of this socket, with a slot of its own.
    ///
    /// # Safety
    /// As for [`SocketBase::request_with`].
    pub(super) unsafe fn request<T: Finish<K>>(
        &self,
        finish: T,
        call: impl FnOnce(&Call<'_, K>) -> NTSTATUS,
    ) -> Pending<K, T> {
        match self.requests.take() {
            // SAFETY: the caller's promise.
            Some(buffer) => unsafe { self.request_with(buffer, finish, core::ptr::null(), call) },
            None => Pending::failed(RequestError::NoSlot),
        }
    }

    /// Makes a request of this socket with the caller's slot; `made` is null, or the base of the socket that comes of it,
    /// which counts the request as pending already.
    ///
    /// # Safety
    /// `call` passes the IRP to one function of the socket, with nothing by address but what lies in the slot or outlives
    /// the request.
    pub(super) unsafe fn request_with<T: Finish<K>>(
        &self,
        buffer: Buffer<K>,
        finish: T,
        made: *const Self,
        call: impl FnOnce(&Call<'_, K>) -> NTSTATUS,
    ) -> Pending<K, T> {
        let inside = self.enter().filter(|_| self.pending.enter());
        let Some(inside) = inside else {
            // SAFETY: a base that counts a request stays in place.
            if let Some(made) = unsafe { made.as_ref() } {
                made.end_request();
            }
            return Pending::failed(RequestError::Closing);
        };
        let targets = Targets { of: self.as_ptr(), made };
        let call = |slot: &Slot<K>, irp: *mut IRP| call(&Call { slot, inside: &inside, irp });
        // SAFETY: both targets count it; the rest is the caller's promise, for a socket that is open inside `calls`.
        unsafe { Pending::begin(buffer, finish, targets, call) }
    }

    /// Enters `calls` of a socket that is there, until the value is dropped.
    pub(super) fn enter(&self) -> Option<Inside<'_, K>> {
        if !self.calls.enter() {
            return None;
        }
        let inside = Inside { base: self };
        (!self.socket().is_null()).then_some(inside)
    }

    pub(super) fn is(&self, category: u32) -> bool {
        self.category.load(Ordering::Relaxed) == category
    }
}
