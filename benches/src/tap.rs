//! A kernel that comes between a client and its receive event.
//!
//! What a provider does around each indication would be measured with the engine. So the provider gets an event that only
//! remembers the list, the bench gets the client's own event, and calls it with the remembered list as often as it likes.

// UNSAFETY: stands between a client and a provider, which speak C.
#![expect(unsafe_code, reason = "forwards calls with the arguments they came with")]

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock};

use skua_engine::Kernel;
use skua_engine::abi::nt::{IRP, KEVENT, KIRQL, MDL, PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR};
use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_IMPLEMENTED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_CLIENT_NPI, WSK_DATAGRAM_INDICATION,
    WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_hosted::HostKernel;
use skua_pools::{Memory, Tag};

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

/// A [`HostKernel`] whose provider indicates nothing to the client.
#[derive(Clone)]
pub struct TappedKernel(pub(crate) HostKernel);

// SAFETY: forwarded.
unsafe impl Memory for TappedKernel {
    fn allocate(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        self.0.allocate(bytes, tag)
    }

    unsafe fn free(&self, address: NonNull<u8>, bytes: usize, tag: Tag) {
        // SAFETY: forwarded.
        unsafe { self.0.free(address, bytes, tag) }
    }
}

/// The methods that only forward.
macro_rules! forward {
    ($(fn $name:ident(&self $(, $arg:ident: $ty:ty)*) $(-> $ret:ty)?;)* unsafe:
     $(fn $uname:ident(&self $(, $uarg:ident: $uty:ty)*) $(-> $uret:ty)?;)*) => {
        $(#[inline] fn $name(&self $(, $arg: $ty)*) $(-> $ret)? { self.0.$name($($arg),*) })*
        $(#[inline] unsafe fn $uname(&self $(, $uarg: $uty)*) $(-> $uret)? {
            // SAFETY: forwarded.
            unsafe { self.0.$uname($($uarg),*) }
        })*
    };
}

// SAFETY: forwarded, but for a table that forwards.
unsafe impl Kernel for TappedKernel {
    forward! {
        fn instance(&self) -> usize;
        fn ke_get_current_irql(&self) -> KIRQL;
        fn ke_raise_irql_to_dpc_level(&self) -> KIRQL;
        fn ke_get_current_processor_index(&self) -> u32;
        fn ke_query_maximum_processor_count(&self) -> u32;
        fn ke_query_performance_counter(&self) -> u64;
        fn performance_frequency(&self) -> u64;
        fn ke_query_interrupt_time(&self) -> u64;
        fn ke_query_system_time_precise(&self) -> u64;
        unsafe:
        fn ke_lower_irql(&self, irql: KIRQL);
        fn io_initialize_irp(&self, irp: *mut IRP, packet_size: u16, stack_size: i8);
        fn io_reuse_irp(&self, irp: *mut IRP, status: NTSTATUS);
        fn io_cancel_irp(&self, irp: *mut IRP) -> bool;
        fn io_complete_request(&self, irp: *mut IRP, boost: i8);
        fn mm_build_mdl_for_non_paged_pool(&self, mdl: *mut MDL);
        fn mm_map_locked_pages_specify_cache(&self, mdl: *mut MDL) -> *mut c_void;
        fn ke_initialize_event(&self, event: *mut KEVENT, signalled: bool);
        fn ke_set_event(&self, event: *mut KEVENT);
        fn ke_clear_event(&self, event: *mut KEVENT);
        fn ke_wait_for_single_object(&self, event: *mut KEVENT, timeout: Option<u64>) -> NTSTATUS;
        fn wsk_register(&self, npi: *mut WSK_CLIENT_NPI, registration: *mut WSK_REGISTRATION) -> NTSTATUS;
        fn wsk_deregister(&self, registration: *mut WSK_REGISTRATION);
        fn wsk_release_provider_npi(&self, registration: *mut WSK_REGISTRATION);
        fn wsk_query_provider_characteristics(
            &self,
            registration: *mut WSK_REGISTRATION,
            characteristics: *mut WSK_PROVIDER_CHARACTERISTICS
        ) -> NTSTATUS;
    }

    unsafe fn wsk_capture_provider_npi(
        &self,
        registration: *mut WSK_REGISTRATION,
        wait: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        // SAFETY: forwarded.
        let status = unsafe { self.0.wsk_capture_provider_npi(registration, wait, npi) };
        if status == STATUS_SUCCESS {
            // SAFETY: filled by the provider.
            let dispatch = unsafe { (*npi).Dispatch };
            // SAFETY: the provider's table is static.
            let real: &'static WSK_PROVIDER_DISPATCH = unsafe { &*dispatch };
            let (_, tapped) =
                TABLES.get_or_init(|| (real, WSK_PROVIDER_DISPATCH { WskSocket: Some(socket), ..*real }));
            // SAFETY: the caller's to fill.
            unsafe { (*npi).Dispatch = tapped };
        }
        status
    }
}
