//! Rules of WskReceive.

use std::io::Write;

use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
    STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_FLAG_DRAIN, WSK_FLAG_WAITALL};
use skua_hosted::Transport;

use crate::raw::stream::{Stream, room};
use crate::raw::{Client, Irp, check, kernel};

#[test]
fn waitall_and_drain_exclude_each_other_and_other_flags_are_not_supported() {
    let kernel = crate::raw::unverified(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, _peer) = Stream::pair(&client);
    assert_eq!(connection.receive(&[], WSK_FLAG_DRAIN | WSK_FLAG_WAITALL).0, STATUS_INVALID_PARAMETER);
    assert_eq!(connection.receive(&[8], 0x10).0, STATUS_NOT_SUPPORTED);
    let call = connection.table().WskReceive.unwrap();
    // SAFETY: a live socket.
    let (status, _) = connection.run(|irp| unsafe { call(connection.raw, std::ptr::null_mut(), 0, irp) });
    assert_eq!(status, STATUS_INVALID_PARAMETER);
    let target = room(&kernel, &[8]);
    let mut header = target.header();
    header.Length = 9;
    // SAFETY: a live socket; the header is readable.
    let (status, _) = connection.run(|irp| unsafe { call(connection.raw, &raw mut header, 0, irp) });
    assert_eq!(status, STATUS_INVALID_PARAMETER);
    connection.close();
    client.end();
}

#[test]
fn cancels_and_data_that_race_complete_every_receive_once() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    let (mut sent, mut received) = (0, 0);
    for round in 0..300 {
        let target = room(&kernel, &[64]);
        let mut irp = Irp::new(&kernel);
        let returned = connection.start_receive(&target, 0, irp.raw());
        std::thread::scope(|scope| {
            scope.spawn(|| peer.write_all(b"x").unwrap());
            for _ in 0..round * 20 {
                std::hint::spin_loop();
            }
            irp.cancel();
        });
        sent += 1;
        let completion = irp.wait();
        check(returned, completion);
        match completion.status {
            Some(STATUS_CANCELLED) => assert_eq!(completion.information, 0),
            Some(STATUS_SUCCESS) => received += completion.information,
            other => panic!("{other:?}"),
        }
    }
    drop(peer);
    let (status, rest) = connection.receive(&[4096], WSK_FLAG_WAITALL);
    assert_eq!((status, received + rest.len()), (STATUS_SUCCESS, sent), "nothing was lost");
    connection.close();
    client.end();
}

#[test]
fn a_socket_that_died_answers_forced_closed() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, _peer) = Stream::pair(&client);
    let target = room(&kernel, &[8]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_receive(&target, 0, irp.raw()), STATUS_PENDING);
    assert_eq!(kernel.kill(&connection.local_address().unwrap()), 1);
    assert_eq!(irp.wait().status, Some(STATUS_FILE_FORCED_CLOSED));
    assert_eq!(connection.receive(&[8], 0).0, STATUS_FILE_FORCED_CLOSED);
    assert_eq!(connection.send(&[b"x"], 0).0, STATUS_FILE_FORCED_CLOSED);
    assert_eq!(connection.disconnect(None, 0), STATUS_FILE_FORCED_CLOSED);
    assert_eq!(connection.local_address(), Err(STATUS_FILE_FORCED_CLOSED));
    connection.close();
    client.end();
}
