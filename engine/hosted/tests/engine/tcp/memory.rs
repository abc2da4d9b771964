//! Memory: what is asked for at open, and that nothing is after it.

use std::io::{Read, Write};
use std::net::TcpStream;

use skua_engine::{
    BasicSocket, Connections, Family, ListenSocket, NoHandler, Requests, RequestsConfig, SocketBuilder,
};
use skua_hosted::{HostConfig, HostKernel};

use super::executor::block_on;
use super::{Tcp, any};

/// Allocations of nonpaged pool so far. The engine has no other memory: it is no_std and without `alloc`.
fn allocations(tcp: &Tcp) -> u64 {
    let ours = |tag: &skua_hosted::TagUse| tag.tag.0.to_le_bytes().starts_with(b"Sk");
    tcp.kernel.memory_by_tag().iter().filter(|tag| ours(tag)).map(|tag| tag.allocations).sum()
}

#[test]
fn connections_and_requests_allocate_nothing_after_open() {
    let tcp = Tcp::new();
    let connections = tcp.connections(4);
    let (listener, address) = tcp.listen(&connections, NoHandler);
    let before = allocations(&tcp);
    assert!(before >= 4, "the accounts see the engine's memory");
    for round in 0..50_u8 {
        let mut peer = TcpStream::connect(address).unwrap();
        let accepted = tcp.wait(listener.accept(NoHandler)).unwrap();
        let (client, other) = tcp.pair(&connections, NoHandler);
        peer.write_all(&[round; 100]).unwrap();
        let (heard, _) = block_on(&tcp.requests, accepted.receive_all(tcp.buffer(b""), 100)).unwrap();
        client.send(heard).on_completion(drop);
        let mut through = [0; 100];
        (&other).read_exact(&mut through).unwrap();
        assert_eq!(through, [round; 100]);
        drop(client.receive(tcp.buffer(b"")));
        tcp.wait(client.local_address()).unwrap();
        tcp.close(client);
        tcp.close(accepted);
    }
    assert_eq!(allocations(&tcp), before);
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}

#[test]
fn what_open_asks_for_is_what_bytes_says() {
    let tcp = Tcp::new();
    let passive = tcp.passive();
    let in_use = || tcp.kernel.memory_in_use();
    let config = RequestsConfig { slots: 7, bytes: 3000, wakers: None };
    let before = in_use();
    let requests = Requests::open(&tcp.kernel, &config, &passive).unwrap();
    assert_eq!(in_use() - before, Requests::<HostKernel>::bytes(&config).unwrap());
    let before = in_use();
    let connections = Connections::<_, NoHandler>::open(&tcp.provider, &requests, 5, &passive).unwrap();
    assert_eq!(in_use() - before, Connections::<HostKernel, NoHandler>::bytes(5).unwrap());
    let before = in_use();
    let builder = SocketBuilder::new(Family::Inet);
    let made = builder.basic(&tcp.provider, &requests, skua_engine::abi::sockaddr::SOCK_STREAM);
    let socket = tcp.wait(made).unwrap();
    assert_eq!(in_use() - before, BasicSocket::<HostKernel>::bytes());
    socket.close(crate::fixture::PATIENCE, &passive).unwrap();
    let made = builder.listen_socket(&tcp.provider, &connections, NoHandler);
    let socket = tcp.wait(made).unwrap();
    assert_eq!(in_use() - before, ListenSocket::<HostKernel, NoHandler>::bytes());
    socket.close(crate::fixture::PATIENCE, &passive).unwrap();
    assert_eq!(in_use(), before);
    drop((connections, requests));
    tcp.finish();
}

/// Every allocation of an open is refused in turn.
#[test]
fn refused_memory_is_an_error_and_holds_nothing() {
    for nth in 1.. {
        let tcp = Tcp::with(HostConfig::default(), &RequestsConfig::default());
        tcp.kernel.fail_allocation(nth);
        let opened = (|| {
            let passive = tcp.passive();
            let requests =
                Requests::open(&tcp.kernel, &RequestsConfig::default(), &passive).map_err(|_| ())?;
            let connections = Connections::<_, NoHandler>::open(&tcp.provider, &requests, 2, &passive);
            let connections = connections.map_err(|_| ())?;
            let socket = SocketBuilder::new(Family::Inet)
                .listen_on(&tcp.provider, &connections, NoHandler, any(), crate::fixture::PATIENCE, &passive)
                .map_err(|_| ())?;
            socket.close(crate::fixture::PATIENCE, &passive).map_err(|_| ())
        })();
        let done = opened.is_ok();
        tcp.finish();
        if done {
            assert!(nth > 5, "some allocations failed");
            return;
        }
    }
}
