//! What a process has spent of the processors.

// UNSAFETY: the C library writes to variables of the caller.
#![expect(unsafe_code, reason = "system calls take pointers")]

use std::io::{Error, Result};
use std::time::{Duration, Instant};

/// How often a process is looked at until it is quiet.
const STEP: Duration = Duration::from_millis(5);

/// What a quiet process may spend in a step.
const QUIET: Duration = Duration::from_micros(50);

/// How many steps in a row are quiet.
const QUIET_STEPS: u32 = 3;

/// How long it may take until a process is quiet. One that looks for work all the time never is.
const PATIENCE: Duration = Duration::from_secs(1);

/// User and system time of all threads that process `id` has or had, in ns.
///
/// That is the time for which they were on a processor (the scheduler's sum_exec_runtime, to the ns). Unless the kernel
/// accounts for interrupts apart, those that came in between are part of it.
///
/// # Errors
/// There is no such process.
pub(crate) fn processor_time(id: u32) -> Result<Duration> {
    let mut clock = 0;
    // SAFETY: writes a clock's number to the variable.
    let status = unsafe { libc::clock_getcpuclockid(id.cast_signed(), &raw mut clock) };
    if status != 0 {
        return Err(Error::from_raw_os_error(status));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes a time to the variable.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(Error::last_os_error());
    }
    Ok(Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default()))
}

/// Waits until process `id` has done what there was to do, and says what it has spent until then.
///
/// # Errors
/// The process is gone.
pub(crate) fn at_rest(id: u32) -> Result<Duration> {
    let deadline = Instant::now() + PATIENCE;
    let mut before = processor_time(id)?;
    let mut quiet = 0;
    while quiet < QUIET_STEPS && Instant::now() < deadline {
        std::thread::sleep(STEP);
        let now = processor_time(id)?;
        quiet = if now.saturating_sub(before) < QUIET { quiet + 1 } else { 0 };
        before = now;
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_from_outside() {
        let me = std::process::id();
        let before = processor_time(me).unwrap();
        let mut sum = 0u64;
        while processor_time(me).unwrap() < before + Duration::from_millis(2) {
            sum = std::hint::black_box(sum + 1);
        }
    }

    #[test]
    fn a_process_that_is_not_there_has_no_time() {
        // Above the most that Linux gives a process (pid_max in proc(5)).
        assert!(processor_time((1 << 22) + 1).is_err());
    }
}
