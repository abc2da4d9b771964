//! WskControlSocket: which calls take an IRP, what I/O controls take and answer, and when.

use skua_engine::abi::nt::GUID;
use skua_engine::abi::sockaddr::{
    AF_INET, IPPROTO_TCP, RSS_SCALABILITY_INFO, SIO_ADDRESS_LIST_QUERY, SIO_ADDRESS_LIST_SORT,
    SIO_KEEPALIVE_VALS, SIO_QUERY_RSS_PROCESSOR_INFO, SIO_QUERY_RSS_SCALABILITY_INFO, SO_BROADCAST,
    SO_KEEPALIVE, SOCKADDR_INET, SOCKET_PROCESSOR_AFFINITY, SOL_SOCKET, TCP_KEEPIDLE, TCP_KEEPINTVL,
    tcp_keepalive,
};
use skua_engine::abi::status::{
    STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, SIO_WSK_QUERY_INSPECT_ID, SIO_WSK_QUERY_RECEIVE_BACKLOG,
    SIO_WSK_REGISTER_EXTENSION, SIO_WSK_SET_REMOTE_ADDRESS, SIO_WSK_SET_SENDTO_ADDRESS,
    SIO_WSK_SET_TCP_SILENT_MODE, SO_WSK_EVENT_CALLBACK, WSK_CONTROL_SOCKET_TYPE, WSK_EXTENSION_CONTROL_IN,
    WSK_EXTENSION_CONTROL_OUT, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET,
    WskGetOption, WskIoctl, WskSetOption,
};
use skua_engine::abi::zeroed;
use skua_hosted::{ProviderConfig, Transport};

use crate::options::basic;
use crate::raw::socket::Socket;
use crate::raw::stream::Stream;
use crate::raw::{Client, LOCALHOST, TRANSPORTS, bytes_of, kernel, with};

/// One socket of each category, bound where it can be.
fn each_category(client: &Client, check: impl Fn(&Socket)) {
    let datagram = Socket::bound(client, LOCALHOST);
    check(&datagram);
    datagram.close();
    for flags in [WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_STREAM_SOCKET] {
        let stream = Stream::open(client, flags, true);
        assert_eq!(stream.bind(LOCALHOST), STATUS_SUCCESS);
        check(&stream);
        stream.close();
    }
    for is_tcp in [false, true] {
        let socket = basic(client, AF_INET, is_tcp);
        check(&socket);
        socket.close();
    }
}

#[test]
fn a_call_that_needs_an_irp_is_refused_without_one() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    each_category(&client, |socket| {
        let mut value = 0u64;
        for (kind, level, code) in [
            (WskSetOption, SOL_SOCKET, SO_BROADCAST),
            (WskGetOption, SOL_SOCKET, SO_BROADCAST),
            (WskSetOption, SOL_SOCKET, SO_KEEPALIVE),
            (WskSetOption, 0x1234, SO_WSK_EVENT_CALLBACK),
            (WskGetOption, SOL_SOCKET, SO_WSK_EVENT_CALLBACK),
            (WskIoctl, 0, SIO_WSK_SET_REMOTE_ADDRESS),
            (WskIoctl, 0, SIO_WSK_SET_SENDTO_ADDRESS),
            (WskIoctl, 0, SIO_WSK_QUERY_IDEAL_SEND_BACKLOG),
            (WskIoctl, 0, SIO_WSK_QUERY_RECEIVE_BACKLOG),
            (WskIoctl, 0, SIO_WSK_SET_TCP_SILENT_MODE),
            (WskIoctl, 0, SIO_ADDRESS_LIST_SORT),
            (WskIoctl, 0, SIO_QUERY_RSS_SCALABILITY_INFO),
            (WskIoctl, 0, 0x1234_5678),
        ] {
            let input = Some(bytes_of(&mut value));
            let status = socket.control_with(kind, level, code, input, None, std::ptr::null_mut());
            assert_eq!(status, STATUS_INVALID_PARAMETER, "code {code:x}");
        }
    });
    client.end();
}

#[test]
fn a_call_that_takes_no_irp_completes_it_with_failure() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    each_category(&client, |socket| {
        for code in [SIO_WSK_QUERY_INSPECT_ID, SIO_WSK_REGISTER_EXTENSION, SIO_ADDRESS_LIST_QUERY] {
            let mut output = [0u64; 64];
            let answer = socket.control(WskIoctl, 0, code, None, Some(bytes_of(&mut output)));
            assert_eq!(answer, (STATUS_INVALID_PARAMETER, 0), "code {code:x}");
        }
    });
    client.end();
}

