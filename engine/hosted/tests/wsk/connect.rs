//! Rules of WskConnect, WskConnectEx and WskSocketConnect.

use std::net::{SocketAddr, TcpListener};

use skua_engine::abi::status::{
    STATUS_CONNECTION_REFUSED, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_hosted::Transport;

use crate::raw::stream::Stream;
use crate::raw::{Client, LOCALHOST, LOCALHOST_V6, kernel};

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind(LOCALHOST).unwrap().local_addr().unwrap()
}

#[test]
fn a_refused_connect_says_so_and_may_be_tried_again() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let connection = Stream::bound(&client);
    assert_eq!(connection.connect(nobody()), STATUS_CONNECTION_REFUSED);
    assert_eq!(connection.remote_address(), Err(STATUS_INVALID_DEVICE_STATE));
    let peer = TcpListener::bind(LOCALHOST).unwrap();
    assert_eq!(connection.connect(peer.local_addr().unwrap()), STATUS_SUCCESS);
    connection.close();
    client.end();
}

#[test]
fn a_connect_takes_an_address_of_its_family_with_a_port_and_no_flags() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let connection = Stream::bound(&client);
    assert_eq!(connection.connect(LOCALHOST), STATUS_INVALID_PARAMETER, "port 0");
    assert_eq!(connection.connect(LOCALHOST_V6), STATUS_INVALID_PARAMETER);
    assert_eq!(connection.connect_ex(nobody(), b"x", 1).0, STATUS_INVALID_PARAMETER);
    let call = connection.table().WskConnect.unwrap();
    // SAFETY: a live socket.
    let (status, _) = connection.run(|irp| unsafe { call(connection.raw, std::ptr::null_mut(), 0, irp) });
    assert_eq!(status, STATUS_INVALID_PARAMETER);
    connection.close();
    client.end();
}
