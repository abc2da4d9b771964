//! A connection in silent mode ends without a packet.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use skua_engine::abi::status::{STATUS_INVALID_DEVICE_STATE, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{SIO_WSK_SET_TCP_SILENT_MODE, WSK_FLAG_CONNECTION_SOCKET};
use skua_hosted::Transport;

use crate::raw::stream::Stream;
use crate::raw::{Client, LOCALHOST, kernel};

/// An address of this machine that is not loopback, if it has one.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Documentation's own network: nothing is sent, but the way there is looked up.
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

#[test]
fn a_silent_connection_is_closed_and_the_other_end_hears_nothing() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let address = own_address().unwrap_or(LOCALHOST.ip());
    let listener = TcpListener::bind((address, 0)).unwrap();
    let socket = Stream::open(&client, WSK_FLAG_CONNECTION_SOCKET, true);
    assert_eq!(socket.bind(SocketAddr::new(address, 0)), STATUS_SUCCESS);
    assert_eq!(socket.connect(listener.local_addr().unwrap()), STATUS_SUCCESS);
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"before").unwrap();
    assert_eq!(socket.receive(&[6], 0), (STATUS_SUCCESS, b"before".to_vec()));
    let status = socket.ioctl::<u32>(SIO_WSK_SET_TCP_SILENT_MODE, None);
    if address.is_loopback() || status == STATUS_NOT_SUPPORTED {
        // On loopback, without CAP_NET_ADMIN, or off Linux: nothing has changed.
        assert_eq!(status, STATUS_NOT_SUPPORTED);
        assert_eq!(socket.send(&[b"still here"], 0).0, STATUS_SUCCESS);
        socket.close();
        return client.end();
    }
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(socket.send(&[b"not sent"], 0).0, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(socket.receive(&[1], 0).0, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(socket.disconnect(None, 0), STATUS_INVALID_DEVICE_STATE);
    socket.close();
    // Neither an end nor a reset. Spoken to, the host would say that it knows of no such connection.
    peer.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let heard = peer.read(&mut [0; 1]).unwrap_err().kind();
    assert!(matches!(heard, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{heard:?}");
    client.end();
}
