//! A disk that is full, played by the limit on the size of files.

use std::net::UdpSocket;

use rustix::process::{Resource, Rlimit, prlimit};

use crate::capture;
use crate::sink::{Sink, text};

const LIMIT: u64 = 20_000;

/// A sink whose files end at [`LIMIT`] bytes. Its rings are files as well, so the limit comes when they are there.
fn limited(args: &[&str]) -> Sink {
    let sink = Sink::start(&[&["--listen", "127.0.0.1:0"], args].concat());
    let limit = Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) };
    prlimit(Some(sink.process()), Resource::Fsize, limit).unwrap();
    sink
}

#[test]
fn the_capture_stops_readable_and_the_sink_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let mut sink = limited(&["--write", text(&path), "--json", "-"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..100_u8 {
        socket.send_to(&[number; 1000], sink.address()).unwrap();
        // Also long after the capture ended.
        assert_eq!(sink.line()["length"], 1000);
    }
    let report = sink.stop();
    report.accounts_for(100);
    assert_eq!(report.status.code(), Some(1), "{report:?}");
    let told: Vec<_> = report.messages().into_iter().filter(|line| line.contains(text(&path))).collect();
    assert_eq!(told.len(), 1, "{report:?}");
    assert!(told[0].contains("the sink goes on"), "{told:?}");

    let capture = capture::read(&path);
    assert!(capture.packets.len() > 5, "{}", capture.packets.len());
    assert_eq!(capture.packets.len() as u64, report.count("written"), "{report:?}");
    assert!(std::fs::metadata(&path).unwrap().len() <= LIMIT);
    for (number, (packet, _)) in capture.packets.iter().enumerate() {
        assert!(packet[28..].iter().all(|byte| usize::from(*byte) == number));
    }
}

#[test]
fn lines_stop_at_the_end_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndjson");
    let sink = limited(&["--json", text(&path)]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..100_u8 {
        socket.send_to(&[number; 500], sink.address()).unwrap();
    }
    let report = sink.stop();
    report.accounts_for(100);
    assert_eq!(report.status.code(), Some(1), "{report:?}");
    let lines = std::fs::read_to_string(&path).unwrap();
    assert!(lines.ends_with("}\n"), "{lines:?}");
    assert_eq!(lines.lines().count() as u64, report.count("written"), "{report:?}");
}
