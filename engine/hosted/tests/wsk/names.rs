//! Rules of name resolution, with names that need no network: numbers, localhost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use skua_engine::Kernel;
use skua_engine::abi::nt::{EPROCESS, ETHREAD, GUID, UNICODE_STRING};
use skua_engine::abi::sockaddr::{
    AF_INET, AF_INET6, IPPROTO_UDP, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOCKADDR_INET,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED, STATUS_DEVICE_NOT_READY, STATUS_INVALID_PARAMETER,
    STATUS_NO_MATCH, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    ADDRINFOEXW, AI_CANONNAME, AI_FQDN, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE, NI_DGRAM, NI_NAMEREQD,
    NI_NUMERICHOST, NI_NUMERICSERV,
};
use skua_engine::abi::zeroed;
use skua_hosted::{Token, Transport};

use crate::raw::{Client, Irp, LOCALHOST, LOCALHOST_V6, check, kernel, unverified};

/// A counted string over units of its own.
struct Text {
    units: Vec<u16>,
    string: UNICODE_STRING,
}

impl Text {
    fn of(text: &str) -> Self {
        Self::over(text.encode_utf16().collect())
    }

    fn over(mut units: Vec<u16>) -> Self {
        let bytes = u16::try_from(units.len() * 2).unwrap();
        let string = UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: units.as_mut_ptr() };
        Self { units, string }
    }

    /// Room for so many units, and two that are not to be touched.
    fn room(units: usize) -> Self {
        let mut text = Self::over(vec![0xffff; units + 2]);
        text.string.Length = 0;
        text.string.MaximumLength = u16::try_from(units * 2).unwrap();
        text
    }

    fn raw(&mut self) -> *mut UNICODE_STRING {
        &raw mut self.string
    }

    /// What it was filled with; the unit behind it is zero, and nothing else was touched.
    #[track_caller]
    fn filled(&self) -> String {
        let length = usize::from(self.string.Length / 2);
        assert_eq!(self.units[length], 0);
        assert!(self.units[length + 1..].iter().all(|unit| *unit == 0xffff));
        String::from_utf16(&self.units[..length]).unwrap()
    }
}

/// The arguments of WskGetAddressInfo.
struct Query {
    node: Option<Text>,
    service: Option<Text>,
    name_space: u32,
    provider: Option<GUID>,
    hints: Option<ADDRINFOEXW>,
    process: *mut EPROCESS,
    thread: *mut ETHREAD,
    result: *mut ADDRINFOEXW,
}

