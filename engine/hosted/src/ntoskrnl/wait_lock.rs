//! Locks that threads wait for: fast mutexes, push locks.

// UNSAFETY: locks are reached by address.
#![expect(unsafe_code, reason = "locks live in the driver's memory")]

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use skua_engine::abi::nt::{APC_LEVEL, FAST_MUTEX, KIRQL};
use skua_engine::abi::zeroed;

use crate::HostKernel;
use crate::kernel::event;
use crate::ntoskrnl::thread;
use crate::verifier::{Object, ObjectKind, Rule};

/// A push lock's writer; readers are counted by twos.
const WRITER: usize = 1;
const READER: usize = 2;

/// Fast mutexes and push locks.
impl HostKernel {
    /// ExInitializeFastMutex.
    ///
    /// # Safety
    /// `mutex` is writable.
    pub unsafe fn ex_initialize_fast_mutex(&self, mutex: *mut FAST_MUTEX) {
        // SAFETY: the caller's promise.
        unsafe { mutex.write(FAST_MUTEX { Count: 1, ..zeroed() }) };
    }

    /// ExAcquireFastMutex, which raises to `level` while it is held: APC_LEVEL, or for ExAcquireFastMutexUnsafe the level
    /// that the thread is at.
    ///
    /// # Safety
    /// `mutex` is initialised and lives until it is released.
    pub unsafe fn ex_acquire_fast_mutex(&self, mutex: *mut FAST_MUTEX, level: KIRQL) {
        // SAFETY: the caller's promise.
        if unsafe { (*mutex).Owner } == thread::current().cast() {
            return self.misused(mutex, "ExAcquireFastMutex", "this thread holds it already");
        }
        if !self.may_wait("ExAcquireFastMutex") {
            return;
        }
        // SAFETY: the caller's promise.
        let count = unsafe { count(mutex) };
        while count.compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            event::park(mutex.addr(), || count.load(Ordering::SeqCst) != 1, None);
        }
        // SAFETY: held.
        unsafe { self.hold_fast_mutex(mutex, level) };
    }

    /// ExTryToAcquireFastMutex.
    ///
    /// # Safety
    /// As for [`HostKernel::ex_acquire_fast_mutex`].
    pub unsafe fn ex_try_to_acquire_fast_mutex(&self, mutex: *mut FAST_MUTEX) -> bool {
        // SAFETY: the caller's promise.
        let taken =
            unsafe { count(mutex) }.compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if taken {
            // SAFETY: held.
            unsafe { self.hold_fast_mutex(mutex, APC_LEVEL) };
        }
        taken
    }

    /// ExReleaseFastMutex.
    ///
    /// # Safety
    /// `mutex` is initialised.
    pub unsafe fn ex_release_fast_mutex(&self, mutex: *mut FAST_MUTEX) {
        // SAFETY: the caller's promise.
        if unsafe { (*mutex).Owner } != thread::current().cast() {
            return self.misused(mutex, "ExReleaseFastMutex", "this thread does not hold it");
        }
        // SAFETY: held.
        let old = unsafe { (*mutex).OldIrql };
        // SAFETY: held.
        unsafe { (*mutex).Owner = std::ptr::null_mut() };
        // SAFETY: the caller's promise.
        unsafe { count(mutex) }.store(1, Ordering::SeqCst);
        event::wake(mutex.addr());
        self.kf_lower_irql(KIRQL::try_from(old).unwrap_or_default());
    }

    /// # Safety
    /// The caller holds `mutex`.
    unsafe fn hold_fast_mutex(&self, mutex: *mut FAST_MUTEX, level: KIRQL) {
        // SAFETY: the caller's promise.
        unsafe { (*mutex).Owner = thread::current().cast() };
        let before = self.kf_raise_irql(level);
        // SAFETY: the caller's promise.
        unsafe { (*mutex).OldIrql = u32::from(before) };
    }

    /// ExAcquirePushLockExclusive.
    ///
    /// # Safety
    /// `lock` is initialised, zero when it is free, and lives until it is released.
    pub unsafe fn ex_acquire_push_lock_exclusive(&self, lock: *mut usize) {
        if !self.may_wait("ExAcquirePushLockExclusive") {
            return;
        }
        // SAFETY: the caller's promise; only these routines access it.
        let word = unsafe { AtomicUsize::from_ptr(lock) };
        while word.compare_exchange(0, WRITER, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            event::park(lock.addr(), || word.load(Ordering::SeqCst) != 0, None);
        }
    }

    /// ExAcquirePushLockShared.
    ///
    /// # Safety
    /// As for [`HostKernel::ex_acquire_push_lock_exclusive`].
    pub unsafe fn ex_acquire_push_lock_shared(&self, lock: *mut usize) {
        if !self.may_wait("ExAcquirePushLockShared") {
            return;
        }
        // SAFETY: the caller's promise; only these routines access it.
        let word = unsafe { AtomicUsize::from_ptr(lock) };
        let enter = |value: usize| (value & WRITER == 0).then(|| value + READER);
        while word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter).is_err() {
            event::park(lock.addr(), || word.load(Ordering::SeqCst) & WRITER != 0, None);
        }
    }

    /// ExReleasePushLock, held either way.
    ///
    /// # Safety
    /// `lock` is initialised.
    pub unsafe fn ex_release_push_lock(&self, lock: *mut usize) {
        // SAFETY: the caller's promise; only these routines access it.
        let word = unsafe { AtomicUsize::from_ptr(lock) };
        let leave = |value: usize| {
            if value & WRITER != 0 { Some(0) } else { value.checked_sub(READER) }
        };
        match word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, leave) {
            Ok(_) => event::wake(lock.addr()),
            Err(_) => self.misused(lock, "ExReleasePushLock", "nobody holds it"),
        }
    }

    #[cold]
    fn misused<T>(&self, lock: *mut T, routine: &str, why: &str) {
        let what = format!("{routine} of {lock:p}: {why}");
        self.breach(Rule::LockMisused, Object::at(ObjectKind::Lock, lock), what);
    }
}

/// # Safety
/// `mutex` is initialised and outlives the reference.
unsafe fn count<'a>(mutex: *mut FAST_MUTEX) -> &'a AtomicI32 {
    // SAFETY: the caller's promise.
    let count = unsafe { &raw mut (*mutex).Count };
    // SAFETY: aligned, and only these routines access it.
    unsafe { AtomicI32::from_ptr(count) }
}
