//! Overloaded on purpose: what is missing equals what is counted.

use std::io::{BufRead, Read};
use std::net::UdpSocket;

use crate::capture;
use crate::sink::{Signal, Sink, text};

#[test]
fn a_stalled_output_fills_the_ring_and_the_rest_is_counted() {
    let mut sink =
        Sink::start(&["--listen", "127.0.0.1:0", "--ring", "16K", "--snaplen", "1000", "--json", "-"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut stdout = sink.take_stdout();
    let (mut sent, mut seen) = (0_u64, 0_u64);
    // One line tells that a burst was taken in, then nobody reads: the pipe, the output's buffer and the ring fill up.
    // How much they hold together does not matter; more than 64 K + 256 K + 16 K is sent.
    for _ in 0..4 {
        for _ in 0..400 {
            socket.send_to(&[b'x'; 600], sink.address()).unwrap();
            sent += 1;
        }
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        seen += 1;
    }
    sink.signal(Signal::INT);
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let (lines, summary) = text.trim_end().rsplit_once('\n').unwrap();
    seen += lines.lines().count() as u64;
    let mut report = sink.finish();
    report.summary = serde_json::from_str(summary).unwrap();
    report.accounts_for(sent);
    assert!(report.summary["drops"]["ring_full"].as_u64() > Some(0), "the ring was never full: {report:?}");
    assert_eq!(report.count("written"), report.count("published"), "{report:?}");
    assert_eq!(report.count("written"), seen, "{report:?}");
}

#[test]
fn a_small_socket_buffer_loses_below_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let sink = Sink::start(&["--listen", "127.0.0.1:0", "--receive-buffer", "4K", "--write", text(&path)]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sent = 0;
    for _ in 0..20_000 {
        socket.send_to(&[b'x'; 1000], sink.address()).unwrap();
        sent += 1;
    }
    let report = sink.stop();
    report.accounts_for(sent);
    assert_eq!(report.count("written"), report.count("published"), "{report:?}");
    let capture = capture::read(&path);
    assert_eq!(capture.packets.len() as u64, report.count("written"));
    let told = capture.lost_before_packets;
    assert!(told <= report.count("lost_below") + report.dropped(), "{told} in the capture: {report:?}");
}
