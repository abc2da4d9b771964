//! Rules of WskControlClient.

use std::ffi::c_void;

use skua_engine::Kernel;
use skua_engine::abi::nt::{IRP, SE_SELF_RELATIVE, SECURITY_DESCRIPTOR};
use skua_engine::abi::sockaddr::{
    AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SO_EXCLUSIVEADDRUSE, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM,
    SOL_SOCKET,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED, STATUS_DEVICE_NOT_READY,
    STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_INVALID_SECURITY_DESCR,
    STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, SO_WSK_SECURITY, WSK_CACHE_SD, WSK_EVENT_CALLBACK_CONTROL, WSK_RELEASE_SD,
    WSK_SET_STATIC_EVENT_CALLBACKS, WSK_TDI_BEHAVIOR, WSK_TDI_DEVICENAME_MAPPING, WSK_TDI_MAP,
    WSK_TDI_MAP_INFO, WSK_TRANSPORT, WSK_TRANSPORT_LIST_CHANGE, WSK_TRANSPORT_LIST_QUERY, WskGetOption,
};
use skua_engine::abi::zeroed;
use skua_hosted::{Sid, Transport};

use crate::raw::security::Descriptor;
use crate::raw::socket::{Arguments, Socket};
use crate::raw::{Client, Irp, LOCALHOST, bytes_of, check, unverified};

const NOBODY: *mut IRP = std::ptr::null_mut();

/// A buffer of a size at an address that nothing may be read from or written to.
fn buffer(size: usize) -> Option<(*mut c_void, usize)> {
    Some((std::ptr::dangling_mut::<u64>().cast(), size))
}

const NULL: *mut c_void = std::ptr::null_mut();

#[test]
fn every_code_but_the_list_change_is_inline_and_refuses_an_irp() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let mut word = 0u64;
    for code in [
        WSK_TRANSPORT_LIST_QUERY,
        WSK_CACHE_SD,
        WSK_RELEASE_SD,
        WSK_TDI_DEVICENAME_MAPPING,
        WSK_SET_STATIC_EVENT_CALLBACKS,
        WSK_TDI_BEHAVIOR,
        99,
    ] {
        let (status, _) =
            Irp::new(&kernel).run(|irp| client.control(code, Some(bytes_of(&mut word)), None, irp).0);
        assert_eq!(status, STATUS_INVALID_PARAMETER, "code {code}: refused, and completed as every IRP is");
    }
    assert_eq!(client.control(99, None, None, NOBODY).0, STATUS_INVALID_PARAMETER, "no such code");
    assert_eq!(client.control(WSK_TRANSPORT_LIST_CHANGE, None, None, NOBODY).0, STATUS_INVALID_PARAMETER);
    client.end();
}

#[test]
fn buffers_of_wrong_sizes_are_refused_before_they_are_touched() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let invalid = STATUS_INVALID_PARAMETER;
    let (none, eight) = (None, buffer(8));
    for (code, input, output, expected) in [
        (WSK_TRANSPORT_LIST_QUERY, eight, none, invalid),
        (WSK_TRANSPORT_LIST_QUERY, none, Some((NULL, 28)), invalid),
        (WSK_TRANSPORT_LIST_QUERY, none, buffer(28 * 2 - 1), STATUS_BUFFER_OVERFLOW),
        (WSK_CACHE_SD, none, eight, invalid),
        (WSK_CACHE_SD, Some((NULL, 8)), eight, invalid),
        (WSK_CACHE_SD, buffer(7), eight, invalid),
        (WSK_RELEASE_SD, none, none, invalid),
        (WSK_RELEASE_SD, buffer(7), none, invalid),
        (WSK_RELEASE_SD, eight, eight, invalid),
        (WSK_TDI_DEVICENAME_MAPPING, none, none, invalid),
        (WSK_TDI_DEVICENAME_MAPPING, buffer(15), none, invalid),
        (WSK_TDI_DEVICENAME_MAPPING, buffer(16), buffer(1), invalid),
        (WSK_SET_STATIC_EVENT_CALLBACKS, none, none, invalid),
        (WSK_SET_STATIC_EVENT_CALLBACKS, buffer(15), none, invalid),
        (WSK_SET_STATIC_EVENT_CALLBACKS, Some((NULL, 16)), none, invalid),
        (WSK_TDI_BEHAVIOR, none, none, invalid),
        (WSK_TDI_BEHAVIOR, buffer(3), none, invalid),
        (WSK_TDI_BEHAVIOR, buffer(4), buffer(4), invalid),
    ] {
        let (status, _) = client.control(code, input, output, NOBODY);
        assert_eq!(status, expected, "code {code}, {input:?}, {output:?}");
    }
    for (input, output) in [(eight, none), (none, eight), (Some((NULL, 1)), none)] {
        let (status, _) =
            Irp::new(&kernel).run(|irp| client.control(WSK_TRANSPORT_LIST_CHANGE, input, output, irp).0);
        assert_eq!(status, invalid);
    }
    client.end();
}

