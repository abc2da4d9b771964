//! An event of a socket: whether it is enabled, who is inside its callback, and who waits for them to leave.

// UNSAFETY: calls the client's callback.
#![expect(unsafe_code, reason = "event callbacks are functions of the client, with its context")]

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use crossbeam_utils::CachePadded;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_EVENT_PENDING, STATUS_INVALID_PARAMETER, STATUS_PENDING,
    STATUS_SUCCESS,
};
use skua_engine::abi::wsk::WSK_DATAGRAM_INDICATION;

use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::request::Request;

/// Not enabled.
const OFF: u32 = 0;
/// Enabled by SO_WSK_EVENT_CALLBACK.
const DYNAMIC: u32 = 1;
/// Enabled by WSK_SET_STATIC_EVENT_CALLBACKS, for good.
const STATIC: u32 = 2;

/// WskReceiveFromEvent.
pub(crate) type ReceiveFromCallback =
    unsafe extern "C" fn(*mut c_void, u32, *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS;

/// The receive event of a datagram socket.
pub(crate) type ReceiveEvent = Event<ReceiveFromCallback>;

/// An event with a callback of type `C`.
///
/// # Invariants
/// A thread inside the callback is counted in a lane. It counts itself before it looks whether the event is enabled, and
/// whoever disables looks at the lanes after; both orders are sequentially consistent, so either the thread stays out or
/// it is seen.
pub(crate) struct Event<C> {
    /// Set when the socket is created, or when the client has taken an accepted one.
    target: OnceLock<Target<C>>,
    state: AtomicU32,
    /// Threads inside, by worker or processor: a lane is shared by none or few.
    lanes: Box<[CachePadded<AtomicU32>]>,
    /// Whether somebody waits in `waiting`; changed under its lock.
    draining: AtomicBool,
    waiting: Mutex<Vec<Request>>,
}

/// What to call, and with what.
#[derive(Clone, Copy)]
struct Target<C> {
    callback: Option<C>,
    context: *mut c_void,
}

// SAFETY: the client promises that callback and context are usable from any thread, on several at once.
unsafe impl<C> Send for Target<C> {}
// SAFETY: as above.
unsafe impl<C> Sync for Target<C> {}

/// What became of an indication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// STATUS_SUCCESS: the provider has the list back.
    Consumed,
    /// STATUS_PENDING: the client has the list until it releases it.
    Retained,
    /// STATUS_DATA_NOT_ACCEPTED of a static event: to be indicated again.
    Refused,
    /// STATUS_DATA_NOT_ACCEPTED of a dynamic event, which is off by that, or the event was off before.
    Off,
}

impl<C: Copy> Event<C> {
    /// An event that is off and has no callback; `lanes` is at least 1.
    pub(crate) fn new(lanes: u32) -> Self {
        Self {
            target: OnceLock::new(),
            state: AtomicU32::new(OFF),
            lanes: (0..lanes.max(1)).map(|_| CachePadded::new(AtomicU32::new(0))).collect(),
            draining: AtomicBool::new(false),
            waiting: Mutex::new(Vec::with_capacity(4)),
        }
    }

    /// Gives it its callback, once. It is enabled from then on if it `is_static`, which takes a callback: the answer is
    /// whether that is so.
    pub(crate) fn aim(&self, callback: Option<C>, context: *mut c_void, is_static: bool) -> bool {
        let _ = self.target.set(Target { callback, context });
        if is_static && callback.is_some() {
            self.state.store(STATIC, Ordering::SeqCst);
        }
        !is_static || callback.is_some()
    }

    /// Whether there is a callback to enable.
    pub(crate) fn has_callback(&self) -> bool {
        self.target.get().is_some_and(|target| target.callback.is_some())
    }

    /// Whether the callback would be called now.
    pub(crate) fn is_enabled(&self) -> bool {
        self.state.load(Ordering::SeqCst) != OFF
    }

    /// Enables it; STATUS_INVALID_PARAMETER when the client gave no callback to enable.
    pub(crate) fn enable(&self) -> NTSTATUS {
        if !self.has_callback() {
            return STATUS_INVALID_PARAMETER;
        }
        // A static event is on already.
        let _ = self.state.compare_exchange(OFF, DYNAMIC, Ordering::SeqCst, Ordering::SeqCst);
        STATUS_SUCCESS
    }

