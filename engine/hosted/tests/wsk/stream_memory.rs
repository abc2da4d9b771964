//! TCP over [`Transport::Loopback`]: both ends are WSK's, and the same rules hold as over the host's stack.

use std::net::{Ipv4Addr, SocketAddr};

use skua_engine::abi::sockaddr::{
    IPPROTO_IPV6, IPV6_V6ONLY, SO_CONDITIONAL_ACCEPT, SO_KEEPALIVE, SO_RCVBUF, SOL_SOCKET,
};
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_RESET,
    STATUS_FILE_FORCED_CLOSED, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_RECEIVE_BACKLOG, WSK_EVENT_ACCEPT, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE,
    WSK_FLAG_ABORTIVE, WSK_FLAG_AT_DISPATCH_LEVEL, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_DRAIN,
    WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_STREAM_SOCKET, WSK_FLAG_WAITALL, WskInspectAccept, WskInspectPend,
    WskInspectReject, WskIoctl,
};
use skua_hosted::Transport;

use crate::raw::events::{Take, Tape};
use crate::raw::socket::Buffer;
use crate::raw::stream::{Stream, start_socket_connect};
use crate::raw::{Client, Irp, LIMIT, LOCALHOST, LOCALHOST_V6, bytes_of, check, kernel};

/// A connection, and what a listening socket accepted of it.
#[track_caller]
fn pair(client: &Client, listener: &Stream) -> (Stream, Stream) {
    let connection = Stream::bound(client);
    assert_eq!(connection.connect(listener.listens_at()), STATUS_SUCCESS);
    (connection, listener.accept())
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[6]).collect()
}

#[test]
fn data_and_ends_go_both_ways() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let (near, far) = pair(&client, &listener);
    assert_eq!(near.remote_address(), Ok(listener.listens_at()));
    assert_eq!(far.remote_address(), near.local_address());
    assert_eq!(far.local_address(), Ok(listener.listens_at()));
    assert_eq!(near.send(&[b"one", b"", b" two"], 0), (STATUS_SUCCESS, 7));
    assert_eq!(far.receive(&[3, 4], WSK_FLAG_WAITALL), (STATUS_SUCCESS, b"one two".to_vec()));
    // Half-closed, the other direction goes on.
    assert_eq!(near.disconnect(Some(b"last"), 0), STATUS_SUCCESS);
    assert_eq!(far.receive(&[9], 0), (STATUS_SUCCESS, b"last".to_vec()));
    assert_eq!(far.receive(&[9], 0), (STATUS_SUCCESS, Vec::new()), "the end");
    assert_eq!(far.send(&[b"answer"], 0), (STATUS_SUCCESS, 6));
    assert_eq!(near.receive(&[9], 0), (STATUS_SUCCESS, b"answer".to_vec()));
    assert_eq!(far.disconnect(None, 0), STATUS_SUCCESS);
    assert_eq!(near.receive(&[9], 0), (STATUS_SUCCESS, Vec::new()));
    near.close();
    far.close();
    listener.close();
    client.end();
}

#[test]
fn a_send_waits_while_the_other_ends_buffer_is_full() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, true);
    assert_eq!(listener.set(SOL_SOCKET, SO_RCVBUF, 10_000u32), STATUS_SUCCESS);
    assert_eq!(listener.bind(LOCALHOST), STATUS_SUCCESS);
    let connection = Stream::bound(&client);
    assert_eq!(connection.connect(listener.listens_at()), STATUS_SUCCESS);
    let accepted = listener.accept();
    assert_eq!(accepted.get(SOL_SOCKET, SO_RCVBUF), Ok(10_000));
    let data = pattern(1_000_000);
    let buffer = Buffer::new(&kernel, &[&data]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_send(&buffer, 0, irp.raw()), STATUS_PENDING);
    let mut received = Vec::new();
    while received.len() < data.len() {
        assert!(!irp.is_complete() || data.len() - received.len() <= 20_000, "it waits for room");
        let (status, part) = accepted.receive(&[70_000], 0);
        assert_eq!(status, STATUS_SUCCESS);
        received.extend(part);
    }
    assert_eq!(received, data);
    assert_eq!(irp.wait().information, data.len());
    check(STATUS_PENDING, irp.wait());
    // One that is cancelled says what is gone.
    irp.reuse();
    assert_eq!(connection.start_send(&buffer, 0, irp.raw()), STATUS_PENDING);
    assert!(irp.cancel());
    let cancelled = irp.wait();
    assert_eq!(cancelled.status, Some(STATUS_CANCELLED));
    let mut backlog = 0usize;
    let code = SIO_WSK_QUERY_RECEIVE_BACKLOG;
    let answer = accepted.control(WskIoctl, 0, code, None, Some(bytes_of(&mut backlog)));
    assert_eq!((answer, backlog), ((STATUS_SUCCESS, 8), cancelled.information));
    connection.close();
    accepted.close();
    listener.close();
    client.end();
}

