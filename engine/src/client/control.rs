//! WskControlSocket and what every bound socket can be asked.

// UNSAFETY: WSK calls with values in the request's slot.
#![expect(unsafe_code, reason = "requests through the socket's table while it is open")]

use core::marker::PhantomData;
use core::net::SocketAddr;
use core::ptr::null_mut;

use bytemuck::Pod;

use crate::abi::sockaddr::{SOCKADDR_INET, SOL_SOCKET};
use crate::abi::status::NTSTATUS;
use crate::abi::wsk::{
    NPI_WSK_INTERFACE_ID, SO_WSK_EVENT_CALLBACK, WSK_CONTROL_SOCKET_TYPE, WSK_EVENT_CALLBACK_CONTROL,
    WskGetOption, WskIoctl, WskSetOption,
};
use crate::client::base::SocketBase;
use crate::client::finish::{Address, Done, Value};
use crate::client::inside::{ABSENT, Call};
use crate::kernel::Kernel;
use crate::request::{Finish, Pending, RequestError, Requests};

/// A socket whose options can be set and read, in the states that the option allows.
pub trait Controlled<K: Kernel>: sealed::HasBase<K> {
    /// Sets an option (WskSetOption).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    fn set_option<T: Pod>(&self, level: u32, option: u32, value: T) -> Pending<K, Done> {
        self.base().control_in(WskSetOption, level, option, value)
    }

    /// Reads an option (WskGetOption). A shorter answer is filled up with zeros.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    fn get_option<T: Pod>(&self, level: u32, option: u32) -> Pending<K, Value<T>> {
        self.base().control_out(WskGetOption, level, option)
    }

    /// Issues an I/O control that takes a value (WskIoctl).
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; PASSIVE_LEVEL for SIO_ADDRESS_LIST_*.
    fn io_control<T: Pod>(&self, code: u32, value: T) -> Pending<K, Done> {
        self.base().control_in(WskIoctl, 0, code, value)
    }

    /// Issues an I/O control that gives a value (WskIoctl).
    ///
    /// # IRQL
    /// As for [`Controlled::io_control`].
    fn query<T: Pod>(&self, code: u32) -> Pending<K, Value<T>> {
        self.base().control_out(WskIoctl, 0, code)
    }

    /// The slots that its requests are made with.
    ///
    /// # IRQL
    /// Any.
    fn requests(&self) -> &Requests<K> {
        &self.base().requests
    }

    /// Whether the provider has said that the socket is dead: only its close is left.
    ///
    /// # IRQL
    /// Any.
    fn is_dead(&self) -> bool {
        self.base().died.load(core::sync::atomic::Ordering::Relaxed)
    }
}

pub(super) mod sealed {
    use crate::client::base::SocketBase;
    use crate::kernel::Kernel;

    /// A handle of a socket.
    pub trait HasBase<K: Kernel> {
        #[expect(private_interfaces, reason = "sealed: nobody outside can name the trait")]
        fn base(&self) -> &SocketBase<K>;
    }
}

impl<K: Kernel> SocketBase<K> {
    pub(super) fn control_in<T: Pod>(
        &self,
        kind: WSK_CONTROL_SOCKET_TYPE,
        level: u32,
        code: u32,
        value: T,
    ) -> Pending<K, Done> {
        let bytes = size_of::<T>();
        self.control(kind, level, code, (bytes, 0), bytemuck::bytes_of(&value), Done("WskControlSocket"))
    }

    fn control_out<T: Pod>(
        &self,
        kind: WSK_CONTROL_SOCKET_TYPE,
        level: u32,
        code: u32,
    ) -> Pending<K, Value<T>> {
        self.control(kind, level, code, (0, size_of::<T>()), &[], Value(PhantomData))
    }

