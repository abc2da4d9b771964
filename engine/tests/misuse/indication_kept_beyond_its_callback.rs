//! What is indicated is lent for the callback; what is kept is retained.

use std::sync::Mutex;

use skua_engine::{ConnectionEvents, ConnectionHandler, ConnectionSocket, Indication, Kernel, Verdict};

struct Hoarder<K: Kernel>(Mutex<Option<Indication<'static, K>>>);

impl<K: Kernel> ConnectionHandler<K> for Hoarder<K> {
    const EVENTS: ConnectionEvents = ConnectionEvents { receive: true, disconnect: false, send_backlog: false };

    fn receive<'a>(&self, _socket: &ConnectionSocket<K, Self>, data: Indication<'a, K>) -> Verdict<'a> {
        *self.0.lock().unwrap() = Some(data);
        loop {}
    }
}

fn main() {}