#[test]
fn static_events_are_a_mask_of_wsks_own_flags() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let set = |id, mask| {
        let mut control = WSK_EVENT_CALLBACK_CONTROL { NpiId: id, EventMask: mask };
        client.control(WSK_SET_STATIC_EVENT_CALLBACKS, Some(bytes_of(&mut control)), None, NOBODY).0
    };
    let other = skua_engine::abi::nt::GUID { Data1: 1, ..NPI_WSK_INTERFACE_ID };
    let own = &raw const NPI_WSK_INTERFACE_ID;
    assert_eq!(set(std::ptr::null(), 0x100), STATUS_INVALID_PARAMETER);
    assert_eq!(set(&raw const other, 0x100), STATUS_INVALID_PARAMETER);
    assert_eq!(set(own, 0x8000_0100), STATUS_INVALID_PARAMETER, "what is static cannot be disabled");
    assert_eq!(set(own, 0x1), STATUS_INVALID_PARAMETER, "no event");
    assert_eq!(set(own, 0x100), STATUS_SUCCESS);
    assert_eq!(set(own, 0x3d0 & !0x100), STATUS_SUCCESS, "of all categories at once, and more than once");
    client.end();
}

#[test]
fn a_tdi_map_names_devices_and_comes_before_sockets() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let name: Vec<u16> = "\\Device\\Udp\0".encode_utf16().collect();
    let empty = [0u16];
    let endless = vec![u16::from(b'x'); 40_000];
    let element = |name: *const u16| WSK_TDI_MAP {
        SocketType: SOCK_DGRAM,
        AddressFamily: 99,
        Protocol: IPPROTO_UDP,
        TdiDeviceName: name,
    };
    let map = |count: u32, elements: &[WSK_TDI_MAP]| {
        let first = if elements.is_empty() { std::ptr::null() } else { elements.as_ptr() };
        let mut info = WSK_TDI_MAP_INFO { ElementCount: count, Map: first };
        client.control(WSK_TDI_DEVICENAME_MAPPING, Some(bytes_of(&mut info)), None, NOBODY).0
    };
    let good = element(name.as_ptr());
    assert_eq!(map(0, &[good]), STATUS_INVALID_PARAMETER);
    assert_eq!(map(1, &[]), STATUS_INVALID_PARAMETER);
    for bad in [std::ptr::null(), empty.as_ptr(), endless.as_ptr()] {
        assert_eq!(map(2, &[good, element(bad)]), STATUS_INVALID_PARAMETER);
    }
    assert_eq!(map(2, &[good, good]), STATUS_SUCCESS);
    // There is no such device.
    let mapped = Arguments { family: 99, ..Arguments::datagram(AF_INET) };
    assert_eq!(mapped.create(&client), Err(STATUS_INVALID_PARAMETER));
    let socket = Socket::open(&client, true);
    assert_eq!(map(1, &[good]), STATUS_INVALID_DEVICE_STATE);
    socket.close();
    assert_eq!(map(1, &[good]), STATUS_INVALID_DEVICE_STATE, "for good");
    client.end();
}

#[test]
fn a_cached_descriptor_is_a_self_relative_copy() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let entries = [(true, 0x1234, Sid::EVERYONE), (false, 7, Sid::ADMINISTRATORS)];
    let relative = Descriptor::new(Some(Sid::LOCAL_SYSTEM), Some(&entries));
    // The same in absolute form.
    let bytes: Vec<u8> = relative.words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let (mut owner, mut dacl) = (bytes[20..32].to_vec(), bytes[32..].to_vec());
    let mut absolute: SECURITY_DESCRIPTOR = zeroed();
    absolute.Revision = 1;
    absolute.Control = 4;
    absolute.Owner = owner.as_mut_ptr().cast();
    absolute.Dacl = dacl.as_mut_ptr().cast();
    let mut own: *mut c_void = (&raw mut absolute).cast();
    let mut cached = NULL;
    let (input, output) = (Some(bytes_of(&mut own)), Some(bytes_of(&mut cached)));
    assert_eq!(client.control(WSK_CACHE_SD, input, output, NOBODY), (STATUS_SUCCESS, 8));
    let copies = [cached, client.cache(&relative).unwrap()];
    // Gone: the copies are copies.
    owner.fill(0xff);
    dacl.fill(0xff);
    drop(relative);
    assert_eq!(kernel.outstanding().descriptors, 2);
    for copy in copies {
        // SAFETY: cached, and as long as what was cached.
        let copied = unsafe { std::slice::from_raw_parts(copy.cast::<u8>(), bytes.len()) };
        assert_eq!(u16::from_le_bytes([copied[2], copied[3]]), SE_SELF_RELATIVE | 4);
        let used = 20 + 12 + 8 + 20 + 24;
        assert_eq!(copied[..used], bytes[..used]);
        assert_eq!(client.release_descriptor(copy), STATUS_SUCCESS);
        assert_eq!(client.release_descriptor(copy), STATUS_INVALID_PARAMETER, "once");
    }
    assert_eq!(kernel.outstanding().descriptors, 0);
    client.end();
}

