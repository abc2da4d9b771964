//! A socket that is bound only has no other end yet.

use skua_engine::{Bound, Buffer, ConnectionSocket, Kernel, NoHandler};

fn misuse<K: Kernel>(socket: &ConnectionSocket<K, NoHandler, Bound>, data: Buffer<K>) {
    drop(socket.send(data));
}

fn main() {}
