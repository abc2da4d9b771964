//! A point in time up to which the caller waits.

use core::time::Duration;

use crate::kernel::Kernel;

/// Interrupt time, in units of 100 ns, at which a wait is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Deadline(u64);

impl Deadline {
    /// `wait` from now. One that is too long for the clock never comes.
    pub(crate) fn after<K: Kernel>(kernel: &K, wait: Duration) -> Self {
        let wait = u64::try_from(wait.as_nanos() / 100).unwrap_or(u64::MAX);
        Self(kernel.ke_query_interrupt_time().saturating_add(wait))
    }

    /// Already there: look, do not wait.
    pub(crate) fn now<K: Kernel>(kernel: &K) -> Self {
        Self::after(kernel, Duration::ZERO)
    }

    /// What is left of it, in units of 100 ns; 0 when it has passed.
    pub(crate) fn remaining<K: Kernel>(self, kernel: &K) -> u64 {
        // At most what a relative wait of NT can say, which is a negative 64-bit number.
        self.0.saturating_sub(kernel.ke_query_interrupt_time()).min(i64::MAX.unsigned_abs())
    }
}
