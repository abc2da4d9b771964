//! Rules of WskReceiveEvent and of WskRelease of data.

use std::io::Write;

use skua_engine::abi::nt::PASSIVE_LEVEL;
use skua_engine::abi::status::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_DATA_INDICATION, WSK_EVENT_RECEIVE, WSK_FLAG_RELEASE_ASAP};
use skua_hosted::{ProviderConfig, Transport};

use crate::raw::events::{Take, read};
use crate::raw::stream::{Stream, room};
use crate::raw::{Client, kernel, with};

fn nodes(connection: &Stream) -> Vec<*mut WSK_DATA_INDICATION> {
    let taken = std::mem::take(&mut connection.tape.state().retained);
    taken.into_iter().map(std::ptr::with_exposed_provenance_mut).collect()
}

/// Releases a node alone.
#[track_caller]
fn release(connection: &Stream, node: *mut WSK_DATA_INDICATION) {
    // SAFETY: retained, and so the client's.
    unsafe { (*node).Next = std::ptr::null_mut() };
    assert_eq!(connection.release(node), STATUS_SUCCESS);
}

#[test]
fn events_may_come_below_dispatch_level() {
    let kernel = with(ProviderConfig { indicate_below_dispatch: true, ..ProviderConfig::default() });
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    peer.write_all(b"x").unwrap();
    connection.tape.wait_for_data(1);
    assert_eq!(connection.tape.state().irqls, [PASSIVE_LEVEL]);
    assert_eq!(connection.tape.state().flags, [0]);
    connection.close();
    client.end();
}

#[test]
fn partial_acceptance_goes_over_the_bounds_of_a_list() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    let data: Vec<u8> = (0..1u32 << 15).flat_map(u32::to_le_bytes).collect();
    let writer = {
        let data = data.clone();
        std::thread::spawn(move || {
            peer.write_all(&data).unwrap();
            peer
        })
    };
    connection.tape.take(Take::Some(9_999));
    assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    let nothing = room(&kernel, &[]);
    let deadline = std::time::Instant::now() + crate::raw::LIMIT;
    while connection.tape.state().data.len() < data.len() {
        assert!(std::time::Instant::now() < deadline);
        assert_eq!(connection.run(|irp| connection.start_receive(&nothing, 0, irp)).0, STATUS_SUCCESS);
    }
    assert!(connection.tape.state().data == data);
    drop(writer.join().unwrap());
    connection.close();
    client.end();
}

#[test]
fn retained_data_is_the_clients_until_it_is_released() {
    let kernel = crate::raw::unverified(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    connection.tape.take(Take::Retain);
    assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    for text in [b"one", b"two"] {
        let count = connection.tape.state().data.len() + 3;
        peer.write_all(text).unwrap();
        connection.tape.wait_for_data(count);
    }
    let kept = nodes(&connection);
    assert_eq!(kernel.outstanding().indications, 2);
    // SAFETY: retained.
    let texts = [kept[0], kept[1]].map(|node| unsafe { read(node) });
    assert_eq!(texts, [b"one".to_vec(), b"two".to_vec()]);
    // In any order.
    release(&connection, kept[1]);
    release(&connection, kept[0]);
    assert_eq!(connection.release(kept[0]), STATUS_INVALID_PARAMETER, "not lent any more");
    assert_eq!(connection.release(std::ptr::null_mut()), STATUS_INVALID_PARAMETER);
    assert_eq!(kernel.outstanding().indications, 0);
    connection.close();
    client.end();
}

#[test]
fn a_client_that_retains_too_much_is_asked_to_release_and_then_gets_no_more() {
    let kernel = with(ProviderConfig { blocks: 8, batch: 4, ..ProviderConfig::default() });
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    connection.tape.take(Take::Retain);
    assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    for count in 1..=8 {
        peer.write_all(b"x").unwrap();
        connection.tape.wait_for_data(count);
    }
    peer.write_all(b"x").unwrap();
    assert!(connection.tape.is_quiet(), "all pieces are lent");
    let asap: Vec<bool> =
        connection.tape.state().flags.iter().map(|flags| flags & WSK_FLAG_RELEASE_ASAP != 0).collect();
    assert_eq!(asap, [false, false, false, true, true, true, true, true]);
    for node in nodes(&connection) {
        release(&connection, node);
    }
    connection.tape.wait_for_data(9);
    for node in nodes(&connection) {
        release(&connection, node);
    }
    connection.close();
    client.end();
}

#[test]
fn a_dead_connection_says_so_to_the_receive_event_with_null() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, _peer) = Stream::pair(&client);
    assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    assert_eq!(kernel.kill(&connection.local_address().unwrap()), 1);
    connection.tape.wait("it was not told", |state| state.deaths == 1);
    connection.close();
    assert!(client.kernel.outstanding().irps == 0);
    client.end();
}

#[test]
fn data_retained_over_a_close_stays_valid_and_is_counted() {
    let kernel = crate::raw::unverified(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    connection.tape.take(Take::Retain);
    assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    peer.write_all(b"kept").unwrap();
    connection.tape.wait_for_data(4);
    let node = nodes(&connection)[0];
    connection.close();
    assert_eq!(kernel.outstanding().indications, 1, "a leak of the client's");
    assert_eq!(kernel.outstanding().sockets, 0);
    // SAFETY: a rule is broken here, and the provider keeps the memory for that.
    assert_eq!(unsafe { read(node) }, b"kept");
}
