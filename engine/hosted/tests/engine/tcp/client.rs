//! What a client asks of the provider as a whole, and descriptors that sockets are opened with.

// UNSAFETY: caches a security descriptor by address.
#![expect(unsafe_code, reason = "the descriptor is a static of the right form")]

use bytemuck::Zeroable;
use skua_engine::abi::sockaddr::{AF_INET6, SOCK_STREAM};
use skua_engine::abi::wsk::WSK_TRANSPORT;
use skua_engine::{
    Family, NoHandler, Owner, Passive, RequestError, SocketBuilder, TransportsError, WaitError,
};

use super::{Tcp, any};
use crate::fixture::PATIENCE;

#[test]
fn the_provider_says_its_versions_and_transports() {
    let tcp = Tcp::new();
    let [lowest, highest] = tcp.registration.versions().unwrap();
    assert!(lowest <= (1, 0) && highest >= (1, 0), "{lowest:?} to {highest:?}");
    let Err(TransportsError::TooMany { needed }) = tcp.provider.transports(&mut []) else {
        panic!("there are some")
    };
    let mut transports = vec![WSK_TRANSPORT::zeroed(); needed];
    assert_eq!(tcp.provider.transports(&mut transports), Ok(needed));
    assert!(transports.iter().any(|transport| transport.SocketType == SOCK_STREAM));
    let error = tcp.provider.transports(&mut transports[1..]).unwrap_err();
    assert_eq!(error, TransportsError::TooMany { needed });
    tcp.finish();
}

#[test]
fn a_change_of_the_transports_is_told() {
    let tcp = Tcp::new();
    let change = tcp.provider.transport_change(&tcp.requests);
    assert!(!change.is_over());
    assert!(tcp.kernel.set_transport_away(AF_INET6, SOCK_STREAM, true));
    tcp.wait(change).unwrap();
    assert!(tcp.kernel.set_transport_away(AF_INET6, SOCK_STREAM, false));
    tcp.finish();
}

#[test]
fn leaving_cancels_what_waits_for_a_change() {
    let tcp = Tcp::new();
    let change = tcp.provider.transport_change(&tcp.requests);
    let dropped = tcp.provider.transport_change(&tcp.requests);
    drop(dropped);
    let Tcp { kernel, registration, provider, requests } = tcp;
    let passive = Passive::acquire(&kernel).unwrap();
    drop(provider);
    registration.close(PATIENCE, &passive).unwrap();
    let error = change.wait(PATIENCE, &passive).err().unwrap();
    assert!(matches!(error, WaitError::Failed(RequestError::Cancelled { call: "WskControlClient" })));
    assert_eq!(requests.outstanding(), 0);
    drop(requests);
    assert!(kernel.outstanding().is_empty());
}

/// A self-relative descriptor without lists: everybody may do everything.
static OPEN_TO_ALL: [u64; 3] = [u64::from_le_bytes([1, 0, 0, 0x80, 0, 0, 0, 0]), 0, 0];

#[test]
fn a_cached_descriptor_is_lent_to_the_calls_that_wait() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    // SAFETY: a valid descriptor for good.
    let descriptor =
        unsafe { tcp.provider.cache_security_descriptor(OPEN_TO_ALL.as_ptr().cast_mut().cast()) }.unwrap();
    let builder = SocketBuilder::new(Family::Inet).owner(Owner::CALLER.with_descriptor(&descriptor));
    let listener =
        builder.listen_on(&tcp.provider, &connections, NoHandler, any(), PATIENCE, &tcp.passive()).unwrap();
    drop(descriptor);
    let to = tcp.wait(listener.local_address()).unwrap();
    let client = tcp.connect(&connections, NoHandler, to);
    tcp.close(client);
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}

#[test]
fn what_belongs_to_another_client_is_refused() {
    let (tcp, other) = (Tcp::new(), Tcp::new());
    let connections = tcp.connections(1);
    let builder = SocketBuilder::new(Family::Inet);
    let made = builder.connection_socket(&other.provider, &connections, NoHandler);
    assert_eq!(tcp.wait(made).err(), Some(RequestError::OtherKernel));
    let change = other.provider.transport_change(&tcp.requests);
    assert_eq!(tcp.wait(change).err(), Some(RequestError::OtherKernel));
    drop(connections);
    tcp.finish();
    other.finish();
}
