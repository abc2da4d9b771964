//! Rules of WskSocket, and of basic sockets.

use std::ffi::c_void;

use crate::raw::recorder::DISPATCH;
use crate::raw::security::Descriptor;
use crate::raw::socket::{Arguments, Socket};
use crate::raw::stream::Stream;
use crate::raw::{Client, LOCALHOST, TRANSPORTS, bytes_of, kernel};
use skua_engine::abi::sockaddr::{
    AF_INET, AF_INET6, AF_UNSPEC, IPPROTO_TCP, IPPROTO_UDP, SO_RCVBUF, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM,
    SOL_SOCKET, UDP_RECV_MAX_COALESCED_SIZE, UDP_SEND_MSG_SIZE,
};
use skua_engine::abi::status::{
    STATUS_BUFFER_OVERFLOW, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    SO_WSK_SECURITY, WSK_CACHE_SD, WSK_FLAG_BASIC_SOCKET, WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET, WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET, WSK_RELEASE_SD, WSK_TRANSPORT,
    WSK_TRANSPORT_LIST_QUERY, WskGetOption,
};
use skua_engine::abi::zeroed;
use skua_hosted::{HostKernel, Transport};

/// Closes what a test created by hand.
fn close(kernel: &HostKernel, raw: *mut skua_engine::abi::wsk::WSK_SOCKET) {
    Socket { kernel: kernel.clone(), raw, recorder: std::sync::Arc::default() }.close();
}

#[test]
fn each_combination_of_arguments_is_a_socket_or_the_right_refusal() {
    let nothing: *mut c_void = std::ptr::null_mut();
    let something: *mut c_void = std::ptr::dangling_mut::<u64>().cast();
    let table: *const c_void = (&raw const DISPATCH).cast();
    let (basic, datagram) = (WSK_FLAG_BASIC_SOCKET, WSK_FLAG_DATAGRAM_SOCKET);
    let (udp, tcp) = (IPPROTO_UDP, IPPROTO_TCP);
    let (ok, invalid, unsupported) = (STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED);
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        for (family, socket_type, protocol, flags, context, dispatch, expected) in [
            (AF_INET, SOCK_DGRAM, udp, datagram, something, table, ok),
            (AF_INET6, SOCK_DGRAM, udp, datagram, something, table, ok),
            // Without events there may be no context and no table.
            (AF_INET, SOCK_DGRAM, udp, datagram, nothing, std::ptr::null(), ok),
            (AF_INET, SOCK_DGRAM, udp, basic, nothing, std::ptr::null(), ok),
            (AF_INET6, SOCK_DGRAM, udp, basic, nothing, std::ptr::null(), ok),
            (AF_INET, SOCK_DGRAM, udp, basic, something, std::ptr::null(), invalid),
            (AF_INET, SOCK_DGRAM, udp, basic, nothing, table, invalid),
            // Exactly one category.
            (AF_INET, SOCK_DGRAM, udp, datagram | WSK_FLAG_LISTEN_SOCKET, nothing, std::ptr::null(), invalid),
            (AF_INET, SOCK_DGRAM, udp, 0x10, nothing, std::ptr::null(), invalid),
            (AF_INET, SOCK_STREAM, tcp, WSK_FLAG_LISTEN_SOCKET, something, std::ptr::null(), ok),
            (AF_INET6, SOCK_STREAM, tcp, WSK_FLAG_CONNECTION_SOCKET, nothing, std::ptr::null(), ok),
            (AF_INET, SOCK_STREAM, tcp, WSK_FLAG_STREAM_SOCKET, nothing, std::ptr::null(), ok),
            (AF_INET, SOCK_STREAM, tcp, basic, nothing, std::ptr::null(), ok),
            (AF_INET, SOCK_STREAM, tcp, 1 | 2, nothing, std::ptr::null(), invalid),
            // A category over the transport of another, and transports that this provider has not.
            (AF_INET, SOCK_STREAM, tcp, datagram, nothing, std::ptr::null(), unsupported),
            (AF_INET, SOCK_DGRAM, udp, WSK_FLAG_LISTEN_SOCKET, nothing, std::ptr::null(), unsupported),
            (AF_INET, SOCK_DGRAM, udp, WSK_FLAG_STREAM_SOCKET, nothing, std::ptr::null(), unsupported),
            (AF_INET, SOCK_STREAM, udp, WSK_FLAG_CONNECTION_SOCKET, nothing, std::ptr::null(), unsupported),
            (AF_INET, SOCK_RAW, udp, WSK_FLAG_LISTEN_SOCKET, nothing, std::ptr::null(), unsupported),
            (AF_INET, SOCK_RAW, 256, datagram, nothing, std::ptr::null(), invalid),
            (AF_INET, SOCK_DGRAM, tcp, datagram, nothing, std::ptr::null(), unsupported),
            (AF_UNSPEC, SOCK_DGRAM, udp, datagram, nothing, std::ptr::null(), invalid),
            (AF_INET, 9, udp, datagram, nothing, std::ptr::null(), invalid),
        ] {
            let mut arguments = Arguments::datagram(family);
            (arguments.socket_type, arguments.protocol, arguments.flags) = (socket_type, protocol, flags);
            (arguments.context, arguments.dispatch) = (context, dispatch);
            let created = arguments.create(&client);
            assert_eq!(
                created.err().unwrap_or(ok),
                expected,
                "{transport:?} {family} {socket_type} {flags:#x}"
            );
            if let Ok(raw) = created {
                close(&kernel, raw);
            }
        }
        client.end();
    }
}

