//! What a stream socket is to become is in its type.

use skua_engine::{Bound, Kernel, NoHandler, StreamConnector};

fn misuse<K: Kernel>(socket: StreamConnector<K, NoHandler, Bound>) {
    drop(socket.listen());
}

fn main() {}
