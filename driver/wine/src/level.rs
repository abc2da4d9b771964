//! IRQL: DISPATCH_LEVEL and above hold a virtual processor, below it a thread is as any other.

// UNSAFETY: exports under NT's names, and lowers the host's level.
#![expect(unsafe_code, reason = "exported routines have C names")]

use std::cell::Cell;

use skua_engine::Kernel;
use skua_engine::abi::nt::{DISPATCH_LEVEL, KIRQL, PASSIVE_LEVEL};

use crate::host::kernel;
use crate::report;

/// What a thread is at.
#[derive(Clone, Copy)]
struct Level {
    /// The level below DISPATCH_LEVEL that it is at, or returns to.
    below: KIRQL,
    /// The level at or above DISPATCH_LEVEL that it raised to; 0 for none.
    above: KIRQL,
    /// Whether it holds its processor because a driver raised here, and not the provider.
    ours: bool,
}

thread_local! {
    static LEVEL: Cell<Level> = const { Cell::new(Level { below: PASSIVE_LEVEL, above: 0, ours: false }) };
}

/// The calling thread's level.
pub(crate) fn current() -> KIRQL {
    let level = LEVEL.get();
    if kernel().ke_get_current_irql() >= DISPATCH_LEVEL {
        level.above.max(DISPATCH_LEVEL)
    } else {
        level.below
    }
}

/// Raises to `to` and returns the level before.
pub(crate) fn raise(to: KIRQL) -> KIRQL {
    let before = current();
    if to < before {
        report::violation(format_args!("KeRaiseIrql to {to} at level {before}"));
        return before;
    }
    let mut level = LEVEL.get();
    if to < DISPATCH_LEVEL {
        level.below = to;
    } else {
        if before < DISPATCH_LEVEL {
            kernel().ke_raise_irql_to_dpc_level();
            level.ours = true;
        }
        level.above = to;
    }
    LEVEL.set(level);
    before
}

/// Lowers to `to`, whatever was raised in between.
pub(crate) fn lower(to: KIRQL) {
    let before = current();
    if to > before {
        report::violation(format_args!("KeLowerIrql to {to} at level {before}"));
        return;
    }
    let mut level = LEVEL.get();
    if to >= DISPATCH_LEVEL {
        level.above = to;
        LEVEL.set(level);
        return;
    }
    if before >= DISPATCH_LEVEL && !level.ours {
        report::violation(format_args!("KeLowerIrql to {to} inside a callback at DISPATCH_LEVEL"));
        return;
    }
    let had_processor = std::mem::take(&mut level.ours);
    level.above = 0;
    level.below = to;
    LEVEL.set(level);
    if had_processor {
        // SAFETY: this thread raised from below DISPATCH_LEVEL, in `raise`.
        unsafe { kernel().ke_lower_irql(PASSIVE_LEVEL) };
    }
}

/// Reports `routine` when it is called above `highest`; whether it may go on.
pub(crate) fn require(routine: &str, highest: KIRQL) -> bool {
    let level = current();
    if level > highest {
        report::violation(format_args!("{routine} at level {level}; it may be called at {highest} at most"));
    }
    level <= highest
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
