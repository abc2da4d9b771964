//! `skua send`, and what `skua sink --verify` says of it.

use std::net::UdpSocket;

use crate::sink::{Sink, skua};

/// Sends and returns what the sender said.
fn send(to: &str, args: &[&str]) -> String {
    let output = skua(&["send", "--to", to]).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_sent_is_recognised() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let sink = Sink::start(&["--listen", listen, "--verify"]);
        let to = sink.address().to_string();
        let said = send(&to, &["--count", "2000", "--rate", "10k", "--size", "200", "--flows", "3"]);
        assert!(said.starts_with("sent 2000 datagrams, 400000 bytes, in "), "{said}");
        UdpSocket::bind(listen).unwrap().send_to(b"not one of them", sink.address()).unwrap();
        let report = sink.stop();
        report.lossless(2001);
        assert_eq!(
            report.summary["verify"],
            serde_json::json!({
                "flows": 3, "intact": 2000, "lost": 0, "duplicated": 0, "reordered": 0, "corrupt": 0, "foreign": 1
            })
        );
    }
}

#[test]
fn the_rate_is_kept() {
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    let said = send(&sink.local_addr().unwrap().to_string(), &["--for", "500ms", "--rate", "1k"]);
    let sent: u64 = said.split(' ').nth(1).unwrap().parse().unwrap();
    // A machine that is busy elsewhere may send fewer; more would be a mistake.
    assert!((1..=501).contains(&sent), "{said}");
}

#[test]
fn what_the_sink_was_told_to_leave_out_is_lost_to_verify() {
    let sink = Sink::start(&["--listen", "127.0.0.1:0", "--verify", "--sample", "1/10"]);
    send(&sink.address().to_string(), &["--count", "1000", "--rate", "10k"]);
    let report = sink.stop();
    report.accounts_for(1000);
    assert_eq!(report.summary["drops"]["sampled"], 900);
    assert_eq!(report.summary["verify"]["lost"], 900);
    assert_eq!(report.summary["verify"]["intact"], 100);
}

#[test]
fn nobody_listening_is_said() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let said = send(&free, &["--count", "20", "--rate", "1k"]);
    assert!(said.starts_with("sent 20 datagrams") && said.contains("nobody listens"), "{said}");
}
