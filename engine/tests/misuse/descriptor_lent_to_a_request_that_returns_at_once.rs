//! The request may outlast the descriptor: only the methods that wait take one.

use skua_engine::{
    Connections, Family, Kernel, NoHandler, Owner, Provider, SecurityDescriptor, SocketBuilder,
};

fn misuse<'p, K: Kernel>(
    provider: &'p Provider<K>,
    connections: &Connections<K, NoHandler>,
    descriptor: &SecurityDescriptor<'p, K>,
) {
    let owner = Owner::CALLER.with_descriptor(descriptor);
    let builder = SocketBuilder::new(Family::Inet).owner(owner);
    drop(builder.connection_socket(provider, connections, NoHandler));
}

fn main() {}
