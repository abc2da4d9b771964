//! Rules of WskSend.

use std::io::Read;

use skua_engine::abi::sockaddr::{SO_SNDBUF, SOL_SOCKET};
use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
    STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, WSK_BUF, WSK_EVENT_SEND_BACKLOG, WSK_FLAG_NODELAY, WskIoctl,
};
use skua_hosted::{ProviderConfig, Transport};

use crate::raw::socket::Buffer;
use crate::raw::stream::Stream;
use crate::raw::{Client, Irp, bytes_of, kernel, with};

#[test]
fn a_send_ends_with_the_bytes_of_its_whole_chain() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    assert_eq!(connection.send(&[b"one", b"", b" two"], 0), (STATUS_SUCCESS, 7));
    assert_eq!(connection.send(&[b" three"], WSK_FLAG_NODELAY), (STATUS_SUCCESS, 6));
    assert_eq!(connection.send(&[], 0), (STATUS_SUCCESS, 0), "nothing to send");
    let many: Vec<&[u8]> = (0..300).map(|_| b"x".as_slice()).collect();
    assert_eq!(connection.send(&many, 0), (STATUS_SUCCESS, 300), "more pieces than a system call takes");
    let mut received = vec![0; 313];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(received, ["one two three".as_bytes(), &[b'x'; 300]].concat());
    connection.close();
    client.end();
}

#[test]
fn a_send_refuses_other_flags_and_broken_buffers() {
    let kernel = crate::raw::unverified(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, _peer) = Stream::pair(&client);
    assert_eq!(connection.send(&[b"x"], 1).0, STATUS_NOT_SUPPORTED);
    assert_eq!(connection.send(&[b"x"], 0x100).0, STATUS_NOT_SUPPORTED);
    let call = connection.table().WskSend.unwrap();
    let buffer = Buffer::new(&kernel, &[b"four"]);
    let whole = buffer.header();
    for mut header in [
        WSK_BUF { Length: 5, ..whole },
        WSK_BUF { Offset: 5, ..whole },
        WSK_BUF { Mdl: std::ptr::null_mut(), ..whole },
    ] {
        // SAFETY: a live socket; the header is readable.
        let (status, _) = connection.run(|irp| unsafe { call(connection.raw, &raw mut header, 0, irp) });
        assert_eq!(status, STATUS_INVALID_PARAMETER);
    }
    // SAFETY: as above.
    let (status, _) = connection.run(|irp| unsafe { call(connection.raw, std::ptr::null_mut(), 0, irp) });
    assert_eq!(status, STATUS_INVALID_PARAMETER);
    // SAFETY: as above.
    let status = unsafe { call(connection.raw, &mut buffer.header(), 0, std::ptr::null_mut()) };
    assert_eq!(status, STATUS_INVALID_PARAMETER, "an IRP is required");
    connection.close();
    client.end();
}

#[test]
fn no_more_sends_wait_than_the_provider_has_room_for() {
    let kernel = with(ProviderConfig { pending_sends: 2, ..ProviderConfig::default() });
    let client = Client::new(&kernel);
    let (connection, _peer) = Stream::pair(&client);
    kernel.set_congested(true);
    let buffer = Buffer::new(&kernel, &[b"x"]);
    let mut irps = [Irp::new(&kernel), Irp::new(&kernel)];
    for irp in &mut irps {
        assert_eq!(connection.start_send(&buffer, 0, irp.raw()), STATUS_PENDING);
    }
    assert_eq!(connection.send(&[b"x"], 0).0, STATUS_INSUFFICIENT_RESOURCES);
    connection.close();
    assert!(irps.iter().all(|irp| irp.wait().status == Some(STATUS_CANCELLED)));
    client.end();
}

#[test]
fn the_ideal_backlog_is_asked_for_and_its_change_indicated() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, _peer) = Stream::pair(&client);
    let ideal = || {
        let mut size = 0usize;
        let output = Some(bytes_of(&mut size));
        let result = connection.control(WskIoctl, 0, SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, None, output);
        assert_eq!(result, (STATUS_SUCCESS, 8));
        size
    };
    assert!(ideal() > 0);
    assert_eq!(connection.event(WSK_EVENT_SEND_BACKLOG), STATUS_SUCCESS);
    // The pump has to have seen the old one.
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!(connection.set(SOL_SOCKET, SO_SNDBUF, 30_000u32), STATUS_SUCCESS);
    connection.tape.wait("the change was not told", |state| !state.backlogs.is_empty());
    assert_eq!(connection.tape.state().backlogs, [ideal()]);
    connection.close();
    client.end();
}
