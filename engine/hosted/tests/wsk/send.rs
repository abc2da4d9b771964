//! Rules of WskSendTo and WskSendMessages.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use skua_engine::abi::cmsg::{CMSGHDR, ControlMessage, wsa_cmsg_align};
use skua_engine::abi::sockaddr::{IP_HOPLIMIT, IP_PKTINFO, IP_RECVTOS, IPPROTO_IP, SOCKADDR_INET};
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_BUFFER_SIZE, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{SIO_WSK_SET_REMOTE_ADDRESS, SIO_WSK_SET_SENDTO_ADDRESS, WSK_BUF};
use skua_hosted::{ProviderConfig, Transport};

use crate::raw::socket::{Buffer, Socket};
use crate::raw::{Client, Irp, LOCALHOST, LOCALHOST_V6, TRANSPORTS, check, kernel, with};

/// One control message.
pub(crate) fn message(kind: ControlMessage, payload: &[u8]) -> Vec<u8> {
    let header = CMSGHDR::new(kind, payload.len());
    let mut bytes = bytemuck::bytes_of(&header).to_vec();
    bytes.extend_from_slice(payload);
    bytes.resize(wsa_cmsg_align(bytes.len()), 0);
    bytes
}

fn peer() -> UdpSocket {
    let peer = UdpSocket::bind(LOCALHOST).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    peer
}

fn receive(peer: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut bytes = vec![0; 65_536];
    let (length, source) = peer.recv_from(&mut bytes).unwrap();
    bytes.truncate(length);
    (bytes, source)
}

#[test]
fn a_chain_of_mdls_is_one_datagram() {
    for transport in [Transport::Os, Transport::Portable] {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let peer = peer();
        let to = peer.local_addr().unwrap();
        let parts: [&[u8]; 4] = [b"one", b"", b"two", &[7; 5000]];
        let whole = parts.concat();
        assert_eq!(socket.send_to(to, &parts, &[]), (STATUS_SUCCESS, whole.len()));
        assert_eq!(receive(&peer), (whole, socket.local()));
        // An offset into the first MDL, and less than the chain holds.
        let buffer = Buffer::new(&kernel, &parts);
        let mut header = WSK_BUF { Offset: 2, Length: 3, ..buffer.header() };
        let (status, bytes) = socket.run(|irp| socket.send_with(&mut header, Some(to), &[], irp));
        assert_eq!((status, bytes), (STATUS_SUCCESS, 3));
        assert_eq!(receive(&peer).0, b"etw");
        // Nothing at all, without an MDL.
        let mut header = WSK_BUF { Mdl: std::ptr::null_mut(), Offset: 9, Length: 0 };
        assert_eq!(socket.run(|irp| socket.send_with(&mut header, Some(to), &[], irp)), (STATUS_SUCCESS, 0));
        assert_eq!(receive(&peer).0, b"");
        socket.close();
        client.end();
    }
}

#[test]
fn a_buffer_that_contradicts_its_chain_is_an_invalid_parameter() {
    for transport in TRANSPORTS {
        let kernel = crate::raw::unverified(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let to = socket.local();
        let buffer = Buffer::new(&kernel, &[b"four", b"more"]);
        for wrong in [
            WSK_BUF { Offset: 5, Length: 1, ..buffer.header() },
            WSK_BUF { Length: 9, ..buffer.header() },
            WSK_BUF { Mdl: std::ptr::null_mut(), Offset: 0, Length: 1 },
        ] {
            let mut header = wrong;
            let (status, bytes) = socket.run(|irp| socket.send_with(&mut header, Some(to), &[], irp));
            assert_eq!((status, bytes), (STATUS_INVALID_PARAMETER, 0), "{transport:?} {wrong:?}");
        }
        socket.close();
        client.end();
    }
}

#[test]
fn a_list_goes_out_in_order_with_one_completion() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let receiver = Socket::bound(&client, LOCALHOST);
        // More than one system call takes.
        let payloads: Vec<Vec<u8>> = (0..150u8).map(|number| vec![number; 1 + usize::from(number)]).collect();
        let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let bytes: usize = payloads.iter().map(Vec::len).sum();
        assert_eq!(socket.send_messages(receiver.local(), &slices, &[]), (STATUS_SUCCESS, bytes));
        receiver.recorder.wait_for(payloads.len());
        let seen = receiver.recorder.datagrams();
        assert!(seen.iter().map(|datagram| &datagram.payload).eq(&payloads), "{transport:?}");
        socket.close();
        receiver.close();
        client.end();
    }
}

#[test]
fn a_list_stops_at_the_first_that_fails_and_counts_what_went() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let receiver = Socket::bound(&client, LOCALHOST);
        let long = vec![0; 65_508];
        let sent = socket.send_messages(receiver.local(), &[b"first", &long, b"third"], &[]);
        let status = if transport == Transport::Portable && !cfg!(target_os = "linux") {
            sent.0
        } else {
            STATUS_INVALID_BUFFER_SIZE
        };
        assert_eq!(sent, (status, 5), "{transport:?}");
        receiver.recorder.wait_for(1);
        assert!(receiver.recorder.is_quiet(1));
        socket.close();
        receiver.close();
        client.end();
    }
}

