//! A listening socket has no other end.

use skua_engine::{Buffer, Kernel, ListenSocket, NoHandler};

fn misuse<K: Kernel>(socket: &ListenSocket<K, NoHandler>, data: Buffer<K>) {
    drop(socket.send(data));
}

fn main() {}
