//! Rules of conditional accept: WskInspectEvent, WskInspectComplete, WskAbortEvent.

use std::net::TcpStream;

use skua_engine::abi::sockaddr::{SO_CONDITIONAL_ACCEPT, SOL_SOCKET};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_INSPECT_ID, WSK_EVENT_ACCEPT, WSK_FLAG_LISTEN_SOCKET, WSK_INSPECT_ID, WskInspectAccept,
    WskInspectPend, WskInspectReject, WskIoctl,
};
use skua_engine::abi::zeroed;
use skua_hosted::Transport;

use crate::raw::events::Tape;
use crate::raw::stream::{Stream, arguments, is_dropped};
use crate::raw::{Client, LOCALHOST, bytes_of, kernel};

/// A listening socket that asks.
fn asking(client: &Client) -> Stream {
    let listener = Stream::open(client, WSK_FLAG_LISTEN_SOCKET, true);
    assert_eq!(listener.get(SOL_SOCKET, SO_CONDITIONAL_ACCEPT), Ok(0));
    assert_eq!(listener.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1u32), STATUS_SUCCESS);
    assert_eq!(listener.get(SOL_SOCKET, SO_CONDITIONAL_ACCEPT), Ok(1));
    assert_eq!(listener.bind(LOCALHOST), STATUS_SUCCESS);
    listener
}

fn inspect_id(socket: &Stream) -> Result<WSK_INSPECT_ID, NTSTATUS> {
    let mut id: WSK_INSPECT_ID = zeroed();
    let nobody = std::ptr::null_mut();
    let output = Some(bytes_of(&mut id));
    let status = socket.control_with(WskIoctl, 0, SIO_WSK_QUERY_INSPECT_ID, None, output, nobody);
    if status == STATUS_SUCCESS { Ok(id) } else { Err(status) }
}

#[test]
fn an_accepted_inspection_lets_the_connection_in_under_its_id() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = asking(&client);
    listener.tape.answer_inspections(WskInspectAccept);
    let peer = TcpStream::connect(listener.listens_at()).unwrap();
    listener.tape.wait("it was not inspected", |state| state.inspected.len() == 1);
    let accepted = listener.accept();
    let (id, remote) = listener.tape.state().inspected[0];
    assert_eq!(remote, peer.local_addr().unwrap());
    assert_eq!(inspect_id(&accepted), Ok(id));
    let (status, _) = accepted.control(WskIoctl, 0, SIO_WSK_QUERY_INSPECT_ID, None, None);
    assert_eq!(status, STATUS_INVALID_PARAMETER, "it takes no IRP");
    accepted.close();
    listener.close();
    client.end();
}

#[test]
fn a_rejected_inspection_ends_the_connection() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = asking(&client);
    listener.tape.answer_inspections(WskInspectReject);
    assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_SUCCESS);
    let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
    assert!(is_dropped(&mut peer));
    assert_eq!(listener.tape.accepted_count(), 0);
    listener.close();
    client.end();
}

#[test]
fn a_pended_inspection_waits_for_its_completion() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = asking(&client);
    listener.tape.answer_inspections(WskInspectPend);
    assert_eq!(listener.event(WSK_EVENT_ACCEPT), STATUS_SUCCESS);
    let first = TcpStream::connect(listener.listens_at()).unwrap();
    let mut second = TcpStream::connect(listener.listens_at()).unwrap();
    listener.tape.wait("both were not inspected", |state| state.inspected.len() == 2);
    assert_eq!(listener.tape.accepted_count(), 0);
    let id_of = |peer: &TcpStream| {
        let local = peer.local_addr().unwrap();
        let state = listener.tape.state();
        state.inspected.iter().find(|(_, remote)| *remote == local).unwrap().0
    };
    let (accept, reject) = (id_of(&first), id_of(&second));
    assert_eq!(listener.inspect_complete(accept, WskInspectPend), STATUS_INVALID_PARAMETER);
    assert_eq!(listener.inspect_complete(reject, WskInspectReject), STATUS_SUCCESS);
    assert!(is_dropped(&mut second));
    assert_eq!(listener.inspect_complete(reject, WskInspectAccept), STATUS_INVALID_PARAMETER, "decided");
    assert_eq!(listener.inspect_complete(accept, WskInspectAccept), STATUS_SUCCESS);
    let accepted = listener.tape.accepted();
    assert_eq!(accepted.remote_address(), Ok(first.local_addr().unwrap()));
    accepted.close();
    listener.close();
    client.end();
}

#[test]
fn the_abort_event_tells_of_a_pended_connection_that_went_away() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = asking(&client);
    listener.tape.answer_inspections(WskInspectPend);
    let peer = TcpStream::connect(listener.listens_at()).unwrap();
    listener.tape.wait("it was not inspected", |state| state.inspected.len() == 1);
    let (id, _) = listener.tape.state().inspected[0];
    drop(peer);
    listener.tape.wait("it was not aborted", |state| state.aborted == [id]);
    assert_eq!(listener.inspect_complete(id, WskInspectAccept), STATUS_INVALID_PARAMETER);
    listener.close();
    client.end();
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
fn closing_drops_what_was_left_pending() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = asking(&client);
    listener.tape.answer_inspections(WskInspectPend);
    let mut peer = TcpStream::connect(listener.listens_at()).unwrap();
    listener.tape.wait("it was not inspected", |state| state.inspected.len() == 1);
    listener.close();
    assert!(is_dropped(&mut peer));
    client.end();
}

#[test]
fn conditional_accept_is_asked_for_before_bind_with_callbacks_by_what_listens() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let listener = Stream::listening(&client);
    assert_eq!(listener.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1u32), STATUS_INVALID_DEVICE_STATE);
    let id: WSK_INSPECT_ID = zeroed();
    assert_eq!(listener.inspect_complete(id, WskInspectAccept), STATUS_INVALID_PARAMETER, "none is pending");
    let (connection, _peer) = Stream::pair(&client);
    assert_eq!(connection.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1u32), STATUS_NOT_SUPPORTED);
    assert_eq!(inspect_id(&connection), Err(STATUS_INVALID_DEVICE_REQUEST));
    let tape = Tape::new(&kernel);
    let without = crate::raw::socket::Arguments {
        dispatch: std::ptr::null(),
        ..arguments(skua_engine::abi::sockaddr::AF_INET, WSK_FLAG_LISTEN_SOCKET, &tape)
    };
    let raw = without.create(&client).unwrap();
    let bare = Stream::of_category(&kernel, raw, tape, WSK_FLAG_LISTEN_SOCKET);
    assert_eq!(bare.set(SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1u32), STATUS_INVALID_PARAMETER);
    for socket in [listener, connection, bare] {
        socket.close();
    }
    client.end();
}
