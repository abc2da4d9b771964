//! WskControlClient: what a client sets for all its sockets.

// UNSAFETY: reads and writes the client's control buffers.
#![expect(unsafe_code, reason = "control buffers are raw memory of a size")]

use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use skua_engine::abi::nt::{PSECURITY_DESCRIPTOR, SECURITY_DESCRIPTOR};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_CACHE_SD, WSK_EVENT_ACCEPT, WSK_EVENT_CALLBACK_CONTROL, WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE, WSK_EVENT_RECEIVE_FROM, WSK_EVENT_SEND_BACKLOG, WSK_RELEASE_SD,
    WSK_SET_STATIC_EVENT_CALLBACKS, WSK_TDI_BEHAVIOR, WSK_TDI_BEHAVIOR_BYPASS_TDI,
    WSK_TDI_DEVICENAME_MAPPING, WSK_TDI_MAP, WSK_TDI_MAP_INFO, WSK_TRANSPORT_LIST_QUERY,
};

use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::security::{Descriptor, DescriptorCache};

/// What one client has set.
#[derive(Default)]
pub(crate) struct ClientControls {
    pub(crate) descriptors: DescriptorCache,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Events that are enabled on every socket from its creation on.
    static_events: u32,
    /// Whether a socket was created, after which some controls come too late.
    has_sockets: bool,
}

/// Every event of every category.
const EVENTS: u32 = WSK_EVENT_SEND_BACKLOG
    | WSK_EVENT_RECEIVE
    | WSK_EVENT_DISCONNECT
    | WSK_EVENT_RECEIVE_FROM
    | WSK_EVENT_ACCEPT;

