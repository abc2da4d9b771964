//! The bytes are the provider's until the request brings the buffer back.

use skua_engine::{Buffer, ConnectionSocket, Kernel, NoHandler};

fn misuse<K: Kernel>(socket: &ConnectionSocket<K, NoHandler>, mut buffer: Buffer<K>) {
    let pending = socket.receive(buffer);
    buffer.fill(b"too soon");
    drop(pending);
}

fn main() {}
