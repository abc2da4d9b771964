//! A provider that can be watched: something happens at the nth call, completion or callback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use skua_engine::abi::status::NTSTATUS;
use skua_hosted::middleware::{Call, Completion, Event, Middleware};

/// How long a point waits, once it has fired, for the other side to act on it.
const PAUSE: Duration = Duration::from_millis(2);

/// Everything a run reports.
pub(crate) const NAMES: [&str; 10] = [
    "WskSocket",
    "WskControlSocket",
    "WskBind",
    "WskGetLocalAddress",
    "WskReceiveFromEvent",
    "WskRelease",
    "WskSendTo",
    "WskSendMessages",
    "WskCloseSocket",
    "completion",
];

/// Counts the points of one name in one run, and fires at one of them. By name, because threads pass points of different
/// names in any order.
#[derive(Debug, Default)]
pub(crate) struct Points {
    name: &'static str,
    passed: AtomicU64,
    fire_at: u64,
    fired: AtomicBool,
    /// Set by the scenario once it acts on the firing.
    acting: AtomicBool,
}

impl Points {
    /// Those of a run that fires at the `fire_at`th point called `name`, the first being 1.
    pub(crate) fn new(name: &'static str, fire_at: u64) -> Arc<Self> {
        Arc::new(Self { name, fire_at, ..Self::default() })
    }

    pub(crate) fn has_fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }

    /// The scenario acts on the firing now.
    pub(crate) fn act(&self) {
        self.acting.store(true, Ordering::Release);
    }

    fn reach(&self, name: &'static str) {
        if name != self.name {
            return;
        }
        if self.passed.fetch_add(1, Ordering::AcqRel) + 1 != self.fire_at {
            return;
        }
        self.fired.store(true, Ordering::Release);
        let until = Instant::now() + PAUSE;
        while !self.acting.load(Ordering::Acquire) && Instant::now() < until {
            std::thread::yield_now();
        }
        std::thread::sleep(PAUSE / 8);
    }
}

/// Each point is reached when what it is called after has returned.
impl Middleware for Points {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let status = call.pass();
        self.reach(call.function().name());
        status
    }

    fn complete(&self, completion: Completion) {
        completion.pass();
        self.reach("completion");
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        let status = event.pass();
        self.reach(event.function().name());
        status
    }
}
