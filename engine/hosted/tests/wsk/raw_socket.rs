//! Rules of raw sockets: ICMP over the loopback addresses, with privilege; a refusal, without.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use skua_engine::abi::sockaddr::{
    AF_INET, AF_INET6, IP_HDRINCL, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPV6_HDRINCL, SOCK_RAW,
};
use skua_engine::abi::status::{
    STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{SIO_WSK_SET_REMOTE_ADDRESS, WSK_FLAG_BASIC_SOCKET, WSK_FLAG_DATAGRAM_SOCKET};
use skua_hosted::{HostKernel, Transport};

use crate::raw::recorder::{DISPATCH, Recorder};
use crate::raw::socket::{Arguments, Socket, Target};
use crate::raw::{Client, Irp, LOCALHOST, LOCALHOST_V6, kernel};

const ICMP: u32 = 1;
const ICMPV6: u32 = 58;

fn arguments(family: u16, protocol: u32) -> Arguments {
    Arguments { socket_type: SOCK_RAW, protocol, ..Arguments::datagram(family) }
}

/// Whether this thread may have raw sockets, asked of the host without the provider.
fn is_privileged() -> bool {
    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::RAW, Some(socket2::Protocol::ICMPV4)).is_ok()
}

/// A raw socket whose receive event goes to a recorder.
fn open(client: &Client, family: u16, protocol: u32) -> Socket {
    let recorder = Arc::new(Recorder::default());
    let raw = Arguments {
        context: Arc::as_ptr(&recorder).cast_mut().cast(),
        dispatch: (&raw const DISPATCH).cast(),
        ..arguments(family, protocol)
    };
    let raw = raw.create(client).unwrap();
    recorder.attach(&client.kernel, raw);
    Socket { kernel: client.kernel.clone(), raw, recorder }
}

fn close(kernel: &HostKernel, raw: *mut skua_engine::abi::wsk::WSK_SOCKET) {
    Socket { kernel: kernel.clone(), raw, recorder: Arc::default() }.close();
}

/// An ICMP echo request, `kind` being 8, or 128 over IPv6, where the host fills the checksum in.
fn echo(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0x5c, 0xa0, 0, 1];
    message.extend(payload);
    let sum: u32 = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

/// What every thread that may not have raw sockets sees of the provider.
fn assert_refused() {
    for transport in [Transport::Os, Transport::Portable] {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        for (family, protocol) in [(AF_INET, ICMP), (AF_INET6, ICMPV6), (AF_INET, 253)] {
            for flags in [WSK_FLAG_BASIC_SOCKET, WSK_FLAG_DATAGRAM_SOCKET] {
                let created = Arguments { flags, ..arguments(family, protocol) }.create(&client);
                assert_eq!(created, Err(STATUS_ACCESS_DENIED), "{transport:?} {family} {protocol}");
            }
        }
        client.end();
    }
}

#[test]
fn a_raw_socket_takes_privilege() {
    if !is_privileged() {
        return assert_refused();
    }
    for transport in [Transport::Os, Transport::Portable] {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        for (family, protocol) in [(AF_INET, ICMP), (AF_INET6, ICMPV6), (AF_INET, 253), (AF_INET6, 255)] {
            for flags in [WSK_FLAG_BASIC_SOCKET, WSK_FLAG_DATAGRAM_SOCKET] {
                let created = Arguments { flags, ..arguments(family, protocol) }.create(&client);
                close(&kernel, created.unwrap());
            }
        }
        client.end();
    }
}

/// Linux gives privileges to threads.
#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_lost_its_privilege_is_refused() {
    std::thread::scope(|scope| {
        let unprivileged = scope.spawn(|| {
            let mut sets = rustix::thread::capabilities(None).unwrap();
            sets.effective.remove(rustix::thread::CapabilitySet::NET_RAW);
            rustix::thread::set_capabilities(None, sets).unwrap();
            assert!(!is_privileged());
            assert_refused();
        });
        unprivileged.join().unwrap();
    });
}

#[test]
fn a_raw_protocol_has_8_bits_and_the_loopback_has_none() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    assert_eq!(arguments(AF_INET, 256).create(&client), Err(STATUS_INVALID_PARAMETER));
    assert_eq!(arguments(AF_INET, ICMP).create(&client), Err(STATUS_NOT_SUPPORTED));
    client.end();
}

/// Sends an echo request to `there` and returns the reply as it was indicated.
fn ping(socket: &Socket, there: IpAddr, kind: u8, header: usize) -> Vec<u8> {
    let request = echo(kind, b"skua");
    socket.deliver(SocketAddr::new(there, 7), &request);
    let is_reply = |payload: &[u8]| {
        let reply = if kind == 8 { 0 } else { 129 };
        payload.get(header) == Some(&reply) && payload.get(header + 4..) == request.get(4..)
    };
    let found = || {
        let datagrams = socket.recorder.datagrams();
        datagrams.into_iter().find(|datagram| is_reply(&datagram.payload))
    };
    crate::raw::eventually("the echo comes back", || found().is_some());
    let reply = found().unwrap();
    assert_eq!(reply.source, SocketAddr::new(there, 0), "a raw socket has no ports");
    reply.payload
}

