//! Two threads at once, where one of them changes what the other relies on.

// UNSAFETY: cuts retained nodes out of their lists.
#![expect(unsafe_code, reason = "retained nodes are the test's until it releases them")]

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};
use skua_engine::abi::wsk::SIO_WSK_SET_REMOTE_ADDRESS;
use skua_hosted::{Injected, ProviderConfig, Transport};

use crate::raw::recorder::Answer;
use crate::raw::socket::Socket;
use crate::raw::{Client, LOCALHOST, kernel, with};

/// Releases what is retained, node by node: how many were taken back, and how many were not known.
fn release_all(socket: &Socket) -> (usize, usize) {
    let retained = socket.recorder.take_retained();
    let released = retained.iter().filter(|node| {
        // SAFETY: retained.
        unsafe { (***node).Next = std::ptr::null_mut() };
        socket.release(**node) == STATUS_SUCCESS
    });
    let released = released.count();
    (released, retained.len() - released)
}

/// Releases that are looked at. Before a list was marked as lent whatever the filter says, 1 in 10,000 failed.
const RELEASES: usize = 20_000;

#[test]
fn a_remote_filter_that_comes_and_goes_lends_nothing_unmarked() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let (local, other): (_, SocketAddr) = (socket.local(), "127.0.0.9:9".parse().unwrap());
    let peer = UdpSocket::bind(LOCALHOST).unwrap();
    socket.recorder.answer(Answer::Pending);
    let stop = AtomicBool::new(false);
    let going = || !stop.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while going() {
                let _full_for_the_moment = peer.send_to(b"x", local);
            }
        });
        scope.spawn(|| {
            while going() {
                let other = SOCKADDR_INET::from(other);
                assert_eq!(socket.ioctl(SIO_WSK_SET_REMOTE_ADDRESS, Some(other)), STATUS_SUCCESS);
                assert_eq!(socket.ioctl::<SOCKADDR_INET>(SIO_WSK_SET_REMOTE_ADDRESS, None), STATUS_SUCCESS);
            }
        });
        let until = Instant::now() + Duration::from_secs(3);
        let (mut released, mut refused) = (0, 0);
        while released < RELEASES && refused == 0 && Instant::now() < until {
            let (good, bad) = release_all(&socket);
            released += good;
            refused += bad;
        }
        // Before any assertion: the threads wait for it.
        stop.store(true, Ordering::Relaxed);
        assert!(released > 0 && refused == 0, "{released} released, {refused} refused");
    });
    socket.recorder.answer(Answer::Success);
    assert_eq!(release_all(&socket).1, 0);
    socket.close();
    client.end();
}

#[test]
fn a_quiesce_does_not_wait_for_a_socket_that_closes_meanwhile() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    socket.recorder.block(true);
    UdpSocket::bind(LOCALHOST).unwrap().send_to(b"x", socket.local()).unwrap();
    socket.recorder.wait_until_inside();
    let recorder = socket.recorder.clone();
    let quiet = std::thread::scope(|scope| {
        let quiesce = scope.spawn(|| kernel.quiesce(None, Duration::from_secs(10)));
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            recorder.block(false);
        });
        socket.close();
        quiesce.join().unwrap()
    });
    assert!(quiet, "the worker left without saying that its queue is empty");
    client.end();
}

#[test]
fn a_list_is_indicated_by_one_thread_at_a_time() {
    let kernel = with(ProviderConfig { transport: Transport::Loopback, ..ProviderConfig::default() });
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let source: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let list: Vec<_> = (0..8_u8).map(|number| Injected::new(source, vec![number])).collect();
    let prepared = kernel.prepare(&socket.local(), &list).unwrap();
    std::thread::scope(|scope| {
        for processor in 0..2 {
            let prepared = &prepared;
            scope.spawn(move || (0..500).for_each(|_| _ = prepared.indicate(processor)));
        }
    });
    // Whole lists only, in their order.
    let seen = socket.recorder.datagrams();
    assert!(!seen.is_empty());
    for whole in seen.chunks(list.len()) {
        assert!(whole.iter().map(|datagram| datagram.payload[0]).eq(0..8));
    }
    drop(prepared);
    socket.close();
    client.end();
}

#[test]
fn a_bind_without_memory_for_its_blocks_fails_and_holds_no_port() {
    let provider = ProviderConfig { workers: 64, blocks: 1 << 16, ..ProviderConfig::default() };
    let kernel = with(provider);
    let client = Client::with_static_events(&kernel);
    let port = UdpSocket::bind(LOCALHOST).unwrap().local_addr().unwrap();
    let socket = Socket::open(&client, true);
    // 256 GiB of address space. Where the host gives even that, there is nothing to see.
    let bound = socket.bind(port);
    if bound != STATUS_SUCCESS {
        assert_eq!(bound, STATUS_INSUFFICIENT_RESOURCES);
        drop(UdpSocket::bind(port).unwrap());
    }
    socket.close();
    client.end();
}
