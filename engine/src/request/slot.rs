//! One request's slot: everything that must stay in place while a provider has the IRP.

// UNSAFETY: cells that asker, provider and completer touch one after the other.
#![expect(unsafe_code, reason = "the handover word says whose the slot is")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};
use core::task::Waker;

use skua_pools::{Finished, Handover};

use crate::abi::nt::{
    DEVICE_OBJECT, EmbeddedIrp, IRP, KEVENT, MDL, PASSIVE_LEVEL, io_set_completion_routine,
};
use crate::abi::status::{
    NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use crate::abi::wsk::{WSK_BUF, WSK_SOCKET};
use crate::abi::zeroed;
use crate::anchor::Anchor;
use crate::client::base::SocketBase;
use crate::kernel::Kernel;
use crate::operation::Completion;
use crate::processor::Dispatch;
use crate::request::pool::RequestsBlock;

/// Bytes for what a call takes by address besides its data.
pub(crate) const PARAMETER_BYTES: usize = 320;

/// Bytes for what a request that nobody waits for ends with: a callback and what it is given.
pub(crate) const REMAINS_BYTES: usize = 192;

/// What ends a request that was detached; owns the slot, which it was given by address.
pub(crate) type End<K> = unsafe fn(NonNull<Slot<K>>);

#[repr(C, align(16))]
struct Parameters(MaybeUninit<[u8; PARAMETER_BYTES]>);

#[repr(C, align(16))]
struct Remains(MaybeUninit<[u8; REMAINS_BYTES]>);

/// An IRP and what belongs to its request.
///
/// # Invariants
/// `word` says whose the slot is. While it is out, the provider reads and writes `irp`, `buffer`, `parameters` and the
/// data; the asker touches `waker` as the word allows, and `end`, `remains` and `needs_passive` before it detaches.
pub(crate) struct Slot<K: Kernel> {
    irp: UnsafeCell<EmbeddedIrp>,
    pub word: Handover,
    event: UnsafeCell<KEVENT>,
    waker: UnsafeCell<Option<Waker>>,
    /// How a detached request ends; dropped if `None`.
    end: UnsafeCell<Option<End<K>>>,
    remains: UnsafeCell<Remains>,
    /// `end` frees what only PASSIVE_LEVEL may.
    needs_passive: UnsafeCell<bool>,
    parameters: UnsafeCell<Parameters>,
    buffer: UnsafeCell<WSK_BUF>,
    /// The socket that the request is made of, and the one that it makes; null if there is none. Each counts it as pending.
    targets: UnsafeCell<[*const SocketBase<K>; 2]>,
    /// Its place on the list of those that wait for PASSIVE_LEVEL; written by the completer.
    pub next: UnsafeCell<*mut Slot<K>>,
    /// Where the pool lies; written by whoever takes the slot, who holds an anchor of it.
    home: UnsafeCell<*mut RequestsBlock<K>>,
    data: NonNull<u8>,
}

// SAFETY: see the invariants: one party at a time, by the word. Wakers are Send.
unsafe impl<K: Kernel> Send for Slot<K> {}
// SAFETY: as for Send.
unsafe impl<K: Kernel> Sync for Slot<K> {}

impl<K: Kernel> Slot<K> {
    pub(super) fn over(mdl: NonNull<MDL>, data: NonNull<u8>) -> Self {
        Self {
            irp: UnsafeCell::new(zeroed()),
            word: Handover::new(),
            event: UnsafeCell::new(zeroed()),
            waker: UnsafeCell::new(None),
            end: UnsafeCell::new(None),
            remains: UnsafeCell::new(Remains(MaybeUninit::uninit())),
            needs_passive: UnsafeCell::new(false),
            parameters: UnsafeCell::new(Parameters(MaybeUninit::zeroed())),
            buffer: UnsafeCell::new(WSK_BUF { Mdl: mdl.as_ptr(), Offset: 0, Length: 0 }),
            targets: UnsafeCell::new([core::ptr::null(); 2]),
            next: UnsafeCell::new(null_mut()),
            home: UnsafeCell::new(null_mut()),
            data,
        }
    }

    pub(crate) fn irp(&self) -> *mut IRP {
        EmbeddedIrp::as_irp(self.irp.get())
    }

    pub(super) fn event(&self) -> *mut KEVENT {
        self.event.get()
    }

    pub(crate) fn data(&self) -> NonNull<u8> {
        self.data
    }

    pub(super) fn waker(&self) -> *mut Option<Waker> {
        self.waker.get()
    }

    pub(super) fn buffer(&self) -> *mut WSK_BUF {
        self.buffer.get()
    }

    /// Room for what a call takes by address.
    pub(crate) fn parameters<P>(&self) -> *mut P {
        const { assert!(size_of::<P>() <= PARAMETER_BYTES && align_of::<P>() <= 16) };
        self.parameters.get().cast()
    }

    /// Room for what the request's end needs.
    pub(crate) fn remains<R>(&self) -> *mut R {
        const { assert!(size_of::<R>() <= REMAINS_BYTES && align_of::<R>() <= 16) };
        self.remains.get().cast()
    }

    /// Says how the request ends once it is detached.
    ///
    /// # Safety
    /// The slot is the caller's, or it is the asker and has not detached.
    pub(crate) unsafe fn end_with(&self, end: End<K>, needs_passive: bool) {
        // SAFETY: the caller's promise.
        unsafe { *self.end.get() = Some(end) };
        // SAFETY: the caller's promise.
        unsafe { *self.needs_passive.get() = needs_passive };
    }

    /// How it ended.
    ///
    /// # Safety
    /// The request is done, and the slot the caller's.
    pub(crate) unsafe fn completion(&self) -> Completion {
        // SAFETY: the caller's promise.
        let status = unsafe { (*self.irp()).IoStatus };
        Completion { status: status.Status, information: status.Information }
    }

    /// The pool it belongs to.
    ///
    /// # Safety
    /// The slot was taken from it.
    pub(crate) unsafe fn home(&self) -> NonNull<RequestsBlock<K>> {
        // SAFETY: the caller's promise: written by who took it.
        let home = unsafe { *self.home.get() };
        // SAFETY: as above.
        unsafe { NonNull::new_unchecked(home) }
    }

    /// # Safety
    /// The slot is the caller's.
    pub(super) unsafe fn set_home(&self, home: NonNull<RequestsBlock<K>>) {
        // SAFETY: the caller's promise.
        unsafe { *self.home.get() = home.as_ptr() };
    }

    /// Makes the slot ready for a request and hands it over: from the call on it is the provider's.
    ///
    /// Where the call answers NOT_SUPPORTED or NOT_IMPLEMENTED without having run the completion routine, as providers are
    /// known to, the request ends here. After any other failure the routine runs, before the return or later.
    ///
    /// # Safety
    /// The slot is the caller's, and it or the completer keeps an anchor of the pool until the request is done. Each target
    /// counts the request as pending. `call` passes the IRP to one WSK function, with nothing by address but what lies in
    /// the slot or outlives the request.
    pub(super) unsafe fn hand_over(
        this: NonNull<Self>,
        kernel: &K,
        targets: [*const SocketBase<K>; 2],
        call: impl FnOnce(&Self, *mut IRP) -> NTSTATUS,
    ) {
        // SAFETY: the caller's promise; the slot's memory is the pool's.
        let slot = unsafe { this.as_ref() };
        // SAFETY: the slot is the caller's.
        unsafe { *slot.targets.get() = targets };
        // SAFETY: as above.
        unsafe { *slot.end.get() = None };
        // SAFETY: as above.
        unsafe { *slot.needs_passive.get() = false };
        let irp = slot.irp();
        // SAFETY: initialised with the pool, and no request is under way on it.
        unsafe { kernel.io_reuse_irp(irp, STATUS_SUCCESS) };
        // SAFETY: the IRP has one stack location free.
        unsafe {
            io_set_completion_routine(irp, Some(complete::<K>), this.as_ptr().cast(), true, true, true)
        };
        slot.word.begin();
        let status = call(slot, irp);
        if matches!(status, STATUS_NOT_SUPPORTED | STATUS_NOT_IMPLEMENTED) {
            Dispatch::with(kernel, |_| {
                // SAFETY: the slot stays while the caller, as the asker, has not looked for the result.
                unsafe { end(this, Some(status)) }
            });
        }
    }
}

/// The completion routine of every request.
unsafe extern "C" fn complete<K: Kernel>(
    _device: *mut DEVICE_OBJECT,
    _irp: *mut IRP,
    context: *mut c_void,
) -> NTSTATUS {
    let Some(slot) = NonNull::new(context.cast::<Slot<K>>()) else { return STATUS_MORE_PROCESSING_REQUIRED };
    // SAFETY: the slot was handed over, and is not done.
    let held = unsafe { slot.as_ref() };
    // SAFETY: taken from its pool.
    let home = unsafe { held.home() };
    // SAFETY: the asker or this request keeps the pool.
    let kernel = unsafe { home.as_ref() }.kernel.clone();
    Dispatch::with(&kernel, |_| {
        // SAFETY: as above.
        unsafe { end(slot, None) }
    });
    STATUS_MORE_PROCESSING_REQUIRED
}

/// Ends a request, unless it has been: takes note of the socket it made, then hands the slot over.
///
/// # Safety
/// The slot was handed over, and is not done by anybody but perhaps this.
///
/// # IRQL
/// DISPATCH_LEVEL.
unsafe fn end<K: Kernel>(this: NonNull<Slot<K>>, refused: Option<NTSTATUS>) {
    // SAFETY: the caller's promise.
    let slot = unsafe { this.as_ref() };
    let Some(filled) = slot.word.claim() else { return };
    if let Some(status) = refused {
        // SAFETY: claimed: the provider refused the request, so the IRP is the completer's.
        unsafe { (*slot.irp()).IoStatus.Status = status };
        // SAFETY: as above.
        unsafe { (*slot.irp()).IoStatus.Information = 0 };
    }
    // SAFETY: claimed.
    let targets = unsafe { *slot.targets.get() };
    let [_, made] = targets;
    // SAFETY: a target stays in place while the request counts as pending.
    if let Some(made) = unsafe { made.as_ref() } {
        // SAFETY: claimed, so the provider is done with the IRP.
        let completion = unsafe { slot.completion() };
        if completion.status.is_success() {
            let socket = core::ptr::with_exposed_provenance_mut::<WSK_SOCKET>(completion.information);
            made.set_socket(socket);
        }
    }
    // SAFETY: claimed.
    unsafe { hand_back(this, filled) };
    for target in targets {
        // SAFETY: as above; its place is given up here, once.
        if let Some(target) = unsafe { target.as_ref() } {
            target.end_request();
        }
    }
}

/// Lets the asker have the result, or frees the slot if nobody asks.
///
/// # Safety
/// The slot is claimed, and `filled` says what the claim did.
unsafe fn hand_back<K: Kernel>(this: NonNull<Slot<K>>, filled: bool) {
    // SAFETY: the caller's promise.
    let slot = unsafe { this.as_ref() };
    // SAFETY: taken from its pool.
    let home = unsafe { slot.home() };
    // SAFETY: the slot keeps the pool until it is done.
    let block = unsafe { home.as_ref() };
    let mut waker = None;
    if filled {
        // SAFETY: filled at the claim, so the cell is the completer's.
        let cell = unsafe { &mut *slot.waker.get() };
        if cell.as_ref().is_some_and(|waker| !block.may_wake(waker)) {
            // SAFETY: claimed, and nobody else defers it.
            unsafe { RequestsBlock::defer(home, this) };
            return;
        }
        waker = cell.take();
    }
    // SAFETY: claimed.
    unsafe { finish(this, false) };
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Sets the word to done. `passive`: whether the thread is at PASSIVE_LEVEL.
///
/// # Safety
/// The slot is claimed; its waker was taken out.
pub(super) unsafe fn finish<K: Kernel>(this: NonNull<Slot<K>>, passive: bool) {
    // SAFETY: the caller's promise.
    let slot = unsafe { this.as_ref() };
    // SAFETY: taken from its pool.
    let home = unsafe { slot.home() };
    // SAFETY: the slot keeps the pool until it is done.
    let kernel = unsafe { home.as_ref() }.kernel.clone();
    let event = slot.event();
    match slot.word.finish() {
        Finished::Handed => {}
        // SAFETY: initialised with the pool; the asker waits for this, the completer's last touch.
        Finished::Watched => unsafe { kernel.ke_set_event(event) },
        // SAFETY: detached: the slot is the completer's.
        Finished::Detached => unsafe { conclude_at(this, passive) },
    }
}

/// Runs the end of a detached request that is done, now or by [`Requests::serve`](crate::Requests::serve).
///
/// # Safety
/// As for [`conclude`].
pub(crate) unsafe fn conclude_anywhere<K: Kernel>(this: NonNull<Slot<K>>) {
    // SAFETY: taken from its pool, which the slot keeps.
    let slot = unsafe { this.as_ref() };
    // SAFETY: taken from its pool.
    let home = unsafe { slot.home() };
    // SAFETY: as above.
    let passive = unsafe { home.as_ref() }.kernel.ke_get_current_irql() == PASSIVE_LEVEL;
    // SAFETY: the caller's promise.
    unsafe { conclude_at(this, passive) };
}

/// # Safety
/// As for [`conclude`].
unsafe fn conclude_at<K: Kernel>(this: NonNull<Slot<K>>, passive: bool) {
    // SAFETY: the caller's promise.
    let slot = unsafe { this.as_ref() };
    // SAFETY: the caller's promise.
    let needs_passive = unsafe { *slot.needs_passive.get() };
    if needs_passive && !passive {
        // SAFETY: taken from its pool.
        let home = unsafe { slot.home() };
        // SAFETY: the caller's promise; the slot keeps its pool.
        unsafe { RequestsBlock::defer(home, this) };
    } else {
        // SAFETY: the caller's promise.
        unsafe { conclude(this) };
    }
}

/// Runs the end of a detached request.
///
/// # Safety
/// The slot is the caller's, with the anchor of its pool that the asker left behind.
pub(super) unsafe fn conclude<K: Kernel>(this: NonNull<Slot<K>>) {
    // SAFETY: the caller's promise.
    let slot = unsafe { this.as_ref() };
    // SAFETY: the caller's promise.
    match unsafe { (*slot.end.get()).take() } {
        // SAFETY: it is given the slot.
        Some(end) => unsafe { end(this) },
        // SAFETY: the caller's promise.
        None => drop(unsafe { super::Buffer::from_raw(this) }),
    }
}

/// An anchor of the pool besides the one that the slot's owner has.
///
/// # Safety
/// Somebody holds an anchor of it.
pub(super) unsafe fn keep<K: Kernel>(home: NonNull<RequestsBlock<K>>) -> Anchor<RequestsBlock<K>, K> {
    // SAFETY: borrowed from the owner's count, and not dropped.
    let owner = core::mem::ManuallyDrop::new(unsafe { Anchor::from_value(home) });
    Anchor::clone(&owner)
}
