//! UDP_SEND_MSG_SIZE cuts what is sent, and UDP_RECV_MAX_COALESCED_SIZE joins what is received.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use skua_engine::abi::cmsg::ControlMessage;
use skua_engine::abi::sockaddr::{
    IP_PKTINFO, IPPROTO_IP, IPPROTO_UDP, UDP_COALESCED_INFO, UDP_NOCHECKSUM, UDP_RECV_MAX_COALESCED_SIZE,
    UDP_SEND_MSG_SIZE,
};
use skua_engine::abi::status::{STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS};
use skua_hosted::Transport;

use crate::raw::recorder::Datagram;
use crate::raw::socket::{Socket, Target};
use crate::raw::{Client, Irp, LOCALHOST, LOCALHOST_V6, TRANSPORTS, kernel};

/// WSK_EVENT_RECEIVE_FROM.
const RECEIVE_FROM: u32 = 0x100;

/// The size that an indication says its parts have.
fn part_size(datagram: &Datagram) -> Option<usize> {
    let wanted = (IPPROTO_UDP.cast_signed(), UDP_COALESCED_INFO.cast_signed());
    let found = datagram.control.iter().find(|(level, kind, _)| (*level, *kind) == wanted)?;
    Some(u32::from_ne_bytes(found.2[..].try_into().unwrap()) as usize)
}

/// The datagrams that indications stand for.
fn parts(seen: &[Datagram]) -> Vec<Vec<u8>> {
    let cut = |datagram: &Datagram| -> Vec<Vec<u8>> {
        match part_size(datagram) {
            Some(size) => datagram.payload.chunks(size).map(<[u8]>::to_vec).collect(),
            None => vec![datagram.payload.clone()],
        }
    };
    seen.iter().flat_map(cut).collect()
}

/// Waits until indications stand for `count` datagrams.
#[track_caller]
fn received(socket: &Socket, count: usize) -> Vec<Datagram> {
    crate::raw::eventually("datagrams did not come", || parts(&socket.recorder.datagrams()).len() >= count);
    socket.recorder.datagrams()
}

/// A socket that may be given joined datagrams, and does not want any yet.
fn joining(client: &Client, local: SocketAddr, limit: u32) -> Socket {
    let socket = Socket::bound(client, local);
    assert_eq!(socket.set(IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, limit), STATUS_SUCCESS);
    socket
}

#[test]
fn a_buffer_that_was_cut_arrives_as_one_that_says_where() {
    for transport in TRANSPORTS {
        for local in [LOCALHOST, LOCALHOST_V6] {
            let kernel = kernel(transport);
            let client = Client::new(&kernel);
            let receiver = joining(&client, local, 65_527);
            let sender = Socket::bound(&client, local);
            assert_eq!(sender.set(IPPROTO_UDP, UDP_SEND_MSG_SIZE, 1000u32), STATUS_SUCCESS);
            let payload: Vec<u8> = (0..10_500u32).map(|at| at.to_le_bytes()[0]).collect();
            sender.deliver(receiver.local(), &payload);
            assert_eq!(receiver.set_event(RECEIVE_FROM, std::ptr::null_mut()), STATUS_SUCCESS);
            let seen = received(&receiver, 11);
            assert!(seen.iter().flat_map(|datagram| &datagram.payload).eq(&payload), "{transport:?}");
            assert!(parts(&seen).iter().map(Vec::len).eq([1000; 10].into_iter().chain([500])));
            if transport != Transport::Portable && !cfg!(windows) {
                assert_eq!(seen.len(), 1, "{transport:?}: one buffer");
                assert_eq!(part_size(&seen[0]), Some(1000));
                assert_eq!(seen[0].source, sender.local());
            }
            receiver.close();
            sender.close();
            client.end();
        }
    }
}