#[test]
fn sends_need_a_bound_socket_a_remote_address_of_its_family_and_no_flags() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::open(&client, true);
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
        assert_eq!(socket.send_to(to, &[b"x"], &[]).0, STATUS_INVALID_DEVICE_STATE, "{transport:?}");
        assert_eq!(socket.local_address(), Err(STATUS_INVALID_DEVICE_STATE));
        assert_eq!(socket.bind(LOCALHOST_V6), STATUS_INVALID_PARAMETER, "of the other family");
        assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
        assert_eq!(socket.bind(LOCALHOST), STATUS_INVALID_DEVICE_STATE, "bound already");
        let buffer = Buffer::new(&kernel, &[b"x"]);
        let to = |remote| socket.run(|irp| socket.send_with(&mut buffer.header(), remote, &[], irp)).0;
        assert_eq!(to(None), STATUS_INVALID_PARAMETER, "no fixed address");
        assert_eq!(to(Some("[::1]:9".parse().unwrap())), STATUS_INVALID_PARAMETER);
        let call = socket.table().WskSendTo.unwrap();
        let mut remote = SOCKADDR_INET::from(LOCALHOST);
        // SAFETY: a live socket; everything outlives the request.
        let (status, _) = socket.run(|irp| unsafe {
            let nothing = std::ptr::null_mut();
            call(socket.raw, &mut buffer.header(), 1, remote.as_mut_ptr(), 0, nothing, irp)
        });
        assert_eq!(status, STATUS_INVALID_PARAMETER);
        socket.close();
        client.end();
    }
}

#[test]
fn a_fixed_address_is_where_sends_go_and_may_filter_what_is_received() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let [socket, friend, stranger] = [0; 3].map(|_| Socket::bound(&client, LOCALHOST));
        let buffer = Buffer::new(&kernel, &[b"x"]);
        let send = || socket.run(|irp| socket.send_with(&mut buffer.header(), None, &[], irp)).0;
        let to = SOCKADDR_INET::from(friend.local());
        assert_eq!(socket.ioctl(SIO_WSK_SET_SENDTO_ADDRESS, Some(to)), STATUS_SUCCESS);
        assert_eq!(send(), STATUS_SUCCESS);
        friend.recorder.wait_for(1);
        stranger.deliver(socket.local(), b"heard");
        socket.recorder.wait_for(1);
        assert_eq!(socket.ioctl(SIO_WSK_SET_REMOTE_ADDRESS, Some(to)), STATUS_SUCCESS);
        stranger.deliver(socket.local(), b"ignored");
        friend.deliver(socket.local(), b"from a friend");
        socket.recorder.wait_for(2);
        assert_eq!(socket.recorder.datagrams()[1].payload, b"from a friend", "{transport:?}");
        // An explicit address overrides it.
        socket.deliver(stranger.local(), b"y");
        stranger.recorder.wait_for(1);
        assert_eq!(socket.ioctl::<SOCKADDR_INET>(SIO_WSK_SET_REMOTE_ADDRESS, None), STATUS_SUCCESS);
        assert_eq!(send(), STATUS_INVALID_PARAMETER);
        stranger.deliver(socket.local(), b"heard again");
        socket.recorder.wait_for(3);
        [socket, friend, stranger].into_iter().for_each(Socket::close);
        client.end();
    }
}

#[test]
fn control_messages_choose_source_tos_and_hop_limit() {
    let transports: &[Transport] = if cfg!(any(target_os = "linux", windows)) {
        &[Transport::Os, Transport::Loopback]
    } else {
        &[Transport::Loopback]
    };
    for &transport in transports {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        let receiver = Socket::bound(&client, LOCALHOST);
        for option in [IP_PKTINFO, IP_RECVTOS, IP_HOPLIMIT] {
            assert_eq!(receiver.set(IPPROTO_IP, option, 1u32), STATUS_SUCCESS);
        }
        let control = [
            message(ControlMessage::IP_PKTINFO, &[127, 0, 0, 9, 0, 0, 0, 0]),
            message(ControlMessage::IP_OPTIONS, &[]),
            message(ControlMessage::IP_TOS, &0xb8i32.to_ne_bytes()),
            message(ControlMessage::IP_ECN, &1i32.to_ne_bytes()),
            message(ControlMessage::IP_TTL, &9i32.to_ne_bytes()),
        ]
        .concat();
        let sent = socket.send_to(receiver.local(), &[b"x"], &control);
        if cfg!(windows) && transport == Transport::Os && sent == (STATUS_NOT_SUPPORTED, 0) {
            // Wine leaves them out, which is not to go unnoticed.
            assert!(receiver.recorder.is_quiet(0));
            socket.close();
            receiver.close();
            client.end();
            continue;
        }
        assert_eq!(sent, (STATUS_SUCCESS, 1));
        assert_eq!(socket.send_messages(receiver.local(), &[b"y", b"z"], &control), (STATUS_SUCCESS, 2));
        receiver.recorder.wait_for(3);
        for seen in receiver.recorder.datagrams() {
            assert_eq!(seen.source.ip(), Ipv4Addr::new(127, 0, 0, 9), "{transport:?}");
            let numbers: Vec<i32> = seen
                .control
                .iter()
                .filter(|(_, _, payload)| payload.len() == 4)
                .map(|(_, _, payload)| i32::from_ne_bytes(payload[..].try_into().unwrap()))
                .collect();
            assert!(numbers.contains(&0xb9) && numbers.contains(&9), "{:?}", seen.control);
        }
        let wrong = message(ControlMessage::IP_PKTINFO, &[0; 4]);
        assert_eq!(socket.send_to(receiver.local(), &[b"x"], &wrong).0, STATUS_INVALID_PARAMETER);
        let unknown = message(ControlMessage::UDP_COALESCED_INFO, &[0; 4]);
        assert_eq!(socket.send_to(receiver.local(), &[b"x"], &unknown).0, STATUS_NOT_SUPPORTED);
        socket.close();
        receiver.close();
        client.end();
    }
}

