//! WskControlClient: what a client sets for all its sockets.

// UNSAFETY: reads and writes the client's control buffers.
#![expect(unsafe_code, reason = "control buffers are raw memory of a size")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Mutex;

use skua_engine::abi::nt::{GUID, PSECURITY_DESCRIPTOR};
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_STREAM};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_CACHE_SD, WSK_EVENT_ACCEPT, WSK_EVENT_CALLBACK_CONTROL, WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE, WSK_EVENT_RECEIVE_FROM, WSK_EVENT_SEND_BACKLOG, WSK_RELEASE_SD,
    WSK_SET_STATIC_EVENT_CALLBACKS, WSK_TDI_BEHAVIOR, WSK_TDI_BEHAVIOR_BYPASS_TDI,
    WSK_TDI_DEVICENAME_MAPPING, WSK_TRANSPORT, WSK_TRANSPORT_LIST_QUERY,
};

use crate::kernel::lock::hold;
use crate::kernel::registration::VERSION;

/// What one client has set.
#[derive(Default)]
pub(crate) struct ClientControls {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Events that are enabled on every socket from its creation on.
    static_events: u32,
    /// Whether a socket was created, after which some controls come too late.
    has_sockets: bool,
    /// Cached security descriptors by address, with the number of releases owed. Nothing reads their contents, so one
    /// word of memory stands for each.
    descriptors: HashMap<usize, (Box<u64>, u32)>,
}

/// Every event of every category.
const EVENTS: u32 = WSK_EVENT_SEND_BACKLOG
    | WSK_EVENT_RECEIVE
    | WSK_EVENT_DISCONNECT
    | WSK_EVENT_RECEIVE_FROM
    | WSK_EVENT_ACCEPT;

/// The identity of this provider's transports; made up, as Windows' are.
const PROVIDER_ID: GUID =
    GUID { Data1: 0x5ca0_0001, Data2: 0x0001, Data3: 0x4001, Data4: [0x80, 0, 0, 0, 0, 0, 0, 1] };

