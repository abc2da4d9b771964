//! Sockets over TCP of the raw client.

use std::ffi::c_void;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use skua_engine::abi::nt::IRP;
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, IPPROTO_TCP, SOCK_STREAM, SOCKADDR_INET};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_BUF, WSK_CLIENT_STREAM_DISPATCH, WSK_DATA_INDICATION, WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET, WSK_PROVIDER_CONNECTION_DISPATCH,
    WSK_PROVIDER_LISTEN_DISPATCH, WSK_PROVIDER_STREAM_DISPATCH, WSK_SOCKET,
};
use skua_hosted::HostKernel;

use super::events::{CONNECTION, LISTEN, Tape};
use super::socket::{Arguments, Buffer, Socket, table_of};
use super::{Client, Irp, LOCALHOST};

static STREAM: WSK_CLIENT_STREAM_DISPATCH =
    WSK_CLIENT_STREAM_DISPATCH { Listen: &raw const LISTEN, Connect: &raw const CONNECTION };

/// A socket of any category over TCP, whose events go to a tape.
pub(crate) struct Stream {
    pub(crate) socket: Socket,
    pub(crate) tape: Arc<Tape>,
    /// The category's.
    flags: u32,
}

impl std::ops::Deref for Stream {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

/// The arguments of WskSocket for a category over TCP.
pub(crate) fn arguments(family: u16, flags: u32, tape: &Arc<Tape>) -> Arguments {
    Arguments {
        family,
        socket_type: SOCK_STREAM,
        protocol: IPPROTO_TCP,
        flags,
        context: Arc::as_ptr(tape).cast_mut().cast(),
        dispatch: match flags {
            WSK_FLAG_LISTEN_SOCKET => (&raw const LISTEN).cast::<c_void>(),
            WSK_FLAG_CONNECTION_SOCKET => (&raw const CONNECTION).cast(),
            _ => (&raw const STREAM).cast(),
        },
        process: std::ptr::null_mut(),
        thread: std::ptr::null_mut(),
        security: std::ptr::null_mut(),
    }
}

impl Stream {
    #[track_caller]
    pub(crate) fn open(client: &Client, flags: u32, is_v4: bool) -> Self {
        let tape = Tape::new(&client.kernel);
        let family = if is_v4 { AF_INET } else { AF_INET6 };
        let raw = arguments(family, flags, &tape).create(client).unwrap();
        Self::of_category(&client.kernel, raw, tape, flags)
    }

    /// A connection socket that the provider made, with the tape that its table was given.
    pub(crate) fn of(kernel: &HostKernel, raw: *mut WSK_SOCKET, tape: Arc<Tape>) -> Self {
        Self::of_category(kernel, raw, tape, WSK_FLAG_CONNECTION_SOCKET)
    }

    pub(crate) fn of_category(
        kernel: &HostKernel,
        raw: *mut WSK_SOCKET,
        tape: Arc<Tape>,
        flags: u32,
    ) -> Self {
        let socket = Socket { kernel: kernel.clone(), raw, recorder: Arc::default() };
        Self { socket, tape, flags }
    }

    pub(crate) fn listens(&self) -> bool {
        self.flags == WSK_FLAG_LISTEN_SOCKET
    }

    fn is_stream(&self) -> bool {
        self.flags == WSK_FLAG_STREAM_SOCKET
    }

    #[track_caller]
    pub(crate) fn bind(&self, local: SocketAddr) -> NTSTATUS {
        let mut address = SOCKADDR_INET::from(local);
        let call = match self.flags {
            WSK_FLAG_LISTEN_SOCKET => self.listen_table().WskBind,
            WSK_FLAG_CONNECTION_SOCKET => self.table().WskBind,
            _ => self.stream_table().WskBind,
        };
        // SAFETY: a live socket and address.
        self.run(|irp| unsafe { call.unwrap()(self.raw, address.as_mut_ptr(), 0, irp) }).0
    }

    /// A listening socket, bound at the loopback address.
    #[track_caller]
    pub(crate) fn listening(client: &Client) -> Self {
        let listener = Self::open(client, WSK_FLAG_LISTEN_SOCKET, true);
        assert_eq!(listener.bind(LOCALHOST), STATUS_SUCCESS);
        listener
    }

    /// A connection socket, bound at the loopback address.
    #[track_caller]
    pub(crate) fn bound(client: &Client) -> Self {
        let connection = Self::open(client, WSK_FLAG_CONNECTION_SOCKET, true);
        assert_eq!(connection.bind(LOCALHOST), STATUS_SUCCESS);
        connection
    }

    /// A connection to an ordinary program, and that program's end.
    #[track_caller]
    pub(crate) fn pair(client: &Client) -> (Self, TcpStream) {
        let peer = TcpListener::bind(LOCALHOST).unwrap();
        let connection = Self::bound(client);
        assert_eq!(connection.connect(peer.local_addr().unwrap()), STATUS_SUCCESS);
        (connection, peer.accept().unwrap().0)
    }

