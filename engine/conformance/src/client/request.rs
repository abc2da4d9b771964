//! An IRP of one's own: handed to a function of WSK, waited for, looked at.

// UNSAFETY: the completion routine reaches its request through the IRP's context pointer.
#![expect(unsafe_code, reason = "an IRP stays at its address while it is out")]

use core::cell::{Cell, UnsafeCell};
use core::ffi::c_void;
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering};

use skua_engine::Kernel;
use skua_engine::abi::nt::{DEVICE_OBJECT, EmbeddedIrp, IO_SIZE_OF_IRP_1, IRP, io_set_completion_routine};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED, STATUS_PENDING,
    STATUS_SUCCESS,
};

use super::Bench;
use super::memory::{Owned, Zeroed};
use super::signal::Signal;
use crate::outcome::{Outcome, expect_at};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// What the function returned.
    pub(crate) returned: NTSTATUS,
    /// `IoStatus.Status`; what was returned, where the completion routine did not run.
    pub(crate) status: NTSTATUS,
    /// `IoStatus.Information`.
    pub(crate) information: usize,
    /// `PendingReturned` in the completion routine.
    pub(crate) pending_returned: bool,
    /// The level of the completion routine.
    pub(crate) irql: u8,
    /// How often the completion routine ran. 0 after NOT_SUPPORTED or NOT_IMPLEMENTED of a provider that does not
    /// complete then.
    pub(crate) times: u32,
    /// When it ran, among all completions of this kind: later ones have greater numbers.
    pub(crate) order: u32,
}

/// What a request ends with, and what runs in it then.
pub(crate) struct Packet<K> {
    irp: UnsafeCell<EmbeddedIrp>,
    kernel: UnsafeCell<Option<K>>,
    signal: Signal,
    times: AtomicU32,
    status: AtomicI32,
    information: AtomicUsize,
    pending_returned: AtomicU8,
    irql: AtomicU8,
    order: AtomicU32,
    /// Called in the completion routine, if not null: a [`Then`].
    then: AtomicPtr<c_void>,
    then_context: AtomicPtr<c_void>,
}

// SAFETY: zeroes are a value of every field: `None` of a kernel is written before it is read.
unsafe impl<K> Zeroed for Packet<K> {}

/// What a completion routine does besides; it runs at the level of the completion.
pub(crate) type Then = fn(context: *mut c_void);

/// The number of the completion routine that ran last, over all requests.
static ORDER: AtomicU32 = AtomicU32::new(0);

/// An IRP with one stack location, in memory that is not freed while a provider has it.
///
/// # Invariants
/// `out` from the call that takes the IRP until its completion is seen, or is known not to come.
pub(crate) struct Request<'b, K: Kernel> {
    packet: Owned<'b, Packet<K>, K>,
    out: Cell<bool>,
    returned: Cell<NTSTATUS>,
}

impl<'b, K: Kernel> Request<'b, K> {
    pub(crate) fn new(bench: &'b Bench<K>) -> Result<Self, Outcome> {
        let packet = Owned::<Packet<K>, K>::new(bench)?;
        let kernel = bench.kernel();
        // SAFETY: nobody else knows the packet yet; written over without a drop, as zeroes may be no `Option<K>`.
        unsafe { packet.kernel.get().write(Some(kernel.clone())) };
        packet.signal.prepare(kernel);
        let request = Self { packet, out: Cell::new(false), returned: Cell::new(STATUS_SUCCESS) };
        // SAFETY: so many bytes, which hold no packet.
        unsafe { kernel.io_initialize_irp(request.irp(), IO_SIZE_OF_IRP_1, 1) };
        request.arm();
        Ok(request)
    }

    fn arm(&self) {
        let context = self.packet.as_ptr().cast::<c_void>();
        // SAFETY: initialised or reused, so a location is left; the context stays while the IRP is out.
        unsafe { io_set_completion_routine(self.irp(), Some(complete::<K>), context, true, true, true) };
    }

    fn irp(&self) -> *mut IRP {
        EmbeddedIrp::as_irp(self.packet.irp.get())
    }

    /// IoReuseIrp, between uses.
    pub(crate) fn reuse(&self) {
        debug_assert!(!self.out.get(), "the IRP is out");
        // SAFETY: not out.
        unsafe { self.packet.bench().kernel().io_reuse_irp(self.irp(), STATUS_SUCCESS) };
        self.packet.times.store(0, Ordering::Relaxed);
        self.arm();
    }

    /// IoReuseIrp, whoever has the IRP.
    #[cfg(feature = "misuse")]
    pub(crate) fn reuse_at_once(&self) {
        // SAFETY: not so, which is the point: a verifier leaves it undone.
        unsafe { self.packet.bench().kernel().io_reuse_irp(self.irp(), STATUS_SUCCESS) };
    }

    /// The completion routine calls `then` with `context`, which stays as long as the IRP is out.
    pub(crate) fn then(&self, then: Then, context: *mut c_void) {
        self.packet.then_context.store(context, Ordering::Relaxed);
        self.packet.then.store(then as *mut c_void, Ordering::Release);
    }

    /// Hands the IRP over, and returns what the function returned. What the function uses must live until it is over.
    pub(crate) fn start(&self, call: impl FnOnce(*mut IRP) -> NTSTATUS) -> NTSTATUS {
        debug_assert!(!self.out.get(), "the IRP is out");
        self.out.set(true);
        let returned = self.packet.bench().at_level(|| call(self.irp()));
        self.returned.set(returned);
        returned
    }