impl Query {
    fn new(node: Option<&str>, service: Option<&str>) -> Self {
        Self {
            node: node.map(Text::of),
            service: service.map(Text::of),
            name_space: 0,
            provider: None,
            hints: None,
            process: std::ptr::null_mut(),
            thread: std::ptr::null_mut(),
            result: std::ptr::null_mut(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut ADDRINFOEXW)) -> Self {
        let mut hints = self.hints.unwrap_or_else(zeroed);
        change(&mut hints);
        self.hints = Some(hints);
        self
    }

    fn flags(self, flags: i32) -> Self {
        self.with(|hints| hints.ai_flags = flags)
    }

    /// Hands the IRP over and returns what the call did.
    fn start(&mut self, client: &Client, irp: *mut skua_engine::abi::nt::IRP) -> NTSTATUS {
        fn raw<T>(value: Option<&mut T>) -> *mut T {
            value.map_or(std::ptr::null_mut(), std::ptr::from_mut)
        }
        let call = client.dispatch().WskGetAddressInfo.unwrap();
        let node = raw(self.node.as_mut().map(|text| &mut text.string));
        let service = raw(self.service.as_mut().map(|text| &mut text.string));
        let (provider, hints) = (raw(self.provider.as_mut()), raw(self.hints.as_mut()));
        let (process, thread) = (self.process, self.thread);
        // SAFETY: a captured client; what the arguments lead to outlives the request.
        unsafe {
            call(
                client.npi.Client,
                node,
                service,
                self.name_space,
                provider,
                hints,
                &raw mut self.result,
                process,
                thread,
                irp,
            )
        }
    }

    /// The status, which `IoStatus.Information` repeats.
    #[track_caller]
    fn status(mut self, client: &Client) -> NTSTATUS {
        let (status, information) = Irp::new(&client.kernel).run(|irp| self.start(client, irp));
        assert_eq!(information, status.to_bits() as usize);
        if status == STATUS_SUCCESS {
            free(client, self.result);
        }
        status
    }

    /// What was found, with the canonical name of the first.
    #[track_caller]
    fn found(mut self, client: &Client) -> (Vec<Found>, Option<String>) {
        let (status, _) = Irp::new(&client.kernel).run(|irp| self.start(client, irp));
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(client.kernel.outstanding().address_lists, 1);
        let mut found = Vec::new();
        let mut name = None;
        let mut at = self.result;
        while !at.is_null() {
            // SAFETY: an entry of the list.
            let entry = unsafe { at.read() };
            // SAFETY: its address.
            let address = unsafe { SOCKADDR_INET::read(entry.ai_addr) }.unwrap();
            assert_eq!((i32::from(address.family()), address.len()), (entry.ai_family, entry.ai_addrlen));
            assert!(entry.ai_canonname.is_null() || found.is_empty(), "only the first has a name");
            if !entry.ai_canonname.is_null() {
                // SAFETY: ends in zero.
                let unit = |index: usize| unsafe { entry.ai_canonname.wrapping_add(index).read() };
                let units: Vec<u16> = (0..).map(unit).take_while(|unit| *unit != 0).collect();
                name = Some(String::from_utf16(&units).unwrap());
            }
            found.push((address.to_socket_addr().unwrap(), entry.ai_socktype, entry.ai_protocol));
            at = entry.ai_next;
        }
        free(client, self.result);
        assert_eq!(client.kernel.outstanding().address_lists, 0);
        (found, name)
    }
}

/// Address, type of socket, protocol.
type Found = (SocketAddr, i32, i32);

fn free(client: &Client, list: *mut ADDRINFOEXW) {
    // SAFETY: a list of this client's, or null.
    unsafe { client.dispatch().WskFreeAddressInfo.unwrap()(client.npi.Client, list) };
}

#[test]
fn numbers_and_localhost_are_resolved_without_a_network() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let (found, name) = Query::new(Some("192.0.2.7"), Some("5140")).found(&client);
    assert_eq!((found, name), (vec![("192.0.2.7:5140".parse().unwrap(), 0, 0)], None));
    let (found, _) = Query::new(Some("fe80::1%1"), None).flags(AI_NUMERICHOST).found(&client);
    assert_eq!(found[0].0, "[fe80::1%1]:0".parse().unwrap());
    let (found, _) = Query::new(Some("localhost"), None).found(&client);
    assert!(found.iter().all(|(address, ..)| address.ip().is_loopback()));
    // A string that goes on behind its end.
    let mut units: Vec<u16> = "127.0.0.1".encode_utf16().collect();
    units.extend([0, 7]);
    let mut query = Query::new(None, None);
    query.node = Some(Text::over(units));
    assert_eq!(query.found(&client).0[0].0.ip(), LOCALHOST.ip());
    client.end();
}

#[test]
fn hints_choose_family_type_and_protocol() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    for (family, ip) in [(AF_INET, LOCALHOST.ip()), (AF_INET6, LOCALHOST_V6.ip())] {
        let query = Query::new(None, Some("9")).with(|hints| {
            hints.ai_family = family.into();
            hints.ai_socktype = SOCK_DGRAM.into();
            hints.ai_protocol = IPPROTO_UDP.cast_signed();
        });
        let expected = (SocketAddr::new(ip, 9), SOCK_DGRAM.into(), IPPROTO_UDP.cast_signed());
        assert_eq!(query.found(&client).0, [expected]);
    }
    // Passive is the wildcard; for either family there are two.
    let passive = Query::new(None, Some("9")).flags(AI_PASSIVE | AI_NUMERICSERV);
    let mut found: Vec<IpAddr> =
        passive.found(&client).0.into_iter().map(|(address, ..)| address.ip()).collect();
    found.sort();
    assert_eq!(found, [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)]);
    for (socket_type, protocol) in [(SOCK_STREAM, 6), (SOCK_RAW, 0)] {
        let query = Query::new(Some("::1"), None).with(|hints| {
            hints.ai_socktype = socket_type.into();
            hints.ai_protocol = protocol;
        });
        assert_eq!(query.found(&client).0[0].1, i32::from(socket_type));
    }
    client.end();
}