#[test]
fn what_is_no_descriptor_is_not_cached() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let good = Descriptor::new(Some(Sid::LOCAL_SYSTEM), Some(&[(true, 1, Sid::EVERYONE)]));
    // Its revision, where its owner is, the owner's revision, the list's revision.
    for (at, value) in [(0, 0), (4, 1), (20, 9), (32, 0)] {
        let mut bad = Descriptor { words: good.words.clone() };
        bad.words.extend([0; 16]);
        let shift = at % 8 * 8;
        let word = &mut bad.words[at / 8];
        *word = *word & !(0xff << shift) | value << shift;
        assert_eq!(client.cache(&bad), Err(STATUS_INVALID_SECURITY_DESCR), "byte {at}");
    }
    let mut null = NULL;
    let mut cached = NULL;
    let (input, output) = (Some(bytes_of(&mut null)), Some(bytes_of(&mut cached)));
    assert_eq!(client.control(WSK_CACHE_SD, input, output, NOBODY).0, STATUS_INVALID_PARAMETER);
    // Without room the answer is how much is needed, and nothing is cached.
    let mut own = good.as_ptr();
    let input = Some(bytes_of(&mut own));
    assert_eq!(client.control(WSK_CACHE_SD, input, None, NOBODY), (STATUS_BUFFER_OVERFLOW, 8));
    assert_eq!(client.control(WSK_CACHE_SD, input, buffer(7), NOBODY), (STATUS_BUFFER_OVERFLOW, 8));
    assert_eq!(kernel.outstanding().descriptors, 0);
    client.end();
}

#[test]
fn a_socket_keeps_its_descriptor_and_each_read_of_it_owes_a_release() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let cached = client.cache(&Descriptor::new(None, None)).unwrap();
    let socket = Socket::open(&client, true);
    let get = |output| socket.control(WskGetOption, SOL_SOCKET, SO_WSK_SECURITY, None, output);
    let mut read = 1usize;
    assert_eq!((get(Some(bytes_of(&mut read))), read), ((STATUS_SUCCESS, 8), 0), "the default is none");
    assert_eq!(kernel.outstanding().descriptors, 1);
    assert_eq!(socket.set(SOL_SOCKET, SO_WSK_SECURITY, cached.addr()), STATUS_SUCCESS);
    assert_eq!(client.release_descriptor(cached), STATUS_SUCCESS);
    assert_eq!(kernel.outstanding().descriptors, 0, "the socket's own is nothing that the client owes");
    assert_eq!(get(None).0, STATUS_BUFFER_TOO_SMALL);
    assert_eq!(kernel.outstanding().descriptors, 0);
    assert_eq!((get(Some(bytes_of(&mut read))), read), ((STATUS_SUCCESS, 8), cached.addr()));
    assert_eq!(kernel.outstanding().descriptors, 1);
    socket.close();
    assert_eq!(client.release_descriptor(cached), STATUS_SUCCESS);
    client.end();
}

fn list(client: &Client) -> Vec<(u16, u16, u32)> {
    let mut list: [WSK_TRANSPORT; 8] = [zeroed(); 8];
    let (status, size) = client.control(WSK_TRANSPORT_LIST_QUERY, None, Some(bytes_of(&mut list)), NOBODY);
    assert_eq!(status, STATUS_SUCCESS);
    let seen = list[..size / size_of::<WSK_TRANSPORT>()].iter();
    seen.map(|entry| (entry.AddressFamily, entry.SocketType, entry.Protocol)).collect()
}

