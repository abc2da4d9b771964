//! A socket of any category: what all have in common.

// UNSAFETY: calls the functions of a socket's table.
#![expect(unsafe_code, reason = "WSK's functions take raw pointers")]

use core::ffi::c_void;
use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{GUID, IRP};
use skua_engine::abi::sockaddr::SOL_SOCKET;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, SO_WSK_EVENT_CALLBACK, WSK_CONTROL_SOCKET_TYPE, WSK_EVENT_CALLBACK_CONTROL,
    WSK_PROVIDER_BASIC_DISPATCH, WSK_SOCKET, WskGetOption, WskIoctl, WskSetOption,
};

use super::Bench;
use super::memory::Owned;
use super::request::{self, Done, Request};
use crate::outcome::Outcome;

/// A socket, closed when dropped.
pub(crate) struct Handle<'c, K: Kernel> {
    bench: &'c Bench<K>,
    socket: *mut WSK_SOCKET,
    closed: bool,
}

/// What WskControlSocket gave.
pub(crate) struct Controlled<'c, K: Kernel> {
    pub(crate) done: Done,
    output: Owned<'c, u8, K>,
}

impl<K: Kernel> Controlled<'_, K> {
    /// The output; zeroes where nothing was written.
    pub(crate) fn output(&self) -> &[u8] {
        self.output.bytes()
    }

    /// The first eight bytes of the output.
    pub(crate) fn double_word(&self) -> [u8; 8] {
        let mut bytes = [0; 8];
        for (place, byte) in bytes.iter_mut().zip(self.output()) {
            *place = *byte;
        }
        bytes
    }

    /// The first four bytes of the output.
    pub(crate) fn word(&self) -> u32 {
        let [a, b, c, d, ..] = self.double_word();
        u32::from_ne_bytes([a, b, c, d])
    }
}

/// What is asked of WskControlSocket.
#[derive(Clone, Copy)]
pub(crate) struct Control<'a> {
    pub(crate) kind: WSK_CONTROL_SOCKET_TYPE,
    pub(crate) code: u32,
    pub(crate) level: u32,
    pub(crate) input: &'a [u8],
    /// Bytes of the output buffer.
    pub(crate) output: usize,
}

impl<'c, K: Kernel> Handle<'c, K> {
    /// A socket that WskSocket or its like has created, which nobody else closes.
    pub(crate) const fn of(bench: &'c Bench<K>, socket: *mut WSK_SOCKET) -> Self {
        Self { bench, socket, closed: false }
    }

