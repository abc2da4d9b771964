//! Dispatcher objects of every kind: what threads wait for, parked by the object's address.
//!
//! ```text
//! kind                    signalled when        a wait that ends
//! notification event      SignalState > 0       leaves it
//! synchronization event   SignalState > 0       resets it
//! semaphore               SignalState > 0       takes one off
//! mutex                   SignalState > 0       takes one off and owns it; its owner may wait again
//! notification timer      SignalState > 0       leaves it
//! synchronization timer   SignalState > 0       resets it
//! thread                  SignalState > 0       leaves it
//! ```

// UNSAFETY: objects are reached by address, and threads park on them.
#![expect(unsafe_code, reason = "dispatcher objects live in the driver's memory")]

use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use skua_engine::abi::nt::{
    BOOLEAN, DISPATCHER_HEADER, EVENT_TYPE, KEVENT, KMUTEX, KSEMAPHORE, KTIMER, LIST_ENTRY, NotificationEvent,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_UNSUCCESSFUL};

use crate::HostKernel;
use crate::kernel::{clock, event};
use crate::ntoskrnl::thread::{self, KernelThread};
use crate::verifier::{Object, ObjectKind, Rule};

pub(super) const SYNCHRONIZATION_EVENT: u8 = 1;
const NOTIFICATION_EVENT: u8 = 0;
const MUTEX: u8 = 2;
const SEMAPHORE: u8 = 5;
pub(super) const THREAD: u8 = 6;
pub(super) const NOTIFICATION_TIMER: u8 = 8;
pub(super) const SYNCHRONIZATION_TIMER: u8 = 9;

/// A dispatcher object, by the header that each begins with.
pub(super) type Header = *mut DISPATCHER_HEADER;

/// What a wait ends with that was for one of several objects: this and the number of the object.
const STATUS_WAIT_0: i32 = 0;
const MAXIMUM_WAIT_OBJECTS: usize = 64;

/// Events, semaphores, mutexes; waits for them, for timers and for threads.
impl HostKernel {
    /// KeInitializeEvent.
    ///
    /// # Safety
    /// `event` is writable and nobody waits on it.
    pub unsafe fn ke_initialize_event_of(&self, event: *mut KEVENT, kind: EVENT_TYPE, signalled: bool) {
        let kind = if kind == NotificationEvent { NOTIFICATION_EVENT } else { SYNCHRONIZATION_EVENT };
        // SAFETY: the caller's promise.
        unsafe { initialize::<KEVENT>(event.cast(), kind, i32::from(signalled)) };
    }

    /// KeSetEvent: the state before. The event may be gone as soon as its state is stored.
    ///
    /// # Safety
    /// `event` is readable.
    pub unsafe fn ke_set_event_of(&self, event: *mut KEVENT) -> i32 {
        // SAFETY: the caller's promise.
        if !unsafe { self.is_object(event.cast(), "KeSetEvent") } {
            return 0;
        }
        // SAFETY: an initialised object.
        let before = unsafe { state(event.cast()) }.swap(1, Ordering::SeqCst);
        event::wake(event.addr());
        before
    }

    /// KeResetEvent: the state before.
    ///
    /// # Safety
    /// `event` is readable.
    pub unsafe fn ke_reset_event(&self, event: *mut KEVENT) -> i32 {
        // SAFETY: the caller's promise.
        if !unsafe { self.is_object(event.cast(), "KeResetEvent") } {
            return 0;
        }
        // SAFETY: an initialised object.
        unsafe { state(event.cast()) }.swap(0, Ordering::SeqCst)
    }