#[test]
fn an_echo_comes_back_with_its_header_over_ipv4() {
    if !is_privileged() {
        return assert_refused();
    }
    for transport in [Transport::Os, Transport::Portable] {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = open(&client, AF_INET, ICMP);
        assert_eq!(socket.bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 99)), STATUS_SUCCESS);
        assert_eq!(socket.local().ip(), LOCALHOST.ip());
        let reply = ping(&socket, LOCALHOST.ip(), 8, 20);
        assert_eq!((reply[0], reply[9]), (0x45, 1), "{transport:?}: version, length, protocol");
        assert_eq!(reply[12..20], [127, 0, 0, 1, 127, 0, 0, 1]);
        socket.close();
        client.end();
    }
}

#[test]
fn an_echo_comes_back_without_a_header_over_ipv6() {
    if !is_privileged() {
        return assert_refused();
    }
    for transport in [Transport::Os, Transport::Portable] {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let socket = open(&client, AF_INET6, ICMPV6);
        assert_eq!(socket.bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)), STATUS_SUCCESS);
        let reply = ping(&socket, LOCALHOST_V6.ip(), 128, 0);
        assert_eq!(reply.len(), 12, "{transport:?}");
        socket.close();
        client.end();
    }
}

#[test]
fn an_included_header_goes_out_as_it_is() {
    if !is_privileged() {
        return assert_refused();
    }
    let kernel = kernel(Transport::Os);
    let client = Client::with_static_events(&kernel);
    // A protocol for experiments.
    let (sender, receiver) = (open(&client, AF_INET, 253), open(&client, AF_INET, 253));
    for socket in [&sender, &receiver] {
        assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
    }
    assert_eq!(sender.set(IPPROTO_IP, IP_HDRINCL, 1u32), STATUS_SUCCESS);
    assert_eq!(sender.get(IPPROTO_IP, IP_HDRINCL), Ok(1));
    let mut packet = vec![0x45, 0, 0, 24, 0x12, 0x34, 0, 0, 77, 253, 0, 0, 127, 0, 0, 9, 127, 0, 0, 1];
    packet.extend(b"body");
    sender.deliver(SocketAddr::new(LOCALHOST.ip(), 0), &packet);
    let forged = |socket: &Socket| {
        let datagrams = socket.recorder.datagrams();
        datagrams.into_iter().find(|datagram| datagram.payload.ends_with(b"body"))
    };
    crate::raw::eventually("it arrives", || forged(&receiver).is_some());
    let seen = forged(&receiver).unwrap();
    assert_eq!(seen.source, "127.0.0.9:0".parse().unwrap());
    assert_eq!(
        (seen.payload[8], &seen.payload[4..6]),
        (77, &[0x12, 0x34][..]),
        "time to live and identification"
    );
    sender.close();
    receiver.close();
    // Sockets over UDP have no header to include.
    let datagram = Socket::open(&client, true);
    assert_eq!(datagram.set(IPPROTO_IP, IP_HDRINCL, 1u32), STATUS_NOT_SUPPORTED);
    assert_eq!(datagram.set(IPPROTO_IPV6, IPV6_HDRINCL, 1u32), STATUS_NOT_SUPPORTED);
    datagram.close();
    client.end();
}

#[test]
fn raw_sockets_receive_on_request_and_from_a_fixed_remote_address() {
    if !is_privileged() {
        return assert_refused();
    }
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (sender, receiver) = (open(&client, AF_INET, 253), open(&client, AF_INET, 253));
    assert_eq!(sender.bind(LOCALHOST), STATUS_SUCCESS);
    // The same address again: there is no port to be in use.
    assert_eq!(receiver.bind(LOCALHOST), STATUS_SUCCESS);
    let from = skua_engine::abi::sockaddr::SOCKADDR_INET::from(SocketAddr::new(LOCALHOST.ip(), 5));
    assert_eq!(receiver.ioctl(SIO_WSK_SET_REMOTE_ADDRESS, Some(from)), STATUS_SUCCESS);
    let mut target = Target::new(&kernel, &[64]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(receiver.receive_from(&mut target, irp.raw()), STATUS_PENDING);
    sender.deliver(SocketAddr::new(LOCALHOST.ip(), 0), b"once");
    let completion = irp.wait();
    assert_eq!((completion.status, completion.information), (Some(STATUS_SUCCESS), 24));
    assert_eq!(target.bytes(24)[20..], *b"once");
    // It receives what UDP sockets send, too, if it is of their protocol.
    let udp = open(&client, AF_INET, IPPROTO_UDP);
    assert_eq!(udp.bind(LOCALHOST), STATUS_SUCCESS);
    for socket in [sender, receiver, udp] {
        socket.close();
    }
    client.end();
}