#[test]
fn a_buffer_is_cut_into_more_datagrams_than_a_stack_cuts_at_once() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let receiver = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        assert_eq!(sender.set(IPPROTO_UDP, UDP_SEND_MSG_SIZE, 100u32), STATUS_SUCCESS);
        let payload: Vec<u8> = (0..19_950u32).map(|at| at.to_le_bytes()[1]).collect();
        // Parts that no cut falls on the ends of.
        let (front, back) = payload.split_at(7_777);
        let (middle, back) = back.split_at(1);
        let sent = sender.send_to(receiver.local(), &[front, middle, back], &[]);
        assert_eq!(sent, (STATUS_SUCCESS, 19_950), "{transport:?}");
        let seen = received(&receiver, 200);
        assert!(seen.iter().map(|datagram| datagram.payload.len()).eq([100; 199].into_iter().chain([50])));
        assert!(seen.iter().flat_map(|datagram| &datagram.payload).eq(&payload));
        receiver.close();
        sender.close();
        client.end();
    }
}

#[test]
fn a_control_message_overrides_the_segment_size_and_each_buffer_of_a_list_is_cut() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let receiver = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        assert_eq!(sender.set(IPPROTO_UDP, UDP_SEND_MSG_SIZE, 10u32), STATUS_SUCCESS);
        let control = crate::send::message(ControlMessage::UDP_SEND_MSG_SIZE, &400u32.to_ne_bytes());
        let payloads: [&[u8]; 4] = [&[1; 1000], &[2; 400], &[], &[3; 1]];
        assert_eq!(sender.send_messages(receiver.local(), &payloads, &control), (STATUS_SUCCESS, 1401));
        let seen = received(&receiver, 6);
        let lengths: Vec<usize> = seen.iter().map(|datagram| datagram.payload.len()).collect();
        assert_eq!(lengths, [400, 400, 200, 400, 0, 1], "{transport:?}");
        receiver.close();
        sender.close();
        client.end();
    }
}

#[test]
fn a_buffer_is_cut_without_checksums_too() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let receiver = Socket::bound(&client, LOCALHOST);
    let sender = Socket::bound(&client, LOCALHOST);
    if sender.set(IPPROTO_UDP, UDP_NOCHECKSUM, 1u32) == STATUS_SUCCESS {
        assert_eq!(sender.set(IPPROTO_UDP, UDP_SEND_MSG_SIZE, 50u32), STATUS_SUCCESS);
        sender.deliver(receiver.local(), &[9; 120]);
        let seen = received(&receiver, 3);
        assert!(seen.iter().map(|datagram| datagram.payload.len()).eq([50, 50, 20]));
    }
    receiver.close();
    sender.close();
    client.end();
}

#[test]
fn nothing_is_sent_of_a_buffer_that_is_to_be_cut_and_is_broken() {
    for transport in TRANSPORTS {
        let kernel = crate::raw::unverified(transport);
        let client = Client::with_static_events(&kernel);
        let receiver = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        assert_eq!(sender.set(IPPROTO_UDP, UDP_SEND_MSG_SIZE, 100u32), STATUS_SUCCESS);
        let buffer = crate::raw::socket::Buffer::new(&kernel, &[&[1; 500]]);
        let mut header = buffer.header();
        header.Length = 501;
        let to = receiver.local();
        let sent = sender.run(|irp| sender.send_with(&mut header, Some(to), &[], irp));
        assert_eq!(sent, (STATUS_INVALID_PARAMETER, 0), "{transport:?}");
        sender.deliver(to, b"behind");
        assert_eq!(received(&receiver, 1)[0].payload, b"behind");
        receiver.close();
        sender.close();
        client.end();
    }
}

/// Transports that hand over several datagrams at once.
const IN_BATCHES: &[Transport] =
    if cfg!(target_os = "linux") { &[Transport::Os, Transport::Loopback] } else { &[Transport::Loopback] };