    /// KeReadStateEvent, KeReadStateSemaphore and their like.
    ///
    /// # Safety
    /// `object` is an initialised dispatcher object.
    pub unsafe fn ke_read_state(&self, object: *mut c_void) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { state(object.cast()) }.load(Ordering::SeqCst)
    }

    /// KeInitializeSemaphore.
    ///
    /// # Safety
    /// `semaphore` is writable and nobody waits on it.
    pub unsafe fn ke_initialize_semaphore(&self, semaphore: *mut KSEMAPHORE, count: i32, limit: i32) {
        // SAFETY: the caller's promise.
        unsafe { initialize::<KSEMAPHORE>(semaphore.cast(), SEMAPHORE, count) };
        // SAFETY: the caller's promise.
        unsafe { (*semaphore).Limit = limit };
    }

    /// KeReleaseSemaphore: the count before.
    ///
    /// # Safety
    /// `semaphore` is readable.
    pub unsafe fn ke_release_semaphore(&self, semaphore: *mut KSEMAPHORE, adjustment: i32) -> i32 {
        // SAFETY: the caller's promise.
        if !unsafe { self.is_object(semaphore.cast(), "KeReleaseSemaphore") } {
            return 0;
        }
        // SAFETY: an initialised semaphore.
        let limit = unsafe { (*semaphore).Limit };
        // SAFETY: as above.
        let count = unsafe { state(semaphore.cast()) };
        let added = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
            count.checked_add(adjustment).filter(|count| adjustment > 0 && *count <= limit)
        });
        event::wake(semaphore.addr());
        added.unwrap_or_else(|count| {
            let what = format!(
                "KeReleaseSemaphore by {adjustment} of {semaphore:p}, whose count is {count} of {limit}"
            );
            self.breach(Rule::LockMisused, Object::at(ObjectKind::Lock, semaphore), what);
            count
        })
    }

    /// KeInitializeMutex.
    ///
    /// # Safety
    /// `mutex` is writable and nobody waits on it.
    pub unsafe fn ke_initialize_mutex(&self, mutex: *mut KMUTEX) {
        let list = mutex.wrapping_byte_add(offset_of!(KMUTEX, MutantListEntry)).cast::<LIST_ENTRY>();
        // SAFETY: the caller's promise.
        unsafe { initialize::<KMUTEX>(mutex.cast(), MUTEX, 1) };
        // SAFETY: the caller's promise.
        unsafe { (*mutex).MutantListEntry = LIST_ENTRY { Flink: list, Blink: list } };
        // SAFETY: the caller's promise.
        unsafe { (*mutex).OwnerThread = std::ptr::null_mut() };
    }

    /// KeReleaseMutex: the state before, 0 for a mutex that is free then.
    ///
    /// # Safety
    /// `mutex` is readable.
    pub unsafe fn ke_release_mutex(&self, mutex: *mut KMUTEX) -> i32 {
        // SAFETY: the caller's promise.
        if !unsafe { self.is_object(mutex.cast(), "KeReleaseMutex") } {
            return 0;
        }
        // SAFETY: an initialised mutex.
        let owner = unsafe { owner(mutex) };
        if owner.load(Ordering::SeqCst) != thread::current().cast() {
            let what = format!("KeReleaseMutex of {mutex:p}, which this thread does not own");
            self.breach(Rule::LockMisused, Object::at(ObjectKind::Lock, mutex), what);
            return 0;
        }
        // SAFETY: as above.
        let state = unsafe { state(mutex.cast()) };
        let before = state.load(Ordering::SeqCst);
        if before == 0 {
            owner.store(std::ptr::null_mut(), Ordering::SeqCst);
        }
        state.store(before + 1, Ordering::SeqCst);
        event::wake(mutex.addr());
        before
    }

    /// KeWaitForSingleObject. `timeout` is NT's: in units of 100 ns, negative from now on, positive since 1601; `None` for
    /// ever.
    ///
    /// # Safety
    /// `object` is readable, and stays valid until this returns if it is a dispatcher object.
    pub unsafe fn ke_wait_for_object(&self, object: *mut c_void, timeout: Option<i64>) -> NTSTATUS {
        // SAFETY: the caller's promise.
        unsafe { self.ke_wait_for_multiple_objects(&[object], false, timeout) }
    }

    /// KeWaitForMultipleObjects.
    ///
    /// # Safety
    /// As for [`HostKernel::ke_wait_for_object`], each.
    pub unsafe fn ke_wait_for_multiple_objects(
        &self,
        objects: &[*mut c_void],
        all: bool,
        timeout: Option<i64>,
    ) -> NTSTATUS {
        let routine = if objects.len() == 1 { "KeWaitForSingleObject" } else { "KeWaitForMultipleObjects" };
        // SAFETY: the caller's promise.
        let known = objects.iter().all(|object| unsafe { self.is_object(object.cast(), routine) });
        let allowed = timeout == Some(0) || self.may_wait(routine);
        if !known || !allowed || objects.is_empty() || objects.len() > MAXIMUM_WAIT_OBJECTS {
            return STATUS_UNSUCCESSFUL;
        }
        let deadline = timeout.map(|timeout| self.deadline(timeout));
        let me = thread::current();
        loop {
            // SAFETY: initialised objects, by `is_object`.
            let taken = if all { unsafe { take_all(objects, me) } } else { unsafe { take_any(objects, me) } };
            if let Some(status) = taken {
                return status;
            }
            if deadline.is_some_and(|deadline| deadline.is_none_or(|at| Instant::now() >= at)) {
                return STATUS_TIMEOUT;
            }
            // SAFETY: as above.
            let signalled = |object: &*mut c_void| unsafe { is_signalled(object.cast(), me) };
            let blocked =
                || if all { !objects.iter().all(signalled) } else { !objects.iter().any(signalled) };
            match objects {
                [object] => event::park(object.addr(), blocked, deadline.flatten()),
                _ => event::park_for_several(blocked, deadline.flatten()),
            }
        }
    }

    /// KeDelayExecutionThread.
    pub fn ke_delay_execution_thread(&self, interval: i64) -> NTSTATUS {
        if interval != 0 && !self.may_wait("KeDelayExecutionThread") {
            return STATUS_UNSUCCESSFUL;
        }
        if let Some(deadline) = self.deadline(interval) {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        } else {
            std::thread::yield_now();
        }
        STATUS_SUCCESS
    }

    /// When NT's `timeout` is over; `None` when it is over already.
    pub(super) fn deadline(&self, timeout: i64) -> Option<Instant> {
        let units = if timeout < 0 {
            timeout.unsigned_abs()
        } else {
            timeout.unsigned_abs().saturating_sub(clock::system_time())
        };
        // As far away as the clock counts: years.
        let far = Duration::from_secs(u64::from(u32::MAX));
        let span = Duration::from_nanos((units / u64::from(self.haste())).saturating_mul(100)).min(far);
        (units > 0).then(|| Instant::now() + span)
    }

    /// Whether `routine` was given a dispatcher object; reported otherwise.
    ///
    /// # Safety
    /// `object` is readable for the size of a header.
    unsafe fn is_object(&self, object: Header, routine: &str) -> bool {
        // SAFETY: the caller's promise; nobody writes these while it is an object.
        let kind = unsafe { (*object).Type };
        // SAFETY: as above.
        let size = unsafe { (*object).Size };
        let expected = match kind {
            NOTIFICATION_EVENT | SYNCHRONIZATION_EVENT => size_of::<KEVENT>(),
            SEMAPHORE => size_of::<KSEMAPHORE>(),
            MUTEX => size_of::<KMUTEX>(),
            NOTIFICATION_TIMER | SYNCHRONIZATION_TIMER => size_of::<KTIMER>(),
            THREAD => size_of::<KernelThread>(),
            _ => 0,
        };
        let is_object = expected > 0 && usize::from(size) == expected / 4;
        if !is_object {
            let what = format!(
                "{routine} was given {object:p}, which is no initialised event, semaphore, mutex, timer or thread"
            );
            self.breach(Rule::EventNotInitialized, Object::at(ObjectKind::Event, object), what);
        }
        is_object
    }
}

