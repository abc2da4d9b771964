//! IRQL: DISPATCH_LEVEL and above hold a virtual processor, below it a thread is as any other.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "exported routines have C names")]

use skua_engine::abi::nt::{DISPATCH_LEVEL, KIRQL};

use crate::host::kernel;

/// The calling thread's level.
pub(crate) fn current() -> KIRQL {
    kernel().ke_get_current_irql_of_any_height()
}

/// Raises to `to` and returns the level before.
pub(crate) fn raise(to: KIRQL) -> KIRQL {
    kernel().kf_raise_irql(to)
}

/// Lowers to `to`, whatever was raised in between.
pub(crate) fn lower(to: KIRQL) {
    kernel().kf_lower_irql(to);
}

/// Reports `routine` when it is called above `highest`; whether it may go on.
pub(crate) fn require(routine: &str, highest: KIRQL) -> bool {
    kernel().require_at_most(routine, highest)
}

/// KeGetCurrentIrql.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeGetCurrentIrql() -> KIRQL {
    current()
}

/// KfRaiseIrql: what KeRaiseIrql is on x64.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KfRaiseIrql(new_irql: KIRQL) -> KIRQL {
    raise(new_irql)
}

/// KeRaiseIrqlToDpcLevel.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeRaiseIrqlToDpcLevel() -> KIRQL {
    raise(DISPATCH_LEVEL)
}

/// KeLowerIrql.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeLowerIrql(new_irql: KIRQL) {
    lower(new_irql);
}
