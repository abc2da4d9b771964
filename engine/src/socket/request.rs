//! The one request of a socket that is waited for: opening, options, binding, membership.

// UNSAFETY: memory that a provider reads and writes while the request is out.
#![expect(unsafe_code, reason = "the data lies beside the IRP and is touched only between requests")]

use core::cell::UnsafeCell;
use core::ptr::NonNull;

use bytemuck::Pod;

use crate::abi::nt::IRP;
use crate::abi::sockaddr::GROUP_SOURCE_REQ;
use crate::abi::status::{NTSTATUS, STATUS_IO_TIMEOUT};
use crate::abi::wsk::WSK_SOCKET;
use crate::kernel::Kernel;
use crate::operation::{Completion, Operation};
use crate::processor::Passive;

/// How long a request may take before it is cancelled, in units of 100 ns: 10 s.
const PATIENCE: u64 = 10 * 10_000_000;

/// How long it may take to end once it is cancelled, in units of 100 ns: 1 s.
const CANCEL_PATIENCE: u64 = 10_000_000;

/// Whether a request can be given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wait {
    /// One that does not end within 10 s and, cancelled, 1 s more is given up: STATUS_IO_TIMEOUT. IRP and data stay the
    /// provider's until it ends, which is for the close to wait for.
    Bounded,
    /// It refers to memory that nobody keeps for longer than the wait, so the wait is as long as it takes.
    Endless,
}

/// An IRP and the memory that the provider reads and writes for its request.
///
/// # Invariants
/// `data` is written only while no request is out.
pub(crate) struct Request<K: Kernel> {
    operation: Operation<K>,
    data: UnsafeCell<Data>,
}

/// Room for the largest of what requests take or give.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Data([u8; DATA_BYTES]);

const DATA_BYTES: usize = size_of::<GROUP_SOURCE_REQ>().next_multiple_of(16);

// SAFETY: the data is the requester's or the provider's, one after the other: see `perform`.
unsafe impl<K: Kernel> Send for Request<K> {}
// SAFETY: as for Send.
unsafe impl<K: Kernel> Sync for Request<K> {}

impl<K: Kernel> Request<K> {
    /// One that must be [prepared](Request::prepare) once it lies where it will stay.
    pub(super) fn new(kernel: K) -> Self {
        Self { operation: Operation::new(kernel), data: UnsafeCell::new(Data([0; DATA_BYTES])) }
    }

    /// Initialises it in place.
    ///
    /// # Safety
    /// As for [`Operation::prepare`].
    pub(super) unsafe fn prepare(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.operation.prepare() };
    }

    /// Hands a copy of `data`, beside the IRP, and the IRP to `call`, and waits for the end. STATUS_IO_TIMEOUT where that
    /// did not come in time, or where a request that was given up before is still out.
    ///
    /// # Safety
    /// One thread at a time performs requests. `call` passes both to one WSK function, as its only buffer, and does
    /// nothing else with them; `self` stays in place until [`Request::is_over`].
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(super) unsafe fn perform<T: Pod>(
        &self,
        data: T,
        wait: Wait,
        passive: &Passive<'_>,
        call: impl FnOnce(*mut T, *mut IRP) -> NTSTATUS,
    ) -> Completion {
        const { assert!(size_of::<T>() <= size_of::<Data>() && align_of::<T>() <= align_of::<Data>()) };
        const GIVEN_UP: Completion = Completion { status: STATUS_IO_TIMEOUT, information: 0 };
        if !self.is_over(0, passive) {
            return GIVEN_UP;
        }
        let place = self.data::<T>();
        // SAFETY: there is room for it, and no request is out.
        unsafe { place.write(data) };
        // SAFETY: no request is out, the rest is the caller's promise.
        let _pending_or_over = unsafe { self.operation.begin(|irp| call(place, irp)) };
        if !self.operation.wait(Some(PATIENCE), passive) {
            self.operation.cancel();
            let patience = (wait == Wait::Bounded).then_some(CANCEL_PATIENCE);
            if !self.operation.wait(patience, passive) {
                return GIVEN_UP;
            }
        }
        self.operation.completion()
    }

    /// What the provider wrote over the data of the last request, which succeeded.
    ///
    /// # Safety
    /// The last request was performed with a `T`, by this thread, and was not given up.
    pub(super) unsafe fn answer<T: Pod>(&self) -> T {
        // SAFETY: the request is over, so the data is the requester's; any bytes are a `T`.
        unsafe { self.data::<T>().read() }
    }

    /// Whether no request is out; waits for one that was given up at most `timeout` units of 100 ns.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(super) fn is_over(&self, timeout: u64, passive: &Passive<'_>) -> bool {
        self.operation.wait(Some(timeout), passive)
    }

    /// The socket that the request made, if it was WskSocket and succeeded; it is over.
    pub(super) fn socket(&self) -> Option<NonNull<WSK_SOCKET>> {
        let Completion { status, information } = self.operation.completion();
        let socket = NonNull::new(core::ptr::with_exposed_provenance_mut(information));
        socket.filter(|_| status.is_success())
    }

    /// Whether a request is out, at the moment of asking.
    pub(super) fn is_out(&self) -> bool {
        self.operation.is_out()
    }

    fn data<T>(&self) -> *mut T {
        self.data.get().cast()
    }
}