#[test]
fn a_connect_is_refused_where_nobody_listens() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let gone = listener.listens_at();
    listener.close();
    let connection = Stream::bound(&client);
    assert_eq!(connection.connect(gone), STATUS_CONNECTION_REFUSED);
    // It may be tried again.
    let listener = Stream::listening(&client);
    assert_eq!(connection.connect(listener.listens_at()), STATUS_SUCCESS);
    listener.accept().close();
    connection.close();
    listener.close();
    client.end();
}

#[test]
fn a_reset_reaches_the_other_end_at_once_and_takes_what_was_on_the_way() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    // By WskDisconnect, and by closing before both directions have ended.
    for by_close in [false, true] {
        let (near, far) = pair(&client, &listener);
        assert_eq!(far.event(WSK_EVENT_DISCONNECT), STATUS_SUCCESS);
        assert_eq!(near.send(&[b"lost"], 0), (STATUS_SUCCESS, 4));
        let near = if by_close {
            near.close();
            None
        } else {
            assert_eq!(near.disconnect(None, WSK_FLAG_ABORTIVE), STATUS_SUCCESS);
            assert_eq!(near.send(&[b"x"], 0).0, STATUS_CONNECTION_ABORTED);
            Some(near)
        };
        far.tape.wait("no end was told", |state| !state.disconnects.is_empty());
        let flags = far.tape.state().disconnects.clone();
        assert_eq!(flags, [WSK_FLAG_ABORTIVE | WSK_FLAG_AT_DISPATCH_LEVEL], "by close: {by_close}");
        assert_eq!(far.receive(&[9], 0), (STATUS_CONNECTION_RESET, Vec::new()));
        assert_eq!(far.send(&[b"x"], 0), (STATUS_CONNECTION_RESET, 0));
        far.close();
        if let Some(near) = near {
            near.close();
        }
    }
    listener.close();
    client.end();
}

#[test]
fn the_events_of_a_connection_come_as_over_the_hosts_stack() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let wanted = WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT;
    assert_eq!(listener.event(wanted), STATUS_SUCCESS);
    let near = Stream::bound(&client);
    assert_eq!(near.connect(listener.listens_at()), STATUS_SUCCESS);
    let far = listener.tape.accepted();
    let data = pattern(300_000);
    far.tape.take(Take::Some(1000));
    assert_eq!(near.send(&[&data[..5000]], 0), (STATUS_SUCCESS, 5000));
    far.tape.wait_for_data(1000);
    // It took less than all, and is not called before it asks for more.
    assert_eq!(far.receive(&[2000], WSK_FLAG_WAITALL).1, data[1000..3000]);
    far.tape.take(Take::All);
    assert_eq!(far.receive(&[0], 0), (STATUS_SUCCESS, Vec::new()));
    assert_eq!(near.send(&[&data[5000..]], 0), (STATUS_SUCCESS, 295_000));
    assert_eq!(near.disconnect(None, 0), STATUS_SUCCESS);
    let taken = far.tape.wait_for_data(data.len() - 2000);
    assert_eq!(taken[..1000], data[..1000]);
    assert_eq!(taken[1000..], data[3000..]);
    far.tape.wait("no end was told", |state| !state.disconnects.is_empty());
    assert_eq!(far.tape.state().disconnects, [WSK_FLAG_AT_DISPATCH_LEVEL], "behind the data");
    near.close();
    far.close();
    listener.close();
    client.end();
}

