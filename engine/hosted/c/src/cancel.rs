//! The cancel spin lock.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "the level is written through a pointer")]

use skua_engine::abi::nt::KIRQL;

use crate::host::kernel;

routines! {
    /// IoAcquireCancelSpinLock.
    contract fn IoAcquireCancelSpinLock(irql: *mut KIRQL) {
        irql.write(kernel().io_acquire_cancel_spin_lock())
    }

    /// IoReleaseCancelSpinLock.
    fn IoReleaseCancelSpinLock(irql: KIRQL) {
        kernel().io_release_cancel_spin_lock(irql);
    }
}