    /// A control request whose input or output lies in the slot's bytes.
    fn control<F: Finish<K>>(
        &self,
        kind: WSK_CONTROL_SOCKET_TYPE,
        level: u32,
        code: u32,
        (input_bytes, output_bytes): (usize, usize),
        value: &[u8],
        finish: F,
    ) -> Pending<K, F> {
        let Some(mut buffer) = self.requests.take() else { return Pending::failed(RequestError::NoSlot) };
        let bytes = input_bytes.max(output_bytes);
        if bytes > buffer.capacity() {
            return Pending::failed(RequestError::TooLong { bytes });
        }
        buffer.fill(value);
        let data = buffer.slot().data().as_ptr().cast::<core::ffi::c_void>();
        let input = if input_bytes == 0 { null_mut() } else { data };
        let output = if output_bytes == 0 { null_mut() } else { data };
        let call = |call: &Call<'_, K>| match call.basic().WskControlSocket {
            // SAFETY: the buffer lies in the slot.
            Some(control) => unsafe {
                control(
                    call.socket(),
                    kind,
                    code,
                    level,
                    input_bytes,
                    input,
                    output_bytes,
                    output,
                    null_mut(),
                    call.irp,
                )
            },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { self.request_with(buffer, finish, core::ptr::null(), call) }
    }

    /// Switches events on. It takes no IRP (WSK docs, SO_WSK_EVENT_CALLBACK), and nothing for no events.
    pub(super) fn enable_events(&self, mask: u32) -> NTSTATUS {
        if mask == 0 {
            return crate::abi::status::STATUS_SUCCESS;
        }
        let Some(inside) = self.enter() else {
            return crate::abi::status::STATUS_FILE_FORCED_CLOSED;
        };
        let mut events =
            WSK_EVENT_CALLBACK_CONTROL { NpiId: &raw const NPI_WSK_INTERFACE_ID, EventMask: mask };
        let (bytes, input) = (size_of::<WSK_EVENT_CALLBACK_CONTROL>(), (&raw mut events).cast());
        match inside.basic().WskControlSocket {
            // SAFETY: the request completes before it returns.
            Some(control) => unsafe {
                control(
                    inside.socket(),
                    WskSetOption,
                    SO_WSK_EVENT_CALLBACK,
                    SOL_SOCKET,
                    bytes,
                    input,
                    0,
                    null_mut(),
                    null_mut(),
                    null_mut(),
                )
            },
            None => ABSENT,
        }
    }

    pub(super) fn local_address(&self) -> Pending<K, Address> {
        let call = |call: &Call<'_, K>| match call.local_address() {
            // SAFETY: there is room for an address of either family, in the slot.
            Some(get) => unsafe { get(call.socket(), call.put(SOCKADDR_INET::UNSPEC).cast(), call.irp) },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { self.request(Address("WskGetLocalAddress"), call) }
    }

    pub(super) fn remote_address(&self) -> Pending<K, Address> {
        let call = |call: &Call<'_, K>| match call.remote_address() {
            // SAFETY: there is room for an address of either family, in the slot.
            Some(get) => unsafe { get(call.socket(), call.put(SOCKADDR_INET::UNSPEC).cast(), call.irp) },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { self.request(Address("WskGetRemoteAddress"), call) }
    }

    /// WskBind, for a request that leads to `finish`.
    pub(super) fn bind<F: Finish<K>>(&self, local: SocketAddr, finish: F) -> Pending<K, F> {
        let Some(local) = self.in_family(local) else { return Pending::failed(RequestError::Family) };
        let call = |call: &Call<'_, K>| match call.bind() {
            // SAFETY: the address lies in the slot.
            Some(bind) => unsafe { bind(call.socket(), call.put(local).cast(), 0, call.irp) },
            None => ABSENT,
        };
        // SAFETY: one function, with what lies in the slot.
        unsafe { self.request(finish, call) }
    }

    /// The address as this socket takes it: an IPv6 socket takes IPv4 addresses mapped.
    pub(super) fn in_family(&self, address: SocketAddr) -> Option<SOCKADDR_INET> {
        in_family(self.is_ipv6(), address)
    }
}

/// The address as a socket of that family takes it.
pub(super) fn in_family(is_ipv6: bool, address: SocketAddr) -> Option<SOCKADDR_INET> {
    match (is_ipv6, address) {
        (true, SocketAddr::V4(v4)) => {
            Some(SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()).into())
        }
        (false, SocketAddr::V6(_)) => None,
        (_, same) => Some(same.into()),
    }
}
