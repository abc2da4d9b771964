//! What the provider calls for a connection.

// UNSAFETY: the provider calls these with addresses of its own; what they point at is lent until the return.
#![expect(unsafe_code, reason = "the callbacks' contract with WSK")]

use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use crate::abi::status::{NTSTATUS, STATUS_SUCCESS};
use crate::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_DATA_INDICATION, WSK_FLAG_ABORTIVE, WSK_FLAG_AT_DISPATCH_LEVEL,
    WSK_FLAG_RELEASE_ASAP,
};
use crate::client::connection::ConnectionSocket;
use crate::client::connections::ConnectionBlock;
use crate::client::handler::{ConnectionHandler, EndOfStream};
use crate::client::indication::Indication;
use crate::kernel::Kernel;
use crate::processor::Dispatch;

/// The table of every connection with a handler of this type. Constant, as WSK asks of it to outlive the socket.
pub(super) struct Table<K, H>(core::marker::PhantomData<(K, H)>);

impl<K: Kernel, H: ConnectionHandler<K>> Table<K, H> {
    pub(super) const DISPATCH: &'static WSK_CLIENT_CONNECTION_DISPATCH = &WSK_CLIENT_CONNECTION_DISPATCH {
        WskReceiveEvent: Some(receive_event::<K, H>),
        WskDisconnectEvent: Some(disconnect_event::<K, H>),
        WskSendBacklogEvent: Some(send_backlog_event::<K, H>),
    };
}

/// Takes the guard that `flags` allows.
///
/// # Safety
/// The flags are those of a callback that has not returned.
pub(super) unsafe fn guard<K: Kernel>(kernel: &K, flags: u32) -> Dispatch<'_, K> {
    if flags & WSK_FLAG_AT_DISPATCH_LEVEL != 0 {
        // SAFETY: the flag says so, and the provider does not lower the level before the callback returns.
        unsafe { Dispatch::assume(kernel) }
    } else {
        Dispatch::raise(kernel)
    }
}

/// Lends a handler its own socket.
///
/// # Safety
/// `context` is a connection's block whose close is not through.
unsafe fn socket<K: Kernel, H: ConnectionHandler<K>>(
    context: *mut c_void,
) -> Option<ManuallyDrop<ConnectionSocket<K, H>>> {
    let block = NonNull::new(context.cast::<ConnectionBlock<K, H>>())?;
    // SAFETY: lent, not owned: the handle is not dropped.
    Some(ManuallyDrop::new(unsafe { ConnectionSocket::over(block) }))
}

/// Inside a connection, at DISPATCH_LEVEL; nothing if it is closing.
///
/// # Safety
/// As for [`socket`] and [`guard`].
unsafe fn enter<K: Kernel, H: ConnectionHandler<K>>(
    context: *mut c_void,
    flags: u32,
    work: impl FnOnce(&ConnectionSocket<K, H>),
) {
    // SAFETY: the caller's promise.
    let Some(socket) = (unsafe { socket::<K, H>(context) }) else { return };
    let base = &socket.block().base;
    // SAFETY: the caller's promise.
    let _dispatch = unsafe { guard(&base.kernel, flags) };
    // Left before the guard is dropped: the block stays until this callback has returned, which WskCloseSocket waits for.
    if let Some(_inside) = base.enter() {
        work(&socket);
    }
}

/// WskReceiveEvent. It is called for one connection one at a time (WSK docs).
///
/// # Safety
/// `context` is the connection's block, `list` null or lent until the return.
unsafe extern "C" fn receive_event<K: Kernel, H: ConnectionHandler<K>>(
    context: *mut c_void,
    flags: u32,
    list: *mut WSK_DATA_INDICATION,
    indicated: usize,
    accepted: *mut usize,
) -> NTSTATUS {
    // What comes for a socket that is closing is consumed: nobody will ask for it.
    let (mut status, mut taken) = (STATUS_SUCCESS, indicated);
    let work = |socket: &ConnectionSocket<K, H>| {
        let base = &socket.block().base;
        match NonNull::new(list) {
            None => {
                base.died.store(true, Ordering::Relaxed);
                socket.handler().died(socket);
            }
            Some(list) => {
                let soon = flags & WSK_FLAG_RELEASE_ASAP != 0;
                let data = Indication::new(base, list, indicated, soon);
                let verdict = socket.handler().receive(socket, data);
                (status, taken) = (verdict.status, verdict.accepted);
            }
        }
    };
    // SAFETY: the caller's promise.
    unsafe { enter(context, flags, work) };
    if !accepted.is_null() {
        // SAFETY: the provider's variable.
        unsafe { accepted.write(taken) };
    }
    status
}

/// WskDisconnectEvent.
///
/// # Safety
/// `context` is the connection's block.
unsafe extern "C" fn disconnect_event<K: Kernel, H: ConnectionHandler<K>>(
    context: *mut c_void,
    flags: u32,
) -> NTSTATUS {
    let how = if flags & WSK_FLAG_ABORTIVE == 0 { EndOfStream::Graceful } else { EndOfStream::Abortive };
    let work = |socket: &ConnectionSocket<K, H>| socket.handler().disconnect(socket, how);
    // SAFETY: the caller's promise.
    unsafe { enter(context, flags, work) };
    STATUS_SUCCESS
}

/// WskSendBacklogEvent, which has no flags.
///
/// # Safety
/// `context` is the connection's block.
unsafe extern "C" fn send_backlog_event<K: Kernel, H: ConnectionHandler<K>>(
    context: *mut c_void,
    bytes: usize,
) -> NTSTATUS {
    let work = |socket: &ConnectionSocket<K, H>| socket.handler().send_backlog(socket, bytes);
    // SAFETY: the caller's promise.
    unsafe { enter(context, 0, work) };
    STATUS_SUCCESS
}
