//! IRQL, and what is checked against it.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "exported routines have C names")]

use std::cell::Cell;
use std::ffi::{CStr, c_char};

use skua_engine::abi::nt::{APC_LEVEL, BOOLEAN, DISPATCH_LEVEL, KIRQL};

use crate::host::kernel;
use crate::number::boolean;

thread_local! {
    /// How many critical and guarded regions the thread has entered.
    static REGIONS: Cell<u32> = const { Cell::new(0) };
}

routines! {
    /// KeGetCurrentIrql.
    fn KeGetCurrentIrql() -> KIRQL {
        kernel().ke_get_current_irql_of_any_height()
    }

    /// KfRaiseIrql: what KeRaiseIrql is on x64.
    fn KfRaiseIrql(new_irql: KIRQL) -> KIRQL {
        kernel().kf_raise_irql(new_irql)
    }

    /// KeRaiseIrqlToDpcLevel.
    fn KeRaiseIrqlToDpcLevel() -> KIRQL {
        kernel().kf_raise_irql(DISPATCH_LEVEL)
    }

    /// KeLowerIrql.
    fn KeLowerIrql(new_irql: KIRQL) {
        kernel().kf_lower_irql(new_irql);
    }

    /// KeEnterCriticalRegion: no asynchronous procedure call is delivered here anyway.
    fn KeEnterCriticalRegion() {
        REGIONS.set(REGIONS.get() + 1);
    }

    /// KeLeaveCriticalRegion.
    fn KeLeaveCriticalRegion() {
        REGIONS.set(REGIONS.get().saturating_sub(1));
    }

    /// KeEnterGuardedRegion.
    fn KeEnterGuardedRegion() {
        KeEnterCriticalRegion();
    }

    /// KeLeaveGuardedRegion.
    fn KeLeaveGuardedRegion() {
        KeLeaveCriticalRegion();
    }

    /// KeAreApcsDisabled.
    fn KeAreApcsDisabled() -> BOOLEAN {
        boolean(REGIONS.get() > 0)
    }

    /// What PAGED_CODE is.
    contract fn SkuaPagedCode(function: *const c_char) {
        paged(function)
    }
}

/// # Safety
/// `function` is a C string.
unsafe fn paged(function: *const c_char) {
    // SAFETY: the caller's promise.
    let function = unsafe { CStr::from_ptr(function) };
    kernel().require_at_most(&format!("the pageable function {}", function.to_string_lossy()), APC_LEVEL);
}
