//! Rules of WskReceiveFrom.

use skua_engine::abi::cmsg::{MSG_CTRUNC, MSG_TRUNC};
use skua_engine::abi::sockaddr::{IP_PKTINFO, IPPROTO_IP};
use skua_engine::abi::status::{
    STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_DEVICE_STATE,
    STATUS_PENDING, STATUS_SUCCESS,
};
use skua_hosted::Transport;

use crate::raw::socket::{Socket, Target};
use crate::raw::{Client, Irp, LOCALHOST, LOCALHOST_V6, TRANSPORTS, check, kernel};

#[test]
fn a_queued_request_gets_the_next_datagram_across_its_mdls() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        for local in [LOCALHOST, LOCALHOST_V6] {
            let socket = Socket::bound(&client, local);
            let sender = Socket::bound(&client, local);
            let mut target = Target::new(&kernel, &[100, 0, 3000, 1]);
            let payload: Vec<u8> = (0..3101u32).map(|at| at.to_le_bytes()[0]).collect();
            let mut irp = Irp::new(&kernel);
            let returned = socket.receive_from(&mut target, irp.raw());
            assert_eq!(returned, STATUS_PENDING);
            sender.deliver(socket.local(), &payload);
            let completion = irp.wait();
            check(returned, completion);
            assert_eq!((completion.status, completion.information), (Some(STATUS_SUCCESS), payload.len()));
            assert_eq!(target.bytes(payload.len()), payload, "{transport:?}");
            assert_eq!(target.remote.to_socket_addr(), Some(sender.local()));
            assert_eq!((target.flags, target.control_length), (0, 0));
            socket.close();
            sender.close();
        }
        client.end();
    }
}

#[test]
fn queued_requests_come_before_the_event() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        let mut targets: Vec<Target> = (0..3).map(|_| Target::new(&kernel, &[16])).collect();
        let mut irps: Vec<Irp> = (0..3).map(|_| Irp::new(&kernel)).collect();
        for (irp, target) in irps.iter_mut().zip(&mut targets) {
            assert_eq!(socket.receive_from(target, irp.raw()), STATUS_PENDING);
        }
        for number in 0..5u8 {
            sender.deliver(socket.local(), &[number]);
        }
        socket.recorder.wait_for(2);
        for (number, (irp, target)) in (0u8..).zip(irps.iter().zip(&targets)) {
            assert_eq!(irp.wait().information, 1);
            assert_eq!(target.bytes(1), [number], "{transport:?}: in order");
        }
        let seen = socket.recorder.datagrams();
        assert!(seen.iter().map(|datagram| datagram.payload[0]).eq([3, 4]));
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn a_datagram_that_is_too_long_fills_the_buffer_and_says_so() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        let mut target = Target::new(&kernel, &[2]);
        let mut irp = Irp::new(&kernel);
        assert_eq!(socket.receive_from(&mut target, irp.raw()), STATUS_PENDING);
        sender.deliver(socket.local(), b"long");
        let completion = irp.wait();
        assert_eq!((completion.status, completion.information), (Some(STATUS_BUFFER_OVERFLOW), 2));
        assert_eq!((target.bytes(2), target.flags), (b"lo".to_vec(), MSG_TRUNC), "{transport:?}");
        // The rest of it is gone.
        irp.reuse();
        assert_eq!(socket.receive_from(&mut target, irp.raw()), STATUS_PENDING);
        sender.deliver(socket.local(), b"in");
        irp.wait();
        assert_eq!(target.bytes(2), b"in");
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn control_messages_are_copied_when_they_fit() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    assert_eq!(socket.set(IPPROTO_IP, IP_PKTINFO, 1u32), STATUS_SUCCESS);
    let sender = Socket::bound(&client, LOCALHOST);
    let mut target = Target::new(&kernel, &[16]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(socket.receive_from(&mut target, irp.raw()), STATUS_PENDING);
    sender.deliver(socket.local(), b"x");
    irp.wait();
    assert_eq!((target.control_length, target.flags), (24, 0));
    // SAFETY: so many bytes were written.
    let messages = unsafe {
        crate::raw::recorder::messages(target.control.as_ptr().cast(), target.control_length as usize)
    };
    assert_eq!(messages[0].2[..4], [127, 0, 0, 1]);
    irp.reuse();
    let call = socket.table().WskReceiveFrom.unwrap();
    let mut room = 8u32;
    let mut flags = 0;
    let buffer = crate::raw::socket::Buffer::new(&kernel, &[&[0; 16]]);
    let nowhere = std::ptr::null_mut();
    let control = target.control.as_mut_ptr().cast();
    // SAFETY: a live socket; everything outlives the request.
    let returned = unsafe {
        call(socket.raw, &mut buffer.header(), 0, nowhere, &raw mut room, control, &raw mut flags, irp.raw())
    };
    assert_eq!(returned, STATUS_PENDING);
    sender.deliver(socket.local(), b"x");
    assert_eq!(irp.wait().status, Some(STATUS_SUCCESS));
    assert_eq!((room, flags), (0, MSG_CTRUNC));
    socket.close();
    sender.close();
    client.end();
}