#[test]
fn a_canonical_name_comes_with_the_first_address() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let query = Query::new(Some("127.0.0.1"), None).flags(AI_CANONNAME | AI_NUMERICHOST);
    assert_eq!(query.found(&client).1.as_deref(), Some("127.0.0.1"));
    assert_eq!(Query::new(None, Some("9")).flags(AI_CANONNAME).status(&client), STATUS_INVALID_PARAMETER);
    let both = Query::new(Some("127.0.0.1"), None).flags(AI_CANONNAME | AI_FQDN);
    assert_eq!(both.status(&client), STATUS_INVALID_PARAMETER);
    client.end();
}

#[test]
fn what_there_is_none_of_is_no_match() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let no_match = |query: Query| assert_eq!(query.status(&client), STATUS_NO_MATCH);
    no_match(Query::new(None, None));
    no_match(Query::new(Some(""), Some("")));
    no_match(Query::new(Some("no-number"), None).flags(AI_NUMERICHOST));
    no_match(Query::new(Some("127.0.0.1"), Some("no-number")).flags(AI_NUMERICSERV));
    no_match(Query::new(Some("127.0.0.1"), Some("no-such-service-anywhere")));
    no_match(Query::new(Some("::1"), None).with(|hints| {
        hints.ai_family = AF_INET.into();
        hints.ai_flags = AI_NUMERICHOST;
    }));
    // Half a character.
    let mut half = Query::new(None, None);
    half.node = Some(Text::over(vec![0xd800]));
    no_match(half);
    // Name spaces and providers that there are not.
    let mut query = Query::new(Some("127.0.0.1"), None);
    query.name_space = 38;
    no_match(query);
    let mut query = Query::new(Some("127.0.0.1"), None);
    query.provider = Some(GUID { Data1: 1, ..GUID::default() });
    no_match(query);
    let mut query = Query::new(Some("127.0.0.1"), None);
    query.name_space = 12;
    query.provider = Some(GUID {
        Data1: 0x2205_9d40,
        Data2: 0x7e9c,
        Data3: 0x11cf,
        Data4: [0xae, 0x5a, 0, 0xaa, 0, 0xa7, 0x11, 0x2b],
    });
    assert_eq!(query.status(&client), STATUS_SUCCESS, "the domain name system has it");
    client.end();
}

#[test]
fn arguments_that_are_none_are_refused() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let number = || Query::new(Some("127.0.0.1"), None);
    let refused = |query: Query, expected| assert_eq!(query.status(&client), expected);
    let invalid = STATUS_INVALID_PARAMETER;
    // Strings.
    for (length, maximum) in [(3, 4), (6, 4)] {
        let mut query = number();
        if let Some(text) = &mut query.node {
            (text.string.Length, text.string.MaximumLength) = (length, maximum);
        }
        refused(query, invalid);
    }
    let mut query = number();
    if let Some(text) = &mut query.node {
        text.string.Buffer = std::ptr::null_mut();
    }
    refused(query, invalid);
    // Hints.
    refused(number().flags(0x1000), invalid);
    refused(number().with(|hints| hints.ai_addrlen = 16), invalid);
    refused(number().with(|hints| hints.ai_canonname = std::ptr::dangling_mut()), invalid);
    refused(number().with(|hints| hints.ai_next = std::ptr::dangling_mut()), invalid);
    refused(number().with(|hints| hints.ai_family = 9), STATUS_NOT_SUPPORTED);
    refused(number().with(|hints| hints.ai_family = -1), STATUS_NOT_SUPPORTED);
    refused(number().with(|hints| hints.ai_socktype = 9), STATUS_NOT_SUPPORTED);
    refused(
        number().with(|hints| {
            hints.ai_socktype = SOCK_STREAM.into();
            hints.ai_protocol = IPPROTO_UDP.cast_signed();
        }),
        STATUS_NOT_SUPPORTED,
    );
    // No IRP, and nowhere to put the result.
    assert_eq!(number().start(&client, std::ptr::null_mut()), invalid);
    let call = client.dispatch().WskGetAddressInfo.unwrap();
    let (none, mut node) = (std::ptr::null_mut(), Text::of("127.0.0.1"));
    let (status, _) = Irp::new(&kernel).run(|irp| {
        // SAFETY: a captured client.
        unsafe {
            call(
                client.npi.Client,
                node.raw(),
                none,
                0,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                irp,
            )
        }
    });
    assert_eq!(status, invalid);
    free(&client, std::ptr::null_mut());
    client.end();
}

