//! Rules of sharing transport addresses: the table of WSK's documentation, over UDP and TCP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use skua_engine::abi::nt::{FILE_ALL_ACCESS, GENERIC_READ};
use skua_engine::abi::sockaddr::{
    AF_INET, AF_INET6, IP_ADD_MEMBERSHIP, IPPROTO_IP, IPPROTO_IPV6, IPV6_V6ONLY, SO_EXCLUSIVEADDRUSE,
    SO_REUSEADDR, SOL_SOCKET,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_LISTEN_SOCKET};
use skua_hosted::{HostKernel, Sid, Token, Transport};

use crate::raw::security::Descriptor;
use crate::raw::socket::{Arguments, Socket};
use crate::raw::stream::{Stream, arguments};
use crate::raw::{Client, LOCALHOST, TRANSPORTS, eventually, kernel};

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OK: NTSTATUS = STATUS_SUCCESS;
const USED: NTSTATUS = STATUS_ADDRESS_ALREADY_EXISTS;
const DENIED: NTSTATUS = STATUS_ACCESS_DENIED;

/// What a socket asks for, and where it is bound.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kind {
    option: Option<u32>,
    address: IpAddr,
}

const KINDS: [Kind; 6] = [
    Kind { option: None, address: ANY },
    Kind { option: None, address: HERE },
    Kind { option: Some(SO_REUSEADDR), address: ANY },
    Kind { option: Some(SO_REUSEADDR), address: HERE },
    Kind { option: Some(SO_EXCLUSIVEADDRUSE), address: ANY },
    Kind { option: Some(SO_EXCLUSIVEADDRUSE), address: HERE },
];

/// The table; a check is `None`. Rows: the second socket. Columns: the first.
const TABLE: [[Option<NTSTATUS>; 6]; 6] = [
    [Some(USED), Some(OK), Some(USED), Some(OK), Some(USED), Some(OK)],
    [None, Some(USED), None, Some(DENIED), Some(DENIED), Some(USED)],
    [Some(DENIED), Some(OK), Some(OK), Some(OK), Some(DENIED), Some(OK)],
    [None, Some(DENIED), Some(OK), Some(OK), Some(DENIED), Some(DENIED)],
    [Some(USED), Some(USED), Some(USED), Some(USED), Some(USED), Some(USED)],
    [None, Some(USED), None, Some(USED), Some(DENIED), Some(USED)],
];

/// A socket over UDP or TCP, of any category that binds.
enum Any {
    Datagram(Socket),
    Stream(Stream),
}

impl Any {
    fn open(client: &Client, flags: Option<u32>, kind: Kind) -> Self {
        let is_v4 = kind.address.is_ipv4();
        let any = match flags {
            None => Self::Datagram(Socket::open(client, is_v4)),
            Some(flags) => Self::Stream(Stream::open(client, flags, is_v4)),
        };
        if let Some(option) = kind.option {
            assert_eq!(any.socket().set(SOL_SOCKET, option, 1u32), STATUS_SUCCESS);
        }
        any
    }

    fn socket(&self) -> &Socket {
        match self {
            Self::Datagram(socket) => socket,
            Self::Stream(stream) => stream,
        }
    }

    fn bind(&self, local: SocketAddr) -> NTSTATUS {
        match self {
            Self::Datagram(socket) => socket.bind(local),
            Self::Stream(stream) => stream.bind(local),
        }
    }

    fn local(&self) -> SocketAddr {
        match self {
            Self::Datagram(socket) => socket.local(),
            Self::Stream(stream) if stream.listens() => stream.listens_at(),
            Self::Stream(stream) => stream.local_address().unwrap(),
        }
    }

    fn close(self) {
        match self {
            Self::Datagram(socket) => socket.close(),
            Self::Stream(stream) => stream.close(),
        }
    }
}

/// Binds a first and a second socket of `kinds` to one port, and says how the second fared. An address that is in use is
/// tried at other ports too: another program may have that one.
fn second(client: &Client, flags: Option<u32>, kinds: [Kind; 2], security: usize) -> NTSTATUS {
    let mut tried = (0..8).map(|_| second_once(client, flags, kinds, security));
    tried.find(|status| *status != USED).unwrap_or(USED)
}

fn second_once(client: &Client, flags: Option<u32>, [first, second]: [Kind; 2], security: usize) -> NTSTATUS {
    let one = Any::open(client, flags, first);
    if security != 0 {
        let set = one.socket().set(SOL_SOCKET, skua_engine::abi::wsk::SO_WSK_SECURITY, security);
        assert_eq!(set, STATUS_SUCCESS);
    }
    assert_eq!(one.bind(SocketAddr::new(first.address, 0)), STATUS_SUCCESS);
    let two = Any::open(client, flags, second);
    let status = two.bind(SocketAddr::new(second.address, one.local().port()));
    one.close();
    two.close();
    status
}

