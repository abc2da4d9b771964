//! What comes between a client and its receive event.
//!
//! What a provider does around each indication would be measured with the engine. So the tap answers each event without
//! the client and remembers its list; the bench gets the client's own event, and calls it with the remembered list as
//! often as it likes.

// UNSAFETY: reads a client's table.
#![expect(unsafe_code, reason = "tables are given by address")]

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering};

use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_CLIENT_DATAGRAM_DISPATCH, WSK_DATAGRAM_INDICATION};
use skua_hosted::middleware::{Arguments, Call, Event, EventArguments, Middleware};

/// A function that takes indications, as WSK declares it.
pub(crate) type Callback = unsafe extern "C" fn(*mut c_void, u32, *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS;

/// A client's receive event and the context it wants to be called with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiveEvent {
    pub context: *mut c_void,
    pub callback: Callback,
}

// SAFETY: providers call events from any thread.
unsafe impl Send for ReceiveEvent {}

/// Takes every indication instead of the client.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    /// The event of the socket that was created last.
    event: Mutex<Option<ReceiveEvent>>,
    /// The list that was indicated last.
    list: AtomicPtr<WSK_DATAGRAM_INDICATION>,
}

impl Tap {
    /// The event of the socket that was created last, once.
    pub(crate) fn take_event(&self) -> Option<ReceiveEvent> {
        self.event.lock().ok()?.take()
    }

    /// The list that was indicated last, once.
    pub(crate) fn take_list(&self) -> Option<NonNull<WSK_DATAGRAM_INDICATION>> {
        NonNull::new(self.list.swap(null_mut(), Ordering::AcqRel))
    }
}

impl Middleware for Tap {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        if let Arguments::Socket { dispatch, socket_context: context, .. } = call.arguments {
            // SAFETY: a datagram socket's client table, the only kind that benches create.
            let table = unsafe { &*dispatch.cast::<WSK_CLIENT_DATAGRAM_DISPATCH>() };
            if let (Some(callback), Ok(mut event)) = (table.WskReceiveFromEvent, self.event.lock()) {
                *event = Some(ReceiveEvent { context, callback });
            }
        }
        call.pass()
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        if let EventArguments::ReceiveFrom { data_indication, .. } = event.arguments {
            self.list.store(data_indication, Ordering::Release);
        }
        STATUS_SUCCESS
    }
}
