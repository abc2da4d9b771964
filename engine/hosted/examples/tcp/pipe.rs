//! Standard input and output at the two ends of a connection, by requests.

use std::io::{Read, Write, stdin, stdout};
use std::net::SocketAddr;
use std::ptr::null_mut;

use skua_engine::abi::nt::IRP;
use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_BUF, WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH, WSK_CLIENT_STREAM_DISPATCH,
    WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET,
    WSK_PROVIDER_CONNECTION_DISPATCH, WSK_PROVIDER_LISTEN_DISPATCH, WSK_PROVIDER_STREAM_DISPATCH, WSK_SOCKET,
};

use crate::client::{Buffer, Call, Client, succeeded, table_of};

/// Bytes of one request.
const PART: u32 = 256 << 10;

/// Which sockets are used, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Listen,
    Connect,
    StreamListen,
    StreamConnect,
}

/// No event is enabled, so none needs a callback.
static CONNECTION: WSK_CLIENT_CONNECTION_DISPATCH = WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: None,
    WskDisconnectEvent: None,
    WskSendBacklogEvent: None,
};
static LISTEN: WSK_CLIENT_LISTEN_DISPATCH =
    WSK_CLIENT_LISTEN_DISPATCH { WskAcceptEvent: None, WskInspectEvent: None, WskAbortEvent: None };
static STREAM: WSK_CLIENT_STREAM_DISPATCH =
    WSK_CLIENT_STREAM_DISPATCH { Listen: &raw const LISTEN, Connect: &raw const CONNECTION };

/// Opens a connection, and carries both directions until both have ended.
pub(crate) fn run(client: &Client, role: Role, address: SocketAddr) -> Result<(), String> {
    let connection = Connection::open(client, role, address)?;
    let outcome = std::thread::scope(|scope| {
        let sender = scope.spawn(|| connection.send_all(client, &mut stdin().lock()));
        let received = connection.receive_all(client, &mut stdout().lock());
        // Before the wait: a sender that waits for standard input has nobody to send to any more.
        received?;
        sender.join().map_err(|_| "the sender panicked")?
    });
    client.close(connection.socket)?;
    outcome
}

/// A WSK function that takes a buffer and flags.
type Transfer = unsafe extern "C" fn(*mut WSK_SOCKET, *mut WSK_BUF, u32, *mut IRP) -> NTSTATUS;
/// A WSK function that takes or gives an address.
type Address = unsafe extern "C" fn(*mut WSK_SOCKET, PSOCKADDR, *mut IRP) -> NTSTATUS;
/// WskBind and WskConnect.
type Attach = unsafe extern "C" fn(*mut WSK_SOCKET, PSOCKADDR, u32, *mut IRP) -> NTSTATUS;

/// A connected socket, and the functions of its category.
struct Connection {
    socket: *mut WSK_SOCKET,
    send: Transfer,
    receive: Transfer,
    disconnect: Transfer,
}

// SAFETY: a socket can be used from any thread.
unsafe impl Sync for Connection {}

