//! The totals, where they stand and what they add up to.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};

use serde_json::Value;

use crate::sink::Sink;

#[test]
fn the_summary_has_every_key_and_ends_standard_output() {
    let mut sink = Sink::start(&["--listen", "127.0.0.1:0", "--json", "-", "--ring", "1M"]);
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"hello", sink.address()).unwrap();
    sink.line();
    let address = sink.address().to_string();
    let report = sink.stop();
    report.lossless(1);
    assert!(report.lines.is_empty());
    let summary = report.summary.as_object().unwrap();
    let mut keys: Vec<&str> = summary.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "bytes",
            "delivered",
            "drops",
            "indicated",
            "lost_below",
            "published",
            "retained",
            "ring",
            "seconds",
            "sockets",
            "sources",
            "workers",
            "written"
        ]
    );
    let mut drops: Vec<&str> = summary["drops"].as_object().unwrap().keys().map(String::as_str).collect();
    drops.sort_unstable();
    assert_eq!(
        drops,
        [
            "closing",
            "handler",
            "malformed",
            "map_failed",
            "missing_info",
            "nested",
            "no_slot",
            "not_allowed",
            "oversize",
            "rate_limited",
            "retain_budget",
            "ring_full",
            "sampled"
        ]
    );
    assert_eq!(summary["sockets"], serde_json::json!([{ "local": address }]));
    assert_eq!((summary["ring"].as_u64(), summary["workers"].as_u64()), (Some(1 << 20), Some(1)));
    assert!(summary["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(summary["bytes"], 5);
}

#[test]
fn metrics_tell_the_same() {
    let mut sink = Sink::start(&["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--json", "-"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..7 {
        socket.send_to(b"hello", sink.address()).unwrap();
        sink.line();
    }
    let metrics = sink.metrics.clone().unwrap();
    // Renewed once a second.
    let text = loop {
        let text = get(&metrics, "/metrics");
        if text.contains("\nskua_datagrams_written_total 7\n") {
            break text;
        }
        std::thread::yield_now();
    };
    assert!(text.contains("\nskua_datagrams_indicated_total 7\n"), "{text}");
    assert!(text.contains("\nskua_delivered_bytes_total 35\n"), "{text}");
    assert!(get(&metrics, "/").starts_with("HTTP/1.1 404"));
    sink.stop().lossless(7);
}

fn get(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn off_a_terminal_there_are_lines_without_escape_codes() {
    let sink = Sink::start(&["--listen", "127.0.0.1:0", "--for", "1500ms"]);
    let report = sink.finish();
    report.lossless(0);
    let status: Vec<_> = report.stderr.iter().filter(|line| !line.starts_with("skua: ")).collect();
    assert_eq!(status.len(), 1, "{report:?}");
    assert!(status[0].contains("indicated 0") && status[0].contains("stall budget"), "{report:?}");
    assert!(!report.stderr.concat().contains('\x1b'), "{report:?}");
}

#[test]
fn discarding_reads_everything() {
    let sink = Sink::start(&["--listen", "127.0.0.1:0", "--discard"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..20 {
        socket.send_to(&[1; 100], sink.address()).unwrap();
    }
    // What the system has taken is drained before the end.
    let report = sink.stop();
    report.lossless(20);
    assert_eq!(report.summary["verify"], Value::Null);
}
