//! Rules of WskReceive.

use std::io::Write;

use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
    STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{SIO_WSK_QUERY_RECEIVE_BACKLOG, WSK_FLAG_DRAIN, WSK_FLAG_WAITALL, WskIoctl};
use skua_hosted::Transport;

use crate::raw::stream::{Stream, room};
use crate::raw::{Client, Irp, bytes_of, check, eventually, kernel};

#[test]
fn a_receive_ends_with_what_has_come() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    peer.write_all(b"hello").unwrap();
    assert_eq!(connection.receive(&[3, 100], 0), (STATUS_SUCCESS, b"hello".to_vec()));
    let target = room(&kernel, &[100]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_receive(&target, 0, irp.raw()), STATUS_PENDING);
    assert!(!irp.is_complete());
    peer.write_all(b"again").unwrap();
    check(STATUS_PENDING, irp.wait());
    assert_eq!((irp.wait().status, irp.wait().information), (Some(STATUS_SUCCESS), 5));
    assert_eq!(&target.parts[0][..5], b"again");
    connection.close();
    client.end();
}

#[test]
fn a_receive_with_waitall_ends_when_its_buffer_is_full_or_the_stream_is_over() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    let target = room(&kernel, &[4, 0, 6]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_receive(&target, WSK_FLAG_WAITALL, irp.raw()), STATUS_PENDING);
    for part in [b"abc", b"def", b"ghi"] {
        peer.write_all(part).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert!(!irp.is_complete());
    }
    peer.write_all(b"jkl").unwrap();
    assert_eq!((irp.wait().status, irp.wait().information), (Some(STATUS_SUCCESS), 10));
    assert_eq!(target.parts.concat(), b"abcdefghij");
    drop(peer);
    assert_eq!(connection.receive(&[100], WSK_FLAG_WAITALL), (STATUS_SUCCESS, b"kl".to_vec()));
    assert_eq!(connection.receive(&[100], WSK_FLAG_WAITALL), (STATUS_SUCCESS, Vec::new()));
    connection.close();
    client.end();
}

#[test]
fn a_receive_with_drain_throws_away_until_the_stream_is_over() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    assert_eq!(connection.receive(&[1], WSK_FLAG_DRAIN).0, STATUS_INVALID_PARAMETER, "not empty");
    let nothing = room(&kernel, &[]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_receive(&nothing, WSK_FLAG_DRAIN, irp.raw()), STATUS_PENDING);
    peer.write_all(&vec![0; 1 << 20]).unwrap();
    assert!(!irp.is_complete());
    drop(peer);
    assert_eq!((irp.wait().status, irp.wait().information), (Some(STATUS_SUCCESS), 0));
    connection.close();
    client.end();
}

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
fn receives_are_served_in_order_and_cancelled_alone() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    let targets: Vec<_> = (0..3).map(|_| room(&kernel, &[2])).collect();
    let mut irps: Vec<Irp> = (0..3).map(|_| Irp::new(&kernel)).collect();
    for (target, irp) in targets.iter().zip(&mut irps) {
        assert_eq!(connection.start_receive(target, 0, irp.raw()), STATUS_PENDING);
    }
    assert!(irps[1].cancel());
    check(STATUS_PENDING, irps[1].wait());
    assert_eq!((irps[1].wait().status, irps[1].wait().information), (Some(STATUS_CANCELLED), 0));
    peer.write_all(b"abcd").unwrap();
    assert_eq!(irps[0].wait().information, 2);
    assert_eq!(irps[2].wait().information, 2);
    assert_eq!((&targets[0].parts[0][..], &targets[2].parts[0][..]), (&b"ab"[..], &b"cd"[..]));
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

#[test]
fn the_receive_backlog_is_what_has_come_and_was_not_taken() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    let backlog = || {
        let mut size = 0usize;
        let output = Some(bytes_of(&mut size));
        let result = connection.control(WskIoctl, 0, SIO_WSK_QUERY_RECEIVE_BACKLOG, None, output);
        // Only the Linux stack is asked.
        let expected =
            if cfg!(target_os = "linux") { (STATUS_SUCCESS, 8) } else { (STATUS_NOT_SUPPORTED, 0) };
        assert_eq!(result, expected);
        if expected.0 == STATUS_SUCCESS { Some(size) } else { None }
    };
    let is_known = backlog() == Some(0);
    peer.write_all(b"12345").unwrap();
    eventually("nothing has come", || !is_known || backlog() == Some(5));
    assert_eq!(connection.receive(&[2], 0), (STATUS_SUCCESS, b"12".to_vec()));
    assert_eq!(backlog(), is_known.then_some(3));
    connection.close();
    client.end();
}
