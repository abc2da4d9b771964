//! A life over TCP in which any one call fails.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use skua_engine::abi::sockaddr::{SO_KEEPALIVE, SOL_SOCKET};
use skua_engine::abi::wsk::{AI_NUMERICHOST, NI_NUMERICHOST, NI_NUMERICSERV};
use skua_engine::{
    Connections, Events, Family, Finish, NameQuery, NoHandler, Passive, Pending, Registration, Requests,
    RequestsConfig, SocketBuilder,
};
use skua_hosted::fault::FaultLoop;
use skua_hosted::middleware::quirk::Quirk;
use skua_hosted::{HostConfig, HostKernel, ProviderConfig};

use super::any;
use super::executor::block_on;
use crate::fixture::PATIENCE;

/// Something has failed, as it may.
struct Failed;

impl<E: std::error::Error> From<E> for Failed {
    fn from(_error: E) -> Self {
        Self
    }
}

fn wait<T: Finish<HostKernel>>(
    pending: Pending<HostKernel, T>,
    passive: &Passive<'_>,
) -> Result<T::Output, Failed> {
    pending.wait(PATIENCE, passive).map_err(|_| Failed)
}

/// Everything once; leaves at the first thing that fails.
fn life(
    registration: &Registration<HostKernel>,
    requests: &Requests<HostKernel>,
    passive: &Passive<'_>,
) -> Result<(), Failed> {
    registration.versions()?;
    let provider = registration.capture(PATIENCE, passive)?;
    let connections = Connections::open(&provider, requests, 3, passive)?;
    let change = provider.transport_change(requests);
    let _count = provider.transports(&mut []).err().ok_or(Failed)?;
    let query = NameQuery { service: Some("80"), flags: AI_NUMERICHOST, ..NameQuery::new("127.0.0.1") };
    let found = wait(provider.address_info(requests, &query), passive)?;
    let named = found.addresses().next().ok_or(Failed)?;
    wait(provider.name_info(requests, named, NI_NUMERICHOST | NI_NUMERICSERV), passive)?;
    drop(found);
    let builder = SocketBuilder::new(Family::Inet).option(SOL_SOCKET, SO_KEEPALIVE, 1);
    let listener = builder.listen_on(&provider, &connections, NoHandler, any(), PATIENCE, passive)?;
    let address = wait(listener.local_address(), passive)?;
    let accept = listener.accept(NoHandler);
    let mut peer = TcpStream::connect(address)?;
    peer.set_read_timeout(Some(PATIENCE))?;
    let accepted = wait(accept, passive)?;
    let receive = accepted.receive_all(requests.take().ok_or(Failed)?, 5);
    peer.write_all(b"hello")?;
    let (heard, _) = block_on(requests, receive)?;
    wait(accepted.send(heard), passive)?;
    peer.read_exact(&mut [0; 5])?;
    wait(accepted.disconnect(), passive)?;
    let client = block_on(requests, builder.connect(&provider, &connections, NoHandler, (any(), address)))?;
    let made = builder.stream_connector(&provider, &connections, NoHandler);
    let stream = wait(wait(made, passive)?.bind(any()), passive)?;
    let stream = wait(stream.connect(address), passive)?;
    wait(stream.remote_address(), passive)?;
    wait(stream.abort(), passive)?;
    drop(client.receive(requests.take().ok_or(Failed)?));
    client.close(PATIENCE, passive)?;
    accepted.close(PATIENCE, passive)?;
    listener.close(PATIENCE, passive)?;
    drop((stream, change));
    Ok(())
}

fn scenario(kernel: &HostKernel) {
    let passive = Passive::acquire(kernel).unwrap();
    let Ok(requests) =
        Requests::open(kernel, &RequestsConfig { slots: 8, bytes: 1024, wakers: None }, &passive)
    else {
        return;
    };
    let Ok(mut registration) = Registration::register(kernel.clone(), Events::Static, &passive) else {
        return;
    };
    let _ended_early = life(&registration, &requests, &passive);
    loop {
        requests.serve(Duration::ZERO, &passive);
        match registration.close(PATIENCE, &passive) {
            Ok(()) => break,
            Err(error) => registration = error.into_registration(),
        }
    }
    // A completion that was left to this thread may come last of all.
    while requests.outstanding() != 0 {
        requests.serve(Duration::from_millis(1), &passive);
    }
}

fn survives(quirks: &[Quirk]) {
    let middleware = quirks.iter().map(|quirk| quirk.middleware()).collect();
    let provider = ProviderConfig { middleware, ..ProviderConfig::default() };
    let config = HostConfig { provider, ..HostConfig::default() };
    let report = FaultLoop::default().run(&config, scenario).unwrap_or_else(|failure| panic!("{failure}"));
    let failed: Vec<_> = report.sites.iter().map(|site| site.call()).collect();
    for call in [
        "ExAllocatePool2",
        "KeWaitForSingleObject",
        "WskAccept",
        "WskBind",
        "WskConnect",
        "WskControlClient",
        "WskControlSocket",
        "WskDisconnect",
        "WskGetAddressInfo",
        "WskGetLocalAddress",
        "WskGetNameInfo",
        "WskGetRemoteAddress",
        "WskReceive",
        "WskSend",
        "WskSocket",
    ] {
        assert!(failed.contains(&call), "no {call} failed: {failed:?}");
    }
}

#[test]
fn a_life_over_tcp_in_which_any_call_fails_once_ends_with_nothing_left() {
    survives(&[]);
}

#[test]
fn a_life_over_tcp_in_which_any_completion_fails_once_ends_with_nothing_left() {
    survives(&[Quirk::DeferredCompletion]);
}
