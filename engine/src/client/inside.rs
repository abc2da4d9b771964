//! Being inside a socket: its functions may be called.

// UNSAFETY: reads the socket's dispatch table, whose type the category says.
#![expect(
    unsafe_code,
    reason = "the table is valid from the creation to WskCloseSocket, which waits for `calls`"
)]

use core::ops::Deref;

use crate::abi::nt::IRP;
use crate::abi::status::{NTSTATUS, STATUS_NOT_SUPPORTED};
use crate::abi::wsk::{
    PFN_WSK_ACCEPT, PFN_WSK_BIND, PFN_WSK_CONNECT, PFN_WSK_CONNECT_EX, PFN_WSK_DISCONNECT,
    PFN_WSK_GET_LOCAL_ADDRESS, PFN_WSK_GET_REMOTE_ADDRESS, PFN_WSK_INSPECT_COMPLETE, PFN_WSK_LISTEN,
    PFN_WSK_RECEIVE, PFN_WSK_RELEASE_DATA_INDICATION_LIST, PFN_WSK_SEND, WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET, WSK_PROVIDER_BASIC_DISPATCH,
    WSK_PROVIDER_CONNECTION_DISPATCH, WSK_PROVIDER_LISTEN_DISPATCH, WSK_PROVIDER_STREAM_DISPATCH, WSK_SOCKET,
};
use crate::client::base::SocketBase;
use crate::kernel::Kernel;
use crate::request::slot::Slot;

/// What a call that the table does not have answers.
pub(super) const ABSENT: NTSTATUS = STATUS_NOT_SUPPORTED;

/// One place inside a socket's `calls`: it is open until this is dropped.
///
/// # Invariants
/// `base` counts it. Its functions are called only if the socket is there.
pub(super) struct Inside<'a, K: Kernel> {
    pub(super) base: &'a SocketBase<K>,
}

/// A request at the moment it is handed over: its slot is the caller's until the call that it makes.
pub(super) struct Call<'a, K: Kernel> {
    pub(super) slot: &'a Slot<K>,
    pub(super) inside: &'a Inside<'a, K>,
    /// The request's IRP.
    pub(super) irp: *mut IRP,
}

impl<K: Kernel> Call<'_, K> {
    /// Puts what the call takes by address into the slot.
    pub(super) fn put<P>(&self, value: P) -> *mut P {
        let place = self.slot.parameters::<P>();
        // SAFETY: room for it, and the slot is the caller's.
        unsafe { place.write(value) };
        place
    }
}

impl<'a, K: Kernel> Deref for Call<'a, K> {
    type Target = Inside<'a, K>;

    fn deref(&self) -> &Inside<'a, K> {
        self.inside
    }
}

impl<K: Kernel> Inside<'_, K> {
    pub(super) fn socket(&self) -> *mut WSK_SOCKET {
        self.base.socket()
    }

    /// The functions that every category has.
    pub(super) fn basic(&self) -> &WSK_PROVIDER_BASIC_DISPATCH {
        // SAFETY: every table begins with this one.
        unsafe { self.table() }
    }

    /// # Safety
    /// The table is a `T`.
    unsafe fn table<T>(&self) -> &T {
        // SAFETY: inside, so the socket is open.
        let table = unsafe { (*self.socket()).Dispatch };
        // SAFETY: the caller's promise.
        unsafe { &*table.cast::<T>() }
    }
}

impl<K: Kernel> Drop for Inside<'_, K> {
    fn drop(&mut self) {
        self.base.leave();
    }
}

/// A function of the socket's table, by the category that it was opened with; `None` where the category has none.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident: $field:ident, $type:ident, [$($flag:ident $table:ident),+];)+) => {
        impl<K: Kernel> Inside<'_, K> {
            $(
                $(#[$doc])*
                pub(super) fn $name(&self) -> $type {
                    $(if self.base.is($flag) {
                        // SAFETY: the table of that category is of this type (WSK docs, WSK_SOCKET).
                        return unsafe { self.table::<$table>() }.$field;
                    })+
                    None
                }
            )+
        }
    };
}

functions! {
    /// WskBind.
    bind: WskBind, PFN_WSK_BIND, [
        WSK_FLAG_LISTEN_SOCKET WSK_PROVIDER_LISTEN_DISPATCH,
        WSK_FLAG_CONNECTION_SOCKET WSK_PROVIDER_CONNECTION_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskGetLocalAddress.
    local_address: WskGetLocalAddress, PFN_WSK_GET_LOCAL_ADDRESS, [
        WSK_FLAG_LISTEN_SOCKET WSK_PROVIDER_LISTEN_DISPATCH,
        WSK_FLAG_CONNECTION_SOCKET WSK_PROVIDER_CONNECTION_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskGetRemoteAddress.
    remote_address: WskGetRemoteAddress, PFN_WSK_GET_REMOTE_ADDRESS, [
        WSK_FLAG_CONNECTION_SOCKET WSK_PROVIDER_CONNECTION_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskAccept.
    accept: WskAccept, PFN_WSK_ACCEPT, [
        WSK_FLAG_LISTEN_SOCKET WSK_PROVIDER_LISTEN_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskConnect.
    connect: WskConnect, PFN_WSK_CONNECT, [
        WSK_FLAG_CONNECTION_SOCKET WSK_PROVIDER_CONNECTION_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskConnectEx.
    connect_ex: WskConnectEx, PFN_WSK_CONNECT_EX, [
        WSK_FLAG_CONNECTION_SOCKET WSK_PROVIDER_CONNECTION_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskSend.
    send: WskSend, PFN_WSK_SEND, [
        WSK_FLAG_CONNECTION_SOCKET WSK_PROVIDER_CONNECTION_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskReceive.
    receive: WskReceive, PFN_WSK_RECEIVE, [
        WSK_FLAG_CONNECTION_SOCKET WSK_PROVIDER_CONNECTION_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskDisconnect.
    disconnect: WskDisconnect, PFN_WSK_DISCONNECT, [
        WSK_FLAG_CONNECTION_SOCKET WSK_PROVIDER_CONNECTION_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskRelease.
    release: WskRelease, PFN_WSK_RELEASE_DATA_INDICATION_LIST, [
        WSK_FLAG_CONNECTION_SOCKET WSK_PROVIDER_CONNECTION_DISPATCH,
        WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH
    ];
    /// WskInspectComplete.
    inspect_complete: WskInspectComplete, PFN_WSK_INSPECT_COMPLETE, [
        WSK_FLAG_LISTEN_SOCKET WSK_PROVIDER_LISTEN_DISPATCH
    ];
    /// WskListen.
    listen: WskListen, PFN_WSK_LISTEN, [WSK_FLAG_STREAM_SOCKET WSK_PROVIDER_STREAM_DISPATCH];
}