#[test]
fn two_sockets_share_an_address_as_the_table_says() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let grants = client.cache(&Descriptor::new(None, None)).unwrap();
        let grants_nobody = client.cache(&Descriptor::new(None, Some(&[]))).unwrap();
        let categories = [None, Some(WSK_FLAG_LISTEN_SOCKET), Some(WSK_FLAG_CONNECTION_SOCKET)];
        // Wine 8 shares no address over TCP that is listened at.
        let by_wine = cfg!(windows) && transport != Transport::Loopback;
        for flags in if by_wine { &categories[..1] } else { &categories } {
            for (row, second_kind) in KINDS.into_iter().enumerate() {
                for (column, first_kind) in KINDS.into_iter().enumerate() {
                    let kinds = [first_kind, second_kind];
                    let what = format!("{transport:?} {flags:?} {kinds:?}");
                    let of = |security: usize| second(&client, *flags, kinds, security);
                    match TABLE[row][column] {
                        Some(expected) => assert_eq!(of(grants.addr()), expected, "{what}"),
                        None => {
                            assert_eq!(of(0), DENIED, "{what}: the default shares with nobody");
                            assert_eq!(of(grants.addr()), OK, "{what}");
                            assert_eq!(of(grants_nobody.addr()), DENIED, "{what}");
                        }
                    }
                }
            }
        }
        assert_eq!(client.release_descriptor(grants), OK);
        assert_eq!(client.release_descriptor(grants_nobody), OK);
        client.end();
    }
}

/// Opens a datagram socket for `owner` and binds it to the loopback address at `port`.
fn bind_as(client: &Client, owner: Owner<'_>, port: u16) -> NTSTATUS {
    let mut arguments = Arguments::datagram(AF_INET);
    (arguments.process, arguments.thread) = owner;
    let raw = arguments.create(client).unwrap();
    let socket = Socket { kernel: client.kernel.clone(), raw, recorder: std::sync::Arc::default() };
    let status = socket.bind(SocketAddr::new(HERE, port));
    socket.close();
    status
}

type Owner<'a> = (*mut skua_engine::abi::nt::EPROCESS, *mut skua_engine::abi::nt::ETHREAD);

#[test]
fn the_check_is_of_the_second_sockets_owner_against_the_first_ones_descriptor() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let alice = Sid::new(5, &[21, 1, 2, 3, 1001]).unwrap();
    let staff = Sid::new(5, &[21, 1, 2, 3, 2000]).unwrap();
    let list = [
        (false, FILE_ALL_ACCESS, Sid::ADMINISTRATORS),
        (true, FILE_ALL_ACCESS, alice),
        (true, GENERIC_READ, Sid::EVERYONE),
        (true, FILE_ALL_ACCESS, staff),
    ];
    let cached = client.cache(&Descriptor::new(Some(Sid::LOCAL_SYSTEM), Some(&list))).unwrap();
    let raw = Arguments { security: cached, ..Arguments::datagram(AF_INET) }.create(&client).unwrap();
    let first = Socket { kernel: kernel.clone(), raw, recorder: std::sync::Arc::default() };
    assert_eq!(client.release_descriptor(cached), OK, "the socket has its own");
    assert_eq!(first.bind(SocketAddr::new(ANY, 0)), OK);
    let port = first.local().port();
    let process = |token| kernel.create_process(token);
    let of_alice = process(Token::new(alice));
    let of_bob = process(Token::new(Sid::LOCAL_SERVICE));
    let of_staff = process(Token::new(Sid::LOCAL_SERVICE).with_group(staff));
    let of_admin = process(Token::new(alice).with_group(Sid::ADMINISTRATORS));
    for (process, expected) in [(&of_alice, OK), (&of_bob, DENIED), (&of_staff, OK), (&of_admin, DENIED)] {
        assert_eq!(bind_as(&client, (process.as_ptr(), std::ptr::null_mut()), port), expected, "{process:?}");
        // Null is the current process.
        let attached = kernel.attach_process(process);
        assert_eq!(
            bind_as(&client, (std::ptr::null_mut(), std::ptr::null_mut()), port),
            expected,
            "attached to {process:?}"
        );
        drop(attached);
    }
    assert_eq!(
        bind_as(&client, (std::ptr::null_mut(), std::ptr::null_mut()), port),
        DENIED,
        "the system is an administrator"
    );
    // A thread counts while it impersonates, and only if it is named.
    let thread = kernel.ps_get_current_thread();
    let impersonating = kernel.impersonate(Token::new(alice));
    assert_eq!(bind_as(&client, (of_bob.as_ptr(), thread), port), OK);
    assert_eq!(bind_as(&client, (of_bob.as_ptr(), std::ptr::null_mut()), port), DENIED);
    drop(impersonating);
    assert_eq!(bind_as(&client, (of_bob.as_ptr(), thread), port), DENIED);
    first.close();
    client.end();
}

