//! An echo that lives in callbacks, and sends each piece of data from the memory that it came in.
//!
//! ```text
//! WskAcceptEvent      a new Peer, which is the connection's context
//! WskReceiveEvent     keeps the list, and hands each node to WskSend; the completion releases it
//! WskDisconnectEvent  hands the Peer to the closer: the work item of a driver, which may wait
//! closer              WskDisconnect, behind all that is sent; WskCloseSocket; frees the Peer
//! ```

use std::ffi::c_void;
use std::net::SocketAddr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use skua_engine::Kernel;
use skua_engine::abi::nt::{DEVICE_OBJECT, EmbeddedIrp, IO_SIZE_OF_IRP_1, IRP, io_set_completion_routine};
use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH, WSK_DATA_INDICATION, WSK_EVENT_ACCEPT,
    WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_FLAG_ABORTIVE, WSK_FLAG_LISTEN_SOCKET,
    WSK_PROVIDER_CONNECTION_DISPATCH, WSK_PROVIDER_LISTEN_DISPATCH, WSK_SOCKET,
};
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;

use crate::client::{Call, Client, succeeded, table_of};
use crate::pipe::announce;

static LISTEN: WSK_CLIENT_LISTEN_DISPATCH =
    WSK_CLIENT_LISTEN_DISPATCH { WskAcceptEvent: Some(accept), WskInspectEvent: None, WskAbortEvent: None };
static CONNECTION: WSK_CLIENT_CONNECTION_DISPATCH = WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: Some(receive),
    WskDisconnectEvent: Some(disconnect),
    WskSendBacklogEvent: None,
};

/// A listening socket whose connections are echoed. It lies in a box, as the socket's context.
pub(crate) struct Echo {
    kernel: HostKernel,
    socket: *mut WSK_SOCKET,
    ended: Sender<Ended>,
    /// Connections that were accepted.
    accepted: AtomicUsize,
}

/// A connection: the context of its callbacks, which owns itself until the closer has it.
struct Peer {
    kernel: HostKernel,
    socket: *mut WSK_SOCKET,
    ended: Sender<Ended>,
}

/// A connection whose other end has ended it.
pub(crate) struct Ended {
    peer: Box<Peer>,
    is_abortive: bool,
}

// SAFETY: a socket can be used from any thread.
unsafe impl Send for Ended {}

/// A send, and the indication that it sends.
struct Reply {
    irp: EmbeddedIrp,
    socket: *mut WSK_SOCKET,
    node: *mut WSK_DATA_INDICATION,
}

/// Serves until `count` connections are over.
pub(crate) fn run(client: &Client, address: SocketAddr, count: usize) -> Result<(), String> {
    let (echo, _, ended) = Echo::listen(client, address)?;
    for _ in 0..count {
        let ended = ended.recv().map_err(|_| "nobody is left")?;
        close(client, ended)?;
    }
    client.close(echo.socket)
}

impl Echo {
    /// Listens at `address`. What comes out of the receiver is to be given to [`close`].
    pub(crate) fn listen(
        client: &Client,
        address: SocketAddr,
    ) -> Result<(Box<Self>, SocketAddr, Receiver<Ended>), String> {
        client.set_static_events(WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT)?;
        let (sender, ended) = channel();
        let mut echo = Box::new(Self {
            kernel: client.kernel.clone(),
            socket: null_mut(),
            ended: sender,
            accepted: AtomicUsize::new(0),
        });
        let context = (&raw mut *echo).cast();
        echo.socket = client.socket(address, WSK_FLAG_LISTEN_SOCKET, context, &raw const LISTEN)?;
        // SAFETY: a listening socket.
        let table = unsafe { table_of::<WSK_PROVIDER_LISTEN_DISPATCH>(echo.socket) };
        let bind = table.WskBind.ok_or("no WskBind")?;
        let mut local = SOCKADDR_INET::from(address);
        let (socket, local) = (echo.socket, local.as_mut_ptr());
        // SAFETY: a live socket, and an address that outlives the request.
        let (status, _) = Call::new(&client.kernel).run(|irp| unsafe { bind(socket, local, 0, irp) });
        succeeded("WskBind", status)?;
        let local = announce(client, echo.socket, table.WskGetLocalAddress)?;
        Ok((echo, local, ended))
    }

    /// Ends it. Connections that are open stay so.
    pub(crate) fn end(&self, client: &Client) -> Result<usize, String> {
        client.close(self.socket)?;
        Ok(self.accepted.load(Ordering::Relaxed))
    }
}

/// Ends our direction too, behind all that waits to be sent, and closes. Waits, so no callback may do it.
pub(crate) fn close(client: &Client, ended: Ended) -> Result<(), String> {
    let Ended { peer, is_abortive } = ended;
    if !is_abortive {
        // SAFETY: a connection socket.
        let table = unsafe { table_of::<WSK_PROVIDER_CONNECTION_DISPATCH>(peer.socket) };
        let disconnect = table.WskDisconnect.ok_or("no WskDisconnect")?;
        // SAFETY: a live socket; no data goes with it. When the connection was reset meanwhile, closing is all there is.
        let _ = Call::new(&client.kernel).run(|irp| unsafe { disconnect(peer.socket, null_mut(), 0, irp) });
    }
    client.close(peer.socket)
}