    pub(crate) const fn bench(&self) -> &'c Bench<K> {
        self.bench
    }

    pub(crate) const fn raw(&self) -> *mut WSK_SOCKET {
        self.socket
    }

    /// The socket's table, as a `T`, which the tables of its category begin with.
    pub(crate) fn table<T>(&self) -> &'c T {
        // SAFETY: a live socket, of a category whose table is, or begins with, a `T`: each category's own type asks.
        unsafe { table_of(self.socket) }
    }

    /// WskControlSocket with an IRP.
    pub(crate) fn control(&self, control: Control<'_>) -> Result<Controlled<'c, K>, Outcome> {
        let mut input = Owned::<u8, K>::run(self.bench, control.input.len())?;
        input.bytes_mut()[..control.input.len()].copy_from_slice(control.input);
        let output = Owned::<u8, K>::run(self.bench, control.output)?;
        let done = request::run(self.bench, "WskControlSocket", |irp| {
            self.control_with(control, input.as_ptr(), output.as_ptr(), ptr::null_mut(), irp)
        })?;
        Ok(Controlled { done, output })
    }

    /// WskControlSocket without an IRP: the status, and the size returned.
    pub(crate) fn control_inline(&self, control: Control<'_>) -> Result<(NTSTATUS, usize), Outcome> {
        let mut input = Owned::<u8, K>::run(self.bench, control.input.len())?;
        input.bytes_mut()[..control.input.len()].copy_from_slice(control.input);
        let output = Owned::<u8, K>::run(self.bench, control.output)?;
        let mut returned = 0;
        let status =
            self.control_with(control, input.as_ptr(), output.as_ptr(), &raw mut returned, ptr::null_mut());
        Ok((status, returned))
    }

    fn control_with(
        &self,
        control: Control<'_>,
        input: *mut u8,
        output: *mut u8,
        returned: *mut usize,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let Some(call) = self.table::<WSK_PROVIDER_BASIC_DISPATCH>().WskControlSocket else {
            return STATUS_INVALID_HANDLE;
        };
        let Control { kind, code, level, input: bytes, output: room } = control;
        let input = if bytes.is_empty() { ptr::null_mut() } else { input.cast() };
        let output = if room == 0 { ptr::null_mut() } else { output.cast() };
        // SAFETY: a live socket, and buffers of these sizes.
        unsafe { call(self.socket, kind, code, level, bytes.len(), input, room, output, returned, irp) }
    }

    /// Sets an option to any bytes.
    pub(crate) fn set_bytes(&self, level: u32, option: u32, value: &[u8]) -> Result<NTSTATUS, Outcome> {
        let control = Control { kind: WskSetOption, code: option, level, input: value, output: 0 };
        Ok(self.control(control)?.done.status)
    }

    /// Sets an option that is a ULONG.
    pub(crate) fn set(&self, level: u32, option: u32, value: u32) -> Result<NTSTATUS, Outcome> {
        self.set_bytes(level, option, &value.to_ne_bytes())
    }

    /// Asks for an option, into `room` bytes.
    pub(crate) fn get(&self, level: u32, option: u32, room: usize) -> Result<Controlled<'c, K>, Outcome> {
        self.control(Control { kind: WskGetOption, code: option, level, input: &[], output: room })
    }

    /// An I/O control with input only.
    pub(crate) fn ioctl(&self, code: u32, input: &[u8]) -> Result<NTSTATUS, Outcome> {
        let control = Control { kind: WskIoctl, code, level: 0, input, output: 0 };
        Ok(self.control(control)?.done.status)
    }

    /// SO_WSK_EVENT_CALLBACK without an IRP: enables the events, or with WSK_EVENT_DISABLE disables one.
    pub(crate) fn set_events(&self, mask: u32) -> NTSTATUS {
        self.set_events_as(&raw const NPI_WSK_INTERFACE_ID, mask, ptr::null_mut())
    }

    /// The same, under any interface and with any IRP. The control is on this frame: a provider reads it in the call.
    pub(crate) fn set_events_as(&self, interface: *const GUID, mask: u32, irp: *mut IRP) -> NTSTATUS {
        set_events(self.socket, interface, mask, irp)
    }

    /// The same with an IRP that is waited for.
    pub(crate) fn set_events_waiting(&self, mask: u32) -> Result<Done, Outcome> {
        request::run(self.bench, "SO_WSK_EVENT_CALLBACK with an IRP", |irp| {
            self.set_events_as(&raw const NPI_WSK_INTERFACE_ID, mask, irp)
        })
    }

    /// WskCloseSocket with `request`, which is waited for by the caller; what the call returned.
    pub(crate) fn start_close(mut self, request: &Request<'_, K>) -> NTSTATUS {
        self.closed = true;
        request.start(|irp| close(self.socket, irp))
    }

    /// Closes and waits.
    pub(crate) fn close(mut self) -> Result<Done, Outcome> {
        self.close_now()
    }

    /// Somebody else closes it: a callback that began to.
    pub(crate) fn leave_to_callback(mut self) {
        self.closed = true;
    }

    fn close_now(&mut self) -> Result<Done, Outcome> {
        self.closed = true;
        request::run(self.bench, "WskCloseSocket", |irp| close(self.socket, irp))
    }
}

impl<K: Kernel> Drop for Handle<'_, K> {
    fn drop(&mut self) {
        if !self.closed {
            // A hang is noted on the bench.
            let _done = self.close_now();
        }
    }
}

/// A socket's table, as that of its category or the beginning that all have.
///
/// # Safety
/// `socket` is live while `'c` lasts, and of a category whose table begins with a `T`.
pub(crate) unsafe fn table_of<'c, T>(socket: *mut WSK_SOCKET) -> &'c T {
    // SAFETY: a live socket.
    let table = unsafe { (*socket).Dispatch };
    // SAFETY: a table stays as long as its sockets.
    unsafe { &*table.cast::<T>() }
}

/// WskCloseSocket of a live socket, once.
pub(crate) fn close(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: a live socket; the table of any category begins with the basic one.
    let table = unsafe { table_of::<WSK_PROVIDER_BASIC_DISPATCH>(socket) };
    let Some(call) = table.WskCloseSocket else { return STATUS_INVALID_HANDLE };
    // SAFETY: closed once, as the caller sees to.
    unsafe { call(socket, irp) }
}

/// SO_WSK_EVENT_CALLBACK on a live socket. The control is on this frame, which a provider is done with when it returns:
/// events are enabled without an IRP (SO_WSK_EVENT_CALLBACK docs), and one that is disabled is named in the call.
pub(crate) fn set_events(
    socket: *mut WSK_SOCKET,
    interface: *const GUID,
    mask: u32,
    irp: *mut IRP,
) -> NTSTATUS {
    let mut control = WSK_EVENT_CALLBACK_CONTROL { NpiId: interface, EventMask: mask };
    // SAFETY: a live socket; the table of any category begins with the basic one.
    let table = unsafe { table_of::<WSK_PROVIDER_BASIC_DISPATCH>(socket) };
    let Some(call) = table.WskControlSocket else { return STATUS_INVALID_HANDLE };
    let (input, size) = ((&raw mut control).cast::<c_void>(), size_of::<WSK_EVENT_CALLBACK_CONTROL>());
    let (none, kind) = (ptr::null_mut(), WskSetOption);
    // SAFETY: a live socket, and a control of this size.
    unsafe {
        call(socket, kind, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, size, input, 0, none, ptr::null_mut(), irp)
    }
}
