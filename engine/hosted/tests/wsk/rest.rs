//! What threads do while nothing is to be done: nothing.
#![cfg(target_os = "linux")]

use std::time::Duration;

use skua_engine::abi::wsk::WSK_EVENT_RECEIVE_FROM;
use skua_hosted::{ProviderConfig, Transport};

use crate::raw::recorder::Answer;
use crate::raw::socket::Socket;
use crate::raw::{Client, LOCALHOST, eventually, with};

/// How often the thread of this name has run, from /proc.
fn runs(name: &str) -> u64 {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        // A thread of another test may end meanwhile.
        let read = |file| std::fs::read_to_string(task.join(file)).unwrap_or_default();
        if read("comm").trim() == name {
            // Time on the processor, time waiting for it, and how often it had it.
            return read("schedstat").split_whitespace().nth(2).unwrap_or("0").parse().unwrap();
        }
    }
    panic!("there is no thread {name}");
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
        let is_at_rest = |what: &str| {
            let all = || names.each_ref().map(|name| runs(name));
            // Whatever was under way ends; then nothing happens.
            eventually(what, || {
                let before = all();
                std::thread::sleep(Duration::from_millis(30));
                all() == before
            });
        };
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
