//! Rules of WskDisconnect, WskDisconnectEvent and of closing a connection.

use std::io::{Read, Write};
use std::net::Shutdown;

use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_FLAG_ABORTIVE, WSK_FLAG_AT_DISPATCH_LEVEL,
};
use skua_hosted::Transport;

use crate::raw::socket::Buffer;
use crate::raw::stream::{Stream, is_dropped, rest_of, room};
use crate::raw::{Client, Irp, check, kernel};

#[test]
fn a_graceful_disconnect_ends_what_is_sent_and_nothing_else() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    assert_eq!(connection.send(&[b"data"], 0), (STATUS_SUCCESS, 4));
    assert_eq!(connection.disconnect(None, 0), STATUS_SUCCESS);
    assert_eq!(rest_of(&mut peer), (b"data".to_vec(), false));
    assert_eq!(connection.send(&[b"x"], 0).0, STATUS_INVALID_DEVICE_STATE, "over");
    assert_eq!(connection.disconnect(None, 0), STATUS_INVALID_DEVICE_STATE, "once");
    peer.write_all(b"answer").unwrap();
    assert_eq!(connection.receive(&[16], 0), (STATUS_SUCCESS, b"answer".to_vec()));
    connection.close();
    client.end();
}

#[test]
fn the_last_data_of_a_disconnect_goes_behind_what_waits() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    kernel.set_congested(true);
    let (first, last) = (Buffer::new(&kernel, &[b"first "]), Buffer::new(&kernel, &[b"la", b"st"]));
    let mut irps = [Irp::new(&kernel), Irp::new(&kernel)];
    assert_eq!(connection.start_send(&first, 0, irps[0].raw()), STATUS_PENDING);
    assert_eq!(connection.start_disconnect(Some(&last), 0, irps[1].raw()), STATUS_PENDING);
    assert_eq!(connection.send(&[b"x"], 0).0, STATUS_INVALID_DEVICE_STATE, "behind the end");
    kernel.set_congested(false);
    assert_eq!(rest_of(&mut peer), (b"first last".to_vec(), false));
    for irp in &irps {
        check(STATUS_PENDING, irp.wait());
        assert_eq!(irp.wait().status, Some(STATUS_SUCCESS));
    }
    connection.close();
    client.end();
}

#[test]
fn an_abortive_disconnect_resets_and_ends_what_waits() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    assert_eq!(connection.event(WSK_EVENT_DISCONNECT), STATUS_SUCCESS);
    let target = room(&kernel, &[8]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_receive(&target, 0, irp.raw()), STATUS_PENDING);
    assert_eq!(connection.disconnect(Some(b"x"), WSK_FLAG_ABORTIVE), STATUS_INVALID_PARAMETER, "no data");
    assert_eq!(connection.disconnect(None, 8), STATUS_NOT_SUPPORTED);
    assert_eq!(connection.disconnect(None, WSK_FLAG_ABORTIVE), STATUS_SUCCESS);
    check(STATUS_PENDING, irp.wait());
    assert_eq!(irp.wait().status, Some(STATUS_CONNECTION_ABORTED));
    assert!(is_dropped(&mut peer));
    assert_eq!(connection.send(&[b"x"], 0).0, STATUS_CONNECTION_ABORTED);
    assert!(connection.tape.state().disconnects.is_empty(), "it was the client's own doing");
    connection.close();
    client.end();
}

#[test]
fn a_disconnect_that_is_cancelled_resets() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    kernel.set_congested(true);
    let data = Buffer::new(&kernel, &[b"x"]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_disconnect(Some(&data), 0, irp.raw()), STATUS_PENDING);
    assert!(irp.cancel());
    assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    assert!(is_dropped(&mut peer));
    kernel.set_congested(false);
    connection.close();
    client.end();
}

