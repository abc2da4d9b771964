//! Rules of events.

// UNSAFETY: looks at an event that the client points at.
#![expect(unsafe_code, reason = "KEVENTs live in the client's memory")]

use skua_engine::abi::nt::KEVENT;

use super::{Object, ObjectKind, Rule, Verifier};
use crate::kernel::event;

impl Verifier {
    /// `routine` was given an event. False when it is none.
    ///
    /// # Safety
    /// `event` is readable.
    #[cold]
    pub(crate) unsafe fn event_used(&self, event: *const KEVENT, routine: &str) -> bool {
        // SAFETY: the caller's promise.
        let is_event = unsafe { event::is_initialized(event) };
        if !is_event {
            let message = format!("{routine} was given the KEVENT at {event:p}, which is not initialised");
            self.find(Rule::EventNotInitialized, Object::at(ObjectKind::Event, event), None, message);
        }
        is_event
    }
}
