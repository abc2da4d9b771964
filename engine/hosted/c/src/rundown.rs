//! Run-down protection.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "references live in the driver's memory")]

use skua_engine::abi::nt::{BOOLEAN, EX_RUNDOWN_REF};

use crate::host::kernel;
use crate::number::boolean;
use crate::pool::{ExAllocatePoolWithTag, ExFreePool};

routines! {
    /// ExInitializeRundownProtection.
    contract fn ExInitializeRundownProtection(reference: *mut EX_RUNDOWN_REF) {
        kernel().ex_initialize_rundown_protection(reference)
    }

    /// ExReInitializeRundownProtection.
    contract fn ExReInitializeRundownProtection(reference: *mut EX_RUNDOWN_REF) {
        kernel().ex_re_initialize_rundown_protection(reference)
    }

    /// ExAcquireRundownProtection.
    contract fn ExAcquireRundownProtection(reference: *mut EX_RUNDOWN_REF) -> BOOLEAN {
        boolean(kernel().ex_acquire_rundown_protection(reference, 1))
    }

    /// ExAcquireRundownProtectionEx.
    contract fn ExAcquireRundownProtectionEx(reference: *mut EX_RUNDOWN_REF, count: u32) -> BOOLEAN {
        boolean(kernel().ex_acquire_rundown_protection(reference, count))
    }

    /// ExReleaseRundownProtection.
    contract fn ExReleaseRundownProtection(reference: *mut EX_RUNDOWN_REF) {
        kernel().ex_release_rundown_protection(reference, 1)
    }

    /// ExReleaseRundownProtectionEx.
    contract fn ExReleaseRundownProtectionEx(reference: *mut EX_RUNDOWN_REF, count: u32) {
        kernel().ex_release_rundown_protection(reference, count)
    }

    /// ExWaitForRundownProtectionRelease.
    contract fn ExWaitForRundownProtectionRelease(reference: *mut EX_RUNDOWN_REF) {
        kernel().ex_wait_for_rundown_protection_release(reference)
    }

    /// ExRundownCompleted.
    contract fn ExRundownCompleted(reference: *mut EX_RUNDOWN_REF) {
        kernel().ex_rundown_completed(reference)
    }

    /// ExAllocateCacheAwareRundownProtection: one reference for all processors.
    fn ExAllocateCacheAwareRundownProtection(pool_type: u32, tag: u32) -> *mut EX_RUNDOWN_REF {
        // Zero is what initialising writes.
        ExAllocatePoolWithTag(pool_type.cast_signed(), size_of::<EX_RUNDOWN_REF>(), tag).cast()
    }

    /// ExFreeCacheAwareRundownProtection.
    contract fn ExFreeCacheAwareRundownProtection(reference: *mut EX_RUNDOWN_REF) {
        ExFreePool(reference.cast())
    }

    /// ExAcquireRundownProtectionCacheAware.
    contract fn ExAcquireRundownProtectionCacheAware(reference: *mut EX_RUNDOWN_REF) -> BOOLEAN {
        ExAcquireRundownProtection(reference)
    }

    /// ExReleaseRundownProtectionCacheAware.
    contract fn ExReleaseRundownProtectionCacheAware(reference: *mut EX_RUNDOWN_REF) {
        ExReleaseRundownProtection(reference)
    }

    /// ExWaitForRundownProtectionReleaseCacheAware.
    contract fn ExWaitForRundownProtectionReleaseCacheAware(reference: *mut EX_RUNDOWN_REF) {
        ExWaitForRundownProtectionRelease(reference)
    }

    /// ExReInitializeRundownProtectionCacheAware.
    contract fn ExReInitializeRundownProtectionCacheAware(reference: *mut EX_RUNDOWN_REF) {
        ExReInitializeRundownProtection(reference)
    }

    /// ExRundownCompletedCacheAware.
    contract fn ExRundownCompletedCacheAware(reference: *mut EX_RUNDOWN_REF) {
        ExRundownCompleted(reference)
    }
}