#[test]
fn a_request_type_that_is_none_is_refused_and_an_unknown_control_is_not_supported() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    each_category(&client, |socket| {
        for kind in [3, -1, i32::MAX] {
            let mut value = 0u64;
            let control = socket.control(
                WSK_CONTROL_SOCKET_TYPE(kind),
                SOL_SOCKET,
                SO_BROADCAST,
                Some(bytes_of(&mut value)),
                None,
            );
            assert_eq!(control, (STATUS_INVALID_PARAMETER, 0), "type {kind}");
        }
        assert_eq!(socket.ioctl(0x1234_5678, Some(0u64)), STATUS_NOT_SUPPORTED);
    });
    client.end();
}

#[test]
fn there_is_no_extension_to_register() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let id = GUID { Data1: 1, Data2: 2, Data3: 3, Data4: [4; 8] };
    each_category(&client, |socket| {
        let mut input = WSK_EXTENSION_CONTROL_IN { NpiId: &raw const id, ..zeroed() };
        let mut output: WSK_EXTENSION_CONTROL_OUT = zeroed();
        let mut register = |input_size: usize, output_size: usize| {
            let (input, output) = (bytes_of(&mut input).0, bytes_of(&mut output).0);
            let (input, output) = (Some((input, input_size)), Some((output, output_size)));
            socket.control_with(WskIoctl, 0, SIO_WSK_REGISTER_EXTENSION, input, output, std::ptr::null_mut())
        };
        assert_eq!(register(24, 16), STATUS_NOT_SUPPORTED);
        assert_eq!(register(23, 16), STATUS_INVALID_PARAMETER);
        assert_eq!(register(24, 15), STATUS_BUFFER_TOO_SMALL);
        input.NpiId = std::ptr::null();
        let (input, output) = (Some(bytes_of(&mut input)), Some(bytes_of(&mut output)));
        let nameless =
            socket.control_with(WskIoctl, 0, SIO_WSK_REGISTER_EXTENSION, input, output, std::ptr::null_mut());
        assert_eq!(nameless, STATUS_INVALID_PARAMETER);
    });
    client.end();
}

#[test]
fn the_level_of_an_io_control_is_ignored() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let mut address = SOCKADDR_INET::from(LOCALHOST);
        let input = Some(bytes_of(&mut address));
        let set = socket.control(WskIoctl, 0x1234, SIO_WSK_SET_REMOTE_ADDRESS, input, None);
        assert_eq!(set, (STATUS_SUCCESS, 0), "{transport:?}");
        socket.close();
        client.end();
    }
}

#[test]
fn a_fixed_address_is_one_of_the_sockets_family_after_bind_and_of_datagrams_only() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let unbound = Socket::open(&client, true);
    let address = SOCKADDR_INET::from(LOCALHOST);
    for code in [SIO_WSK_SET_REMOTE_ADDRESS, SIO_WSK_SET_SENDTO_ADDRESS] {
        assert_eq!(unbound.ioctl(code, Some(address)), STATUS_INVALID_DEVICE_STATE);
    }
    unbound.close();
    each_category(&client, |socket| {
        for code in [SIO_WSK_SET_REMOTE_ADDRESS, SIO_WSK_SET_SENDTO_ADDRESS] {
            let status = socket.ioctl(code, Some(address));
            if status == STATUS_NOT_SUPPORTED {
                continue;
            }
            assert_eq!(status, STATUS_SUCCESS, "of the datagram socket");
            assert_eq!(socket.ioctl::<u8>(code, None), STATUS_SUCCESS, "cleared");
            assert_eq!(socket.ioctl(code, Some(0u64)), STATUS_INVALID_PARAMETER, "too short");
            let other = SOCKADDR_INET::from(crate::raw::LOCALHOST_V6);
            assert_eq!(socket.ioctl(code, Some(other)), STATUS_INVALID_PARAMETER, "of another family");
        }
    });
    client.end();
}

#[test]
fn questions_about_a_connection_need_one() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let queries =
        [SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, SIO_WSK_QUERY_RECEIVE_BACKLOG, SIO_WSK_SET_TCP_SILENT_MODE];
    let ask = |socket: &Socket, code| {
        let mut answer = 0usize;
        socket.control(WskIoctl, 0, code, None, Some(bytes_of(&mut answer)))
    };
    let bound = Stream::bound(&client);
    let (listener, datagram) = (Stream::listening(&client), Socket::bound(&client, LOCALHOST));
    for code in queries {
        assert_eq!(ask(&bound, code), (STATUS_INVALID_DEVICE_STATE, 0), "code {code:x}");
        assert_eq!(ask(&listener, code), (STATUS_NOT_SUPPORTED, 0), "code {code:x}");
        assert_eq!(ask(&datagram, code), (STATUS_NOT_SUPPORTED, 0), "code {code:x}");
    }
    let mut id = [0u64; 2];
    for socket in [&*bound, &*listener, &datagram] {
        let output = Some(bytes_of(&mut id));
        let status =
            socket.control_with(WskIoctl, 0, SIO_WSK_QUERY_INSPECT_ID, None, output, std::ptr::null_mut());
        assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST);
    }
    bound.close();
    listener.close();
    datagram.close();

    let (connection, peer) = Stream::pair(&client);
    assert_eq!(ask(&connection, SIO_WSK_QUERY_IDEAL_SEND_BACKLOG), (STATUS_SUCCESS, 8));
    // Its documentation: not supported on loopback.
    assert_eq!(ask(&connection, SIO_WSK_SET_TCP_SILENT_MODE), (STATUS_NOT_SUPPORTED, 0));
    let short = connection.control(WskIoctl, 0, SIO_WSK_QUERY_RECEIVE_BACKLOG, None, None);
    assert_eq!(short, (STATUS_BUFFER_TOO_SMALL, 0));
    drop(peer);
    connection.close();
    client.end();
}

