//! Connects that are cancelled. Only Linux lets one hang on the loopback.
#![cfg(target_os = "linux")]

use std::net::{SocketAddr, TcpListener};

use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_PENDING};
use skua_hosted::Transport;

use crate::raw::events::Tape;
use crate::raw::stream::{Stream, start_socket_connect};
use crate::raw::{Client, Irp, LOCALHOST, check, kernel};

/// An address that answers nothing for longer than a test takes: its backlog is full.
struct Silent {
    listener: TcpListener,
    _filling: Vec<std::net::TcpStream>,
}

impl Silent {
    fn new() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&LOCALHOST.into()).unwrap();
        socket.listen(0).unwrap();
        let listener: TcpListener = socket.into();
        let local = listener.local_addr().unwrap();
        let short = std::time::Duration::from_millis(100);
        let filling =
            std::iter::from_fn(|| std::net::TcpStream::connect_timeout(&local, short).ok()).take(8).collect();
        Self { listener, _filling: filling }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

#[test]
fn a_connect_that_is_cancelled_or_closed_over_ends_with_cancelled() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let silent = Silent::new();
    let connection = Stream::bound(&client);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_connect(silent.address(), irp.raw()), STATUS_PENDING);
    std::thread::sleep(std::time::Duration::from_millis(10));
    assert!(irp.cancel());
    check(STATUS_PENDING, irp.wait());
    assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    assert_eq!(connection.connect(silent.address()), STATUS_CANCELLED, "good for closing only");
    connection.close();
    let connection = Stream::bound(&client);
    irp.reuse();
    assert_eq!(connection.start_connect(silent.address(), irp.raw()), STATUS_PENDING);
    connection.close();
    assert!(irp.is_complete(), "before the close");
    assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    client.end();
}

#[test]
fn a_cancelled_socket_connect_leaves_no_socket() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let silent = Silent::new();
    let tape = Tape::new(&kernel);
    let mut irp = Irp::new(&kernel);
    let returned = start_socket_connect(&client, &tape, LOCALHOST, silent.address(), &mut irp);
    assert_eq!(returned, STATUS_PENDING);
    assert!(irp.cancel());
    assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    client.end();
}
