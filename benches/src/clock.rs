//! Processor time of a thread.

use std::time::Duration;

/// How long the calling thread has been on a processor, from some point on. Hosts other than Linux tell how long it has
/// been, on a processor or not.
#[cfg(target_os = "linux")]
#[must_use]
pub fn thread_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn thread_time() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;

    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGIN.elapsed()
}
