//! The clocks: one monotonic, one of the wall.

use std::time::{SystemTime, UNIX_EPOCH};

/// Ticks of the performance counter in a second: it counts ns.
pub(crate) const FREQUENCY: u64 = 1_000_000_000;

/// From 1601-01-01 to 1970-01-01, in units of 100 ns.
const EPOCHS_APART: u64 = 11_644_473_600 * 10_000_000;

/// The performance counter: on Linux CLOCK_MONOTONIC in ns, on Windows its own counter in ns, elsewhere ns since the
/// process first asked.
pub(crate) fn performance_counter() -> u64 {
    monotonic::precise()
}

/// Interrupt time in units of 100 ns: the same clock, read with the resolution of the timer tick on Linux.
pub(crate) fn interrupt_time() -> u64 {
    monotonic::coarse() / 100
}

/// System time in units of 100 ns since 1601-01-01 UTC.
pub(crate) fn system_time() -> u64 {
    unix_time() / 100 + EPOCHS_APART
}

/// Ns since 1970-01-01 UTC; 0 before it.
pub(crate) fn unix_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(target_os = "linux")]
mod monotonic {
    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn precise() -> u64 {
        nanoseconds(ClockId::Monotonic)
    }

    pub(super) fn coarse() -> u64 {
        nanoseconds(ClockId::MonotonicCoarse)
    }

    fn nanoseconds(clock: ClockId) -> u64 {
        let time = clock_gettime(clock);
        time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
    }
}

#[cfg(windows)]
mod monotonic {
    // UNSAFETY: asks Windows for its counter.
    #![expect(unsafe_code, reason = "the counter is written through a pointer")]

    use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

    use super::FREQUENCY;

    pub(super) fn precise() -> u64 {
        let (mut counter, mut frequency) = (0i64, 0i64);
        // SAFETY: a local to write to. It cannot fail since Windows XP.
        unsafe { QueryPerformanceCounter(&raw mut counter) };
        // SAFETY: as above.
        unsafe { QueryPerformanceFrequency(&raw mut frequency) };
        let (counter, frequency) = (counter.cast_unsigned(), frequency.cast_unsigned().max(1));
        let (seconds, rest) = (counter / frequency, counter % frequency);
        seconds * FREQUENCY + rest * FREQUENCY / frequency
    }

    pub(super) fn coarse() -> u64 {
        precise()
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod monotonic {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();

    pub(super) fn precise() -> u64 {
        u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn coarse() -> u64 {
        precise()
    }
}
