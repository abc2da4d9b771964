//! What is lost below the client, and the end of intake.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use skua_engine::abi::sockaddr::{SO_RCVBUF, SOL_SOCKET};
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::abi::wsk::WSK_EVENT_RECEIVE_FROM;
use skua_hosted::{HostKernel, ProviderConfig, Transport};

use crate::raw::socket::Socket;
use crate::raw::{Client, LIMIT, LOCALHOST, TRANSPORTS, eventually, kernel, with};

/// Transports that can tell what they dropped.
const TELLING: &[Transport] =
    if cfg!(target_os = "linux") { &[Transport::Os, Transport::Loopback] } else { &[Transport::Loopback] };

/// How many sockets are closed while another thread asks about them.
const CLOSES: usize = 200;

/// A socket with a small buffer, and its event off.
fn small(client: &Client) -> Socket {
    let socket = Socket::open(client, true);
    assert_eq!(socket.set(SOL_SOCKET, SO_RCVBUF, 4096u32), STATUS_SUCCESS);
    assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
    socket
}

fn lost(kernel: &HostKernel) -> usize {
    usize::try_from(kernel.lost_below().unwrap()).unwrap()
}

#[test]
fn what_does_not_fit_the_socket_buffer_is_sent_less_indicated() {
    for &transport in TELLING {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = small(&client);
        let local = socket.local();
        let sender = Socket::bound(&client, LOCALHOST);
        let sent = 500;
        for _ in 0..sent {
            sender.deliver(local, &[7; 100]);
        }
        assert_eq!(kernel.lost_below_at(&local), kernel.lost_below());
        assert_eq!(socket.set_event(WSK_EVENT_RECEIVE_FROM, std::ptr::null_mut()), STATUS_SUCCESS);
        eventually("every datagram is indicated or lost", || socket.recorder.count() + lost(&kernel) == sent);
        assert!(lost(&kernel) > 0 && socket.recorder.count() > 0, "{transport:?}");
        socket.close();
        sender.close();
        assert!(lost(&kernel) > 0, "closing forgets nothing");
        client.end();
    }
}

#[test]
fn what_is_queued_at_a_close_counts_as_lost() {
    for &transport in TELLING {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = small(&client);
        let sender = Socket::bound(&client, LOCALHOST);
        for _ in 0..300 {
            sender.deliver(socket.local(), b"never seen");
        }
        socket.close();
        assert_eq!(lost(&kernel), 300, "{transport:?}");
        sender.close();
        client.end();
    }
}

#[test]
fn a_close_under_load_loses_no_count() {
    for &transport in TELLING {
        let kernel = with(ProviderConfig { transport, workers: 2, ..ProviderConfig::default() });
        let client = Client::with_static_events(&kernel);
        let peer = Socket::bound(&client, LOCALHOST);
        for _ in 0..10 {
            let before = lost(&kernel);
            let socket = Socket::bound(&client, LOCALHOST);
            let recorder = std::sync::Arc::clone(&socket.recorder);
            for _ in 0..200 {
                peer.deliver(socket.local(), b"x");
            }
            socket.close();
            assert_eq!(recorder.count() + lost(&kernel) - before, 200, "{transport:?}");
        }
        peer.close();
        client.end();
    }
}

#[test]
fn quiescing_indicates_what_was_queued_and_counts_what_comes_later() {
    for &transport in TELLING {
        let kernel = with(ProviderConfig { transport, workers: 2, ..ProviderConfig::default() });
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let local = socket.local();
        let sender = Socket::bound(&client, LOCALHOST);
        socket.recorder.block(true);
        for _ in 0..50 {
            sender.deliver(local, b"queued");
        }
        socket.recorder.wait_until_inside();
        assert!(!kernel.quiesce(Some(&local), Duration::from_millis(20)), "a callback holds the rest up");
        sender.deliver(local, b"late");
        socket.recorder.block(false);
        assert!(kernel.quiesce(Some(&local), LIMIT), "{transport:?}");
        assert_eq!(socket.recorder.count(), 50);
        sender.deliver(local, b"later");
        eventually("later ones are counted", || lost(&kernel) == 2);
        // The sender's own socket was left alone; all of them are ended by None.
        socket.deliver(sender.local(), b"sending goes on");
        sender.recorder.wait_for(1);
        assert!(kernel.quiesce(None, LIMIT));
        socket.close();
        sender.close();
        assert_eq!(lost(&kernel), 2);
        client.end();
    }
}

