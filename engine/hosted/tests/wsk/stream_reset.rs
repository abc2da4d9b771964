//! What a reset does to a connection. Wine 8 ends connections where others reset them.
#![cfg(not(windows))]

use skua_engine::abi::status::{STATUS_CONNECTION_RESET, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_FLAG_ABORTIVE, WSK_FLAG_AT_DISPATCH_LEVEL,
};
use skua_hosted::Transport;

use crate::raw::stream::{Stream, reset, room};
use crate::raw::{Client, Irp, check, eventually, kernel};

#[test]
fn a_reset_ends_what_waits_and_what_follows() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, peer) = Stream::pair(&client);
    let target = room(&kernel, &[8]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_receive(&target, 0, irp.raw()), STATUS_PENDING);
    reset(peer);
    check(STATUS_PENDING, irp.wait());
    assert_eq!(irp.wait().status, Some(STATUS_CONNECTION_RESET));
    eventually("the socket still works", || {
        let (status, _) = connection.receive(&[8], 0);
        status == STATUS_CONNECTION_RESET
    });
    assert_eq!(connection.send(&[b"x"], 0).0, STATUS_CONNECTION_RESET);
    connection.close();
    client.end();
}

#[test]
fn a_reset_is_an_abortive_disconnect() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    for receives in [false, true] {
        let (connection, peer) = Stream::pair(&client);
        let mask = WSK_EVENT_DISCONNECT | if receives { WSK_EVENT_RECEIVE } else { 0 };
        assert_eq!(connection.event(mask), STATUS_SUCCESS);
        reset(peer);
        let abortive = WSK_FLAG_ABORTIVE | WSK_FLAG_AT_DISPATCH_LEVEL;
        connection.tape.wait("no end", |state| state.disconnects == [abortive]);
        connection.close();
    }
    client.end();
}
