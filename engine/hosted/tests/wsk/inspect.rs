//! Rules of conditional accept: WskInspectEvent, WskInspectComplete, WskAbortEvent.

use std::net::TcpStream;

use skua_engine::abi::sockaddr::{SO_CONDITIONAL_ACCEPT, SOL_SOCKET};
use skua_engine::abi::status::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_FLAG_LISTEN_SOCKET, WskInspectPend};
use skua_hosted::Transport;

use crate::raw::events::Tape;
use crate::raw::stream::{Stream, arguments, is_dropped};
use crate::raw::{Client, LOCALHOST, kernel};

/// A listening socket that asks.
fn asking(client: &Client) -> Stream {
    let listener = Stream::open(client, WSK_FLAG_LISTEN_SOCKET, true);
    assert_eq!(listener.get(SOL_SOCKET, SO_CONDITIONAL_ACCEPT), Ok(0));
    assert_eq!(listener.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1u32), STATUS_SUCCESS);
    assert_eq!(listener.get(SOL_SOCKET, SO_CONDITIONAL_ACCEPT), Ok(1));
    assert_eq!(listener.bind(LOCALHOST), STATUS_SUCCESS);
    listener
}

#[test]
fn a_dead_listener_says_so_to_the_inspect_event_with_null() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = asking(&client);
    listener.tape.answer_inspections(WskInspectPend);
    let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
    listener.tape.wait("it was not inspected", |state| state.inspected.len() == 1);
    assert_eq!(kernel.kill(&listener.listens_at()), 1);
    listener.tape.wait("it was not told", |state| state.deaths == 1);
    assert!(is_dropped(&mut peer), "what was pending is dropped");
    listener.close();
    client.end();
}

#[test]
fn conditional_accept_needs_callbacks() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let tape = Tape::new(&kernel);
    let without = crate::raw::socket::Arguments {
        dispatch: std::ptr::null(),
        ..arguments(skua_engine::abi::sockaddr::AF_INET, WSK_FLAG_LISTEN_SOCKET, &tape)
    };
    let raw = without.create(&client).unwrap();
    let bare = Stream::of_category(&kernel, raw, tape, WSK_FLAG_LISTEN_SOCKET);
    assert_eq!(bare.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1u32), STATUS_INVALID_PARAMETER);
    bare.close();
    client.end();
}
