//! An IRP while the provider has it: the one place that takes packets over and completes them.

// UNSAFETY: writes the fields of a packet that the client handed over.
#![expect(unsafe_code, reason = "IRPs live in the client's memory")]

use std::ffi::c_void;
use std::ptr::NonNull;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    DRIVER_CANCEL, IO_NETWORK_INCREMENT, IRP, io_mark_irp_pending, io_set_cancel_routine,
    io_set_next_irp_stack_location, io_skip_current_irp_stack_location,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_PENDING};

use crate::HostKernel;
use crate::kernel::irp;

/// A packet that the provider owns.
///
/// # Invariants
/// The client has handed `irp` over and it is not completed: `accept` makes one of each packet handed over, and
/// completing consumes it. Dropping one is a defect of the provider and reported as such.
#[derive(Debug)]
pub(crate) struct Request {
    irp: NonNull<IRP>,
}

// SAFETY: a packet may be completed from any thread.
unsafe impl Send for Request {}

impl Request {
    /// Takes over what a client hands in; `None` for null, and for a packet that the verifier refuses.
    ///
    /// # Safety
    /// `irp` is null, or initialised, with a stack location left, and handed over.
    pub(crate) unsafe fn accept(kernel: &HostKernel, irp: *mut IRP) -> Option<Self> {
        // SAFETY: the caller's promise.
        unsafe { Self::accept_for(kernel, irp, "a WSK function") }
    }

    /// As [`Request::accept`], for a function of this name.
    ///
    /// # Safety
    /// As for [`Request::accept`].
    pub(crate) unsafe fn accept_for(kernel: &HostKernel, irp: *mut IRP, function: &str) -> Option<Self> {
        let irp = NonNull::new(irp)?;
        match kernel.verifier() {
            Some(verifier) if kernel.has_packets() => {
                // SAFETY: the caller promises a packet.
                if !unsafe { verifier.irp_handed_over(irp.as_ptr(), function) } {
                    return None;
                }
            }
            _ => {
                // SAFETY: the caller promises an initialised packet.
                let location = unsafe { (*irp.as_ptr()).CurrentLocation };
                assert!(
                    location > 1,
                    "the IRP at {irp:p} was handed to WSK without a stack location left (it is at {location}): it is \
                     still in use, or was not initialised"
                );
            }
        }
        // SAFETY: a location is left.
        unsafe { io_set_next_irp_stack_location(irp.as_ptr()) };
        kernel.ledger().irps.add(1);
        Some(Self { irp })
    }

    /// Completes with `status` and returns it, which is what the call that took the packet returns.
    pub(crate) fn complete(self, kernel: &HostKernel, status: NTSTATUS, information: usize) -> NTSTATUS {
        debug_assert!(status != STATUS_PENDING, "a completed request is not pending");
        let irp = self.irp.as_ptr();
        std::mem::forget(self);
        // SAFETY: the packet is the provider's.
        unsafe { (*irp).IoStatus.Status = status };
        // SAFETY: as above.
        unsafe { (*irp).IoStatus.Information = information };
        kernel.ledger().irps.remove(1);
        // SAFETY: the packet is the provider's and given up here.
        unsafe { kernel.io_complete_request(irp, IO_NETWORK_INCREMENT) };
        status
    }

    /// As [`Request::complete`], at DISPATCH_LEVEL: how network stacks complete what they had kept.
    pub(crate) fn complete_later(self, kernel: &HostKernel, status: NTSTATUS, information: usize) {
        let raised = kernel.raise();
        let _ = self.complete(kernel, status, information);
        drop(raised);
    }

    /// Gives the packet back as it was handed over, uncompleted.
    pub(crate) fn abandon(self, kernel: &HostKernel) {
        let irp = self.irp.as_ptr();
        std::mem::forget(self);
        if let Some(verifier) = kernel.verifier() {
            verifier.irp_abandoned(irp);
        }
        // SAFETY: the packet is the provider's, and `accept` gave it this location.
        unsafe { io_skip_current_irp_stack_location(irp) };
        kernel.ledger().irps.remove(1);
    }

    /// Announces that the call that took the packet returns STATUS_PENDING.
    pub(crate) fn mark_pending(&self) {
        // SAFETY: the packet is the provider's, and `accept` gave it a location.
        unsafe { io_mark_irp_pending(self.irp.as_ptr()) };
    }

    /// Makes the packet cancellable: from now on `routine` may run, at any time, with `context` in its first
    /// DriverContext word. False when it was cancelled already and the routine will not run.
    pub(crate) fn arm(&self, routine: DRIVER_CANCEL, context: *mut c_void) -> bool {
        let irp = self.irp.as_ptr();
        // SAFETY: the packet is the provider's; DriverContext is for whoever has it.
        let words = unsafe { &raw mut (*irp).Tail.Overlay.DriverContext };
        // SAFETY: as above.
        unsafe { words.cast::<*mut c_void>().write(context) };
        // SAFETY: the packet is the provider's.
        unsafe { io_set_cancel_routine(irp, routine) };
        // SAFETY: as above.
        if !unsafe { irp::is_cancelled(irp) } {
            return true;
        }
        // Cancelled before or while the routine was set: whoever exchanges it out answers for the packet.
        !self.disarm()
    }

    /// Makes it impossible to cancel again. False when the cancel routine runs or is about to: it answers for the packet.
    pub(crate) fn disarm(&self) -> bool {
        // SAFETY: the packet is the provider's.
        unsafe { io_set_cancel_routine(self.irp.as_ptr(), None) }.is_some()
    }

    /// Whether this is `irp`.
    pub(crate) fn is(&self, irp: *mut IRP) -> bool {
        self.irp.as_ptr() == irp
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the provider dropped the IRP at {:p} without completing it", self.irp);
        }
    }
}

/// The context that [`Request::arm`] left in a packet whose cancel routine runs.
///
/// # Safety
/// `irp` is the packet that the cancel routine was called with.
pub(crate) unsafe fn cancel_context(irp: *mut IRP) -> *mut c_void {
    // SAFETY: the caller promises a packet.
    let words = unsafe { &raw const (*irp).Tail.Overlay.DriverContext };
    // SAFETY: the packet was armed, so the first word was written.
    unsafe { words.cast::<*mut c_void>().read() }
}
