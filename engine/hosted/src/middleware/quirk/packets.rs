//! When packets are completed, and what the call says of it.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use skua_engine::Kernel;
use skua_engine::abi::nt::PASSIVE_LEVEL;
use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_SUPPORTED, STATUS_PENDING};

use crate::kernel::lock::hold;
use crate::middleware::{Call, Completion, Event, Function, Middleware};

/// How long a caller is kept waiting for its packet.
const INLINE: Duration = Duration::from_millis(200);

thread_local! {
    /// Callbacks that the thread is inside of.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// [`Quirk::InlineCompletion`](super::Quirk::InlineCompletion).
#[derive(Debug, Default)]
pub(super) struct Inline {
    /// By packet, what its call is to be completed with, once it is known. Only of calls that wait.
    waiting: Mutex<HashMap<u64, Option<Completion>>>,
    came: Condvar,
}

impl Inline {
    /// Whether the call may wait: nothing else has to happen for it to end, and the thread may be kept.
    fn may_wait(call: &Call<'_>) -> bool {
        call.has_packet()
            && call.kernel().ke_get_current_irql() == PASSIVE_LEVEL
            && INSIDE.get() == 0
            && !matches!(
                call.function(),
                Function::ReceiveFrom
                    | Function::Receive
                    | Function::ReceiveEx
                    | Function::Accept
                    | Function::ControlClient
            )
    }
}

impl Middleware for Inline {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let Some(packet) = call.packet().filter(|_| Self::may_wait(call)) else { return call.pass() };
        hold(&self.waiting).insert(packet, None);
        let status = call.pass();
        let deadline = Instant::now() + INLINE;
        let mut waiting = hold(&self.waiting);
        loop {
            if waiting.get(&packet).is_none_or(Option::is_some) {
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || status != STATUS_PENDING {
                break;
            }
            waiting = self.came.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let completion = waiting.remove(&packet).flatten();
        drop(waiting);
        let Some(mut completion) = completion else { return status };
        completion.is_pending = false;
        let status = completion.status;
        completion.pass();
        status
    }

    fn complete(&self, completion: Completion) {
        let mut waiting = hold(&self.waiting);
        if let Some(place) = waiting.get_mut(&completion.packet()) {
            *place = Some(completion);
            self.came.notify_all();
            return;
        }
        drop(waiting);
        completion.pass();
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        INSIDE.set(INSIDE.get() + 1);
        let status = event.pass();
        INSIDE.set(INSIDE.get() - 1);
        status
    }
}

/// [`Quirk::DeferredCompletion`](super::Quirk::DeferredCompletion).
pub(super) struct Deferred {
    /// To the thread that completes; it ends when this does.
    completions: Sender<Completion>,
}

impl Deferred {
    pub(super) fn new() -> Self {
        let (completions, due) = channel::<Completion>();
        let thread = std::thread::Builder::new().name("deferred".into());
        let spawned = thread.spawn(move || {
            for completion in due {
                completion.wait_for_return();
                completion.pass_later();
            }
        });
        // Without the thread nothing would ever complete.
        assert!(spawned.is_ok(), "no thread to complete packets with");
        Self { completions }
    }
}

impl Middleware for Deferred {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let status = call.pass();
        if call.has_packet() { STATUS_PENDING } else { status }
    }

    fn complete(&self, mut completion: Completion) {
        completion.is_pending = true;
        if let Err(unsent) = self.completions.send(completion) {
            unsent.0.pass_later();
        }
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").finish_non_exhaustive()
    }
}

/// [`Quirk::PendingAfterInline`](super::Quirk::PendingAfterInline).
#[derive(Debug)]
pub(super) struct PendingAfterInline;

impl Middleware for PendingAfterInline {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let status = call.pass();
        if call.has_packet() { STATUS_PENDING } else { status }
    }

    fn complete(&self, mut completion: Completion) {
        completion.is_pending = false;
        completion.pass();
    }
}

/// [`Quirk::Unsupported`](super::Quirk::Unsupported).
#[derive(Debug)]
pub(super) struct Unsupported(pub(super) Function);

impl Middleware for Unsupported {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        if call.function() == self.0 && call.has_packet() {
            call.abandon(STATUS_NOT_SUPPORTED)
        } else {
            call.pass()
        }
    }
}