#[test]
fn a_connection_that_is_created_in_one_call_is_checked_too() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let peer = TcpListener::bind(LOCALHOST).unwrap();
    let everyone = [(true, FILE_ALL_ACCESS, Sid::LOCAL_SERVICE)];
    let cached = client.cache(&Descriptor::new(None, Some(&everyone))).unwrap();
    let first = Stream::open(&client, WSK_FLAG_CONNECTION_SOCKET, true);
    let set = first.set(SOL_SOCKET, skua_engine::abi::wsk::SO_WSK_SECURITY, cached.addr());
    assert_eq!(set, OK);
    assert_eq!(first.bind(SocketAddr::new(ANY, 0)), OK);
    let local = SocketAddr::new(HERE, first.local_address().unwrap().port());
    let connect = |process: *mut skua_engine::abi::nt::EPROCESS| {
        socket_connect(&kernel, &client, process, local, peer.local_addr().unwrap())
    };
    assert_eq!(connect(std::ptr::null_mut()).err(), Some(DENIED));
    let service = kernel.create_process(Token::new(Sid::LOCAL_SERVICE));
    let second = connect(service.as_ptr()).unwrap();
    assert_eq!(peer.accept().unwrap().1, local);
    second.close();
    first.close();
    assert_eq!(client.release_descriptor(cached), OK);
    client.end();
}

fn socket_connect(
    kernel: &HostKernel,
    client: &Client,
    process: *mut skua_engine::abi::nt::EPROCESS,
    local: SocketAddr,
    remote: SocketAddr,
) -> Result<Socket, NTSTATUS> {
    use skua_engine::abi::sockaddr::SOCKADDR_INET;
    let tape = crate::raw::events::Tape::new(kernel);
    let arguments = arguments(AF_INET, WSK_FLAG_CONNECTION_SOCKET, &tape);
    let (mut local, mut remote) = (SOCKADDR_INET::from(local), SOCKADDR_INET::from(remote));
    let call = client.dispatch().WskSocketConnect.unwrap();
    let (status, information) = crate::raw::Irp::new(kernel).run(|irp| {
        // SAFETY: a captured client; addresses and table outlive the request.
        unsafe {
            call(
                client.npi.Client,
                arguments.socket_type,
                arguments.protocol,
                local.as_mut_ptr(),
                remote.as_mut_ptr(),
                0,
                std::ptr::null_mut(),
                std::ptr::null(),
                process,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                irp,
            )
        }
    });
    if status == OK {
        let raw = std::ptr::with_exposed_provenance_mut(information);
        Ok(Socket { kernel: kernel.clone(), raw, recorder: std::sync::Arc::default() })
    } else {
        Err(status)
    }
}

#[test]
fn different_addresses_and_transports_and_families_never_meet() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let exclusive = |address| Kind { option: Some(SO_EXCLUSIVEADDRUSE), address };
    let first = Any::open(&client, None, exclusive(HERE));
    assert_eq!(first.bind(SocketAddr::new(HERE, 0)), OK);
    let port = first.local().port();
    let mut others = Vec::new();
    for (flags, address) in [
        (None, IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))),
        (None, IpAddr::V6(Ipv6Addr::LOCALHOST)),
        (Some(WSK_FLAG_LISTEN_SOCKET), HERE),
    ] {
        let other = Any::open(&client, flags, exclusive(address));
        assert_eq!(other.bind(SocketAddr::new(address, port)), OK, "{address}");
        others.push(other);
    }
    // A socket of both families meets those of either.
    let both = Socket::open(&client, false);
    assert_eq!(both.set(IPPROTO_IPV6, IPV6_V6ONLY, 0u32), OK);
    assert_eq!(both.set(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1u32), OK);
    assert_eq!(both.bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)), USED);
    both.close();
    others.into_iter().for_each(Any::close);
    first.close();
    client.end();
}

