//! WskControlSocket, waited for.

// UNSAFETY: WSK calls with buffers that live until the wait is over.
#![expect(unsafe_code, reason = "requests through the socket's table while the handle holds the socket open")]

use core::ffi::c_void;
use core::ptr::null_mut;

use bytemuck::Pod;

use crate::abi::nt::IRP;
use crate::abi::sockaddr::SOL_SOCKET;
use crate::abi::status::{NTSTATUS, STATUS_NOT_IMPLEMENTED};
use crate::abi::wsk::{
    NPI_WSK_INTERFACE_ID, SO_WSK_EVENT_CALLBACK, WSK_CONTROL_SOCKET_TYPE, WSK_EVENT_CALLBACK_CONTROL,
    WSK_EVENT_RECEIVE_FROM, WskIoctl, WskSetOption,
};
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::socket::core::SocketCore;
use crate::socket::request::Wait;

impl<K: Kernel> SocketCore<K> {
    /// Sets an option. `value` is plain data, as the option takes it.
    ///
    /// # Safety
    /// The socket was created, and this thread alone makes requests.
    pub(super) unsafe fn set_option<T: Pod>(
        &self,
        level: u32,
        option: u32,
        value: T,
        passive: &Passive<'_>,
    ) -> NTSTATUS {
        // SAFETY: the caller's promise.
        unsafe { self.request(WskSetOption, option, level, value, passive) }
    }

    /// Issues an I/O control that takes plain data and returns none.
    ///
    /// # Safety
    /// As for [`SocketCore::set_option`].
    pub(super) unsafe fn io_control<T: Pod>(&self, code: u32, value: T, passive: &Passive<'_>) -> NTSTATUS {
        // SAFETY: the caller's promise.
        unsafe { self.request(WskIoctl, code, 0, value, passive) }
    }

    /// Switches the receive event on. It takes no IRP (WSK docs, SO_WSK_EVENT_CALLBACK).
    ///
    /// # Safety
    /// As for [`SocketCore::set_option`], and the socket is bound.
    pub(super) unsafe fn enable_events(&self) -> NTSTATUS {
        let mut events = WSK_EVENT_CALLBACK_CONTROL {
            NpiId: &raw const NPI_WSK_INTERFACE_ID,
            EventMask: WSK_EVENT_RECEIVE_FROM,
        };
        let input = (size_of::<WSK_EVENT_CALLBACK_CONTROL>(), (&raw mut events).cast());
        // SAFETY: the caller's promise; the request completes before it returns.
        unsafe { self.call(WskSetOption, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, input, null_mut()) }
    }

    /// # Safety
    /// As for [`SocketCore::set_option`]; `value` is what the request takes.
    unsafe fn request<T: Pod>(
        &self,
        kind: WSK_CONTROL_SOCKET_TYPE,
        code: u32,
        level: u32,
        value: T,
        passive: &Passive<'_>,
    ) -> NTSTATUS {
        let call = |value: *mut T, irp| {
            // SAFETY: the caller's promise.
            unsafe { self.call(kind, code, level, (size_of::<T>(), value.cast()), irp) }
        };
        // SAFETY: this thread alone makes requests, and the core stays in place until they are over.
        unsafe { self.control.perform(value, Wait::Bounded, passive, call) }.status
    }

    /// # Safety
    /// As for [`SocketCore::request`].
    unsafe fn call(
        &self,
        kind: WSK_CONTROL_SOCKET_TYPE,
        code: u32,
        level: u32,
        (bytes, input): (usize, *mut c_void),
        irp: *mut IRP,
    ) -> NTSTATUS {
        // SAFETY: the socket is open while a handle of it exists.
        let Some(control) = (unsafe { self.dispatch() }).Basic.WskControlSocket else {
            return STATUS_NOT_IMPLEMENTED;
        };
        let socket = self.socket();
        // SAFETY: the caller's promise.
        unsafe { control(socket, kind, code, level, bytes, input, 0, null_mut(), null_mut(), irp) }
    }
}
