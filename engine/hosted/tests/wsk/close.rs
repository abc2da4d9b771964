//! Rules of WskCloseSocket.

use std::net::UdpSocket;
use std::time::Duration;

use skua_engine::abi::nt::{DISPATCH_LEVEL, PASSIVE_LEVEL};
use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_PENDING, STATUS_SUCCESS};

use crate::raw::recorder::Answer;
use crate::raw::socket::{Socket, Target};
use crate::raw::{Client, Irp, LOCALHOST, TRANSPORTS, check, kernel};

#[test]
fn closing_cancels_what_is_queued_and_completes_last() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let local = socket.local();
        kernel.set_congested(true);
        let mut targets: Vec<Target> = (0..3).map(|_| Target::new(&kernel, &[8])).collect();
        let mut irps: Vec<Irp> = (0..5).map(|_| Irp::new(&kernel)).collect();
        let (receives, sends) = irps.split_at_mut(3);
        for (irp, target) in receives.iter_mut().zip(&mut targets) {
            assert_eq!(socket.receive_from(target, irp.raw()), STATUS_PENDING);
        }
        let buffer = crate::raw::socket::Buffer::new(&kernel, &[b"x"]);
        for irp in sends {
            assert_eq!(socket.send_with(&mut buffer.header(), Some(local), &[], irp.raw()), STATUS_PENDING);
        }
        let mut close = Irp::new(&kernel);
        let returned = socket.start_close(&mut close);
        let closed = close.wait();
        check(returned, closed);
        assert_eq!(closed.irql, if returned == STATUS_PENDING { DISPATCH_LEVEL } else { PASSIVE_LEVEL });
        for irp in &irps {
            assert!(irp.is_complete(), "{transport:?}: before the close");
            assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
            check(STATUS_PENDING, irp.wait());
        }
        kernel.set_congested(false);
        client.end();
    }
}

#[test]
fn closing_waits_for_a_running_callback_without_blocking_the_caller() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        socket.recorder.block(true);
        sender.deliver(socket.local(), b"x");
        socket.recorder.wait_until_inside();
        let mut irp = Irp::new(&kernel);
        let returned = socket.start_close(&mut irp);
        assert_eq!(returned, STATUS_PENDING);
        std::thread::sleep(Duration::from_millis(20));
        assert!(!irp.is_complete(), "{transport:?}: a callback runs");
        socket.recorder.block(false);
        check(returned, irp.wait());
        assert_eq!(socket.recorder.inside(), 0);
        assert_eq!(irp.wait().status, Some(STATUS_SUCCESS));
        sender.close();
        client.end();
    }
}

#[test]
fn no_callback_comes_after_the_close_completes() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let peer = Socket::bound(&client, LOCALHOST);
        for _ in 0..20 {
            let socket = Socket::bound(&client, LOCALHOST);
            let (local, recorder) = (socket.local(), std::sync::Arc::clone(&socket.recorder));
            std::thread::scope(|scope| {
                scope.spawn(|| (0..50).for_each(|_| peer.deliver(local, b"x")));
                socket.close();
                let calls = recorder.calls();
                std::thread::yield_now();
                assert_eq!(recorder.calls(), calls, "{transport:?}");
            });
        }
        peer.close();
        client.end();
    }
}

#[test]
fn indications_retained_over_a_close_stay_valid_and_are_counted() {
    let kernel = crate::raw::unverified(skua_hosted::Transport::Os);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    socket.recorder.answer(Answer::Pending);
    UdpSocket::bind(LOCALHOST).unwrap().send_to(b"kept", socket.local()).unwrap();
    socket.recorder.wait_for(1);
    let node = socket.recorder.take_retained()[0];
    socket.close();
    assert_eq!(kernel.outstanding().indications, 1, "a leak of the client's");
    assert_eq!(kernel.outstanding().sockets, 0);
    // SAFETY: a rule is broken here, and the provider keeps the memory for that.
    let datagram = unsafe { crate::raw::recorder::read(&kernel, node, 0, 0) };
    assert_eq!(datagram.payload, b"kept");
}