#[test]
fn a_thread_owns_a_question_only_with_its_process_and_nobody_does_while_impersonating() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let process = kernel.create_process(Token::system());
    let ask = |process, thread| {
        let mut query = Query::new(Some("127.0.0.1"), None);
        (query.process, query.thread) = (process, thread);
        query.status(&client)
    };
    let (none, thread) = (std::ptr::null_mut(), kernel.ps_get_current_thread());
    assert_eq!(ask(none, thread), STATUS_INVALID_PARAMETER);
    assert_eq!(ask(process.as_ptr(), thread), STATUS_SUCCESS);
    let impersonating = kernel.impersonate(Token::system());
    assert_eq!(ask(process.as_ptr(), std::ptr::null_mut()), STATUS_INVALID_PARAMETER);
    assert_eq!(ask(process.as_ptr(), thread), STATUS_INVALID_PARAMETER);
    assert_eq!(ask(none, std::ptr::null_mut()), STATUS_SUCCESS, "on nobody's behalf");
    drop(impersonating);
    assert_eq!(ask(process.as_ptr(), std::ptr::null_mut()), STATUS_SUCCESS);
    client.end();
}

#[test]
fn a_resolution_that_is_cancelled_completes_once_and_leaves_nothing() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let mut cancelled = 0;
    for round in 0..300 {
        let mut irp = Irp::new(&kernel);
        let mut query = Query::new(Some("localhost"), Some("9"));
        if round == 0 {
            assert!(!irp.cancel());
        }
        let returned = query.start(&client, irp.raw());
        irp.cancel();
        let completion = irp.wait();
        check(returned, completion);
        match completion.status {
            Some(STATUS_CANCELLED) => {
                cancelled += 1;
                assert!(query.result.is_null());
                assert_eq!(completion.information, STATUS_CANCELLED.to_bits() as usize);
            }
            status => {
                assert_eq!((returned, status), (STATUS_PENDING, Some(STATUS_SUCCESS)));
                free(&client, query.result);
            }
        }
    }
    assert!(cancelled > 1, "not only the one that was cancelled before");
    assert_eq!(kernel.outstanding().address_lists, 0);
    client.end();
}

#[test]
fn a_list_that_is_not_freed_is_outstanding_and_deregistration_waits_for_what_is_asked() {
    let kernel = kernel(Transport::Loopback);
    let mut client = Client::new(&kernel);
    let mut irps: Vec<Irp> = (0..20).map(|_| Irp::new(&kernel)).collect();
    let mut queries: Vec<Query> =
        irps.iter().map(|_| Query::new(Some("no-number"), None).flags(AI_NUMERICHOST)).collect();
    for (query, irp) in queries.iter_mut().zip(&mut irps) {
        assert_eq!(query.start(&client, irp.raw()), STATUS_PENDING);
    }
    let mut kept = Query::new(Some("::1"), None);
    assert_eq!(Irp::new(&kernel).run(|irp| kept.start(&client, irp)).0, STATUS_SUCCESS);
    assert_eq!(kernel.outstanding().address_lists, 1);
    free(&client, kept.result);
    // SAFETY: pays for the client's capture.
    unsafe { kernel.wsk_release_provider_npi(&raw mut *client.registration) };
    // SAFETY: registered.
    unsafe { kernel.wsk_deregister(&raw mut *client.registration) };
    for irp in &irps {
        assert!(irp.is_complete());
        let completion = irp.wait();
        check(STATUS_PENDING, completion);
        assert_eq!(completion.status, Some(STATUS_NO_MATCH));
    }
    assert!(kernel.outstanding().is_empty(), "{:?}", kernel.outstanding());
}

#[test]
fn nothing_is_resolved_under_a_released_capture() {
    let kernel = unverified(Transport::Loopback);
    let mut client = Client::new(&kernel);
    // SAFETY: pays for the client's capture.
    unsafe { kernel.wsk_release_provider_npi(&raw mut *client.registration) };
    let mut query = Query::new(Some("127.0.0.1"), None);
    let (status, _) = Irp::new(&kernel).run(|irp| query.start(&client, irp));
    assert_eq!(status, STATUS_DEVICE_NOT_READY);
    // SAFETY: registered.
    unsafe { kernel.wsk_deregister(&raw mut *client.registration) };
}

