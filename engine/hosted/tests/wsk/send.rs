//! Rules of WskSendTo and WskSendMessages.

use skua_engine::abi::cmsg::{CMSGHDR, ControlMessage, wsa_cmsg_align};
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_BUFFER_SIZE, STATUS_PENDING,
    STATUS_SUCCESS,
};
use skua_hosted::{ProviderConfig, Transport};

use crate::raw::socket::{Buffer, Socket};
use crate::raw::{Client, Irp, LOCALHOST, TRANSPORTS, check, kernel, with};

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