#[test]
fn only_cached_security_descriptors_can_be_attached() {
    let kernel = crate::raw::unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let descriptor = Descriptor::new(None, None);
    let mut own = descriptor.as_ptr();
    let with = |security| Arguments { security, ..Arguments::datagram(AF_INET) }.create(&client);
    assert_eq!(with(own), Err(STATUS_INVALID_PARAMETER));
    let mut cached: *mut c_void = std::ptr::null_mut();
    let nobody = std::ptr::null_mut();
    let (status, _) =
        client.control(WSK_CACHE_SD, Some(bytes_of(&mut own)), Some(bytes_of(&mut cached)), nobody);
    assert_eq!(status, STATUS_SUCCESS);
    assert_ne!(cached, own);
    close(&kernel, with(cached).unwrap());
    // As an option, before bind.
    let socket = Socket::open(&client, true);
    assert_eq!(socket.set(SOL_SOCKET, SO_WSK_SECURITY, own.addr()), STATUS_INVALID_PARAMETER);
    assert_eq!(socket.set(SOL_SOCKET, SO_WSK_SECURITY, cached.addr()), STATUS_SUCCESS);
    let mut copy = 0usize;
    let read = socket.control(WskGetOption, SOL_SOCKET, SO_WSK_SECURITY, None, Some(bytes_of(&mut copy)));
    assert_eq!((read, copy), ((STATUS_SUCCESS, 8), cached.addr()));
    assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
    assert_eq!(socket.set(SOL_SOCKET, SO_WSK_SECURITY, cached.addr()), STATUS_INVALID_DEVICE_STATE);
    socket.close();
    let mut release = || client.control(WSK_RELEASE_SD, Some(bytes_of(&mut cached)), None, nobody).0;
    assert_eq!(release(), STATUS_SUCCESS);
    assert_eq!(release(), STATUS_SUCCESS, "the copy that was read");
    assert_eq!(release(), STATUS_INVALID_PARAMETER, "no more");
    assert_eq!(with(cached), Err(STATUS_INVALID_PARAMETER));
    client.end();
}

#[test]
fn sockets_over_tcp_take_cached_security_descriptors_before_bind() {
    let kernel = crate::raw::unverified(Transport::Os);
    let client = Client::new(&kernel);
    let descriptor = Descriptor::new(None, None);
    let mut own = descriptor.as_ptr();
    let mut cached: *mut c_void = std::ptr::null_mut();
    let nobody = std::ptr::null_mut();
    let output = Some(bytes_of(&mut cached));
    assert_eq!(client.control(WSK_CACHE_SD, Some(bytes_of(&mut own)), output, nobody).0, STATUS_SUCCESS);
    for flags in [WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_STREAM_SOCKET] {
        let socket = Stream::open(&client, flags, true);
        assert_eq!(socket.set(SOL_SOCKET, SO_WSK_SECURITY, own.addr()), STATUS_INVALID_PARAMETER);
        assert_eq!(socket.set(SOL_SOCKET, SO_WSK_SECURITY, cached.addr()), STATUS_SUCCESS);
        assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
        assert_eq!(socket.set(SOL_SOCKET, SO_WSK_SECURITY, cached.addr()), STATUS_INVALID_DEVICE_STATE);
        socket.close();
    }
    assert_eq!(client.control(WSK_RELEASE_SD, Some(bytes_of(&mut cached)), None, nobody).0, STATUS_SUCCESS);
    client.end();
}

#[test]
fn the_transport_list_answers_a_probe_with_its_size() {
    for (transport, entries) in [(Transport::Os, 6), (Transport::Portable, 6), (Transport::Loopback, 4)] {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let nobody = std::ptr::null_mut();
        let (status, size) = client.control(WSK_TRANSPORT_LIST_QUERY, None, None, nobody);
        assert_eq!((status, size), (STATUS_BUFFER_OVERFLOW, entries * size_of::<WSK_TRANSPORT>()));
        let mut list: [WSK_TRANSPORT; 6] = [zeroed(); 6];
        let (status, returned) =
            client.control(WSK_TRANSPORT_LIST_QUERY, None, Some(bytes_of(&mut list)), nobody);
        assert_eq!((status, returned), (STATUS_SUCCESS, size));
        let seen = list.map(|entry| (entry.AddressFamily, entry.SocketType, entry.Protocol));
        let all = [
            (AF_INET, SOCK_DGRAM, IPPROTO_UDP),
            (AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
            (AF_INET, SOCK_STREAM, IPPROTO_TCP),
            (AF_INET6, SOCK_STREAM, IPPROTO_TCP),
            (AF_INET, SOCK_RAW, 0),
            (AF_INET6, SOCK_RAW, 0),
        ];
        assert_eq!(seen[..entries], all[..entries], "{transport:?}");
        client.end();
    }
}

#[test]
fn a_basic_socket_probes_features() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let raw = Arguments { flags: WSK_FLAG_BASIC_SOCKET, ..Arguments::datagram(AF_INET6) }.create(&client);
        let socket =
            Socket { kernel: kernel.clone(), raw: raw.unwrap(), recorder: std::sync::Arc::default() };
        assert_eq!(socket.get(IPPROTO_UDP, UDP_SEND_MSG_SIZE), Ok(0), "{transport:?}");
        assert_eq!(socket.get(IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE), Ok(0), "{transport:?}");
        assert!(socket.get(SOL_SOCKET, SO_RCVBUF).unwrap() > 0);
        socket.close();
        client.end();
    }
}