#[test]
fn datagrams_are_joined_up_to_the_limit_when_they_are_alike() {
    for &transport in IN_BATCHES {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let receiver = joining(&client, LOCALHOST, 350);
        let senders = [Socket::bound(&client, LOCALHOST), Socket::bound(&client, LOCALHOST)];
        let to = receiver.local();
        // Five that are alike; a shorter one, which ends its buffer; one from elsewhere; a longer one; an empty one.
        for (from, byte, bytes) in [
            (0, 1, 100),
            (0, 2, 100),
            (0, 3, 100),
            (0, 4, 100),
            (0, 5, 100),
            (0, 6, 40),
            (0, 7, 40),
            (1, 8, 40),
            (1, 9, 41),
            (1, 10, 0),
            (1, 11, 41),
        ] {
            senders[from].deliver(to, &vec![byte; bytes]);
        }
        assert_eq!(receiver.set_event(RECEIVE_FROM, std::ptr::null_mut()), STATUS_SUCCESS);
        let seen = received(&receiver, 11);
        let lengths: Vec<usize> = seen.iter().map(|datagram| datagram.payload.len()).collect();
        assert_eq!(lengths, [300, 240, 40, 40, 41, 0, 41], "{transport:?}");
        let sizes: Vec<Option<usize>> = seen.iter().map(part_size).collect();
        assert_eq!(sizes, [Some(100), Some(100), None, None, None, None, None]);
        let from: Vec<bool> = seen.iter().map(|datagram| datagram.source == senders[0].local()).collect();
        assert_eq!(from, [true, true, true, false, false, false, false]);
        let bytes: Vec<u8> = parts(&seen).iter().filter_map(|part| part.first().copied()).collect();
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 11], "in order");
        receiver.close();
        senders.into_iter().for_each(Socket::close);
        client.end();
    }
}

#[test]
fn long_datagrams_are_joined_across_mdls() {
    for &transport in IN_BATCHES {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let receiver = joining(&client, LOCALHOST, 60_000);
        let sender = Socket::bound(&client, LOCALHOST);
        for byte in 1..=5u8 {
            sender.deliver(receiver.local(), &vec![byte; 9_001]);
        }
        assert_eq!(receiver.set_event(RECEIVE_FROM, std::ptr::null_mut()), STATUS_SUCCESS);
        let seen = received(&receiver, 5);
        assert_eq!((seen.len(), part_size(&seen[0])), (1, Some(9_001)), "{transport:?}");
        assert!(parts(&seen).into_iter().zip(1..).all(|(part, byte)| part == vec![byte; 9_001]));
        receiver.close();
        sender.close();
        client.end();
    }
}

#[test]
fn joined_datagrams_keep_their_control_messages_and_fill_requests_too() {
    for &transport in IN_BATCHES {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let receiver = joining(&client, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0), 1000);
        assert_eq!(receiver.set(IPPROTO_IP, IP_PKTINFO, 1u32), STATUS_SUCCESS);
        let sender = Socket::bound(&client, LOCALHOST);
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), receiver.local().port());
        for byte in 1..=3u8 {
            sender.deliver(to, &[byte; 7]);
        }
        // One request asks for one datagram: what is joined is what a batch has.
        let mut targets = [(); 3].map(|()| Target::new(&kernel, &[64]));
        let mut irps = [(); 3].map(|()| Irp::new(&kernel));
        for (target, irp) in targets.iter_mut().zip(&mut irps) {
            assert_eq!(receiver.receive_from(target, irp.raw()), STATUS_PENDING);
        }
        let completion = irps[0].wait();
        assert_eq!(completion.status, Some(STATUS_SUCCESS));
        let bytes = completion.information;
        assert!(bytes.is_multiple_of(7), "{transport:?}");
        let control = targets[0].control_length as usize;
        // SAFETY: so many bytes were written.
        let messages = unsafe { crate::raw::recorder::messages(targets[0].control.as_ptr().cast(), control) };
        let info = (IPPROTO_IP.cast_signed(), IP_PKTINFO.cast_signed());
        assert_eq!((messages[0].0, messages[0].1), info);
        assert_eq!(messages.len() == 2, bytes > 7, "joined ones say so");
        receiver.close();
        sender.close();
        client.end();
    }
}

#[test]
fn what_an_ordinary_program_sends_is_never_mixed_up() {
    for transport in [Transport::Os, Transport::Portable] {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let receiver = Socket::bound(&client, LOCALHOST);
        assert_eq!(receiver.set(IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, 65_527u32), STATUS_SUCCESS);
        let peer = UdpSocket::bind(LOCALHOST).unwrap();
        let payload = |number: u32| vec![number.to_le_bytes()[0]; 1 + (number as usize * 37) % 900];
        for number in 0..100 {
            peer.send_to(&payload(number), receiver.local()).unwrap();
            if number % 20 == 19 {
                received(&receiver, number as usize + 1);
            }
        }
        let seen = parts(&received(&receiver, 100));
        assert!(seen.into_iter().zip(0..).all(|(part, number)| part == payload(number)), "{transport:?}");
        receiver.close();
        client.end();
    }
}