/// WskAcceptEvent: takes every connection.
unsafe extern "C" fn accept(
    context: *mut c_void,
    _flags: u32,
    _local: PSOCKADDR,
    _remote: PSOCKADDR,
    socket: *mut WSK_SOCKET,
    accepted_context: *mut *mut c_void,
    table: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
) -> NTSTATUS {
    if socket.is_null() {
        // The listening socket is dead; there is nothing to take.
        return STATUS_SUCCESS;
    }
    // SAFETY: the context of the listening socket, which outlives it.
    let echo = unsafe { &*context.cast::<Echo>() };
    echo.accepted.fetch_add(1, Ordering::Relaxed);
    let peer = Box::new(Peer { kernel: echo.kernel.clone(), socket, ended: echo.ended.clone() });
    // SAFETY: both are writable during the call.
    unsafe { accepted_context.write(Box::into_raw(peer).cast()) };
    // SAFETY: as above.
    unsafe { table.write(&raw const CONNECTION) };
    STATUS_SUCCESS
}

/// WskReceiveEvent: keeps the list and sends its nodes, one by one and so in order.
unsafe extern "C" fn receive(
    context: *mut c_void,
    _flags: u32,
    list: *mut WSK_DATA_INDICATION,
    _indicated: usize,
    _accepted: *mut usize,
) -> NTSTATUS {
    // SAFETY: the connection's context, which is freed after the close.
    let peer = unsafe { &*context.cast::<Peer>() };
    let mut node = list;
    while !node.is_null() {
        // Before the send: its completion may have released the node when it returns.
        // SAFETY: the list is this callback's.
        let next = unsafe { (*node).Next };
        // SAFETY: as above. Nodes are released one by one.
        unsafe { (*node).Next = null_mut() };
        // SAFETY: the node is kept until the reply is complete.
        unsafe { reply(peer, node) };
        node = next;
    }
    STATUS_PENDING
}

/// # Safety
/// `node` is an indication of the peer's socket that this call may keep.
unsafe fn reply(peer: &Peer, node: *mut WSK_DATA_INDICATION) {
    let reply = Box::into_raw(Box::new(Reply { irp: zeroed(), socket: peer.socket, node }));
    // SAFETY: live until the completion routine frees it.
    let irp = EmbeddedIrp::as_irp(unsafe { &raw mut (*reply).irp });
    // SAFETY: of the size given.
    unsafe { peer.kernel.io_initialize_irp(irp, IO_SIZE_OF_IRP_1, 1) };
    // SAFETY: fresh, so a stack location is left.
    unsafe { io_set_completion_routine(irp, Some(replied), reply.cast(), true, true, true) };
    // SAFETY: a connection socket.
    let table = unsafe { table_of::<WSK_PROVIDER_CONNECTION_DISPATCH>(peer.socket) };
    if let Some(send) = table.WskSend {
        // SAFETY: as above.
        let buffer = unsafe { &raw mut (*node).Buffer };
        // Whatever it returns, the completion routine runs, and nothing of the reply is touched behind this.
        // SAFETY: a live socket; the buffer lives until the completion releases it.
        let _ = unsafe { send(peer.socket, buffer, 0, irp) };
    }
}

/// The completion of a send: what was sent goes back to the provider.
unsafe extern "C" fn replied(_device: *mut DEVICE_OBJECT, _irp: *mut IRP, context: *mut c_void) -> NTSTATUS {
    // SAFETY: came from `reply`, and is freed here once.
    let reply = unsafe { Box::from_raw(context.cast::<Reply>()) };
    // SAFETY: a connection socket, which is not closed while it waits for this.
    let table = unsafe { table_of::<WSK_PROVIDER_CONNECTION_DISPATCH>(reply.socket) };
    if let Some(release) = table.WskRelease {
        // SAFETY: kept since the receive event, and released once.
        let status = unsafe { release(reply.socket, reply.node) };
        debug_assert!(status == STATUS_SUCCESS, "{status:?}");
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

/// WskDisconnectEvent: the last callback with data behind it. The rest needs to wait.
unsafe extern "C" fn disconnect(context: *mut c_void, flags: u32) -> NTSTATUS {
    // SAFETY: came from `accept`; the closer frees it after the close, which waits for this callback.
    let peer = unsafe { Box::from_raw(context.cast::<Peer>()) };
    let ended = peer.ended.clone();
    let is_abortive = flags & WSK_FLAG_ABORTIVE != 0;
    // A closer that is gone takes nothing more: then the program ends.
    let _ = ended.send(Ended { peer, is_abortive });
    STATUS_SUCCESS
}
