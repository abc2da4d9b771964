//! A socket that is closed is gone.

use std::time::Duration;

use skua_engine::{ConnectionSocket, Kernel, NoHandler, Passive};

fn misuse<K: Kernel>(socket: ConnectionSocket<K, NoHandler>, passive: &Passive<'_>) {
    let _ = socket.close(Duration::ZERO, passive);
    drop(socket.disconnect());
}

fn main() {}
