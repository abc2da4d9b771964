//! Rules of WskReceiveFrom.

use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_INVALID_DEVICE_STATE, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_hosted::Transport;

use crate::raw::socket::{Socket, Target};
use crate::raw::{Client, Irp, LOCALHOST, check, kernel};

#[test]
fn cancels_and_datagrams_that_race_complete_every_request_once() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let sender = Socket::bound(&client, LOCALHOST);
    let (mut cancelled, mut received) = (0, 0);
    for round in 0..400 {
        let mut target = Target::new(&kernel, &[8]);
        let mut irp = Irp::new(&kernel);
        let returned = socket.receive_from(&mut target, irp.raw());
        std::thread::scope(|scope| {
            scope.spawn(|| sender.deliver(socket.local(), b"x"));
            for _ in 0..round % 40 {
                std::hint::spin_loop();
            }
            irp.cancel();
        });
        let completion = irp.wait();
        check(returned, completion);
        match completion.status {
            Some(STATUS_CANCELLED) => cancelled += 1,
            Some(STATUS_SUCCESS) => received += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(cancelled + received, 400);
    socket.close();
    sender.close();
    client.end();
}

#[test]
fn a_receive_on_an_unbound_or_dead_socket_is_refused() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let socket = Socket::open(&client, true);
    let mut target = Target::new(&kernel, &[8]);
    let (status, _) = socket.run(|irp| socket.receive_from(&mut target, irp));
    assert_eq!(status, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
    let mut irp = Irp::new(&kernel);
    assert_eq!(socket.receive_from(&mut target, irp.raw()), STATUS_PENDING);
    kernel.kill(&socket.local_address().unwrap());
    assert_eq!(irp.wait().status, Some(STATUS_FILE_FORCED_CLOSED));
    let (status, _) = socket.run(|irp| socket.receive_from(&mut target, irp));
    assert_eq!(status, STATUS_FILE_FORCED_CLOSED);
    socket.close();
    client.end();
}
