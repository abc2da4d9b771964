//! What each check calls, and is called with.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use skua_conformance::{Outcome, checks};
use skua_engine::abi::status::NTSTATUS;
use skua_hosted::HostKernel;
use skua_hosted::middleware::mutation::Mutation;
use skua_hosted::middleware::{Call, Event, EventFunction, Function, Middleware};

use crate::one_check;

/// What went through a layer.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    calls: Mutex<HashSet<(Function, Option<u32>)>>,
    events: Mutex<HashSet<EventFunction>>,
}

impl Spread {
    /// Whether a provider with this mutation would have answered otherwise.
    pub(crate) fn are_changed_by(&self, mutation: Mutation) -> bool {
        let calls = self
            .calls
            .lock()
            .is_ok_and(|calls| calls.iter().any(|&(function, code)| mutation.concerns(function, code)));
        let events = self
            .events
            .lock()
            .is_ok_and(|events| events.iter().any(|&function| mutation.concerns_event(function)));
        calls || events
    }
}

impl Middleware for Spread {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        if let Ok(mut calls) = self.calls.lock() {
            calls.insert((call.function(), call.arguments.control_code()));
        }
        call.pass()
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        if let Ok(mut events) = self.events.lock() {
            events.insert(event.function());
        }
        event.pass()
    }
}

/// Of every check, what it calls; `None` of those whose rule is not kept, or not looked at, without a mutation.
pub(crate) fn all() -> Vec<Option<Arc<Spread>>> {
    (0..checks::<HostKernel>().count())
        .map(|index| {
            let spread = Arc::new(Spread::default());
            let outcome = one_check::run(index, spread.clone());
            matches!(outcome, Some(Outcome::Kept(_))).then_some(spread)
        })
        .collect()
}
