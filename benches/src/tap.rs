//! What comes between a client and its receive event.
//!
//! What a provider does around each indication would be measured with the engine. So the provider gets an event that only
//! remembers the list, the bench gets the client's own event, and calls it with the remembered list as often as it likes.

// UNSAFETY: stands between a client and a provider, which speak C.
#![expect(unsafe_code, reason = "forwards calls with the arguments they came with")]

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock};

use skua_engine::abi::nt::{IRP, PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR};
use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_IMPLEMENTED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_DATAGRAM_INDICATION, WSK_PROVIDER_DISPATCH,
    WSK_PROVIDER_NPI,
};

/// A function that takes indications, as WSK declares it.
pub(crate) type Callback = unsafe extern "C" fn(*mut c_void, u32, *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS;

/// A client's receive event and the context it wants to be called with.
#[derive(Clone, Copy)]
pub(crate) struct ReceiveEvent {
    pub context: *mut c_void,
    pub callback: Callback,
}

// SAFETY: providers call events from any thread.
unsafe impl Send for ReceiveEvent {}

/// The event of the socket that was created last.
static EVENT: Mutex<Option<ReceiveEvent>> = Mutex::new(None);

/// The list that was indicated last.
static LIST: AtomicPtr<WSK_DATAGRAM_INDICATION> = AtomicPtr::new(null_mut());

/// The provider's table, and the copy of it that clients get.
static TABLES: OnceLock<(&WSK_PROVIDER_DISPATCH, WSK_PROVIDER_DISPATCH)> = OnceLock::new();

/// What the provider gets instead of a client's table.
static CLIENT: WSK_CLIENT_DATAGRAM_DISPATCH =
    WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: Some(remember) };

/// The event of the socket that was created last, once.
pub(crate) fn take_event() -> Option<ReceiveEvent> {
    EVENT.lock().ok()?.take()
}

/// The list that was indicated last, once.
pub(crate) fn take_list() -> Option<NonNull<WSK_DATAGRAM_INDICATION>> {
    NonNull::new(LIST.swap(null_mut(), Ordering::AcqRel))
}

unsafe extern "C" fn remember(
    _context: *mut c_void,
    _flags: u32,
    list: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    LIST.store(list, Ordering::Release);
    STATUS_SUCCESS
}

unsafe extern "C" fn socket(
    client: *mut WSK_CLIENT,
    family: u16,
    kind: u16,
    protocol: u32,
    flags: u32,
    context: *mut c_void,
    dispatch: *const c_void,
    process: PEPROCESS,
    thread: PETHREAD,
    descriptor: PSECURITY_DESCRIPTOR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: a datagram socket's client table, the only kind that benches create.
    let client_table = unsafe { &*dispatch.cast::<WSK_CLIENT_DATAGRAM_DISPATCH>() };
    if let (Some(callback), Ok(mut event)) = (client_table.WskReceiveFromEvent, EVENT.lock()) {
        *event = Some(ReceiveEvent { context, callback });
    }
    let Some(create) = TABLES.get().and_then(|(real, _)| real.WskSocket) else {
        return STATUS_NOT_IMPLEMENTED;
    };
    let table = (&raw const CLIENT).cast();
    // SAFETY: forwarded, with a table that is static.
    unsafe { create(client, family, kind, protocol, flags, context, table, process, thread, descriptor, irp) }
}

/// Puts the tapped table into a captured NPI: for [`ProviderConfig::interpose`](skua_hosted::ProviderConfig).
pub(crate) fn tapped(npi: &mut WSK_PROVIDER_NPI) {
    // SAFETY: the provider's table is static.
    let real: &'static WSK_PROVIDER_DISPATCH = unsafe { &*npi.Dispatch };
    let (_, tapped) =
        TABLES.get_or_init(|| (real, WSK_PROVIDER_DISPATCH { WskSocket: Some(socket), ..*real }));
    npi.Dispatch = tapped;
}
