//! An IRP of one's own and its completion.

// UNSAFETY: the IRP's completion routine reaches the operation through its context pointer.
#![expect(unsafe_code, reason = "an operation stays at its address while its IRP is out")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::abi::nt::{DEVICE_OBJECT, EmbeddedIrp, IO_SIZE_OF_IRP_1, IRP, KEVENT, io_set_completion_routine};
use crate::abi::status::{
    NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use crate::abi::zeroed;
use crate::kernel::Kernel;
use crate::processor::{Dispatch, Passive};

/// How a request ended: the two words of IO_STATUS_BLOCK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completion {
    /// The status.
    pub status: NTSTATUS,
    /// What the request returns besides: a length, or the address of a socket.
    pub information: usize,
}

/// One IRP with one stack location, the event its completion signals, and the mark that it has run.
///
/// It is made in place inside memory that outlives the request, so that a wait given up early leaves nothing dangling.
///
/// # Invariants
/// Between `begin` and the signal the provider owns the IRP. The completion routine's last touch is the signal: who has
/// seen the event signalled may free the operation.
pub(crate) struct Operation<K: Kernel> {
    kernel: K,
    irp: UnsafeCell<EmbeddedIrp>,
    event: UnsafeCell<KEVENT>,
    /// No request is out. Cleared by `begin`, set by the completion routine before the signal.
    completed: AtomicBool,
}

// SAFETY: the provider may complete from any thread; `irp` is the provider's then, `event` is the kernel's to guard.
unsafe impl<K: Kernel> Send for Operation<K> {}
// SAFETY: `begin` is unsafe and asks for one request at a time; the rest reads atomics and waits.
unsafe impl<K: Kernel> Sync for Operation<K> {}

impl<K: Kernel> Operation<K> {
    /// An operation that must be [prepared](Operation::prepare) once it lies where it will stay.
    pub(crate) fn new(kernel: K) -> Self {
        Self {
            kernel,
            irp: UnsafeCell::new(zeroed()),
            event: UnsafeCell::new(zeroed()),
            completed: AtomicBool::new(true),
        }
    }

    /// Initialises IRP and event in place.
    ///
    /// # Safety
    /// `self` does not move from now on, and this is called once, before any other method.
    pub(crate) unsafe fn prepare(&self) {
        // SAFETY: the memory holds an IRP and one stack location, and no IRP in use.
        unsafe { self.kernel.io_initialize_irp(self.irp(), IO_SIZE_OF_IRP_1, 1) };
        // Signalled: there is nothing to wait for.
        // SAFETY: nobody waits on the event yet.
        unsafe { self.kernel.ke_initialize_event(self.event.get(), true) };
    }

    /// Hands the IRP to `call` and returns what the call returned. The request is over when [`Operation::wait`] says so.
    ///
    /// Where the call answers NOT_SUPPORTED or NOT_IMPLEMENTED without having run the completion routine, as providers
    /// are known to, the request is over as well: nothing was taken. After any other failure the routine runs, before the
    /// return or later (WSK docs, "Using IRPs with Winsock Kernel Functions").
    ///
    /// # Safety
    /// No request is under way on this operation; `call` passes the IRP to one WSK function and does nothing else with
    /// it; `self` stays in place until the request is over.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) unsafe fn begin(&self, call: impl FnOnce(*mut IRP) -> NTSTATUS) -> NTSTATUS {
        self.completed.store(false, Ordering::Relaxed);
        let irp = self.irp();
        // SAFETY: the event was initialised by `prepare`.
        unsafe { self.kernel.ke_clear_event(self.event.get()) };
        // SAFETY: the IRP was initialised by `prepare` and no request is under way.
        unsafe { self.kernel.io_reuse_irp(irp, STATUS_SUCCESS) };
        let context = core::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: the IRP is this operation's and has one stack location free.
        unsafe { io_set_completion_routine(irp, Some(complete::<K>), context, true, true, true) };
        let status = call(irp);
        let refused = matches!(status, STATUS_NOT_SUPPORTED | STATUS_NOT_IMPLEMENTED);
        if refused && !self.completed.load(Ordering::Acquire) {
            // SAFETY: the provider refused the request, so the IRP is this operation's again.
            unsafe { (*irp).IoStatus.Status = status };
            // SAFETY: as above.
            unsafe { (*irp).IoStatus.Information = 0 };
            self.completed.store(true, Ordering::Relaxed);
            // SAFETY: the event was initialised by `prepare`.
            unsafe { self.kernel.ke_set_event(self.event.get()) };
        }
        status
    }

    /// Waits until no request is out, at most `timeout` units of 100 ns; whether none is.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn wait(&self, timeout: Option<u64>, _passive: &Passive<'_>) -> bool {
        // SAFETY: the event was initialised by `prepare` and lives as long as `self`.
        let status = unsafe { self.kernel.ke_wait_for_single_object(self.event.get(), timeout) };
        status == STATUS_SUCCESS
    }

    /// Asks the provider to end the request, which is not over by that. Harmless when it is.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn cancel(&self) {
        // SAFETY: the IRP was initialised by `prepare`; it lies in this operation, and whoever begins requests is the one
        // who cancels, so it is not reused meanwhile.
        unsafe { self.kernel.io_cancel_irp(self.irp()) };
    }

    /// Whether a request is out, at the moment of asking.
    pub(crate) fn is_out(&self) -> bool {
        !self.completed.load(Ordering::Acquire)
    }

    /// How the request ended; meaningful once it is over.
    pub(crate) fn completion(&self) -> Completion {
        // SAFETY: the request is over, so the IRP is this operation's; the signal ordered the provider's writes.
        let status = unsafe { (*self.irp()).IoStatus };
        Completion { status: status.Status, information: status.Information }
    }

    fn irp(&self) -> *mut IRP {
        EmbeddedIrp::as_irp(self.irp.get())
    }
}

/// Signals the operation's event. The signal comes last: whoever waits may free the operation the moment it is signalled.
/// At DISPATCH_LEVEL, so that the instructions after it are not preempted; a driver that unloads flushes queued DPCs
/// first, which waits until every processor has left that level.
unsafe extern "C" fn complete<K: Kernel>(
    _device: *mut DEVICE_OBJECT,
    _irp: *mut IRP,
    context: *mut c_void,
) -> NTSTATUS {
    // SAFETY: `begin` set the context to an operation that stays in place until the signal.
    let operation = unsafe { &*context.cast::<Operation<K>>() };
    let kernel = operation.kernel.clone();
    let event = operation.event.get();
    let dispatch = Dispatch::raise(&kernel);
    operation.completed.store(true, Ordering::Release);
    // SAFETY: the event was initialised by `prepare`; nothing of the operation is touched after.
    unsafe { kernel.ke_set_event(event) };
    drop(dispatch);
    STATUS_MORE_PROCESSING_REQUIRED
}