#[test]
fn an_address_is_free_again_when_its_socket_is_closed() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let exclusive = Kind { option: Some(SO_EXCLUSIVEADDRUSE), address: HERE };
        let first = Any::open(&client, None, exclusive);
        assert_eq!(first.bind(LOCALHOST), OK);
        let local = first.local();
        first.close();
        let second = Any::open(&client, None, exclusive);
        assert_eq!(second.bind(local), OK, "{transport:?}");
        second.close();
        client.end();
    }
}

#[test]
fn what_another_program_has_is_in_use_and_what_a_socket_has_is_in_use_to_other_programs() {
    for transport in [Transport::Os, Transport::Portable] {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let udp = UdpSocket::bind(LOCALHOST).unwrap();
        let tcp = TcpListener::bind(LOCALHOST).unwrap();
        for kind in KINDS {
            for (flags, port) in [
                (None, udp.local_addr().unwrap().port()),
                (Some(WSK_FLAG_LISTEN_SOCKET), tcp.local_addr().unwrap().port()),
            ] {
                let socket = Any::open(&client, flags, kind);
                assert_eq!(socket.bind(SocketAddr::new(kind.address, port)), USED, "{transport:?} {kind:?}");
                socket.close();
            }
        }
        let own = Any::open(&client, None, KINDS[1]);
        assert_eq!(own.bind(LOCALHOST), OK);
        assert!(UdpSocket::bind(own.local()).is_err());
        own.close();
        client.end();
    }
}

#[test]
fn a_datagram_goes_to_one_of_those_who_share_its_address_and_the_specific_comes_first() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let open = |address: IpAddr, port| {
            let socket = Socket::open(&client, true);
            assert_eq!(socket.set(SOL_SOCKET, SO_REUSEADDR, 1u32), OK);
            assert_eq!(socket.bind(SocketAddr::new(address, port)), OK);
            socket
        };
        let wildcard = open(ANY, 0);
        let port = wildcard.local().port();
        let specific = [open(HERE, port), open(HERE, port)];
        let sender = Socket::bound(&client, LOCALHOST);
        for _ in 0..20 {
            sender.deliver(SocketAddr::new(HERE, port), b"to one");
        }
        let count = || specific.iter().map(|socket| socket.recorder.count()).sum::<usize>();
        eventually("they arrive", || count() >= 20);
        assert_eq!((count(), wildcard.recorder.count()), (20, 0), "{transport:?}");
        specific.into_iter().for_each(Socket::close);
        sender.deliver(SocketAddr::new(HERE, port), b"to what is left");
        wildcard.recorder.wait_for(1);
        wildcard.close();
        sender.close();
        client.end();
    }
}

#[test]
fn a_multicast_goes_to_all_who_share_its_address_and_have_joined() {
    let group = Ipv4Addr::new(239, 255, 41, 7);
    for transport in [Transport::Os, Transport::Loopback] {
        let kernel = kernel(transport);
        let client = Client::with_static_events(&kernel);
        let open = |port| {
            let socket = Socket::open(&client, true);
            assert_eq!(socket.set(SOL_SOCKET, SO_REUSEADDR, 1u32), OK);
            assert_eq!(socket.bind(SocketAddr::new(ANY, port)), OK);
            let [a, b, c, d] = group.octets();
            let request = [a, b, c, d, 127, 0, 0, 1];
            assert_eq!(socket.set(IPPROTO_IP, IP_ADD_MEMBERSHIP, request), OK, "{transport:?}");
            socket
        };
        let first = open(0);
        let port = first.local().port();
        let second = open(port);
        let sender = Socket::bound(&client, LOCALHOST);
        let interface = [127u8, 0, 0, 1];
        assert_eq!(sender.set(IPPROTO_IP, skua_engine::abi::sockaddr::IP_MULTICAST_IF, interface), OK);
        sender.deliver(SocketAddr::new(group.into(), port), b"to all");
        for socket in [&first, &second] {
            socket.recorder.wait_for(1);
        }
        for socket in [first, second, sender] {
            assert!(socket.recorder.count() <= 1, "once each");
            socket.close();
        }
        client.end();
    }
}

#[test]
fn the_default_descriptor_of_a_family_is_no_descriptor() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    for family in [AF_INET, AF_INET6] {
        let local: SocketAddr =
            if family == AF_INET { SocketAddr::new(ANY, 0) } else { "[::]:0".parse().unwrap() };
        let first = Socket::open(&client, family == AF_INET);
        assert_eq!(first.bind(local), OK);
        let second = Socket::open(&client, family == AF_INET);
        let specific = if family == AF_INET { HERE } else { Ipv6Addr::LOCALHOST.into() };
        assert_eq!(second.bind(SocketAddr::new(specific, first.local().port())), DENIED);
        second.close();
        first.close();
    }
    client.end();
}