#[test]
fn a_segment_size_cuts_one_buffer_into_datagrams() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let receiver = Socket::bound(&client, LOCALHOST);
        let control = message(ControlMessage::UDP_SEND_MSG_SIZE, &1000u32.to_ne_bytes());
        let parts: [&[u8]; 2] = [&[1; 1500], &[2; 1500 - 200]];
        let sent = socket.send_to(receiver.local(), &parts, &control);
        // By the provider, where the stack does not.
        assert_eq!(sent, (STATUS_SUCCESS, 2800));
        receiver.recorder.wait_for(3);
        let seen = receiver.recorder.datagrams();
        assert!(seen.iter().map(|datagram| datagram.payload.len()).eq([1000, 1000, 800]), "{transport:?}");
        assert!(seen.into_iter().flat_map(|datagram| datagram.payload).eq(parts.concat()));
        socket.close();
        receiver.close();
        client.end();
    }
}

#[test]
fn sends_without_room_wait_in_order_and_can_be_cancelled() {
    for transport in TRANSPORTS {
        let kernel = with(ProviderConfig { transport, pending_sends: 4, ..ProviderConfig::default() });
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let receiver = Socket::bound(&client, LOCALHOST);
        kernel.set_congested(true);
        let buffers: Vec<Buffer> = (0..5u8).map(|number| Buffer::new(&kernel, &[&[number]])).collect();
        let mut irps: Vec<Irp> = (0..5).map(|_| Irp::new(&kernel)).collect();
        let mut returned = Vec::new();
        for (irp, buffer) in irps.iter_mut().zip(&buffers) {
            // Header, address and control messages are the client's again when the call returns.
            let control = message(ControlMessage::IP_TOS, &0i32.to_ne_bytes());
            let has_control =
                transport == Transport::Loopback || (transport == Transport::Os && cfg!(target_os = "linux"));
            let control = if has_control { &control[..] } else { &[] };
            returned.push(socket.send_with(&mut buffer.header(), Some(receiver.local()), control, irp.raw()));
        }
        assert_eq!(returned[..4], [STATUS_PENDING; 4]);
        assert_eq!(returned[4], STATUS_INSUFFICIENT_RESOURCES, "{transport:?}: four may wait");
        assert!(irps[..4].iter().all(|irp| !irp.is_complete()));
        assert!(irps[2].cancel());
        assert_eq!(irps[2].wait().status, Some(STATUS_CANCELLED));
        kernel.set_congested(false);
        for (irp, returned) in irps.iter().zip(returned) {
            check(returned, irp.wait());
        }
        receiver.recorder.wait_for(3);
        let seen = receiver.recorder.datagrams();
        assert!(seen.iter().map(|datagram| datagram.payload[0]).eq([0, 1, 3]));
        assert_eq!(irps[0].wait().information, 1);
        socket.close();
        receiver.close();
        client.end();
    }
}

#[test]
fn sends_from_many_threads_complete_once_each() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let to = socket.local();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (kernel, socket) = (&kernel, &socket);
                scope.spawn(move || {
                    let buffer = Buffer::new(kernel, &[b"x"]);
                    let mut irp = Irp::new(kernel);
                    for round in 0..300 {
                        if (round + thread) % 50 == 0 {
                            kernel.set_congested(round % 100 == 0);
                        }
                        let returned = socket.send_with(&mut buffer.header(), Some(to), &[], irp.raw());
                        kernel.set_congested(false);
                        check(returned, irp.wait());
                        irp.reuse();
                    }
                });
            }
        });
        assert_eq!(kernel.outstanding().irps, 0);
        socket.close();
        client.end();
    }
}

#[test]
fn an_unreachable_port_fails_neither_sends_nor_receives() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let gone = UdpSocket::bind(LOCALHOST).unwrap().local_addr().unwrap();
    for _ in 0..20 {
        assert_eq!(socket.send_to(gone, &[b"x"], &[]).0, STATUS_SUCCESS);
    }
    peer().send_to(b"y", socket.local()).unwrap();
    socket.recorder.wait_for(1);
    assert_eq!(socket.recorder.deaths(), 0);
    socket.close();
    client.end();
}
