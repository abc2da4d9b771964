//! The examples do what they say.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};

use crate::fixture::PATIENCE;

#[path = "../../../examples/echo.rs"]
#[expect(dead_code, reason = "an example has a main of its own")]
mod echo;
#[path = "../../../examples/echo_futures.rs"]
#[expect(dead_code, reason = "an example has a main of its own")]
mod echo_futures;

type Serve = fn(SocketAddr, usize, &Sender<SocketAddr>) -> Result<(), Box<dyn Error>>;

/// Four clients at once, 200,000 bytes each.
fn echoes(serve: Serve) {
    let (ready, address) = channel();
    let server = std::thread::spawn(move || {
        serve("127.0.0.1:0".parse().unwrap(), 4, &ready).map_err(|error| error.to_string())
    });
    let address = address.recv_timeout(PATIENCE).expect("the server listens");
    let clients = (0..4_u32).map(|client| {
        std::thread::spawn(move || {
            let sent: Vec<u8> =
                (0..200_000_u32).map(|at| (at.wrapping_mul(client + 7) % 251) as u8).collect();
            let mut peer = TcpStream::connect(address).unwrap();
            let mut reader = peer.try_clone().unwrap();
            let reading = std::thread::spawn(move || {
                let mut heard = Vec::new();
                reader.read_to_end(&mut heard).map(|_| heard)
            });
            peer.write_all(&sent).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            assert!(reading.join().unwrap().unwrap() == sent);
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.join().unwrap();
    }
    server.join().unwrap().unwrap();
}

#[test]
fn the_echo_server_echoes() {
    echoes(echo::serve);
}

#[test]
fn the_echo_server_of_futures_echoes() {
    echoes(echo_futures::serve);
}