#[test]
fn an_abortive_disconnect_overtakes_a_graceful_one_that_waits() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    kernel.set_congested(true);
    let data = Buffer::new(&kernel, &[b"x"]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_disconnect(Some(&data), 0, irp.raw()), STATUS_PENDING);
    assert_eq!(connection.disconnect(None, WSK_FLAG_ABORTIVE), STATUS_SUCCESS);
    assert_eq!(irp.wait().status, Some(STATUS_CONNECTION_ABORTED));
    assert!(is_dropped(&mut peer));
    kernel.set_congested(false);
    connection.close();
    client.end();
}

#[test]
fn the_disconnect_event_follows_the_data() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    assert_eq!(connection.event(WSK_EVENT_DISCONNECT), STATUS_SUCCESS);
    peer.write_all(b"data").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert!(connection.tape.state().disconnects.is_empty(), "data is in the way");
    assert_eq!(connection.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    connection.tape.wait("no end", |state| !state.disconnects.is_empty());
    assert_eq!(connection.tape.state().data, b"data");
    assert_eq!(connection.tape.state().disconnects, [WSK_FLAG_AT_DISPATCH_LEVEL]);
    // The other direction goes on.
    assert_eq!(connection.send(&[b"answer"], 0).0, STATUS_SUCCESS);
    assert_eq!(connection.disconnect(None, 0), STATUS_SUCCESS);
    assert_eq!(rest_of(&mut peer), (b"answer".to_vec(), false));
    assert_eq!(connection.tape.state().disconnects.len(), 1, "once");
    connection.close();
    client.end();
}

#[test]
fn the_disconnect_event_comes_without_anybody_receiving() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, peer) = Stream::pair(&client);
    assert_eq!(connection.event(WSK_EVENT_DISCONNECT), STATUS_SUCCESS);
    drop(peer);
    connection.tape.wait("no end", |state| state.disconnects == [WSK_FLAG_AT_DISPATCH_LEVEL]);
    connection.close();
    client.end();
}

#[test]
fn a_close_resets_unless_both_directions_have_ended() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    for (own, theirs, resets) in
        [(false, false, true), (true, false, true), (false, true, true), (true, true, false)]
    {
        let (connection, mut peer) = Stream::pair(&client);
        if own {
            assert_eq!(connection.disconnect(None, 0), STATUS_SUCCESS);
        }
        if theirs {
            peer.shutdown(Shutdown::Write).unwrap();
            assert_eq!(connection.receive(&[1], 0), (STATUS_SUCCESS, Vec::new()));
        }
        if own {
            assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        }
        connection.close();
        if own && !theirs {
            // The end has been read; the reset shows in what is written.
            let broken = (0..1000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                peer.write_all(b"x").is_err()
            });
            assert!(broken);
        } else if resets {
            assert!(is_dropped(&mut peer), "{own} {theirs}");
        } else {
            assert_eq!(rest_of(&mut peer), (Vec::new(), false), "{own} {theirs}");
        }
    }
    client.end();
}

#[test]
fn closing_cancels_all_that_waits_and_completes_last() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, _peer) = Stream::pair(&client);
    kernel.set_congested(true);
    let (target, data) = (room(&kernel, &[8]), Buffer::new(&kernel, &[b"x"]));
    let mut irps = [Irp::new(&kernel), Irp::new(&kernel), Irp::new(&kernel)];
    assert_eq!(connection.start_receive(&target, 0, irps[0].raw()), STATUS_PENDING);
    assert_eq!(connection.start_send(&data, 0, irps[1].raw()), STATUS_PENDING);
    assert_eq!(connection.start_disconnect(None, 0, irps[2].raw()), STATUS_PENDING);
    let mut close = Irp::new(&kernel);
    let returned = connection.start_close(&mut close);
    check(returned, close.wait());
    for irp in &irps {
        assert!(irp.is_complete(), "before the close");
        assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
        check(STATUS_PENDING, irp.wait());
    }
    kernel.set_congested(false);
    client.end();
}