/// # Safety
/// `object` is writable for a `T` and nobody waits on it.
pub(super) unsafe fn initialize<T>(object: Header, kind: u8, signal_state: i32) {
    let list = object.wrapping_byte_add(offset_of!(DISPATCHER_HEADER, WaitListHead)).cast::<LIST_ENTRY>();
    let header = DISPATCHER_HEADER {
        Type: kind,
        Signalling: 0,
        Size: u8::try_from(size_of::<T>() / 4).unwrap_or_default(),
        Reserved1: BOOLEAN::default(),
        SignalState: signal_state,
        WaitListHead: LIST_ENTRY { Flink: list, Blink: list },
    };
    // SAFETY: the caller's promise.
    unsafe { object.write(header) };
}

/// Signals an object that stays signalled.
///
/// # Safety
/// `object` is initialised.
pub(super) unsafe fn signal(object: Header) {
    // SAFETY: the caller's promise.
    unsafe { state(object) }.store(1, Ordering::SeqCst);
    event::wake(object.addr());
}

/// # Safety
/// `object` is initialised and outlives the reference.
pub(super) unsafe fn state<'a>(object: Header) -> &'a AtomicI32 {
    // SAFETY: the caller's promise.
    let word = unsafe { &raw mut (*object).SignalState };
    // SAFETY: aligned, and only atomics access it.
    unsafe { AtomicI32::from_ptr(word) }
}

