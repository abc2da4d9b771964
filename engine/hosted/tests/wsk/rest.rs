//! What threads do while nothing is to be done: nothing.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use skua_engine::abi::sockaddr::{SO_CONDITIONAL_ACCEPT, SOL_SOCKET};
use skua_engine::abi::status::STATUS_PENDING;
use skua_engine::abi::wsk::{
    WSK_DATA_INDICATION, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_LISTEN_SOCKET, WskInspectAccept, WskInspectPend,
};
use skua_hosted::{ProviderConfig, Transport};

use crate::raw::events::Take;
use crate::raw::recorder::Answer;
use crate::raw::socket::{Buffer, Socket};
use crate::raw::stream::Stream;
use crate::raw::{Client, Irp, LOCALHOST, eventually, with};

/// How often the thread of this name has run, from /proc; `None` before it has given itself the name.
fn runs(name: &str) -> Option<u64> {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        // A thread of another test may end meanwhile.
        let read = |file| std::fs::read_to_string(task.join(file)).unwrap_or_default();
        if read("comm").trim() == name {
            // Time on the processor, time waiting for it, and how often it had it.
            return Some(read("schedstat").split_whitespace().nth(2).unwrap_or("0").parse().unwrap());
        }
    }
    None
}

/// Whatever was under way ends; then nothing happens.
#[track_caller]
pub(crate) fn is_at_rest(what: &str, names: &[String]) {
    let all = || names.iter().map(|name| runs(name)).collect::<Option<Vec<u64>>>();
    eventually(what, || {
        let before = all();
        std::thread::sleep(Duration::from_millis(30));
        before.is_some() && all() == before
    });
}

#[test]
fn the_thread_of_a_connection_at_rest_does_not_run() {
    let kernel = with(ProviderConfig { blocks: 4, batch: 4, ..ProviderConfig::default() });
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    let names = [format!("tcp-{}", connection.local_address().unwrap().port())];
    let is_at_rest = |what: &str| is_at_rest(what, &names);
    is_at_rest("nothing is wanted");
    peer.write_all(b"unread").unwrap();
    is_at_rest("nobody wants what has come");
    connection.tape.take(Take::Nothing);
    assert!(connection.event(WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT).is_success());
    connection.tape.wait("it was not indicated", |state| state.indications.len() == 1);
    peer.write_all(b"more").unwrap();
    is_at_rest("data was refused");
    connection.tape.take(Take::Retain);
    for count in 1..=4 {
        assert!(connection.receive(&[], 0).0.is_success());
        connection.tape.wait("it was not retained", |state| state.retained.len() >= count);
        peer.write_all(b"x").unwrap();
    }
    is_at_rest("all pieces are lent");
    for node in std::mem::take(&mut connection.tape.state().retained) {
        let node: *mut WSK_DATA_INDICATION = std::ptr::with_exposed_provenance_mut(node);
        // SAFETY: retained; released singly.
        unsafe { (*node).Next = std::ptr::null_mut() };
        assert!(connection.release(node).is_success());
    }
    connection.tape.take(Take::All);
    kernel.set_congested(true);
    let data = Buffer::new(&kernel, &[b"x"]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_send(&data, 0, irp.raw()), STATUS_PENDING);
    is_at_rest("every send is held back");
    kernel.set_congested(false);
    assert!(irp.wait().status.unwrap().is_success());
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    connection.tape.wait("no end", |state| state.disconnects.len() == 1);
    is_at_rest("the other end has ended");
    assert!(connection.disconnect(None, 0).is_success());
    is_at_rest("both ends have ended");
    drop(peer);
    is_at_rest("the connection is gone");
    for node in std::mem::take(&mut connection.tape.state().retained) {
        let node: *mut WSK_DATA_INDICATION = std::ptr::with_exposed_provenance_mut(node);
        // SAFETY: as above.
        unsafe { (*node).Next = std::ptr::null_mut() };
        assert!(connection.release(node).is_success());
    }
    connection.close();
    client.end();
}

#[test]
fn the_thread_of_a_listener_at_rest_does_not_run() {
    let kernel = with(ProviderConfig::default());
    let client = Client::new(&kernel);
    let listener = Stream::open(&client, WSK_FLAG_LISTEN_SOCKET, true);
    assert!(listener.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1u32).is_success());
    assert!(listener.bind(LOCALHOST).is_success());
    let names = [format!("tcp-{}", listener.listens_at().port())];
    is_at_rest("nothing comes", &names);
    listener.tape.answer_inspections(WskInspectPend);
    let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
    peer.write_all(b"early").unwrap();
    listener.tape.wait("it was not inspected", |state| state.inspected.len() == 1);
    is_at_rest("a connection is pending that sends", &names);
    listener.tape.answer_inspections(WskInspectAccept);
    let _another = TcpStream::connect(listener.listens_at()).unwrap();
    listener.tape.wait("it was not inspected", |state| state.inspected.len() == 2);
    is_at_rest("nobody accepts what was inspected", &names);
    drop(peer);
    listener.tape.wait("it was not aborted", |state| state.aborted.len() == 1);
    is_at_rest("what was pending went away", &names);
    listener.close();
    client.end();
}

#[test]
fn threads_of_a_socket_at_rest_do_not_run() {
    for transport in [Transport::Os, Transport::Loopback] {
        let kernel = with(ProviderConfig { transport, blocks: 4, batch: 4, ..ProviderConfig::default() });
        let client = Client::new(&kernel);
        let socket = Socket::bound(&client, LOCALHOST);
        let sender = Socket::bound(&client, LOCALHOST);
        let port = socket.local().port();
        let names = [format!("recv-{port}-0"), format!("send-{port}")];
        let is_at_rest = |what: &str| is_at_rest(what, &names);
        sender.deliver(socket.local(), b"x");
        is_at_rest("the event is off");
        socket.recorder.answer(Answer::NotAccepted);
        let enable = || assert!(socket.set_event(WSK_EVENT_RECEIVE_FROM, std::ptr::null_mut()).is_success());
        enable();
        socket.recorder.wait_for_calls(1);
        is_at_rest("a datagram was refused");
        socket.recorder.answer(Answer::Pending);
        enable();
        socket.recorder.wait_for(1);
        is_at_rest("nothing comes in");
        for _ in 0..6 {
            sender.deliver(socket.local(), b"y");
        }
        socket.recorder.wait_for(4);
        is_at_rest("every block is lent");
        for node in socket.recorder.take_retained() {
            // SAFETY: retained; released singly.
            unsafe { (*node).Next = std::ptr::null_mut() };
            assert!(socket.release(node).is_success());
        }
        socket.recorder.wait_for(7);
        socket.recorder.answer(Answer::Success);
        for node in socket.recorder.take_retained() {
            // SAFETY: as above.
            unsafe { (*node).Next = std::ptr::null_mut() };
            assert!(socket.release(node).is_success());
        }
        socket.close();
        sender.close();
        client.end();
    }
}