    /// Disables it. With callbacks inside, the request waits for them and the answer is STATUS_PENDING, or without a
    /// request STATUS_EVENT_PENDING; in any other case the request is completed with what is returned.
    pub(crate) fn disable(&self, kernel: &HostKernel, request: Option<Request>) -> NTSTATUS {
        let state = self.state.compare_exchange(DYNAMIC, OFF, Ordering::SeqCst, Ordering::SeqCst);
        if state == Err(STATIC) {
            // A static event cannot be disabled.
            return conclude(kernel, request, STATUS_INVALID_PARAMETER);
        }
        let mut waiting = hold(&self.waiting);
        self.draining.store(true, Ordering::SeqCst);
        if self.is_empty() {
            self.draining.store(!waiting.is_empty(), Ordering::SeqCst);
            drop(waiting);
            return conclude(kernel, request, STATUS_SUCCESS);
        }
        match request {
            Some(request) => {
                request.mark_pending();
                waiting.push(request);
                STATUS_PENDING
            }
            None => {
                self.draining.store(!waiting.is_empty(), Ordering::SeqCst);
                STATUS_EVENT_PENDING
            }
        }
    }

    /// Turns the event off for good and completes who waits for its callbacks, because the socket closes.
    pub(crate) fn close(&self, kernel: &HostKernel) {
        self.state.store(OFF, Ordering::SeqCst);
        if self.is_empty() {
            self.complete_waiting(kernel);
        }
    }

    /// Lets `call` call the callback with its context, if the event is enabled. What `call` does is inside the event too.
    pub(crate) fn call<R>(
        &self,
        kernel: &HostKernel,
        lane: u32,
        call: impl FnOnce(C, *mut c_void) -> R,
    ) -> Option<R> {
        let lane = &self.lanes[lane as usize % self.lanes.len()];
        lane.fetch_add(1, Ordering::SeqCst);
        let result = match self.target.get() {
            Some(Target { callback: Some(callback), context }) if self.is_enabled() => {
                Some(call(*callback, *context))
            }
            _ => None,
        };
        lane.fetch_sub(1, Ordering::SeqCst);
        if self.draining.load(Ordering::SeqCst) && self.is_empty() {
            self.complete_waiting(kernel);
        }
        result
    }

    fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.load(Ordering::SeqCst) == 0)
    }

    /// Completes those who waited, if the lanes are still empty of whom they wait for.
    fn complete_waiting(&self, kernel: &HostKernel) {
        loop {
            let mut waiting = hold(&self.waiting);
            if !self.is_empty() {
                // Enabled again meanwhile, and somebody is inside: who leaves last completes the rest.
                return;
            }
            let Some(request) = waiting.pop() else {
                self.draining.store(false, Ordering::SeqCst);
                return;
            };
            drop(waiting);
            request.complete_later(kernel, STATUS_SUCCESS, 0);
        }
    }
}

impl ReceiveEvent {
    /// Calls the callback with `list`, null for the death of the socket.
    pub(crate) fn indicate(
        &self,
        kernel: &HostKernel,
        lane: u32,
        flags: u32,
        list: *mut WSK_DATAGRAM_INDICATION,
    ) -> Verdict {
        let verdict = self.call(kernel, lane, |callback, context| {
            // SAFETY: the client promises a callback for its context until the socket is closed, which waits for this
            // thread to leave its lane.
            let status = unsafe { callback(context, flags, list) };
            self.judge(status)
        });
        verdict.unwrap_or(Verdict::Off)
    }

    fn judge(&self, status: NTSTATUS) -> Verdict {
        match status {
            STATUS_PENDING => Verdict::Retained,
            STATUS_DATA_NOT_ACCEPTED => {
                let off = self.state.compare_exchange(DYNAMIC, OFF, Ordering::SeqCst, Ordering::SeqCst);
                if off == Err(STATIC) { Verdict::Refused } else { Verdict::Off }
            }
            // Nothing else may be returned; what is not PENDING gives the list back.
            _ => Verdict::Consumed,
        }
    }
}

fn conclude(kernel: &HostKernel, request: Option<Request>, status: NTSTATUS) -> NTSTATUS {
    match request {
        Some(request) => request.complete(kernel, status, 0),
        None => status,
    }
}