#[test]
fn a_cancelled_request_ends_with_cancelled_and_takes_no_datagram() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        let mut targets = [Target::new(&kernel, &[8]), Target::new(&kernel, &[8])];
        let mut irps = [Irp::new(&kernel), Irp::new(&kernel)];
        let [first, second] = &mut targets;
        assert_eq!(socket.receive_from(first, irps[0].raw()), STATUS_PENDING);
        assert_eq!(socket.receive_from(second, irps[1].raw()), STATUS_PENDING);
        assert!(irps[0].cancel());
        assert_eq!(irps[0].wait().status, Some(STATUS_CANCELLED));
        assert_eq!(irps[0].wait().information, 0);
        sender.deliver(socket.local(), b"x");
        assert_eq!(irps[1].wait().status, Some(STATUS_SUCCESS), "{transport:?}");
        assert!(!irps[1].cancel(), "too late");
        // Cancelled before it is handed over.
        let mut irp = Irp::new(&kernel);
        assert!(!irp.cancel());
        let returned = socket.receive_from(&mut targets[0], irp.raw());
        assert_eq!(returned, STATUS_CANCELLED);
        check(returned, irp.wait());
        assert_eq!(kernel.outstanding().irps, 0);
        socket.close();
        sender.close();
        client.end();
    }
}

#[test]
fn cancels_and_datagrams_that_race_complete_every_request_once() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let sender = Socket::bound(&client, LOCALHOST);
    let (mut cancelled, mut received) = (0, 0);
    for round in 0..400 {
        let mut target = Target::new(&kernel, &[8]);
        let mut irp = Irp::new(&kernel);
        let returned = socket.receive_from(&mut target, irp.raw());
        std::thread::scope(|scope| {
            scope.spawn(|| sender.deliver(socket.local(), b"x"));
            for _ in 0..round % 40 {
                std::hint::spin_loop();
            }
            irp.cancel();
        });
        let completion = irp.wait();
        check(returned, completion);
        match completion.status {
            Some(STATUS_CANCELLED) => cancelled += 1,
            Some(STATUS_SUCCESS) => received += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(cancelled + received, 400);
    socket.close();
    sender.close();
    client.end();
}

#[test]
fn a_receive_on_an_unbound_or_dead_socket_is_refused() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let socket = Socket::open(&client, true);
    let mut target = Target::new(&kernel, &[8]);
    let (status, _) = socket.run(|irp| socket.receive_from(&mut target, irp));
    assert_eq!(status, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
    let mut irp = Irp::new(&kernel);
    assert_eq!(socket.receive_from(&mut target, irp.raw()), STATUS_PENDING);
    kernel.kill(&socket.local_address().unwrap());
    assert_eq!(irp.wait().status, Some(STATUS_FILE_FORCED_CLOSED));
    let (status, _) = socket.run(|irp| socket.receive_from(&mut target, irp));
    assert_eq!(status, STATUS_FILE_FORCED_CLOSED);
    socket.close();
    client.end();
}