/// The longest name of a device that a TDI map may have, in code units: what UNICODE_STRING counts.
const LONGEST_NAME: usize = 32_767;

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
    /// A buffer that a code has no use for is refused, so is one that is too short to read; one that is too short to write
    /// is STATUS_BUFFER_OVERFLOW, and the size returned says what is needed.
    ///
    /// # Safety
    /// The buffers are good for their sizes.
    pub(crate) unsafe fn serve(&self, kernel: &HostKernel, code: u32, buffers: &ClientBuffers) -> NTSTATUS {
        let (takes, gives) = match code {
            WSK_TRANSPORT_LIST_QUERY => (false, true),
            WSK_CACHE_SD => (true, true),
            WSK_RELEASE_SD
            | WSK_TDI_DEVICENAME_MAPPING
            | WSK_SET_STATIC_EVENT_CALLBACKS
            | WSK_TDI_BEHAVIOR => (true, false),
            _ => return STATUS_INVALID_PARAMETER,
        };
        if !buffers.are_used(takes, gives) {
            return STATUS_INVALID_PARAMETER;
        }
        let result = match code {
            // SAFETY: the caller's promise.
            WSK_TRANSPORT_LIST_QUERY => unsafe { list_transports(kernel, buffers) },
            // SAFETY: the caller's promise.
            WSK_CACHE_SD => unsafe { self.cache(kernel, buffers) },
            // SAFETY: the caller's promise.
            WSK_RELEASE_SD => unsafe { self.release(kernel, buffers) },
            // SAFETY: the caller's promise.
            WSK_SET_STATIC_EVENT_CALLBACKS => unsafe { events_in(buffers) }
                .filter(|events| events & !EVENTS == 0)
                .ok_or(STATUS_INVALID_PARAMETER)
                .and_then(|events| self.before_sockets(|state| state.static_events |= events)),
            // There is no TDI to bypass, and bypassing it is what everybody asks for.
            // SAFETY: the caller's promise.
            WSK_TDI_BEHAVIOR => unsafe { value_in(buffers) }
                .filter(|flags: &u32| flags & !WSK_TDI_BEHAVIOR_BYPASS_TDI == 0)
                .ok_or(STATUS_INVALID_PARAMETER)
                .and_then(|_| self.before_sockets(|_| ())),
            // A map is looked at only for what has no transport of its own, and then there is no such device.
            // SAFETY: the caller's promise.
            _ => unsafe { check_map(buffers) }.and_then(|()| self.before_sockets(|_| ())),
        };
        result.err().unwrap_or(STATUS_SUCCESS)
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

    /// What a socket is created with: null for nothing; STATUS_INVALID_PARAMETER for what is not cached.
    pub(crate) fn descriptor(
        &self,
        descriptor: PSECURITY_DESCRIPTOR,
    ) -> Result<Option<Arc<Descriptor>>, NTSTATUS> {
        if descriptor.is_null() {
            return Ok(None);
        }
        self.descriptors.find(descriptor).map(Some).ok_or(STATUS_INVALID_PARAMETER)
    }

    fn before_sockets(&self, change: impl FnOnce(&mut State)) -> Result<(), NTSTATUS> {
        let mut state = hold(&self.state);
        if state.has_sockets {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        change(&mut state);
        Ok(())
    }

    /// # Safety
    /// The buffers are good for their sizes, and the first holds the address of a descriptor.
    unsafe fn cache(&self, kernel: &HostKernel, buffers: &ClientBuffers) -> Result<(), NTSTATUS> {
        // SAFETY: the caller's promise; a pointer may hold any bits.
        let descriptor: Option<PSECURITY_DESCRIPTOR> = unsafe { value_in(buffers) };
        let descriptor =
            descriptor.filter(|descriptor| !descriptor.is_null()).ok_or(STATUS_INVALID_PARAMETER)?;
        buffers.require_room(size_of::<PSECURITY_DESCRIPTOR>())?;
        // SAFETY: the caller's promise.
        let copy = Arc::new(unsafe { Descriptor::capture(descriptor) }?);
        let cached = self.descriptors.lend(kernel, &copy);
        // SAFETY: checked for room above.
        unsafe { buffers.output.cast::<*mut SECURITY_DESCRIPTOR>().write_unaligned(cached) };
        Ok(())
    }

    /// # Safety
    /// The buffers are good for their sizes.
    unsafe fn release(&self, kernel: &HostKernel, buffers: &ClientBuffers) -> Result<(), NTSTATUS> {
        // SAFETY: the caller's promise; a pointer may hold any bits.
        let cached: PSECURITY_DESCRIPTOR = unsafe { value_in(buffers) }.ok_or(STATUS_INVALID_PARAMETER)?;
        if self.descriptors.release(kernel, cached) { Ok(()) } else { Err(STATUS_INVALID_PARAMETER) }
    }
}

impl ClientBuffers {
    /// Whether there is an input exactly where the code `takes` one, and an output only where it `gives` one; and each has
    /// an address if it has a size.
    fn are_used(&self, takes: bool, gives: bool) -> bool {
        let input = !self.input.is_null() && self.input_size > 0;
        let is_consistent = self.output_size == 0 || !self.output.is_null();
        input == takes && (takes || self.input_size == 0) && is_consistent && (gives || self.output_size == 0)
    }

    /// STATUS_BUFFER_OVERFLOW, and what is needed in the size returned, when the output has no room for `bytes`.
    fn require_room(&self, bytes: usize) -> Result<(), NTSTATUS> {
        if !self.size_returned.is_null() {
            // SAFETY: not null, so writable.
            unsafe { self.size_returned.write_unaligned(bytes) };
        }
        if self.output_size < bytes { Err(STATUS_BUFFER_OVERFLOW) } else { Ok(()) }
    }
}

/// # Safety
/// The buffers are good for their sizes.
unsafe fn list_transports(kernel: &HostKernel, buffers: &ClientBuffers) -> Result<(), NTSTATUS> {
    let transports = kernel.transports().list(kernel.stack());
    let bytes = size_of_val(transports.as_slice());
    buffers.require_room(bytes)?;
    let from = transports.as_ptr().cast::<u8>();
    // SAFETY: room for all of them.
    unsafe { std::ptr::copy_nonoverlapping(from, buffers.output.cast::<u8>(), bytes) };
    Ok(())
}

/// Whether the input is a map: at least one element, each with the name of a device that ends.
///
/// # Safety
/// The buffers are good for their sizes, the map is as long as it says, and its names end in zero.
unsafe fn check_map(buffers: &ClientBuffers) -> Result<(), NTSTATUS> {
    // SAFETY: the caller's promise; the structure may hold any bits.
    let info: WSK_TDI_MAP_INFO = unsafe { value_in(buffers) }.ok_or(STATUS_INVALID_PARAMETER)?;
    if info.ElementCount == 0 || info.Map.is_null() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    for index in 0..info.ElementCount as usize {
        // SAFETY: within the map, whose elements may hold any bits.
        let element: WSK_TDI_MAP = unsafe { info.Map.wrapping_add(index).read_unaligned() };
        // SAFETY: the caller's promise.
        let length = unsafe { units_of(element.TdiDeviceName) };
        if length.is_none_or(|length| length == 0) {
            return Err(STATUS_INVALID_PARAMETER);
        }
    }
    Ok(())
}

/// How many code units a name has; `None` for null and for one that goes on and on.
///
/// # Safety
/// `name` is null or ends in zero.
unsafe fn units_of(name: *const u16) -> Option<usize> {
    if name.is_null() {
        return None;
    }
    // SAFETY: not behind its end.
    (0..=LONGEST_NAME).find(|at| unsafe { name.wrapping_add(*at).read_unaligned() } == 0)
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