/// The combinations that sockets can be created with. A kernel without TCP has the first two.
const TRANSPORTS: [WSK_TRANSPORT; 4] = [
    transport(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    transport(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    transport(AF_INET, SOCK_STREAM, IPPROTO_TCP),
    transport(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
];

/// The combinations of a kernel with or without TCP.
pub(crate) fn transports(has_tcp: bool) -> &'static [WSK_TRANSPORT] {
    static ALL: [WSK_TRANSPORT; 4] = TRANSPORTS;
    if has_tcp { &ALL } else { &ALL[..2] }
}

const fn transport(family: u16, socket_type: u16, protocol: u32) -> WSK_TRANSPORT {
    WSK_TRANSPORT {
        Version: VERSION,
        SocketType: socket_type,
        Protocol: protocol,
        AddressFamily: family,
        _padding: 0,
        ProviderId: PROVIDER_ID,
    }
}

/// The buffers of one call without an IRP.
///
/// # Invariants
/// Each is null or good for its size during the call.
pub(crate) struct ClientBuffers {
    pub(crate) input: *mut c_void,
    pub(crate) input_size: usize,
    pub(crate) output: *mut c_void,
    pub(crate) output_size: usize,
    pub(crate) size_returned: *mut usize,
}

impl ClientControls {
    /// Serves every code that takes no IRP.
    ///
    /// # Safety
    /// The buffers are good for their sizes.
    pub(crate) unsafe fn serve(&self, code: u32, buffers: &ClientBuffers, has_tcp: bool) -> NTSTATUS {
        match code {
            // SAFETY: the caller's promise.
            WSK_TRANSPORT_LIST_QUERY => unsafe { list_transports(buffers, transports(has_tcp)) },
            // SAFETY: the caller's promise.
            WSK_CACHE_SD => unsafe { self.cache(buffers) },
            // SAFETY: the caller's promise.
            WSK_RELEASE_SD => match unsafe { pointer_in(buffers) } {
                Some(descriptor) => self.release(descriptor.addr()),
                None => STATUS_INVALID_PARAMETER,
            },
            // SAFETY: the caller's promise.
            WSK_SET_STATIC_EVENT_CALLBACKS => match unsafe { events_in(buffers) } {
                Some(events) if events & !EVENTS == 0 => {
                    self.before_sockets(|state| state.static_events |= events)
                }
                _ => STATUS_INVALID_PARAMETER,
            },
            // There is no TDI to bypass, and bypassing it is what everybody asks for.
            // SAFETY: the caller's promise.
            WSK_TDI_BEHAVIOR => match unsafe { number_in(buffers) } {
                Some(flags) if flags & !WSK_TDI_BEHAVIOR_BYPASS_TDI == 0 => self.before_sockets(|_| ()),
                _ => STATUS_INVALID_PARAMETER,
            },
            WSK_TDI_DEVICENAME_MAPPING => STATUS_NOT_SUPPORTED,
            _ => STATUS_INVALID_PARAMETER,
        }
    }

    /// The first socket is created: which events are enabled on it, and on every later one.
    pub(crate) fn socket_created(&self) -> u32 {
        let mut state = hold(&self.state);
        state.has_sockets = true;
        state.static_events
    }

    /// The events that are enabled on every socket.
    pub(crate) fn static_events(&self) -> u32 {
        hold(&self.state).static_events
    }

    /// Whether `descriptor` came from WSK_CACHE_SD and is not released.
    pub(crate) fn is_cached(&self, descriptor: usize) -> bool {
        hold(&self.state).descriptors.contains_key(&descriptor)
    }

    /// One release more is owed for `descriptor`.
    pub(crate) fn cache_again(&self, descriptor: usize) {
        if let Some((_, owed)) = hold(&self.state).descriptors.get_mut(&descriptor) {
            *owed += 1;
        }
    }

    fn before_sockets(&self, change: impl FnOnce(&mut State)) -> NTSTATUS {
        let mut state = hold(&self.state);
        if state.has_sockets {
            return STATUS_INVALID_DEVICE_STATE;
        }
        change(&mut state);
        STATUS_SUCCESS
    }

    /// # Safety
    /// The buffers are good for their sizes.
    unsafe fn cache(&self, buffers: &ClientBuffers) -> NTSTATUS {
        // SAFETY: the caller's promise.
        let descriptor = unsafe { pointer_in(buffers) };
        let room = !buffers.output.is_null() && buffers.output_size >= size_of::<PSECURITY_DESCRIPTOR>();
        if descriptor.is_none_or(|descriptor| descriptor.is_null()) || !room {
            return STATUS_INVALID_PARAMETER;
        }
        let copy = Box::new(0u64);
        let cached = std::ptr::from_ref(&*copy).cast_mut();
        hold(&self.state).descriptors.insert(cached.addr(), (copy, 1));
        // SAFETY: checked for room above.
        unsafe { buffers.output.cast::<*mut u64>().write_unaligned(cached) };
        STATUS_SUCCESS
    }

    fn release(&self, descriptor: usize) -> NTSTATUS {
        let mut state = hold(&self.state);
        let Some((_, owed)) = state.descriptors.get_mut(&descriptor) else { return STATUS_INVALID_PARAMETER };
        *owed -= 1;
        if *owed == 0 {
            state.descriptors.remove(&descriptor);
        }
        STATUS_SUCCESS
    }
}

/// # Safety
/// The buffers are good for their sizes.
unsafe fn list_transports(buffers: &ClientBuffers, transports: &[WSK_TRANSPORT]) -> NTSTATUS {
    let needed = size_of_val(transports);
    if !buffers.size_returned.is_null() {
        // SAFETY: not null, so writable.
        unsafe { buffers.size_returned.write(needed) };
    }
    if buffers.output.is_null() || buffers.output_size < needed {
        return STATUS_BUFFER_OVERFLOW;
    }
    let from = transports.as_ptr().cast::<u8>();
    // SAFETY: room for all of them.
    unsafe { std::ptr::copy_nonoverlapping(from, buffers.output.cast::<u8>(), needed) };
    STATUS_SUCCESS
}

/// # Safety
/// The buffers are good for their sizes.
unsafe fn events_in(buffers: &ClientBuffers) -> Option<u32> {
    // SAFETY: the caller's promise; the structure may hold any bits.
    let control: WSK_EVENT_CALLBACK_CONTROL = unsafe { value_in(buffers) }?;
    if control.NpiId.is_null() {
        return None;
    }
    // SAFETY: the client's contract: the address of an identifier.
    let id = unsafe { control.NpiId.read_unaligned() };
    (id == NPI_WSK_INTERFACE_ID).then_some(control.EventMask)
}

/// # Safety
/// The buffers are good for their sizes.
unsafe fn pointer_in(buffers: &ClientBuffers) -> Option<*mut c_void> {
    // SAFETY: the caller's promise; a pointer may hold any bits.
    unsafe { value_in(buffers) }
}

/// # Safety
/// The buffers are good for their sizes.
unsafe fn number_in(buffers: &ClientBuffers) -> Option<u32> {
    // SAFETY: the caller's promise.
    unsafe { value_in(buffers) }
}

/// The input as a `T`, if it is long enough.
///
/// # Safety
/// The buffers are good for their sizes, and a `T` may hold any bits.
unsafe fn value_in<T>(buffers: &ClientBuffers) -> Option<T> {
    if buffers.input.is_null() || buffers.input_size < size_of::<T>() {
        return None;
    }
    // SAFETY: readable for the size of a T.
    Some(unsafe { buffers.input.cast::<T>().read_unaligned() })
}
