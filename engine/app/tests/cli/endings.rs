//! Whatever ends a run, it ends in the same way.

use std::net::UdpSocket;

use crate::capture;
use crate::sink::{Report, Signal, Sink, text};

/// Sends, and ends the run while everything may still be on its way.
fn ended(args: &[&str], end: impl FnOnce(Sink) -> Report) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let sink = Sink::start(&[&["--listen", "127.0.0.1:0", "--write", text(&path)], args].concat());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Few enough for any socket buffer.
    for number in 0..50_u8 {
        socket.send_to(&[number; 64], sink.address()).unwrap();
    }
    let report = end(sink);
    report.lossless(50);
    let capture = capture::read(&path);
    assert_eq!(capture.packets.len(), 50);
    assert!(!capture.statistics.is_empty());
}

#[test]
fn by_sigint() {
    ended(&[], |sink| sink.end_by(Signal::INT));
}

#[test]
fn by_sigterm() {
    ended(&[], |sink| sink.end_by(Signal::TERM));
}

#[test]
fn by_time() {
    ended(&["--for", "300ms"], Sink::finish);
}

#[test]
fn a_reader_that_hangs_up_ends_the_run() {
    let mut sink = Sink::start(&["--listen", "127.0.0.1:0", "--json", "-"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"first", sink.address()).unwrap();
    assert_eq!(sink.line()["text"], "first");
    drop(sink.take_stdout());
    socket.send_to(b"second", sink.address()).unwrap();
    let report = sink.finish();
    assert!(report.status.success(), "{report:?}");
}