    pub(crate) fn listen_table(&self) -> &'static WSK_PROVIDER_LISTEN_DISPATCH {
        assert_eq!(self.flags, WSK_FLAG_LISTEN_SOCKET);
        // SAFETY: a live listening socket.
        unsafe { table_of(self.raw) }
    }

    pub(crate) fn table(&self) -> &'static WSK_PROVIDER_CONNECTION_DISPATCH {
        assert_eq!(self.flags, WSK_FLAG_CONNECTION_SOCKET);
        // SAFETY: a live connection socket.
        unsafe { table_of(self.raw) }
    }

    pub(crate) fn stream_table(&self) -> &'static WSK_PROVIDER_STREAM_DISPATCH {
        assert!(self.is_stream());
        // SAFETY: a live stream socket.
        unsafe { table_of(self.raw) }
    }

    #[track_caller]
    fn address(
        &self,
        call: unsafe extern "C" fn(
            *mut WSK_SOCKET,
            *mut skua_engine::abi::sockaddr::SOCKADDR,
            *mut IRP,
        ) -> NTSTATUS,
    ) -> Result<SocketAddr, NTSTATUS> {
        let mut address = SOCKADDR_INET::UNSPEC;
        // SAFETY: a live socket; the address outlives the request.
        let (status, _) = self.run(|irp| unsafe { call(self.raw, address.as_mut_ptr(), irp) });
        if status == STATUS_SUCCESS { Ok(address.to_socket_addr().unwrap()) } else { Err(status) }
    }

    /// WskGetLocalAddress of a listening socket.
    #[track_caller]
    pub(crate) fn listens_at(&self) -> SocketAddr {
        self.address(self.listen_table().WskGetLocalAddress.unwrap()).unwrap()
    }

    /// WskGetLocalAddress of a connection or stream socket.
    #[track_caller]
    pub(crate) fn local_address(&self) -> Result<SocketAddr, NTSTATUS> {
        let call = if self.is_stream() {
            self.stream_table().WskGetLocalAddress
        } else {
            self.table().WskGetLocalAddress
        };
        self.address(call.unwrap())
    }

    #[track_caller]
    pub(crate) fn remote_address(&self) -> Result<SocketAddr, NTSTATUS> {
        let call = if self.is_stream() {
            self.stream_table().WskGetRemoteAddress
        } else {
            self.table().WskGetRemoteAddress
        };
        self.address(call.unwrap())
    }

    /// WskListen.
    #[track_caller]
    pub(crate) fn listen(&self) -> NTSTATUS {
        // SAFETY: a live stream socket.
        self.run(|irp| unsafe { self.stream_table().WskListen.unwrap()(self.raw, irp) }).0
    }

    /// WskConnect: hands over the IRP and returns what the call did.
    pub(crate) fn start_connect(&self, remote: SocketAddr, irp: *mut IRP) -> NTSTATUS {
        let mut remote = SOCKADDR_INET::from(remote);
        let call = if self.is_stream() { self.stream_table().WskConnect } else { self.table().WskConnect };
        // SAFETY: a live socket and address.
        unsafe { call.unwrap()(self.raw, remote.as_mut_ptr(), 0, irp) }
    }

    #[track_caller]
    pub(crate) fn connect(&self, remote: SocketAddr) -> NTSTATUS {
        self.run(|irp| self.start_connect(remote, irp)).0
    }

    /// WskConnectEx: the status, and the bytes sent.
    #[track_caller]
    pub(crate) fn connect_ex(&self, remote: SocketAddr, data: &[u8], flags: u32) -> (NTSTATUS, usize) {
        let mut remote = SOCKADDR_INET::from(remote);
        let buffer = Buffer::new(&self.kernel, &[data]);
        let mut header = buffer.header();
        let call =
            if self.is_stream() { self.stream_table().WskConnectEx } else { self.table().WskConnectEx };
        // SAFETY: a live socket, address and buffer.
        self.run(|irp| unsafe { call.unwrap()(self.raw, remote.as_mut_ptr(), &raw mut header, flags, irp) })
    }

    /// WskAccept: hands over the IRP and returns what the call did. The accepted socket's events go to `tape`.
    pub(crate) fn start_accept(&self, tape: &Arc<Tape>, irp: *mut IRP) -> NTSTATUS {
        let call =
            if self.is_stream() { self.stream_table().WskAccept } else { self.listen_table().WskAccept };
        let context = Arc::as_ptr(tape).cast_mut().cast();
        let nowhere = std::ptr::null_mut();
        // SAFETY: a live listening socket; the tape outlives the accepted one.
        unsafe { call.unwrap()(self.raw, 0, context, &raw const CONNECTION, nowhere, nowhere, irp) }
    }

    /// Accepts one connection.
    #[track_caller]
    pub(crate) fn accept(&self) -> Self {
        let tape = Tape::new(&self.kernel);
        let (status, socket) = self.run(|irp| self.start_accept(&tape, irp));
        assert_eq!(status, STATUS_SUCCESS);
        Self::of(&self.kernel, std::ptr::with_exposed_provenance_mut(socket), tape)
    }

    pub(crate) fn start_send(&self, buffer: &Buffer, flags: u32, irp: *mut IRP) -> NTSTATUS {
        let call = if self.is_stream() { self.stream_table().WskSend } else { self.table().WskSend };
        let mut header = buffer.header();
        // SAFETY: a live socket; the buffer outlives the request.
        unsafe { call.unwrap()(self.raw, &raw mut header, flags, irp) }
    }

    /// WskSend of data in the given parts.
    #[track_caller]
    pub(crate) fn send(&self, parts: &[&[u8]], flags: u32) -> (NTSTATUS, usize) {
        let buffer = Buffer::new(&self.kernel, parts);
        self.run(|irp| self.start_send(&buffer, flags, irp))
    }

    pub(crate) fn start_receive(&self, buffer: &Buffer, flags: u32, irp: *mut IRP) -> NTSTATUS {
        let call = if self.is_stream() { self.stream_table().WskReceive } else { self.table().WskReceive };
        let mut header: WSK_BUF = buffer.header();
        // SAFETY: a live socket; the buffer outlives the request.
        unsafe { call.unwrap()(self.raw, &raw mut header, flags, irp) }
    }

    /// WskReceive into room of the given sizes: the status and what was received.
    #[track_caller]
    pub(crate) fn receive(&self, sizes: &[usize], flags: u32) -> (NTSTATUS, Vec<u8>) {
        let room = room(&self.kernel, sizes);
        let (status, bytes) = self.run(|irp| self.start_receive(&room, flags, irp));
        let mut received = room.parts.concat();
        received.truncate(bytes);
        (status, received)
    }

    pub(crate) fn start_disconnect(&self, data: Option<&Buffer>, flags: u32, irp: *mut IRP) -> NTSTATUS {
        let call =
            if self.is_stream() { self.stream_table().WskDisconnect } else { self.table().WskDisconnect };
        let mut header = data.map(Buffer::header);
        let header = header.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
        // SAFETY: a live socket; the buffer outlives the request.
        unsafe { call.unwrap()(self.raw, header, flags, irp) }
    }

    #[track_caller]
    pub(crate) fn disconnect(&self, data: Option<&[u8]>, flags: u32) -> NTSTATUS {
        let data = data.map(|data| Buffer::new(&self.kernel, &[data]));
        self.run(|irp| self.start_disconnect(data.as_ref(), flags, irp)).0
    }

    pub(crate) fn release(&self, list: *mut WSK_DATA_INDICATION) -> NTSTATUS {
        // SAFETY: a live socket; the list is whatever a test says.
        unsafe { self.table().WskRelease.unwrap()(self.raw, list) }
    }

    /// Enables or disables events without an IRP.
    pub(crate) fn event(&self, mask: u32) -> NTSTATUS {
        self.set_event(mask, std::ptr::null_mut())
    }

    /// Closes and waits.
    #[track_caller]
    pub(crate) fn close(self) {
        self.socket.close();
    }
}