/// # Safety
/// `mutex` is initialised and outlives the reference.
unsafe fn owner<'a>(mutex: *mut KMUTEX) -> &'a AtomicPtr<c_void> {
    // SAFETY: the caller's promise.
    let word = unsafe { &raw mut (*mutex).OwnerThread };
    // SAFETY: aligned, and only atomics access it.
    unsafe { AtomicPtr::from_ptr(word) }
}

/// # Safety
/// `object` is initialised.
unsafe fn kind(object: Header) -> u8 {
    // SAFETY: the caller's promise.
    unsafe { (*object).Type }
}

/// Whether a wait of thread `me` would end.
///
/// # Safety
/// `object` is initialised.
unsafe fn is_signalled(object: Header, me: *mut KernelThread) -> bool {
    // SAFETY: the caller's promise.
    let signalled = unsafe { state(object) }.load(Ordering::SeqCst) > 0;
    // SAFETY: the caller's promise.
    let is_mutex = unsafe { kind(object) } == MUTEX;
    // SAFETY: a mutex.
    signalled || (is_mutex && unsafe { owner(object.cast()) }.load(Ordering::SeqCst) == me.cast())
}

/// Ends a wait of thread `me` for `object`, if it would end.
///
/// # Safety
/// `object` is initialised.
unsafe fn take(object: Header, me: *mut KernelThread) -> bool {
    // SAFETY: the caller's promise.
    let state = unsafe { state(object) };
    let one_off = |state: &AtomicI32| {
        state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| (count > 0).then(|| count - 1)).is_ok()
    };
    // SAFETY: the caller's promise.
    match unsafe { kind(object) } {
        SYNCHRONIZATION_EVENT | SYNCHRONIZATION_TIMER | SEMAPHORE => one_off(state),
        MUTEX => {
            // SAFETY: a mutex.
            let owner = unsafe { owner(object.cast()) };
            if owner.load(Ordering::SeqCst) == me.cast() {
                state.fetch_sub(1, Ordering::SeqCst);
                return true;
            }
            let taken = one_off(state);
            if taken {
                owner.store(me.cast(), Ordering::SeqCst);
            }
            taken
        }
        _ => state.load(Ordering::SeqCst) > 0,
    }
}

/// # Safety
/// The objects are initialised.
unsafe fn take_any(objects: &[*mut c_void], me: *mut KernelThread) -> Option<NTSTATUS> {
    // SAFETY: the caller's promise.
    let index = objects.iter().position(|object| unsafe { take(object.cast(), me) })?;
    Some(NTSTATUS(STATUS_WAIT_0 + i32::try_from(index).unwrap_or_default()))
}

/// Takes all or none. What was taken when another turns out to be gone is given back, which others may see.
///
/// # Safety
/// The objects are initialised.
unsafe fn take_all(objects: &[*mut c_void], me: *mut KernelThread) -> Option<NTSTATUS> {
    // SAFETY: the caller's promise.
    if !objects.iter().all(|object| unsafe { is_signalled(object.cast(), me) }) {
        return None;
    }
    // SAFETY: the caller's promise.
    let Some(gone) = objects.iter().position(|object| !unsafe { take(object.cast(), me) }) else {
        return Some(STATUS_SUCCESS);
    };
    for object in &objects[..gone] {
        // SAFETY: the caller's promise.
        unsafe { give_back((*object).cast()) };
    }
    None
}

/// # Safety
/// `object` is initialised, and was taken.
unsafe fn give_back(object: Header) {
    // SAFETY: the caller's promise.
    let kind = unsafe { kind(object) };
    // SAFETY: the caller's promise.
    let state = unsafe { state(object) };
    if matches!(kind, SYNCHRONIZATION_EVENT | SYNCHRONIZATION_TIMER | SEMAPHORE | MUTEX) {
        if kind == MUTEX && state.load(Ordering::SeqCst) == 0 {
            // SAFETY: a mutex.
            unsafe { owner(object.cast()) }.store(std::ptr::null_mut(), Ordering::SeqCst);
        }
        state.fetch_add(1, Ordering::SeqCst);
        event::wake(object.addr());
    }
}