#[test]
fn a_drain_takes_everything_until_the_end() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let (near, far) = pair(&client, &listener);
    let room = crate::raw::stream::room(&kernel, &[]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(far.start_receive(&room, WSK_FLAG_DRAIN, irp.raw()), STATUS_PENDING);
    assert_eq!(near.send(&[&pattern(2_000_000)], 0), (STATUS_SUCCESS, 2_000_000));
    assert!(!irp.is_complete());
    assert_eq!(near.disconnect(None, 0), STATUS_SUCCESS);
    assert_eq!(irp.wait().status, Some(STATUS_SUCCESS));
    near.close();
    far.close();
    listener.close();
    client.end();
}

#[test]
fn a_connection_is_inspected_before_it_is_accepted() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, true);
    assert_eq!(listener.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1u32), STATUS_SUCCESS);
    assert_eq!(listener.bind(LOCALHOST), STATUS_SUCCESS);
    let connect = || {
        let connection = Stream::bound(&client);
        assert_eq!(connection.connect(listener.listens_at()), STATUS_SUCCESS);
        connection
    };
    listener.tape.answer_inspections(WskInspectReject);
    let rejected = connect();
    assert_eq!(rejected.receive(&[1], 0).0, STATUS_CONNECTION_RESET);
    listener.tape.answer_inspections(WskInspectPend);
    let pending = connect();
    listener.tape.wait("it was not inspected", |state| state.inspected.len() == 2);
    let mut id = listener.tape.state().inspected[1].0;
    let complete = listener.listen_table().WskInspectComplete.unwrap();
    // SAFETY: a live listening socket; the id outlives the request.
    let completed = listener.run(|irp| unsafe { complete(listener.raw, &raw mut id, WskInspectAccept, irp) });
    assert_eq!(completed, (STATUS_SUCCESS, 0));
    let accepted = listener.accept();
    assert_eq!(accepted.remote_address(), pending.local_address());
    // One that goes away while it is pending.
    let given_up = connect();
    listener.tape.wait("it was not inspected", |state| state.inspected.len() == 3);
    given_up.close();
    listener.tape.wait("it was not aborted", |state| state.aborted.len() == 1);
    let seen = listener.tape.state();
    assert_eq!(seen.inspected[2].0, seen.aborted[0]);
    drop(seen);
    for socket in [rejected, pending, accepted, listener] {
        socket.close();
    }
    client.end();
}

#[test]
fn a_listening_socket_of_both_families_sees_ipv4_under_mapped_addresses() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let both = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, false);
    assert_eq!(both.set(IPPROTO_IPV6, IPV6_V6ONLY, 0u32), STATUS_SUCCESS);
    assert_eq!(both.bind("[::]:0".parse().unwrap()), STATUS_SUCCESS);
    let port = both.listens_at().port();
    let v4 = Stream::bound(&client);
    assert_eq!(v4.connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)), STATUS_SUCCESS);
    let accepted = both.accept();
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    let from = v4.local_address().unwrap().port();
    assert_eq!(accepted.remote_address(), Ok(SocketAddr::new(mapped.into(), from)));
    assert_eq!(accepted.local_address(), Ok(SocketAddr::new(mapped.into(), port)));
    let v6 = Stream::open(&client, WSK_FLAG_CONNECTION_SOCKET, false);
    assert_eq!(v6.bind(LOCALHOST_V6), STATUS_SUCCESS);
    assert_eq!(v6.connect(SocketAddr::new(LOCALHOST_V6.ip(), port)), STATUS_SUCCESS);
    let also = both.accept();
    assert_eq!(also.remote_address(), v6.local_address());
    for socket in [v4, v6, accepted, also, both] {
        socket.close();
    }
    client.end();
}