/// WskGetNameInfo of `length` bytes of an address.
fn name_info(
    client: &Client,
    address: SocketAddr,
    length: u32,
    node: Option<&mut Text>,
    service: Option<&mut Text>,
    flags: u32,
) -> NTSTATUS {
    let mut address = SOCKADDR_INET::from(address);
    let raw = |text: Option<&mut Text>| text.map_or(std::ptr::null_mut(), Text::raw);
    let (node, service) = (raw(node), raw(service));
    let call = client.dispatch().WskGetNameInfo.unwrap();
    let none = std::ptr::null_mut();
    let (status, information) = Irp::new(&client.kernel).run(|irp| {
        // SAFETY: a captured client; address and strings outlive the request.
        unsafe {
            call(
                client.npi.Client,
                address.as_mut_ptr(),
                length,
                node,
                service,
                flags,
                none,
                std::ptr::null_mut(),
                irp,
            )
        }
    });
    assert_eq!(information, status.to_bits() as usize);
    status
}

const NUMERIC: u32 = NI_NUMERICHOST | NI_NUMERICSERV;

#[test]
fn an_address_is_told_as_text() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    for (address, length, host) in [
        (SocketAddr::new(Ipv4Addr::new(192, 0, 2, 7).into(), 5140), 16, "192.0.2.7"),
        ("[2001:db8::7]:5140".parse().unwrap(), 28, "2001:db8::7"),
    ] {
        let (mut node, mut service) = (Text::room(64), Text::room(16));
        let status = name_info(&client, address, length, Some(&mut node), Some(&mut service), NUMERIC);
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!((node.filled().as_str(), service.filled().as_str()), (host, "5140"));
        // Either alone, and an address in a larger place.
        let mut node = Text::room(host.len() + 1);
        assert_eq!(name_info(&client, address, 28, Some(&mut node), None, NUMERIC), STATUS_SUCCESS);
        assert_eq!(node.filled(), host);
        let mut service = Text::room(5);
        let status = name_info(&client, address, length, None, Some(&mut service), NUMERIC | NI_DGRAM);
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(service.filled(), "5140");
    }
    // By name, which every host has.
    let mut node = Text::room(256);
    let local = SocketAddr::new(LOCALHOST.ip(), 0);
    assert_eq!(name_info(&client, local, 16, Some(&mut node), None, NI_NAMEREQD), STATUS_SUCCESS);
    assert!(node.filled().parse::<IpAddr>().is_err(), "{}", node.filled());
    client.end();
}

#[test]
fn a_name_that_does_not_fit_is_refused_and_nothing_is_written() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let address = SocketAddr::new(Ipv4Addr::new(192, 0, 2, 7).into(), 5140);
    for (node_room, service_room) in [(9, 16), (64, 4), (0, 16)] {
        let (mut node, mut service) = (Text::room(node_room), Text::room(service_room));
        let status = name_info(&client, address, 16, Some(&mut node), Some(&mut service), NUMERIC);
        assert_eq!(status, STATUS_BUFFER_TOO_SMALL, "{node_room}, {service_room}");
        for text in [&node, &service] {
            assert_eq!(text.string.Length, 0);
            assert!(text.units.iter().all(|unit| *unit == 0xffff));
        }
    }
    client.end();
}

#[test]
fn names_need_an_address_of_its_length_and_a_place() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let invalid = STATUS_INVALID_PARAMETER;
    let v6: SocketAddr = "[::1]:1".parse().unwrap();
    let mut node = Text::room(64);
    for (address, length) in [(LOCALHOST, 0), (LOCALHOST, 15), (v6, 16), (v6, 27), (LOCALHOST, 129)] {
        let status = name_info(&client, address, length, Some(&mut node), None, NUMERIC);
        assert_eq!(status, invalid, "{address} {length}");
    }
    assert_eq!(name_info(&client, LOCALHOST, 16, None, None, NUMERIC), invalid);
    assert_eq!(name_info(&client, LOCALHOST, 16, Some(&mut node), None, 0x20), invalid);
    let mut nowhere = Text::room(4);
    nowhere.string.Buffer = std::ptr::null_mut();
    assert_eq!(name_info(&client, LOCALHOST, 16, Some(&mut nowhere), None, NUMERIC), invalid);
    assert_eq!(node.string.Length, 0);
    client.end();
}