#[test]
fn a_transport_that_goes_and_comes_changes_the_list_and_completes_who_waits() {
    let kernel = unverified(Transport::Os);
    let client = Client::new(&kernel);
    let mut other = Client::new(&kernel);
    let before = list(&client);
    assert!(before.contains(&(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)));
    assert!(
        before.contains(&(AF_INET, SOCK_RAW, 0)) && before.contains(&(AF_INET, SOCK_STREAM, IPPROTO_TCP))
    );
    let wait = |client: &Client, irp: &mut Irp| {
        assert_eq!(client.control(WSK_TRANSPORT_LIST_CHANGE, None, None, irp.raw()).0, STATUS_PENDING);
    };
    let mut irps = [Irp::new(&kernel), Irp::new(&kernel), Irp::new(&kernel)];
    wait(&client, &mut irps[0]);
    wait(&client, &mut irps[1]);
    wait(&other, &mut irps[2]);
    let socket = Socket::bound(&client, crate::raw::LOCALHOST_V6);
    assert!(!kernel.set_transport_away(AF_INET6, SOCK_DGRAM, false), "it is there");
    assert!(!kernel.set_transport_away(9, SOCK_DGRAM, true), "there is none");
    assert!(irps.iter().all(|irp| !irp.is_complete()));
    assert!(kernel.set_transport_away(AF_INET6, SOCK_DGRAM, true));
    for irp in &mut irps {
        let completion = irp.wait();
        check(STATUS_PENDING, completion);
        assert_eq!(completion.status, Some(STATUS_SUCCESS));
        irp.reuse();
    }
    assert!(!list(&client).contains(&(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)));
    assert_eq!(Arguments::datagram(AF_INET6).create(&client), Err(STATUS_NOT_SUPPORTED));
    assert_eq!(Arguments::datagram(AF_INET).create(&client).map(|raw| close(&client, raw)), Ok(()));
    socket.deliver(socket.local(), b"what is open goes on");
    wait(&client, &mut irps[0]);
    assert!(kernel.set_transport_away(AF_INET6, SOCK_DGRAM, false));
    assert_eq!(irps[0].wait().status, Some(STATUS_SUCCESS));
    assert_eq!(list(&client), before);
    socket.close();
    // SAFETY: pays for its capture.
    unsafe { kernel.wsk_release_provider_npi(&raw mut *other.registration) };
    // SAFETY: registered.
    unsafe { kernel.wsk_deregister(&raw mut *other.registration) };
    client.end();
}

fn close(client: &Client, raw: *mut skua_engine::abi::wsk::WSK_SOCKET) {
    Socket { kernel: client.kernel.clone(), raw, recorder: std::sync::Arc::default() }.close();
}

#[test]
fn one_list_change_can_be_cancelled_and_another_completed() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let (mut first, mut second) = (Irp::new(&kernel), Irp::new(&kernel));
    for irp in [&mut first, &mut second] {
        assert_eq!(client.control(WSK_TRANSPORT_LIST_CHANGE, None, None, irp.raw()).0, STATUS_PENDING);
    }
    assert!(second.cancel());
    assert_eq!(second.wait().status, Some(STATUS_CANCELLED));
    assert!(!first.is_complete());
    assert!(kernel.set_transport_away(AF_INET, SOCK_DGRAM, true));
    assert_eq!(first.wait().status, Some(STATUS_SUCCESS));
    // One that is cancelled before it is handed over does not wait.
    first.reuse();
    assert!(!first.cancel());
    let (returned, _) = client.control(WSK_TRANSPORT_LIST_CHANGE, None, None, first.raw());
    assert_eq!(returned, STATUS_CANCELLED);
    check(returned, first.wait());
    client.end();
}

#[test]
fn no_code_is_served_under_a_released_capture() {
    let kernel = unverified(Transport::Loopback);
    let mut client = Client::new(&kernel);
    // SAFETY: pays for the client's capture.
    unsafe { kernel.wsk_release_provider_npi(&raw mut *client.registration) };
    let inline = |code| client.control(code, None, None, NOBODY).0;
    assert_eq!(inline(WSK_TRANSPORT_LIST_QUERY), STATUS_DEVICE_NOT_READY);
    let (status, _): (NTSTATUS, usize) =
        Irp::new(&kernel).run(|irp| client.control(WSK_TRANSPORT_LIST_CHANGE, None, None, irp).0);
    assert_eq!(status, STATUS_DEVICE_NOT_READY);
    // SAFETY: registered.
    unsafe { kernel.wsk_deregister(&raw mut *client.registration) };
}

#[test]
fn the_options_of_sharing_are_read_as_they_were_set() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let socket = Socket::open(&client, true);
    assert_eq!(socket.set(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1u32), STATUS_SUCCESS);
    assert_eq!(socket.get(SOL_SOCKET, SO_EXCLUSIVEADDRUSE), Ok(1));
    assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
    socket.close();
    client.end();
}