    /// For a callback that hands the IRP over: notes that it is out. What the function returns is not known here.
    pub(crate) fn lend(&self) -> *mut IRP {
        self.out.set(true);
        self.returned.set(STATUS_PENDING);
        self.irp()
    }

    /// Whether the completion routine has run.
    pub(crate) fn is_complete(&self) -> bool {
        self.packet.times.load(Ordering::Acquire) > 0
    }

    /// Whether it does not run within a moment.
    pub(crate) fn stays_pending(&self) -> bool {
        self.packet.signal.stays_away(self.packet.bench(), || self.is_complete())
    }

    /// Whether it ends by itself: for what must not wait, and would wait for ever. It is still to be waited for.
    pub(crate) fn ends(&self) -> bool {
        // Such a provider may leave the IRP alone.
        let declined = matches!(self.returned.get(), STATUS_NOT_SUPPORTED | STATUS_NOT_IMPLEMENTED);
        declined || self.packet.signal.comes(self.packet.bench(), || self.is_complete())
    }

    /// IoCancelIrp; whether there was a cancel routine.
    pub(crate) fn cancel(&self) -> bool {
        // SAFETY: the packet outlives the call.
        unsafe { self.packet.bench().kernel().io_cancel_irp(self.irp()) }
    }

    /// Waits for the completion routine; `step` says of what.
    pub(crate) fn wait(&self, step: &'static str) -> Result<Done, Outcome> {
        let declined = matches!(self.returned.get(), STATUS_NOT_SUPPORTED | STATUS_NOT_IMPLEMENTED);
        let bench = self.packet.bench();
        if declined {
            // Such a provider may leave the IRP alone, or complete it: both end here.
            if self.packet.signal.stays_away(bench, || self.is_complete()) {
                self.out.set(false);
                return Ok(self.done());
            }
        }
        self.packet.signal.wait_for(bench, step, || self.is_complete())?;
        self.out.set(false);
        Ok(self.done())
    }

    fn done(&self) -> Done {
        let packet = &*self.packet;
        let times = packet.times.load(Ordering::Acquire);
        let completed = NTSTATUS(packet.status.load(Ordering::Relaxed));
        Done {
            returned: self.returned.get(),
            status: if times == 0 { self.returned.get() } else { completed },
            information: if times == 0 { 0 } else { packet.information.load(Ordering::Relaxed) },
            pending_returned: packet.pending_returned.load(Ordering::Relaxed) != 0,
            irql: packet.irql.load(Ordering::Relaxed),
            times,
            order: packet.order.load(Ordering::Relaxed),
        }
    }

    /// Starts and waits.
    pub(crate) fn run(
        &self,
        step: &'static str,
        call: impl FnOnce(*mut IRP) -> NTSTATUS,
    ) -> Result<Done, Outcome> {
        let _returned = self.start(call);
        self.wait(step)
    }
}

impl Done {
    /// The check goes on if the request succeeded; `step` says which it was.
    pub(crate) fn succeeds(self, step: &'static str) -> Result<Self, Outcome> {
        expect_at(step, STATUS_SUCCESS, self.status)?;
        Ok(self)
    }
}

impl<K: Kernel> Drop for Request<'_, K> {
    fn drop(&mut self) {
        if self.out.get() {
            self.cancel();
            // Whoever waits in vain has said that it hung.
            let _done = self.wait("an IRP that was cancelled");
        }
    }
}

/// Runs a call with an IRP of its own: starts and waits.
pub(crate) fn run<K: Kernel>(
    bench: &Bench<K>,
    step: &'static str,
    call: impl FnOnce(*mut IRP) -> NTSTATUS,
) -> Result<Done, Outcome> {
    Request::new(bench)?.run(step, call)
}

unsafe extern "C" fn complete<K: Kernel>(
    _device: *mut DEVICE_OBJECT,
    irp: *mut IRP,
    context: *mut c_void,
) -> NTSTATUS {
    // SAFETY: `arm` set the context, and the packet stays until this has run.
    let packet = unsafe { &*context.cast::<Packet<K>>() };
    // SAFETY: completed, so it is the owner's again.
    let status = unsafe { (*irp).IoStatus };
    // SAFETY: as above.
    let pending_returned = unsafe { (*irp).PendingReturned };
    // SAFETY: written by `new` before the IRP went out, and not changed since.
    let Some(kernel) = (unsafe { &*packet.kernel.get() }).clone() else {
        return STATUS_MORE_PROCESSING_REQUIRED;
    };
    packet.status.store(status.Status.0, Ordering::Relaxed);
    packet.information.store(status.Information, Ordering::Relaxed);
    packet.pending_returned.store(pending_returned, Ordering::Relaxed);
    packet.irql.store(kernel.ke_get_current_irql(), Ordering::Relaxed);
    packet.order.store(ORDER.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    let then = packet.then.load(Ordering::Acquire);
    if !then.is_null() {
        // SAFETY: `then` stored a function of this type.
        let then = unsafe { core::mem::transmute::<*mut c_void, Then>(then) };
        then(packet.then_context.load(Ordering::Relaxed));
    }
    // Who sees the change frees the packet.
    packet.signal.change(&kernel, || {
        packet.times.fetch_add(1, Ordering::Release);
    });
    STATUS_MORE_PROCESSING_REQUIRED
}
