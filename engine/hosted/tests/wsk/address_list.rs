//! SIO_ADDRESS_LIST_QUERY, SIO_ADDRESS_LIST_SORT and SIO_ADDRESS_LIST_CHANGE.

use std::net::{IpAddr, SocketAddr};

use skua_engine::abi::sockaddr::{
    AF_INET, AF_INET6, SIO_ADDRESS_LIST_CHANGE, SIO_ADDRESS_LIST_QUERY, SIO_ADDRESS_LIST_SORT, SOCKADDR_INET,
    SOCKET_ADDRESS,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED,
    STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_FLAG_CONNECTION_SOCKET, WSK_PROVIDER_BASIC_DISPATCH, WskIoctl};
use skua_hosted::Transport;

use crate::options::basic;
use crate::raw::socket::{Socket, table_of};
use crate::raw::stream::Stream;
use crate::raw::{Client, Irp, LOCALHOST, TRANSPORTS, bytes_of, check, kernel};

/// WskControlSocket without an IRP, which says how large the output is.
fn query(socket: &Socket, output: &mut [u64]) -> (NTSTATUS, usize) {
    // SAFETY: a socket of any category begins with the basic table.
    let table = unsafe { table_of::<WSK_PROVIDER_BASIC_DISPATCH>(socket.raw) };
    let (nothing, nobody) = (std::ptr::null_mut(), std::ptr::null_mut());
    let mut returned = usize::MAX;
    let (to, size) = if output.is_empty() {
        (std::ptr::null_mut(), 0)
    } else {
        (output.as_mut_ptr().cast(), size_of_val(output))
    };
    let call = table.WskControlSocket.unwrap();
    // SAFETY: a live socket and buffers of these sizes.
    let status = unsafe {
        call(socket.raw, WskIoctl, SIO_ADDRESS_LIST_QUERY, 0, 0, nothing, size, to, &raw mut returned, nobody)
    };
    (status, returned)
}

/// The addresses of a list.
fn read(list: &[u64]) -> Vec<SocketAddr> {
    let count = u32::try_from(list[0] & 0xffff_ffff).unwrap() as usize;
    let entry = |index: usize| {
        let at = list.as_ptr().wrapping_add(1).cast::<SOCKET_ADDRESS>().wrapping_add(index);
        // SAFETY: the list has so many entries.
        let entry = unsafe { at.read() };
        // SAFETY: an entry leads to an address.
        let address = unsafe { SOCKADDR_INET::read(entry.lpSockaddr) }.unwrap();
        assert_eq!(address.len(), usize::try_from(entry.iSockaddrLength).unwrap());
        address.to_socket_addr().unwrap()
    };
    (0..count).map(entry).collect()
}

#[test]
fn the_list_has_every_address_that_can_be_bound_and_a_probe_tells_its_size() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        for family in [AF_INET, AF_INET6] {
            let socket = basic(&client, family, false);
            let (status, needed) = query(&socket, &mut []);
            assert_eq!(status, STATUS_BUFFER_OVERFLOW, "{transport:?}");
            let mut list = vec![0u64; needed.div_ceil(8)];
            let shorter = list.len() - 1 - usize::from(!needed.is_multiple_of(8));
            assert_eq!(query(&socket, &mut list[..shorter]), (STATUS_BUFFER_OVERFLOW, needed));
            assert_eq!(query(&socket, &mut list), (STATUS_SUCCESS, needed));
            let addresses = read(&list);
            let localhost: IpAddr =
                if family == AF_INET { [127, 0, 0, 1].into() } else { "::1".parse().unwrap() };
            // A machine may be without IPv6.
            assert!(addresses.iter().any(|address| address.ip() == localhost) || family == AF_INET6);
            for address in addresses {
                assert_eq!((address.is_ipv4(), address.port()), (family == AF_INET, 0));
                Socket::bound(&client, address).close();
            }
            socket.close();
        }
        client.end();
    }
}

/// A list of `addresses`, which must outlive it.
fn list_of(addresses: &mut [SOCKADDR_INET]) -> Vec<u64> {
    let mut list = vec![addresses.len() as u64];
    for address in addresses {
        list.push(address.as_mut_ptr().expose_provenance() as u64);
        list.push(address.len() as u64);
    }
    list
}

