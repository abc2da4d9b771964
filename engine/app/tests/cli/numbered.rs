//! `skua send`, and what `skua sink --verify` says of it.

use std::net::UdpSocket;
use std::time::Duration;

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
fn super_buffers_arrive_as_the_datagrams_they_were_cut_into() {
    for args in
        [&["--listen", "127.0.0.1:0", "--verify"][..], &["--listen", "[::1]:0", "--verify", "--coalesce"]]
    {
        let sink = Sink::start(args);
        let to = sink.address().to_string();
        // A rate that the ring and the socket buffer keep up with: the last super-buffer is shorter than the others.
        let said = send(&to, &["--count", "3001", "--rate", "20k", "--size", "100", "--flows", "2", "--uso"]);
        assert!(said.starts_with("sent 3001 datagrams, 300100 bytes, in "), "{said}");
        let report = sink.stop();
        report.lossless(3001);
        assert_eq!(report.summary["verify"]["intact"], 3001, "{args:?}");
        assert_eq!(report.summary["verify"]["flows"], 2, "{args:?}");
    }
}

#[test]
fn without_a_rate_every_datagram_is_sent_once_and_in_order() {
    for (args, size) in
        [(&["--size", "64"][..], 64), (&["--size", "64", "--uso"], 64), (&["--size", "1400", "--uso"], 1400)]
    {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let to = receiver.local_addr().unwrap().to_string();
        // As many as the smallest default socket buffer holds.
        let said = send(&to, &[args, &["--count", "40", "--rate", "max"]].concat());
        assert!(said.starts_with("sent 40 datagrams"), "{said}");
        let mut datagram = [0; 65_536];
        for sequence in 0..40_u64 {
            assert_eq!(receiver.recv(&mut datagram).unwrap(), size, "{args:?}: datagram {sequence}");
            assert_eq!(datagram[16..24], sequence.to_le_bytes(), "{args:?}");
        }
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
    for (rate, count) in [("1k", "20"), ("max", "2000")] {
        let said = send(&free, &["--count", count, "--rate", rate]);
        assert!(
            said.starts_with(&format!("sent {count} datagrams")) && said.contains("nobody listens"),
            "{said}"
        );
    }
}