#[test]
fn a_stream_socket_becomes_what_it_is_told_and_connect_ex_carries_data() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::open(&client, WSK_FLAG_STREAM_SOCKET, true);
    assert_eq!(listener.bind(LOCALHOST), STATUS_SUCCESS);
    assert_eq!(listener.listen(), STATUS_SUCCESS);
    let at = listener.local_address().unwrap();
    let connection = Stream::open(&client, WSK_FLAG_STREAM_SOCKET, true);
    assert_eq!(connection.bind(LOCALHOST), STATUS_SUCCESS);
    assert_eq!(connection.connect_ex(at, b"with it", 0), (STATUS_SUCCESS, 7));
    let accepted = listener.accept();
    assert_eq!(accepted.receive(&[9], 0), (STATUS_SUCCESS, b"with it".to_vec()));
    let tape = Tape::new(&kernel);
    let mut irp = Irp::new(&kernel);
    let returned = start_socket_connect(&client, &tape, LOCALHOST, at, &mut irp);
    let completion = irp.wait();
    check(returned, completion);
    assert_eq!(completion.status, Some(STATUS_SUCCESS));
    let made = Stream::of(&kernel, std::ptr::with_exposed_provenance_mut(completion.information), tape);
    let also = listener.accept();
    assert_eq!(also.remote_address(), made.local_address());
    for socket in [connection, accepted, made, also, listener] {
        socket.close();
    }
    client.end();
}

#[test]
fn connections_that_nobody_takes_end_with_their_listening_socket() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    assert_eq!(listener.set(SOL_SOCKET, SO_KEEPALIVE, 1u32), STATUS_SUCCESS, "has nothing to act on");
    let waiting = Stream::bound(&client);
    assert_eq!(waiting.connect(listener.listens_at()), STATUS_SUCCESS);
    listener.close();
    assert_eq!(waiting.receive(&[1], 0).0, STATUS_CONNECTION_RESET);
    waiting.close();
    client.end();
}

#[test]
fn killed_sockets_say_so_and_their_other_ends_are_reset() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let (near, far) = pair(&client, &listener);
    assert_eq!(near.event(WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    let local = near.local_address().unwrap();
    assert_eq!(kernel.kill(&local), 1);
    near.tape.wait("its death was not told", |state| state.deaths == 1);
    assert_eq!(near.send(&[b"x"], 0).0, STATUS_FILE_FORCED_CLOSED);
    assert_eq!(far.receive(&[1], 0).0, STATUS_CONNECTION_RESET);
    for socket in [near, far, listener] {
        socket.close();
    }
    client.end();
}

#[test]
fn many_connections_at_once_keep_their_data_apart() {
    let kernel = kernel(Transport::Loopback);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    let start = std::time::Instant::now();
    std::thread::scope(|scope| {
        for number in 0..8u8 {
            let (client, listener) = (&client, &listener);
            scope.spawn(move || {
                for round in 0..20u8 {
                    let connection = Stream::bound(client);
                    assert_eq!(connection.connect(listener.listens_at()), STATUS_SUCCESS);
                    assert_eq!(connection.send(&[&[number, round]], 0), (STATUS_SUCCESS, 2));
                    let accepted = listener.accept();
                    let (status, greeting) = accepted.receive(&[2], WSK_FLAG_WAITALL);
                    assert_eq!((status, greeting.len()), (STATUS_SUCCESS, 2));
                    assert_eq!(accepted.send(&[&greeting], 0), (STATUS_SUCCESS, 2));
                    assert_eq!(accepted.disconnect(None, 0), STATUS_SUCCESS);
                    let (status, back) = connection.receive(&[2], WSK_FLAG_WAITALL);
                    assert_eq!((status, back), (STATUS_SUCCESS, vec![number, round]));
                    assert_eq!(connection.receive(&[1], 0), (STATUS_SUCCESS, Vec::new()));
                    assert_eq!(connection.disconnect(None, 0), STATUS_SUCCESS);
                    assert_eq!(accepted.receive(&[1], 0), (STATUS_SUCCESS, Vec::new()));
                    connection.close();
                    accepted.close();
                }
            });
        }
    });
    assert!(start.elapsed() < LIMIT * 6);
    listener.close();
    client.end();
}
