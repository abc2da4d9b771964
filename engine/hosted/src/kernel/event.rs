//! Events: KEVENT's signal state, and threads parked by its address.

// UNSAFETY: an event is reached by address, and threads park on it.
#![expect(unsafe_code, reason = "KEVENTs live in the client's memory")]

use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot_core::{DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, ParkResult};
use skua_engine::abi::nt::{DISPATCHER_HEADER, KEVENT, LIST_ENTRY, NotificationEvent};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS, STATUS_TIMEOUT};

/// KeInitializeEvent(NotificationEvent).
///
/// # Safety
/// `event` is writable and nobody waits on it.
pub(crate) unsafe fn initialize(event: *mut KEVENT, signalled: bool) {
    let list = event.wrapping_byte_add(offset_of!(KEVENT, Header.WaitListHead)).cast::<LIST_ENTRY>();
    let header = DISPATCHER_HEADER {
        Type: u8::try_from(NotificationEvent).unwrap_or_default(),
        Signalling: 0,
        Size: u8::try_from(size_of::<KEVENT>() / 4).unwrap_or_default(),
        Reserved1: 0,
        SignalState: i32::from(signalled),
        // Nobody reads it: an empty list, as a debugger expects to find it.
        WaitListHead: LIST_ENTRY { Flink: list, Blink: list },
    };
    // SAFETY: the caller promises that the event can be written.
    unsafe { event.write(KEVENT { Header: header }) };
}

/// Whether [`initialize`] made it.
///
/// # Safety
/// `event` is readable.
pub(crate) unsafe fn is_initialized(event: *const KEVENT) -> bool {
    // SAFETY: the caller's promise; nobody writes this while it is an event.
    let kind = unsafe { (*event).Header.Type };
    // SAFETY: as above.
    let size = unsafe { (*event).Header.Size };
    i32::from(kind) == NotificationEvent && usize::from(size) == size_of::<KEVENT>() / 4
}

/// KeSetEvent. The event may be gone as soon as its state is stored: after that only its address is used, as a name.
///
/// # Safety
/// `event` was initialised.
pub(crate) unsafe fn set(event: *mut KEVENT) {
    // SAFETY: the caller promises an initialised event.
    let state = unsafe { state(event) };
    state.store(1, Ordering::SeqCst);
    wake(event.addr());
}

/// KeClearEvent.
///
/// # Safety
/// `event` was initialised.
pub(crate) unsafe fn clear(event: *mut KEVENT) {
    // SAFETY: the caller promises an initialised event.
    let state = unsafe { state(event) };
    state.store(0, Ordering::Release);
}

/// KeWaitForSingleObject; `timeout` in units of 100 ns.
///
/// # Safety
/// `event` was initialised and stays valid until this returns.
pub(crate) unsafe fn wait(event: *mut KEVENT, timeout: Option<u64>) -> NTSTATUS {
    // SAFETY: the caller promises an initialised event for as long as this runs.
    let state = unsafe { state(event) };
    let signalled = || state.load(Ordering::Acquire) > 0;
    // A time-out beyond what the clock can count to waits without limit.
    let deadline =
        timeout.and_then(|units| Instant::now().checked_add(Duration::from_nanos(units.saturating_mul(100))));
    while !signalled() {
        if timeout == Some(0) {
            return STATUS_TIMEOUT;
        }
        // SAFETY: the key is the event's own address; the closures neither park nor panic.
        let parked = unsafe {
            parking_lot_core::park(
                event.addr(),
                || !signalled(),
                || {},
                |_, _| {},
                DEFAULT_PARK_TOKEN,
                deadline,
            )
        };
        if parked == ParkResult::TimedOut && !signalled() {
            return STATUS_TIMEOUT;
        }
    }
    STATUS_SUCCESS
}

/// Takes the memory that parking needs before the first thread parks, so that later signals take none.
pub(crate) fn prepare_parking() {
    let place = 0u64;
    wake((&raw const place).addr());
}

/// Wakes who is parked by `key`, the address of an object that has changed, and who waits for several.
pub(crate) fn wake(key: usize) {
    // SAFETY: keys are addresses of live or former objects, or of a local; a thread parked on a reused address checks
    // its own object and parks again.
    unsafe { parking_lot_core::unpark_all(key, DEFAULT_UNPARK_TOKEN) };
    // SeqCst, as the state before it: who counts itself sees the state, or is seen here.
    if SEVERAL.load(Ordering::SeqCst) > 0 {
        // SAFETY: the address of a static.
        unsafe { parking_lot_core::unpark_all((&raw const SEVERAL).addr(), DEFAULT_UNPARK_TOKEN) };
    }
}

/// Threads that are parked for several objects, by the address of this.
static SEVERAL: AtomicUsize = AtomicUsize::new(0);

/// Parks by `key` while `blocked`, at most until `deadline`. May return early.
pub(crate) fn park(key: usize, blocked: impl Fn() -> bool, deadline: Option<Instant>) {
    // SAFETY: the key is an object's own address; the closures neither park nor panic.
    unsafe { parking_lot_core::park(key, blocked, || {}, |_, _| {}, DEFAULT_PARK_TOKEN, deadline) };
}

/// As [`park`], until any object changes.
pub(crate) fn park_for_several(blocked: impl Fn() -> bool, deadline: Option<Instant>) {
    SEVERAL.fetch_add(1, Ordering::SeqCst);
    park((&raw const SEVERAL).addr(), blocked, deadline);
    SEVERAL.fetch_sub(1, Ordering::SeqCst);
}

/// # Safety
/// `event` is initialised and outlives the reference.
unsafe fn state<'a>(event: *mut KEVENT) -> &'a AtomicI32 {
    // SAFETY: the caller promises a valid event.
    let word = unsafe { &raw mut (*event).Header.SignalState };
    // SAFETY: aligned within a KEVENT, and only these functions access it.
    unsafe { AtomicI32::from_ptr(word) }
}
