//! One call of WskControlSocket: its buffers, and the IRP that it may have, must have or must not have.

// UNSAFETY: reads and writes the client's option buffers.
#![expect(unsafe_code, reason = "option buffers are raw memory of a size")]

use std::ffi::c_void;
use std::net::SocketAddr;

use bytemuck::{AnyBitPattern, NoUninit};
use skua_engine::abi::sockaddr::{SIO_ADDRESS_LIST_QUERY, SOCKADDR_INET, SOL_SOCKET};
use skua_engine::abi::status::{NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, SIO_WSK_QUERY_INSPECT_ID, SIO_WSK_REGISTER_EXTENSION, SO_WSK_EVENT_CALLBACK,
    WSK_CONTROL_SOCKET_TYPE, WSK_EVENT_CALLBACK_CONTROL, WskGetOption, WskIoctl, WskSetOption,
};

use crate::HostKernel;
use crate::request::Request;

/// WSK_CONTROL_SOCKET_TYPE, as far as it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Set,
    Get,
    Ioctl,
    Unknown,
}

impl From<WSK_CONTROL_SOCKET_TYPE> for Kind {
    fn from(kind: WSK_CONTROL_SOCKET_TYPE) -> Self {
        let kinds = [(WskSetOption, Self::Set), (WskGetOption, Self::Get), (WskIoctl, Self::Ioctl)];
        kinds.into_iter().find(|(known, _)| *known == kind).map_or(Self::Unknown, |(_, kind)| kind)
    }
}

/// One call of WskControlSocket.
///
/// # Invariants
/// `input` is readable and `output` writable for their sizes until the request completes, or null.
pub(crate) struct ControlRequest {
    pub(crate) kind: Kind,
    pub(crate) code: u32,
    pub(crate) level: u32,
    input: (*const u8, usize),
    output: (*mut u8, usize),
}

impl ControlRequest {
    /// # Safety
    /// Each pointer is null or good for its size until the request completes.
    pub(crate) unsafe fn new(
        kind: WSK_CONTROL_SOCKET_TYPE,
        code: u32,
        level: u32,
        input: (*mut c_void, usize),
        output: (*mut c_void, usize),
    ) -> Self {
        let input = (input.0.cast::<u8>().cast_const(), input.1);
        Self { kind: kind.into(), code, level, input, output: (output.0.cast(), output.1) }
    }

    /// The input as a `T`; STATUS_INVALID_PARAMETER when it is shorter.
    pub(crate) fn input<T: AnyBitPattern>(&self) -> Result<T, NTSTATUS> {
        let (at, size) = self.input;
        if at.is_null() || size < size_of::<T>() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: readable for at least the size of T, of which every bit pattern is valid.
        Ok(unsafe { at.cast::<T>().read_unaligned() })
    }

    /// The pointer that the input holds; STATUS_INVALID_PARAMETER when it is shorter.
    pub(crate) fn input_pointer(&self) -> Result<*mut c_void, NTSTATUS> {
        let (at, size) = self.input;
        if at.is_null() || size < size_of::<*mut c_void>() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: readable for at least the size of a pointer; the client says that it is one.
        Ok(unsafe { at.cast::<*mut c_void>().read_unaligned() })
    }

    /// The mask of WSK_EVENT_CALLBACK_CONTROL, which must be WSK's own.
    pub(crate) fn event_mask(&self) -> Result<u32, NTSTATUS> {
        let (at, size) = self.input;
        if at.is_null() || size < size_of::<WSK_EVENT_CALLBACK_CONTROL>() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: readable for at least the size of the structure, whose pointer is only compared until it is checked.
        let events = unsafe { at.cast::<WSK_EVENT_CALLBACK_CONTROL>().read_unaligned() };
        if events.NpiId.is_null() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: the client's contract: the address of an identifier.
        let id = unsafe { events.NpiId.read_unaligned() };
        if id == NPI_WSK_INTERFACE_ID { Ok(events.EventMask) } else { Err(STATUS_INVALID_PARAMETER) }
    }

