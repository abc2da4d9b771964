//! Rules of WskDisconnect, WskDisconnectEvent and of closing a connection.

use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_PENDING};
use skua_hosted::Transport;

use crate::raw::socket::Buffer;
use crate::raw::stream::{Stream, is_dropped};
use crate::raw::{Client, Irp, kernel};

#[test]
fn a_disconnect_that_is_cancelled_resets() {
    let kernel = kernel(Transport::Os);
    let client = Client::new(&kernel);
    let (connection, mut peer) = Stream::pair(&client);
    kernel.set_congested(true);
    let data = Buffer::new(&kernel, &[b"x"]);
    let mut irp = Irp::new(&kernel);
    assert_eq!(connection.start_disconnect(Some(&data), 0, irp.raw()), STATUS_PENDING);
    assert!(irp.cancel());
    assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    assert!(is_dropped(&mut peer));
    kernel.set_congested(false);
    connection.close();
    client.end();
}
