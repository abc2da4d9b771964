//! Programs that break rules of a socket's life.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use skua_engine::abi::status::{STATUS_FILE_FORCED_CLOSED, STATUS_PENDING, STATUS_SUCCESS};
use skua_hosted::HostKernel;
use skua_hosted::middleware::Function;

use crate::client::Client;
use crate::hook;
use crate::socket::{Operation, Socket, buffer, eventually};

crate::cases! {
    SocketUsedAfterClose: binding_a_closed_socket, closing_twice;
    SocketUsedWhileClosing: binding_while_the_close_is_pending;
    SocketClosedInUse: closing_while_another_thread_is_inside;
    SocketClosedWithIndications: closing_with_a_retained_indication;
    Leaked: leaving_a_socket;
}

fn binding_a_closed_socket(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let socket = Socket::open(&client, |_| STATUS_SUCCESS);
    assert_eq!(socket.close(), STATUS_SUCCESS);
    assert_eq!(socket.bind().0, STATUS_FILE_FORCED_CLOSED);
    client.end();
}

fn closing_twice(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let socket = Socket::open(&client, |_| STATUS_SUCCESS);
    assert_eq!(socket.close(), STATUS_SUCCESS);
    assert_eq!(socket.close(), STATUS_FILE_FORCED_CLOSED);
    client.end();
}

fn binding_while_the_close_is_pending(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (entered, may_leave) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (enters, leaves) = (Arc::clone(&entered), Arc::clone(&may_leave));
    let socket = Socket::open(&client, move |_| {
        enters.store(true, Ordering::SeqCst);
        eventually(|| leaves.load(Ordering::SeqCst));
        STATUS_SUCCESS
    });
    assert_eq!(socket.send(&mut buffer(kernel, b"datagram")), STATUS_SUCCESS);
    eventually(|| entered.load(Ordering::SeqCst));
    let close = Operation::new(kernel);
    // It waits for the callback.
    assert_eq!(socket.start_close(&close), STATUS_PENDING);
    assert_eq!(socket.bind().0, STATUS_FILE_FORCED_CLOSED);
    may_leave.store(true, Ordering::SeqCst);
    assert_eq!(close.wait().0, STATUS_SUCCESS);
    client.end();
}

fn closing_while_another_thread_is_inside(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let socket = Socket::open(&client, |_| STATUS_SUCCESS);
    let entered = Arc::new(AtomicBool::new(false));
    let enters = Arc::clone(&entered);
    hook::set(kernel, move |call| {
        if call.function() == Function::Bind {
            enters.store(true, Ordering::SeqCst);
            eventually(|| !call.kernel().findings().is_empty());
        }
        None
    });
    std::thread::scope(|scope| {
        scope.spawn(|| socket.bind());
        eventually(|| entered.load(Ordering::SeqCst));
        assert_eq!(socket.close(), STATUS_SUCCESS);
    });
    client.end();
}

fn closing_with_a_retained_indication(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let socket = Socket::open(&client, |_| STATUS_PENDING);
    socket.receive_one();
    assert_eq!(socket.close(), STATUS_SUCCESS);
    client.end();
}

fn leaving_a_socket(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let _ = Socket::open(&client, |_| STATUS_SUCCESS);
}