/// Ends a connection without ceremony.
pub(crate) fn reset(peer: TcpStream) {
    socket2::SockRef::from(&peer).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(peer);
}

/// Whether a connection that is reset always looks so to the other end: Wine 8 may end it instead.
const RESETS_SHOW: bool = !cfg!(windows);

/// All that a peer receives until the connection is over, and whether it was reset.
#[track_caller]
pub(crate) fn rest_of(peer: &mut TcpStream) -> (Vec<u8>, bool) {
    peer.set_read_timeout(Some(super::LIMIT)).unwrap();
    let mut received = Vec::new();
    match peer.read_to_end(&mut received) {
        Ok(_) => (received, false),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => (received, true),
        Err(error) => panic!("{error}"),
    }
}

/// Whether a peer finds its connection dropped, with nothing received.
#[track_caller]
pub(crate) fn is_dropped(peer: &mut TcpStream) -> bool {
    let (received, is_reset) = rest_of(peer);
    received.is_empty() && (is_reset || !RESETS_SHOW)
}

/// A buffer to receive into, one MDL for each size.
pub(crate) fn room(kernel: &HostKernel, sizes: &[usize]) -> Buffer {
    let parts: Vec<Vec<u8>> = sizes.iter().map(|size| vec![0; *size]).collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Buffer::new(kernel, &parts)
}

/// WskSocketConnect: hands over the IRP and returns what the call did.
pub(crate) fn start_socket_connect(
    client: &Client,
    tape: &Arc<Tape>,
    local: SocketAddr,
    remote: SocketAddr,
    irp: &mut Irp,
) -> NTSTATUS {
    let (mut local, mut remote) = (SOCKADDR_INET::from(local), SOCKADDR_INET::from(remote));
    let call = client.dispatch().WskSocketConnect.unwrap();
    let context = Arc::as_ptr(tape).cast_mut().cast();
    let nobody = std::ptr::null_mut();
    // SAFETY: a captured client; addresses are read during the call, and the tape outlives the socket.
    unsafe {
        call(
            client.npi.Client,
            SOCK_STREAM,
            IPPROTO_TCP,
            local.as_mut_ptr(),
            remote.as_mut_ptr(),
            0,
            context,
            &raw const CONNECTION,
            nobody,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            irp.raw(),
        )
    }
}