impl Connection {
    fn open(client: &Client, role: Role, address: SocketAddr) -> Result<Self, String> {
        let any = SocketAddr::new(if address.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() }, 0);
        let none = null_mut();
        match role {
            Role::Listen => {
                let listener = client.socket(address, WSK_FLAG_LISTEN_SOCKET, none, &raw const LISTEN)?;
                // SAFETY: a listening socket.
                let table = unsafe { table_of::<WSK_PROVIDER_LISTEN_DISPATCH>(listener) };
                attach(client, listener, table.WskBind, address, "WskBind")?;
                announce(client, listener, table.WskGetLocalAddress)?;
                let accept = table.WskAccept.ok_or("no WskAccept")?;
                let (status, accepted) = Call::new(&client.kernel).run(|irp| {
                    // SAFETY: a live listening socket; the table is static, and nobody asks for addresses.
                    unsafe { accept(listener, 0, none, &raw const CONNECTION, none.cast(), none.cast(), irp) }
                });
                client.close(listener)?;
                succeeded("WskAccept", status)?;
                Self::accepted(std::ptr::with_exposed_provenance_mut(accepted))
            }
            Role::Connect => {
                let socket = client.socket(any, WSK_FLAG_CONNECTION_SOCKET, none, &raw const CONNECTION)?;
                // SAFETY: a connection socket.
                let table = unsafe { table_of::<WSK_PROVIDER_CONNECTION_DISPATCH>(socket) };
                attach(client, socket, table.WskBind, any, "WskBind")?;
                attach(client, socket, table.WskConnect, address, "WskConnect")?;
                Self::accepted(socket)
            }
            Role::StreamListen => {
                let listener = client.socket(address, WSK_FLAG_STREAM_SOCKET, none, &raw const STREAM)?;
                // SAFETY: a stream socket.
                let table = unsafe { table_of::<WSK_PROVIDER_STREAM_DISPATCH>(listener) };
                attach(client, listener, table.WskBind, address, "WskBind")?;
                let listen = table.WskListen.ok_or("no WskListen")?;
                // SAFETY: a live stream socket.
                let (status, _) = Call::new(&client.kernel).run(|irp| unsafe { listen(listener, irp) });
                succeeded("WskListen", status)?;
                announce(client, listener, table.WskGetLocalAddress)?;
                let accept = table.WskAccept.ok_or("no WskAccept")?;
                let (status, accepted) = Call::new(&client.kernel).run(|irp| {
                    // SAFETY: as for the listening socket.
                    unsafe { accept(listener, 0, none, &raw const CONNECTION, none.cast(), none.cast(), irp) }
                });
                client.close(listener)?;
                succeeded("WskAccept", status)?;
                Self::accepted(std::ptr::with_exposed_provenance_mut(accepted))
            }
            Role::StreamConnect => {
                let socket = client.socket(any, WSK_FLAG_STREAM_SOCKET, none, &raw const STREAM)?;
                // SAFETY: a stream socket.
                let table = unsafe { table_of::<WSK_PROVIDER_STREAM_DISPATCH>(socket) };
                attach(client, socket, table.WskBind, any, "WskBind")?;
                attach(client, socket, table.WskConnect, address, "WskConnect")?;
                let functions = (table.WskSend, table.WskReceive, table.WskDisconnect);
                Self::of(socket, functions)
            }
        }
    }

    fn accepted(socket: *mut WSK_SOCKET) -> Result<Self, String> {
        // SAFETY: a connection socket.
        let table = unsafe { table_of::<WSK_PROVIDER_CONNECTION_DISPATCH>(socket) };
        Self::of(socket, (table.WskSend, table.WskReceive, table.WskDisconnect))
    }

    fn of(
        socket: *mut WSK_SOCKET,
        functions: (Option<Transfer>, Option<Transfer>, Option<Transfer>),
    ) -> Result<Self, String> {
        let (Some(send), Some(receive), Some(disconnect)) = functions else {
            return Err("a function is missing".to_owned());
        };
        Ok(Self { socket, send, receive, disconnect })
    }

    /// Sends `input`, and behind its end says that nothing more comes.
    fn send_all(&self, client: &Client, input: &mut impl Read) -> Result<(), String> {
        let mut call = Call::new(&client.kernel);
        let mut buffer = Buffer::new(&client.kernel, PART);
        loop {
            let length = input.read(&mut buffer.bytes).map_err(|error| error.to_string())?;
            let mut header = buffer.first(length);
            let header = &raw mut header;
            if length == 0 {
                // SAFETY: a live socket; no data goes with it.
                let (status, _) =
                    call.run(|irp| unsafe { (self.disconnect)(self.socket, null_mut(), 0, irp) });
                return succeeded("WskDisconnect", status);
            }
            // SAFETY: a live socket; the buffer is not touched before the request is complete.
            let (status, sent) = call.run(|irp| unsafe { (self.send)(self.socket, header, 0, irp) });
            succeeded("WskSend", status)?;
            if sent != length {
                return Err(format!("WskSend: {sent} of {length} bytes"));
            }
        }
    }

    /// Receives until the other end says that nothing more comes.
    fn receive_all(&self, client: &Client, output: &mut impl Write) -> Result<(), String> {
        let mut call = Call::new(&client.kernel);
        let mut buffer = Buffer::new(&client.kernel, PART);
        loop {
            let mut header = buffer.first(PART as usize);
            let header = &raw mut header;
            // SAFETY: a live socket; the buffer is not touched before the request is complete.
            let (status, received) = call.run(|irp| unsafe { (self.receive)(self.socket, header, 0, irp) });
            succeeded("WskReceive", status)?;
            if received == 0 {
                return output.flush().map_err(|error| error.to_string());
            }
            output.write_all(&buffer.bytes[..received]).map_err(|error| error.to_string())?;
        }
    }
}

/// WskBind or WskConnect.
fn attach(
    client: &Client,
    socket: *mut WSK_SOCKET,
    function: Option<Attach>,
    address: SocketAddr,
    name: &str,
) -> Result<(), String> {
    let function = function.ok_or(name)?;
    let mut address = SOCKADDR_INET::from(address);
    // SAFETY: a live socket, and an address of its family that outlives the request.
    let (status, _) =
        Call::new(&client.kernel).run(|irp| unsafe { function(socket, address.as_mut_ptr(), 0, irp) });
    succeeded(name, status)
}

/// Says on standard error where a socket listens, so that port 0 is of use.
pub(crate) fn announce(
    client: &Client,
    socket: *mut WSK_SOCKET,
    get_local_address: Option<Address>,
) -> Result<SocketAddr, String> {
    let function = get_local_address.ok_or("no WskGetLocalAddress")?;
    let mut address = SOCKADDR_INET::UNSPEC;
    // SAFETY: a live socket, and room for an address of its family that outlives the request.
    let (status, _) =
        Call::new(&client.kernel).run(|irp| unsafe { function(socket, address.as_mut_ptr(), irp) });
    succeeded("WskGetLocalAddress", status)?;
    let local = address.to_socket_addr().ok_or("no address")?;
    eprintln!("listening at {local}");
    Ok(local)
}