    /// The address that the input holds.
    pub(crate) fn input_address(&self) -> Result<SocketAddr, NTSTATUS> {
        let (at, size) = self.input;
        let mut inet = [0u8; size_of::<SOCKADDR_INET>()];
        // SAFETY: readable for `size`.
        unsafe { std::ptr::copy_nonoverlapping(at, inet.as_mut_ptr(), size.min(inet.len())) };
        let inet: SOCKADDR_INET = bytemuck::must_cast(inet);
        let whole = inet.len() > 0 && inet.len() <= size;
        inet.to_socket_addr().filter(|_| whole).ok_or(STATUS_INVALID_PARAMETER)
    }

    /// Bytes of input, and where they are.
    pub(crate) fn raw_input(&self) -> (*const u8, usize) {
        self.input
    }

    /// Bytes of output, and where they go.
    pub(crate) fn raw_output(&self) -> (*mut u8, usize) {
        self.output
    }

    /// Whether the call takes an IRP: what the documentation says of each code, and for events, where it lets them go
    /// without one, what drivers do besides.
    pub(crate) fn irp(&self) -> IrpRule {
        match (self.kind, self.code) {
            (Kind::Ioctl, SIO_WSK_QUERY_INSPECT_ID | SIO_WSK_REGISTER_EXTENSION | SIO_ADDRESS_LIST_QUERY) => {
                IrpRule::Refused
            }
            (Kind::Set, SO_WSK_EVENT_CALLBACK) if self.level == SOL_SOCKET => IrpRule::Optional,
            _ => IrpRule::Required,
        }
    }

    /// Writes `value` and returns its size; STATUS_BUFFER_TOO_SMALL when it does not fit.
    pub(crate) fn put<T: NoUninit>(&self, value: T) -> Result<usize, NTSTATUS> {
        let (at, size) = self.output;
        if at.is_null() || size < size_of::<T>() {
            return Err(STATUS_BUFFER_TOO_SMALL);
        }
        // SAFETY: writable for at least the size of T.
        unsafe { at.cast::<T>().write_unaligned(value) };
        Ok(size_of::<T>())
    }
}

/// Whether a call takes an IRP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IrpRule {
    Required,
    Optional,
    Refused,
}

/// The IRP of a call that may go without one, and where the output size goes then.
pub(crate) struct OptionalRequest {
    pub(crate) request: Option<Request>,
    size_returned: *mut usize,
}

impl OptionalRequest {
    /// # Safety
    /// `size_returned` is null or writable during the call.
    pub(crate) unsafe fn new(request: Option<Request>, size_returned: *mut usize) -> Self {
        Self { request, size_returned }
    }

    /// Completes the request if there is one, and returns the status of the call.
    pub(crate) fn conclude(self, kernel: &HostKernel, outcome: Result<usize, NTSTATUS>) -> NTSTATUS {
        let (status, size) = outcome.map_or_else(|status| (status, 0), |size| (STATUS_SUCCESS, size));
        if let Some(request) = self.request {
            return request.complete(kernel, status, size);
        }
        if !self.size_returned.is_null() {
            // SAFETY: not null, so writable.
            unsafe { self.size_returned.write(size) };
        }
        status
    }

    /// Fails, and says how large the output would be.
    pub(crate) fn overflow(self, kernel: &HostKernel, status: NTSTATUS, size: usize) -> NTSTATUS {
        let size_returned = self.size_returned;
        let status = self.conclude(kernel, Err(status));
        if !size_returned.is_null() {
            // SAFETY: not null, so writable.
            unsafe { size_returned.write(size) };
        }
        status
    }

    /// Whether the call came with what its rule says.
    pub(crate) fn obeys(&self, rule: IrpRule) -> bool {
        match rule {
            IrpRule::Required => self.request.is_some(),
            IrpRule::Optional => true,
            IrpRule::Refused => self.request.is_none(),
        }
    }

    /// As [`OptionalRequest::conclude`], with what `serve` says.
    pub(crate) fn conclude_with(
        self,
        kernel: &HostKernel,
        serve: impl FnOnce() -> Result<usize, NTSTATUS>,
    ) -> NTSTATUS {
        let outcome = serve();
        self.conclude(kernel, outcome)
    }
}
