//! Timers.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "timers live in the driver's memory")]

use skua_engine::abi::nt::{BOOLEAN, KDPC, KTIMER, LARGE_INTEGER};

use crate::host::kernel;
use crate::number::boolean;

/// SynchronizationTimer of TIMER_TYPE.
const SYNCHRONIZATION: i32 = 1;

routines! {
    /// KeInitializeTimer.
    contract fn KeInitializeTimer(timer: *mut KTIMER) {
        kernel().ke_initialize_timer(timer, false)
    }

    /// KeInitializeTimerEx.
    contract fn KeInitializeTimerEx(timer: *mut KTIMER, kind: i32) {
        kernel().ke_initialize_timer(timer, kind == SYNCHRONIZATION)
    }

    /// KeSetTimer.
    contract fn KeSetTimer(timer: *mut KTIMER, due_time: LARGE_INTEGER, dpc: *mut KDPC) -> BOOLEAN {
        KeSetTimerEx(timer, due_time, 0, dpc)
    }

    /// KeSetTimerEx.
    contract fn KeSetTimerEx(
        timer: *mut KTIMER,
        due_time: LARGE_INTEGER,
        period: i32,
        dpc: *mut KDPC,
    ) -> BOOLEAN {
        boolean(kernel().ke_set_timer(timer, due_time.QuadPart, u32::try_from(period).unwrap_or(0), dpc))
    }

    /// KeSetCoalescableTimer: never late on purpose.
    contract fn KeSetCoalescableTimer(
        timer: *mut KTIMER,
        due_time: LARGE_INTEGER,
        period: u32,
        _tolerable_delay: u32,
        dpc: *mut KDPC,
    ) -> BOOLEAN {
        boolean(kernel().ke_set_timer(timer, due_time.QuadPart, period, dpc))
    }

    /// KeCancelTimer.
    contract fn KeCancelTimer(timer: *mut KTIMER) -> BOOLEAN {
        boolean(kernel().ke_cancel_timer(timer))
    }

    /// KeReadStateTimer.
    contract fn KeReadStateTimer(timer: *mut KTIMER) -> BOOLEAN {
        boolean(kernel().ke_read_state(timer.cast()) > 0)
    }
}
