//! However long datagrams may gather, every one of them is taken.

use std::net::UdpSocket;
use std::time::Duration;

use crate::sink::{Report, Sink};

/// Sends datagrams one by one, for longer than they may gather.
fn run(moderation: &str) -> Report {
    let sink = Sink::start(&["--listen", "127.0.0.1:0", "--discard", "--moderation", moderation]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..300 {
        socket.send_to(&[7; 100], sink.address()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    sink.stop()
}

#[test]
fn what_gathers_is_taken_before_the_end() {
    for moderation in ["100ms", "1ms", "0"] {
        run(moderation).lossless(300);
    }
}