#[test]
fn a_list_is_sorted_by_how_well_its_addresses_are_reached() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let socket = basic(&client, AF_INET6, false);
        let texts = ["[::ffff:127.0.0.1]:80", "[fd00::1]:80", "[::1]:80"];
        let mut addresses = texts.map(|text| SOCKADDR_INET::from(text.parse::<SocketAddr>().unwrap()));
        let mut list = list_of(&mut addresses);
        let buffer = (list.as_mut_ptr().cast(), size_of_val(&list[..]));
        let size = buffer.1;
        let sorted = socket.control(WskIoctl, 0, SIO_ADDRESS_LIST_SORT, Some(buffer), Some(buffer));
        assert_eq!(sorted, (STATUS_SUCCESS, size), "{transport:?}");
        let order: Vec<String> = read(&list).iter().map(ToString::to_string).collect();
        assert_eq!(order.len(), 3);
        if transport == Transport::Loopback {
            assert_eq!(order, [texts[2], texts[0], texts[1]], "by precedence, where all can be reached");
        } else if cfg!(target_os = "linux") {
            let place = |text: &str| order.iter().position(|at| at == text).unwrap();
            assert!(
                place(texts[0]) < place(texts[1]),
                "what cannot be reached comes last, or is preferred less"
            );
        }
        socket.close();
        client.end();
    }
}

#[test]
fn a_list_that_contradicts_its_size_is_not_sorted() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let socket = basic(&client, AF_INET, false);
    let mut addresses = [SOCKADDR_INET::from(LOCALHOST); 2];
    let list = list_of(&mut addresses);
    let mut output = list.clone();
    let mut sort = |mut list: Vec<u64>, bytes: usize, room: usize| {
        let input = Some((list.as_mut_ptr().cast(), bytes));
        let output = Some((output.as_mut_ptr().cast(), room));
        socket.control(WskIoctl, 0, SIO_ADDRESS_LIST_SORT, input, output)
    };
    assert_eq!(sort(list.clone(), 40, 40), (STATUS_SUCCESS, 40));
    for bytes in [0, 3, 7, 8, 39] {
        assert_eq!(sort(list.clone(), bytes, 40), (STATUS_INVALID_PARAMETER, 0), "{bytes} bytes");
    }
    assert_eq!(sort(list.clone(), 40, 39), (STATUS_BUFFER_TOO_SMALL, 0));
    for count in [3u32, u32::MAX, 0x8000_0000, 0x7fff_ffff] {
        let mut wrong = list.clone();
        wrong[0] = count.into();
        assert_eq!(sort(wrong, 40, 40), (STATUS_INVALID_PARAMETER, 0), "{count} entries");
    }
    for (at, value) in [(1, 0), (2, 15), (2, 0xffff_ffff)] {
        let mut wrong = list.clone();
        wrong[at] = value;
        assert_eq!(sort(wrong, 40, 40), (STATUS_INVALID_PARAMETER, 0), "word {at} is {value}");
    }
    assert_eq!(sort(vec![0], 8, 8), (STATUS_SUCCESS, 8), "nothing to sort");
    socket.close();
    client.end();
}

/// Begins to wait for a change.
fn watch(socket: &Socket, irp: &mut Irp) {
    let status = socket.control_with(WskIoctl, 0, SIO_ADDRESS_LIST_CHANGE, None, None, irp.raw());
    assert_eq!(status, STATUS_PENDING);
}

#[test]
fn a_change_is_waited_for_until_it_is_cancelled_or_the_socket_closes() {
    for transport in TRANSPORTS {
        let kernel = kernel(transport);
        let client = Client::new(&kernel);
        let mut sockets = vec![Socket::open(&client, true), basic(&client, AF_INET6, false)];
        if transport != Transport::Loopback {
            sockets.push(Stream::open(&client, WSK_FLAG_CONNECTION_SOCKET, true).socket);
        }
        for socket in sockets {
            let mut irps = [Irp::new(&kernel), Irp::new(&kernel)];
            irps.iter_mut().for_each(|irp| watch(&socket, irp));
            assert!(irps.iter().all(|irp| !irp.is_complete()), "nothing has changed");
            assert!(irps[1].cancel());
            assert_eq!(irps[1].wait().status, Some(STATUS_CANCELLED));
            assert!(!irps[0].is_complete(), "the other one waits on");
            let mut close = Irp::new(&kernel);
            let returned = socket.start_close(&mut close);
            check(returned, close.wait());
            check(STATUS_PENDING, irps[0].wait());
            assert_eq!(irps[0].wait().status, Some(STATUS_CANCELLED));
        }
        client.end();
    }
}

#[test]
fn a_change_is_not_waited_for_on_a_socket_that_dies() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let mut irp = Irp::new(&kernel);
    watch(&socket, &mut irp);
    let local = socket.local();
    assert_eq!(kernel.kill(&local), 1);
    assert_eq!(irp.wait().status, Some(STATUS_FILE_FORCED_CLOSED));
    let mut output = [0u64; 8];
    assert_eq!(query(&socket, &mut output).0, STATUS_FILE_FORCED_CLOSED);
    let again = socket.control(WskIoctl, 0, SIO_ADDRESS_LIST_CHANGE, None, Some(bytes_of(&mut output)));
    assert_eq!(again.0, STATUS_FILE_FORCED_CLOSED);
    socket.close();
    client.end();
}