#[test]
fn a_socket_at_rest_is_quiesced_at_once() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        assert!(
            kernel.quiesce(Some(&socket.local()), LIMIT),
            "{transport:?}: its event is off, and nothing is queued"
        );
        socket.close();
        client.end();
    }
}

#[test]
fn a_dead_socket_is_quiesced_at_once() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let local = socket.local();
        kernel.kill(&local);
        assert!(kernel.quiesce(Some(&local), LIMIT), "{transport:?}: it indicates nothing more");
        socket.close();
        client.end();
    }
}

#[test]
fn a_death_ends_a_quiesce_that_waits() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let local = socket.local();
    socket.recorder.block(true);
    UdpSocket::bind(LOCALHOST).unwrap().send_to(b"held", local).unwrap();
    socket.recorder.wait_until_inside();
    std::thread::scope(|scope| {
        let quiesced = scope.spawn(|| kernel.quiesce(Some(&local), LIMIT));
        let killed = scope.spawn(|| kernel.kill(&local));
        // The callback runs until the quiesce is over, so that only the death can have ended it.
        let was_ended = quiesced.join().unwrap();
        socket.recorder.block(false);
        assert!(was_ended);
        assert_eq!(killed.join().unwrap(), 1);
    });
    socket.close();
    client.end();
}

#[test]
fn a_quiesce_without_limit_ends_when_everything_is_indicated() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        assert!(kernel.quiesce(None, Duration::MAX), "{transport:?}: there is no socket");
        let socket = Socket::bound(&client, LOCALHOST);
        assert!(kernel.quiesce(None, Duration::MAX), "{transport:?}");
        socket.close();
        client.end();
    }
}

#[test]
fn sockets_may_close_while_another_thread_quiesces_and_counts() {
    for &transport in TELLING {
        let kernel = with(ProviderConfig { transport, workers: 2, ..ProviderConfig::default() });
        let client = Client::with_static_events(&kernel);
        std::thread::scope(|scope| {
            let closes = scope.spawn(|| (0..CLOSES).for_each(|_| Socket::bound(&client, LOCALHOST).close()));
            while !closes.is_finished() {
                let _ = kernel.quiesce(None, Duration::ZERO);
                assert_eq!(kernel.lost_below(), Some(0), "{transport:?}: nothing was sent");
                // Lets the closing thread at the locks that this one takes again at once.
                std::thread::yield_now();
            }
        });
        client.end();
    }
}

#[test]
fn an_address_is_free_when_the_close_completes_although_others_ask_for_its_losses() {
    for &transport in TELLING {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        // An address that no other test binds to, so that nobody takes the port in between.
        let first = Socket::bound(&client, SocketAddr::from(([127, 0, 0, 77], 0)));
        let local = first.local();
        first.close();
        std::thread::scope(|scope| {
            let closes = scope.spawn(|| (0..CLOSES).for_each(|_| Socket::bound(&client, local).close()));
            while !closes.is_finished() {
                let _ = kernel.quiesce(Some(&local), Duration::ZERO);
                assert_eq!(kernel.lost_below(), Some(0), "{transport:?}");
                // Lets the closing thread at the locks that this one takes again at once.
                std::thread::yield_now();
            }
        });
        client.end();
    }
}

#[test]
fn a_transport_that_cannot_tell_says_so() {
    let kernel = kernel(Transport::Portable);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    assert_eq!(kernel.lost_below(), None);
    assert_eq!(kernel.lost_below_at(&socket.local()), None);
    let peer = UdpSocket::bind(LOCALHOST).unwrap();
    for _ in 0..10 {
        peer.send_to(b"x", socket.local()).unwrap();
    }
    assert!(kernel.quiesce(None, LIMIT));
    assert_eq!(socket.recorder.count(), 10, "what was queued is indicated all the same");
    socket.close();
    client.end();
}
