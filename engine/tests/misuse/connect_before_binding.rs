//! WskConnect takes a bound socket.

use std::net::SocketAddr;

use skua_engine::{ConnectionSocket, Kernel, NoHandler, Unbound};

fn misuse<K: Kernel>(socket: ConnectionSocket<K, NoHandler, Unbound>, remote: SocketAddr) {
    drop(socket.connect(remote));
}

fn main() {}
