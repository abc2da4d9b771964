//! Timers: one thread signals them when they are due, and queues their deferred procedure calls.

// UNSAFETY: timers are reached by address.
#![expect(unsafe_code, reason = "timers live in the driver's memory")]

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use skua_engine::abi::nt::{KDPC, KTIMER};
use skua_engine::abi::zeroed;

use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::ntoskrnl::dispatcher::{self, NOTIFICATION_TIMER, SYNCHRONIZATION_TIMER};

/// The timers of one kernel.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    set: Mutex<Set>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Set {
    /// When each is due, with its address.
    due: BTreeSet<(Instant, usize)>,
    /// Whether the thread is there.
    started: bool,
}

impl Set {
    /// Takes a timer out; whether it was set.
    fn cancel(&mut self, timer: usize) -> bool {
        let before = self.due.len();
        self.due.retain(|(_, other)| *other != timer);
        self.due.len() < before
    }
}

/// Timers.
impl HostKernel {
    /// KeInitializeTimerEx.
    ///
    /// # Safety
    /// `timer` is writable and not set.
    pub unsafe fn ke_initialize_timer(&self, timer: *mut KTIMER, synchronization: bool) {
        let kind = if synchronization { SYNCHRONIZATION_TIMER } else { NOTIFICATION_TIMER };
        // SAFETY: the caller's promise.
        unsafe { timer.write(zeroed()) };
        // SAFETY: the caller's promise.
        unsafe { dispatcher::initialize::<KTIMER>(timer.cast(), kind, 0) };
    }

    /// KeSetTimerEx: whether it was set before. `due_time` is NT's time-out, `period` in ms.
    ///
    /// # Safety
    /// `timer` is initialised, and it and `dpc` stay until it is due or cancelled.
    pub unsafe fn ke_set_timer(
        &self,
        timer: *mut KTIMER,
        due_time: i64,
        period: u32,
        dpc: *mut KDPC,
    ) -> bool {
        let timers = self.timers();
        let mut set = hold(&timers.set);
        let was_set = set.cancel(timer.addr());
        // SAFETY: the caller's promise.
        unsafe { dispatcher::state(timer.cast()) }.store(0, std::sync::atomic::Ordering::SeqCst);
        // SAFETY: the caller's promise, and the set is locked.
        unsafe { (*timer).Dpc = dpc };
        // SAFETY: as above.
        unsafe { (*timer).Period = period };
        let due = self.deadline(due_time).unwrap_or_else(Instant::now);
        set.due.insert((due, timer.expose_provenance()));
        if !set.started {
            set.started = true;
            self.start_timers();
        }
        timers.changed.notify_all();
        was_set
    }

    /// KeCancelTimer: whether it was set.
    ///
    /// # Safety
    /// `timer` is initialised.
    pub unsafe fn ke_cancel_timer(&self, timer: *mut KTIMER) -> bool {
        hold(&self.timers().set).cancel(timer.addr())
    }

    /// The thread never ends, and keeps the kernel.
    fn start_timers(&self) {
        let kernel = self.own();
        let thread = std::thread::Builder::new().name("timer".into()).spawn(move || {
            let timers = kernel.timers();
            let mut set = hold(&timers.set);
            loop {
                let now = Instant::now();
                set = match set.due.first().copied() {
                    Some((due, timer)) if due <= now => {
                        set.due.pop_first();
                        // SAFETY: a timer that is set is there, and the set is locked.
                        unsafe { kernel.expire(&mut set, due, timer) };
                        set
                    }
                    Some((due, _)) => {
                        let waited = timers.changed.wait_timeout(set, due - now);
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => timers.changed.wait(set).unwrap_or_else(PoisonError::into_inner),
                };
            }
        });
        assert!(thread.is_ok(), "no thread for timers");
    }

    /// # Safety
    /// `timer` was due, and the set, which is locked, had it.
    unsafe fn expire(&self, set: &mut Set, due: Instant, timer: usize) {
        let timer: *mut KTIMER = std::ptr::with_exposed_provenance_mut(timer);
        // SAFETY: the caller's promise.
        let dpc = unsafe { (*timer).Dpc };
        // SAFETY: the caller's promise.
        let period = unsafe { (*timer).Period };
        if period > 0 {
            set.due.insert((due + Duration::from_millis(u64::from(period)), timer.expose_provenance()));
        }
        // Before the signal, after which the timer may be gone.
        if !dpc.is_null() {
            // SAFETY: what was given with the timer stays as long.
            unsafe { self.ke_insert_queue_dpc(dpc, std::ptr::null_mut(), std::ptr::null_mut()) };
        }
        // SAFETY: the caller's promise.
        unsafe { dispatcher::signal(timer.cast()) };
    }
}
