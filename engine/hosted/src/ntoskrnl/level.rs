//! IRQL of any height: DISPATCH_LEVEL and above hold a virtual processor, below it a thread is as any other.

use std::cell::Cell;

use skua_engine::Kernel;
use skua_engine::abi::nt::{DISPATCH_LEVEL, KIRQL, PASSIVE_LEVEL};

use crate::HostKernel;
use crate::verifier::{Object, Rule};

/// What a thread is at.
#[derive(Clone, Copy)]
struct Level {
    /// The level below DISPATCH_LEVEL that it is at, or returns to.
    below: KIRQL,
    /// The level at or above DISPATCH_LEVEL that it raised to; 0 for none.
    above: KIRQL,
    /// Whether it holds its processor because it raised here, and not the provider.
    ours: bool,
}

thread_local! {
    static LEVEL: Cell<Level> = const { Cell::new(Level { below: PASSIVE_LEVEL, above: 0, ours: false }) };
}

/// KeRaiseIrql and its like, for a process with one kernel.
impl HostKernel {
    /// KeGetCurrentIrql.
    #[must_use]
    pub fn ke_get_current_irql_of_any_height(&self) -> KIRQL {
        let level = LEVEL.get();
        if self.irql() >= DISPATCH_LEVEL { level.above.max(DISPATCH_LEVEL) } else { level.below }
    }

    /// KeRaiseIrql: raises to `to` and returns the level before.
    #[must_use]
    pub fn kf_raise_irql(&self, to: KIRQL) -> KIRQL {
        let before = self.ke_get_current_irql_of_any_height();
        if to < before {
            let message = format!("KeRaiseIrql to {to} at level {before}");
            self.breach(Rule::IrqlTooHigh, Object::THREAD, message);
            return before;
        }
        let mut level = LEVEL.get();
        if to < DISPATCH_LEVEL {
            level.below = to;
        } else {
            if before < DISPATCH_LEVEL {
                self.ke_raise_irql_to_dpc_level();
                level.ours = true;
            }
            level.above = to;
        }
        LEVEL.set(level);
        before
    }

    /// KeLowerIrql: lowers to `to`, whatever was raised in between.
    pub fn kf_lower_irql(&self, to: KIRQL) {
        let before = self.ke_get_current_irql_of_any_height();
        if to > before {
            let message = format!("KeLowerIrql to {to} at level {before}");
            return self.breach(Rule::IrqlLoweredWrongly, Object::THREAD, message);
        }
        let mut level = LEVEL.get();
        if to >= DISPATCH_LEVEL {
            level.above = to;
            LEVEL.set(level);
            return;
        }
        if before >= DISPATCH_LEVEL && !level.ours {
            let message = format!("KeLowerIrql to {to} of a level that this thread was called at");
            return self.breach(Rule::IrqlLoweredWrongly, Object::THREAD, message);
        }
        let had_processor = std::mem::take(&mut level.ours);
        level.above = 0;
        level.below = to;
        LEVEL.set(level);
        if had_processor {
            self.lower(PASSIVE_LEVEL);
        }
    }

    /// Reports `routine` when it is called above `highest`; whether it may go on.
    pub fn require_at_most(&self, routine: &str, highest: KIRQL) -> bool {
        let level = self.ke_get_current_irql_of_any_height();
        if level > highest {
            let message =
                format!("{routine} was called at level {level}: it may be called at {highest} at most");
            self.breach(Rule::IrqlTooHigh, Object::THREAD, message);
        }
        level <= highest
    }
}
