//! Rules of datagram sockets whose receives are spread over several workers, and of what waits and is filtered.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use skua_engine::abi::cmsg::MSG_BCAST;
use skua_engine::abi::sockaddr::{IP_RECEIVE_BROADCAST, IPPROTO_IP, SO_BROADCAST, SOCKADDR_INET, SOL_SOCKET};
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{SIO_WSK_SET_REMOTE_ADDRESS, WSK_EVENT_RECEIVE_FROM};
use skua_hosted::{HostConfig, HostKernel, ProviderConfig, Transport};

use crate::raw::socket::{Socket, Target};
use crate::raw::{Client, Irp, LOCALHOST, check, eventually, kernel, with};

const WORKERS: u32 = 4;

/// A kernel whose sockets have several workers, each on its own processor.
fn spread() -> HostKernel {
    HostKernel::new(HostConfig::with_workers(WORKERS))
}

#[test]
fn callbacks_of_one_socket_run_at_the_same_time() {
    let kernel = spread();
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    // Nobody leaves before two are inside at once.
    socket.recorder.block(true);
    let to = socket.local();
    // Senders are spread by their ports, over workers that are chosen by a hash.
    let senders: Vec<UdpSocket> = (0..64).map(|_| UdpSocket::bind(LOCALHOST).unwrap()).collect();
    for sender in &senders {
        sender.send_to(b"at once", to).unwrap();
    }
    let workers = if cfg!(target_os = "linux") { 2 } else { 1 };
    eventually("callbacks run side by side", || socket.recorder.inside() >= workers);
    socket.recorder.block(false);
    socket.recorder.wait_for(senders.len());
    let processors: std::collections::BTreeSet<u32> =
        socket.recorder.datagrams().iter().map(|datagram| datagram.processor).collect();
    assert!(processors.len() >= workers, "{processors:?}");
    socket.close();
    client.end();
}

#[test]
fn a_broadcast_is_indicated_once_however_many_workers_there_are() {
    let kernel = spread();
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
    let to = SocketAddr::new(Ipv4Addr::new(127, 255, 255, 255).into(), socket.local().port());
    let sender = Socket::bound(&client, LOCALHOST);
    assert_eq!(sender.set(SOL_SOCKET, SO_BROADCAST, 1u32), STATUS_SUCCESS);
    for _ in 0..20 {
        sender.deliver(to, b"to all, once");
    }
    socket.recorder.wait_for(20);
    // Every worker has looked at its queue when this is true.
    assert!(kernel.quiesce(Some(&socket.local()), crate::raw::LIMIT));
    assert_eq!(socket.recorder.count(), 20);
    assert!(socket.recorder.datagrams().iter().all(|datagram| datagram.flags & MSG_BCAST != 0));
    assert_eq!((kernel.lost_below(), kernel.filtered()), (Some(0), 0), "copies are not counted");
    socket.close();
    sender.close();
    client.end();
}

#[test]
fn what_a_client_does_not_want_is_counted_as_filtered() {
    for transport in [Transport::Os, Transport::Loopback] {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        let to = SocketAddr::new(LOCALHOST.ip(), socket.local().port());
        let (friend, stranger) = (Socket::bound(&client, LOCALHOST), Socket::bound(&client, LOCALHOST));
        let from = SOCKADDR_INET::from(friend.local());
        assert_eq!(socket.ioctl(SIO_WSK_SET_REMOTE_ADDRESS, Some(from)), STATUS_SUCCESS);
        for _ in 0..3 {
            stranger.deliver(to, b"unasked");
        }
        friend.deliver(to, b"asked");
        socket.recorder.wait_for(1);
        eventually("all are looked at", || kernel.filtered() == 3);
        assert_eq!((socket.recorder.count(), kernel.lost_below()), (1, Some(0)), "{transport:?}");
        // Broadcasts that are called off count too.
        assert_eq!(socket.ioctl::<u32>(SIO_WSK_SET_REMOTE_ADDRESS, None), STATUS_SUCCESS);
        assert_eq!(socket.set(IPPROTO_IP, IP_RECEIVE_BROADCAST, 0u32), STATUS_SUCCESS);
        assert_eq!(friend.set(SOL_SOCKET, SO_BROADCAST, 1u32), STATUS_SUCCESS);
        let broadcast = match transport {
            Transport::Loopback => Ipv4Addr::BROADCAST,
            _ => Ipv4Addr::new(127, 255, 255, 255),
        };
        friend.deliver(SocketAddr::new(broadcast.into(), to.port()), b"to all");
        eventually("it is counted", || kernel.filtered() == 4);
        for socket in [socket, friend, stranger] {
            socket.close();
        }
        assert_eq!(kernel.filtered(), 4, "of closed sockets too");
        client.end();
    }
}

#[test]
fn as_many_receives_wait_as_there_is_memory_for() {
    let provider =
        ProviderConfig { transport: Transport::Loopback, pending_receives: 100, ..ProviderConfig::default() };
    let kernel = with(provider);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let mut waiting: Vec<(Irp, Target)> =
        (0..100).map(|_| (Irp::new(&kernel), Target::new(&kernel, &[16]))).collect();
    for (irp, target) in &mut waiting {
        assert_eq!(socket.receive_from(target, irp.raw()), STATUS_PENDING);
    }
    let (mut irp, mut target) = (Irp::new(&kernel), Target::new(&kernel, &[16]));
    let returned = socket.receive_from(&mut target, irp.raw());
    assert_eq!(returned, STATUS_INSUFFICIENT_RESOURCES);
    check(returned, irp.wait());
    // There is room again when one is done.
    assert!(waiting[50].0.cancel());
    assert_eq!(waiting[50].0.wait().status, Some(STATUS_CANCELLED));
    irp.reuse();
    assert_eq!(socket.receive_from(&mut target, irp.raw()), STATUS_PENDING);
    socket.close();
    client.end();
}

#[test]
fn the_memory_of_a_socket_is_freed_when_it_is_closed() {
    for transport in [Transport::Os, Transport::Loopback] {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let sockets: Vec<Socket> = (0..3).map(|_| Socket::bound(&client, LOCALHOST)).collect();
        assert_eq!(kernel.sockets_in_memory(), 3);
        assert_eq!(sockets[0].set_event(WSK_EVENT_RECEIVE_FROM, std::ptr::null_mut()), STATUS_SUCCESS);
        sockets.into_iter().for_each(Socket::close);
        client.end();
        eventually("their memory is freed", || kernel.sockets_in_memory() == 0);
    }
}
