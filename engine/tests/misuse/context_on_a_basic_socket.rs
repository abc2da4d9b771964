//! A basic socket has no events: there is no handler to give it.

use skua_engine::abi::sockaddr::SOCK_STREAM;
use skua_engine::{Family, Kernel, NoHandler, Provider, Requests, SocketBuilder};

fn misuse<K: Kernel>(provider: &Provider<K>, requests: &Requests<K>) {
    drop(SocketBuilder::new(Family::Inet).basic(provider, requests, SOCK_STREAM, NoHandler));
}

fn main() {}
