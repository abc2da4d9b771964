//! Rules of WskSendTo and WskSendMessages.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use skua_engine::abi::cmsg::{CMSGHDR, ControlMessage, wsa_cmsg_align};
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_BUFFER_SIZE, STATUS_INVALID_DEVICE_STATE,
    STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::SIO_WSK_SET_REMOTE_ADDRESS;
use skua_hosted::{HostConfig, HostKernel, ProviderConfig, Transport};

use crate::raw::socket::{Buffer, Socket};
use crate::raw::{Client, Irp, LOCALHOST, TRANSPORTS, check, kernel, with};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// One control message.
pub(crate) fn message(kind: ControlMessage, payload: &[u8]) -> Vec<u8> {
    let header = CMSGHDR::new(kind, payload.len());
    let mut bytes = bytemuck::bytes_of(&header).to_vec();
    bytes.extend_from_slice(payload);
    bytes.resize(wsa_cmsg_align(bytes.len()), 0);
    bytes
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
fn a_provider_that_connects_hears_that_nobody_listens_and_sends_all_the_same() {
    let mut config = HostConfig::default();
    config.provider.connects = true;
    let kernel = HostKernel::new(config);
    let client = Client::with_static_events(&kernel);
    let nobody = UdpSocket::bind(LOCALHOST).unwrap().local_addr().unwrap();
    let socket = Socket::bound(&client, LOCALHOST);
    let remote = SOCKADDR_INET::from(nobody);
    assert_eq!(socket.ioctl(SIO_WSK_SET_REMOTE_ADDRESS, Some(remote)), STATUS_SUCCESS);
    let slices = [&b"datagram"[..]; 150];
    // One call more is told of what the last of a call before was answered with.
    for _ in 0..2 {
        assert_eq!(socket.send_messages(nobody, &slices, &[]), (STATUS_SUCCESS, 150 * 8));
    }
    let deadline = Instant::now() + PATIENCE;
    while kernel.refused() == 0 {
        assert!(Instant::now() < deadline, "no answer was heard");
        assert_eq!(socket.send_messages(nobody, &slices[..1], &[]), (STATUS_SUCCESS, 8));
    }
    // Somebody listens now, and gets what is sent from then on.
    let receiver = UdpSocket::bind(nobody).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(socket.send_messages(nobody, &[b"first", b"second"], &[]), (STATUS_SUCCESS, 11));
    for expected in [&b"first"[..], b"second"] {
        let mut bytes = [0; 64];
        let (length, from) = receiver.recv_from(&mut bytes).unwrap();
        assert_eq!((&bytes[..length], from), (expected, socket.local()));
    }
    socket.close();
    assert!(kernel.refused() > 0, "what a closed socket heard still counts");
    client.end();
}

#[test]
fn a_connection_stays_and_other_addresses_can_be_sent_to() {
    let mut config = HostConfig::default();
    config.provider.connects = true;
    let kernel = HostKernel::new(config);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let [fixed, other] = [(); 2].map(|()| Socket::bound(&client, LOCALHOST));
    let set = |remote: Option<SOCKADDR_INET>| socket.ioctl(SIO_WSK_SET_REMOTE_ADDRESS, remote);
    assert_eq!(set(Some(fixed.local().into())), STATUS_SUCCESS);
    assert_eq!(set(Some(fixed.local().into())), STATUS_SUCCESS, "the same again");
    assert_eq!(set(Some(other.local().into())), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(socket.ioctl::<SOCKADDR_INET>(SIO_WSK_SET_REMOTE_ADDRESS, None), STATUS_INVALID_DEVICE_STATE);
    for to in [&other, &fixed] {
        assert_eq!(socket.send_messages(to.local(), &[b"one", b"two"], &[]), (STATUS_SUCCESS, 6));
        to.recorder.wait_for(2);
        assert!(to.recorder.datagrams().iter().all(|datagram| datagram.source == socket.local()));
    }
    // Its own filter is the provider's still.
    assert_eq!(other.send_messages(socket.local(), &[b"no", b"no"], &[]), (STATUS_SUCCESS, 4));
    assert_eq!(fixed.send_messages(socket.local(), &[b"yes", b"yes"], &[]), (STATUS_SUCCESS, 6));
    socket.recorder.wait_for(2);
    assert!(socket.recorder.datagrams().iter().all(|datagram| datagram.payload == b"yes"));
    for socket in [socket, fixed, other] {
        socket.close();
    }
    client.end();
}

#[test]
fn a_message_is_cut_into_as_many_datagrams_as_it_has_segments() {
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let receiver = Socket::bound(&client, LOCALHOST);
    // Fewer than a system call cuts, as many as older and newer systems do, and more.
    for datagrams in [2_usize, 64, 65, 128, 129, 200] {
        let before = receiver.recorder.count();
        let payload: Vec<u8> =
            (0..datagrams).flat_map(|number| [u8::try_from(number).unwrap(); 10]).collect();
        let segment = message(ControlMessage::UDP_SEND_MSG_SIZE, &10_u32.to_ne_bytes());
        let sent = socket.send_messages(receiver.local(), &[&payload], &segment);
        assert_eq!(sent, (STATUS_SUCCESS, payload.len()), "{datagrams} datagrams");
        receiver.recorder.wait_for(before + datagrams);
        let seen = receiver.recorder.datagrams();
        assert!(
            seen[before..].iter().map(|datagram| &datagram.payload[..]).eq(payload.chunks(10)),
            "{datagrams}"
        );
    }
    socket.close();
    receiver.close();
    client.end();
}