#[test]
fn the_receive_backlog_is_what_has_come_and_nobody_took() {
    use std::io::Write;

    for transport in [Transport::Os, Transport::Portable] {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let (connection, mut peer) = Stream::pair(&client);
        let backlog = || {
            let mut bytes = 0usize;
            let code = SIO_WSK_QUERY_RECEIVE_BACKLOG;
            let answer = connection.control(WskIoctl, 0, code, None, Some(bytes_of(&mut bytes)));
            assert_eq!(answer, (STATUS_SUCCESS, 8));
            bytes
        };
        assert_eq!(backlog(), 0);
        peer.write_all(&[7; 5000]).unwrap();
        crate::raw::eventually("the data did not come", || backlog() == 5000);
        assert_eq!(connection.receive(&[2000], 0).1.len(), 2000);
        assert_eq!(backlog(), 3000);
        drop(peer);
        connection.close();
        client.end();
    }
}

#[test]
fn keep_alive_times_come_in_milliseconds() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, _peer) = Stream::pair(&client);
    let probes = tcp_keepalive { onoff: 1, keepalivetime: 1500, keepaliveinterval: 250 };
    assert_eq!(connection.ioctl(SIO_KEEPALIVE_VALS, Some(probes)), STATUS_SUCCESS);
    assert_eq!(connection.get(SOL_SOCKET, SO_KEEPALIVE), Ok(1));
    assert_eq!(connection.get(IPPROTO_TCP, TCP_KEEPIDLE), Ok(2));
    assert_eq!(connection.get(IPPROTO_TCP, TCP_KEEPINTVL), Ok(1));
    let off = tcp_keepalive::default();
    assert_eq!(connection.ioctl(SIO_KEEPALIVE_VALS, Some(off)), STATUS_SUCCESS);
    assert_eq!(connection.get(SOL_SOCKET, SO_KEEPALIVE), Ok(0));
    assert_eq!(connection.ioctl(SIO_KEEPALIVE_VALS, Some(1u64)), STATUS_INVALID_PARAMETER, "too short");
    connection.close();
    let datagram = Socket::bound(&client, LOCALHOST);
    assert_eq!(datagram.ioctl(SIO_KEEPALIVE_VALS, Some(probes)), STATUS_NOT_SUPPORTED);
    datagram.close();
    client.end();
}

#[test]
fn scaling_is_on_when_a_socket_has_several_workers() {
    for workers in [1, 2] {
        let kernel = with(ProviderConfig { workers, ..ProviderConfig::default() });
        let client = Client::new(&kernel);
        let probe = basic(&client, AF_INET, true);
        let mut info = RSS_SCALABILITY_INFO { RssEnabled: 7 };
        let answer =
            probe.control(WskIoctl, 0, SIO_QUERY_RSS_SCALABILITY_INFO, None, Some(bytes_of(&mut info)));
        assert_eq!(answer, (STATUS_SUCCESS, 1));
        let several = workers > 1 && cfg!(target_os = "linux");
        assert_eq!(info.RssEnabled, u8::from(several));
        probe.close();
        let socket = Socket::bound(&client, LOCALHOST);
        let mut affinity = SOCKET_PROCESSOR_AFFINITY { NumaNodeId: 7, ..Default::default() };
        let code = SIO_QUERY_RSS_PROCESSOR_INFO;
        let mut ask = || socket.control(WskIoctl, 0, code, None, Some(bytes_of(&mut affinity)));
        assert_eq!(ask(), (STATUS_INVALID_DEVICE_STATE, 0), "of which remote address");
        let remote = SOCKADDR_INET::from(socket.local());
        assert_eq!(socket.ioctl(SIO_WSK_SET_REMOTE_ADDRESS, Some(remote)), STATUS_SUCCESS);
        let known = if several { (STATUS_NOT_SUPPORTED, 0) } else { (STATUS_SUCCESS, 8) };
        assert_eq!(ask(), known);
        socket.close();
        client.end();
    }
}
