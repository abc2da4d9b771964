//! Clocks.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "clocks write through pointers")]

use std::time::Duration;

use skua_engine::Kernel;
use skua_engine::abi::nt::LARGE_INTEGER;

use crate::host::kernel;

/// Units of 100 ns between two ticks of the clock.
const TICK: u32 = 156_250;

routines! {
    /// KeQueryPerformanceCounter.
    contract fn KeQueryPerformanceCounter(frequency: *mut LARGE_INTEGER) -> LARGE_INTEGER {
        if !frequency.is_null() {
            frequency.write(integer(kernel().performance_frequency()));
        }
        integer(kernel().ke_query_performance_counter())
    }

    /// KeQueryInterruptTime.
    fn KeQueryInterruptTime() -> u64 {
        kernel().ke_query_interrupt_time()
    }

    /// KeQueryUnbiasedInterruptTime: no sleep is taken off.
    fn KeQueryUnbiasedInterruptTime() -> u64 {
        kernel().ke_query_interrupt_time()
    }

    /// KeQueryInterruptTimePrecise: the performance counter's time.
    contract fn KeQueryInterruptTimePrecise(counter: *mut u64) -> u64 {
        let now = kernel().ke_query_performance_counter();
        counter.write(now);
        now / (kernel().performance_frequency() / 10_000_000)
    }

    /// What KeQuerySystemTime is.
    contract fn SkuaQuerySystemTime(time: *mut LARGE_INTEGER) {
        time.write(integer(kernel().ke_query_system_time_precise()))
    }

    /// KeQuerySystemTimePrecise.
    contract fn KeQuerySystemTimePrecise(time: *mut LARGE_INTEGER) {
        time.write(integer(kernel().ke_query_system_time_precise()))
    }

    /// What KeQueryTickCount is.
    contract fn SkuaQueryTickCount(count: *mut LARGE_INTEGER) {
        count.write(integer(kernel().ke_query_interrupt_time() / u64::from(TICK)))
    }

    /// KeQueryTimeIncrement.
    fn KeQueryTimeIncrement() -> u32 {
        TICK
    }

    /// KeStallExecutionProcessor.
    fn KeStallExecutionProcessor(microseconds: u32) {
        std::thread::sleep(Duration::from_micros(u64::from(microseconds)));
    }

    /// ExSystemTimeToLocalTime: local time is UTC.
    contract fn ExSystemTimeToLocalTime(system: *mut LARGE_INTEGER, local: *mut LARGE_INTEGER) {
        local.write(system.read())
    }
}

fn integer(value: u64) -> LARGE_INTEGER {
    LARGE_INTEGER { QuadPart: value.cast_signed() }
}
