//! Every datagram sent comes out as it went in.

use std::net::{SocketAddr, UdpSocket};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sink::Sink;

/// Bytes that differ from one datagram to the next.
pub(crate) fn payload(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i.wrapping_mul(31) ^ seed.wrapping_mul(17) ^ i >> 8).to_le_bytes()[0]).collect()
}

/// Lengths around every boundary there is, and a walk through the rest.
fn lengths() -> Vec<usize> {
    let mut lengths: Vec<usize> = (0..130).chain((130..65_507).step_by(1009)).collect();
    lengths.extend([1471, 1472, 1473, 2047, 2048, 2049, 4096, 8192, 9000, 65_506, 65_507]);
    lengths
}

/// Sends one datagram of each length and looks at what comes out before the next.
fn check(local: &str, from: &str, options: &[&str]) {
    let mut sink = Sink::start(&[&["--listen", local, "--json", "-"], options].concat());
    let to = sink.address();
    let socket = UdpSocket::bind(from).unwrap();
    let source =
        SocketAddr::new(from.parse::<SocketAddr>().unwrap().ip(), socket.local_addr().unwrap().port());
    let lengths = lengths();
    for (seed, &length) in lengths.iter().enumerate() {
        let payload = payload(seed, length);
        assert_eq!(socket.send_to(&payload, to).unwrap(), length);
        let line = sink.line();
        assert_eq!(line["length"], length);
        assert_eq!(line["source"].as_str().unwrap().parse::<SocketAddr>().unwrap(), source);
        assert_eq!(line["destination"].as_str().unwrap().parse::<SocketAddr>().unwrap(), to);
        assert_eq!(STANDARD.decode(line["payload"].as_str().unwrap()).unwrap(), payload, "{length} bytes");
        assert_eq!(line["text"].as_str(), std::str::from_utf8(&payload).ok());
    }
    let report = sink.stop();
    report.lossless(lengths.len() as u64);
    assert_eq!(report.count("bytes"), lengths.iter().sum::<usize>() as u64);
    assert_eq!(report.count("sources"), 1);
}

#[test]
fn ipv4_of_every_length() {
    check("127.0.0.1:0", "127.0.0.1:0", &[]);
}

#[test]
fn datagrams_that_cannot_be_joined_stay_as_they_are() {
    check("127.0.0.1:0", "127.0.0.1:0", &["--coalesce"]);
}

#[test]
fn ipv6_of_every_length() {
    check("[::1]:0", "[::1]:0", &[]);
}

#[test]
fn a_dual_stack_socket_hears_both_families() {
    let mut sink = Sink::start(&["--listen", "[::]:0", "--json", "-"]);
    let port = sink.address().port();
    for (from, to) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
        let socket = UdpSocket::bind(from).unwrap();
        socket.send_to(b"x", (to, port)).unwrap();
        let line = sink.line();
        assert_eq!(line["source"], socket.local_addr().unwrap().to_string());
        assert_eq!(line["destination"], SocketAddr::new(to.parse().unwrap(), port).to_string());
    }
    sink.stop().lossless(2);
}

#[test]
fn two_sockets_of_one_port_share_the_families() {
    let free = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let (v4, v6) = (format!("0.0.0.0:{free}"), format!("[::]:{free}"));
    let mut sink = Sink::start(&["--listen", &v6, "--listen", &v4, "--json", "-"]);
    assert_eq!(sink.addresses, [v6.parse().unwrap(), v4.parse().unwrap()]);
    for to in ["127.0.0.1", "::1"] {
        let from = if to == "::1" { "[::1]:0" } else { "127.0.0.1:0" };
        UdpSocket::bind(from).unwrap().send_to(b"x", (to, free)).unwrap();
        assert_eq!(sink.line()["destination"], SocketAddr::new(to.parse().unwrap(), free).to_string());
    }
    sink.stop().lossless(2);
}

#[test]
fn many_sources_are_counted_one_by_one() {
    let mut sink = Sink::start(&["--listen", "127.0.0.1:0", "--workers", "2", "--json", "-"]);
    let to = sink.address();
    let sockets: Vec<UdpSocket> =
        (1..=200).map(|host| UdpSocket::bind(format!("127.0.1.{host}:0")).unwrap()).collect();
    for round in 0..5_u8 {
        for socket in &sockets {
            socket.send_to(&[round], to).unwrap();
        }
        for _ in &sockets {
            sink.line();
        }
    }
    let report = sink.stop();
    report.lossless(1000);
    assert_eq!(report.count("sources"), 200);
    assert_eq!(report.count("workers"), 2);
}

#[test]
fn groups_are_joined_on_the_interface_named() {
    let mut sink = Sink::start(&["--listen", "0.0.0.0:0", "--group", "239.195.7.1@lo", "--json", "-"]);
    let port = sink.address().port();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.set_multicast_if_v4(&"127.0.0.1".parse().unwrap()).unwrap();
    let to: SocketAddr = format!("239.195.7.1:{port}").parse().unwrap();
    socket.send_to(b"to the group", &to.into()).unwrap();
    let line = sink.line();
    assert_eq!(
        (line["destination"].as_str(), line["text"].as_str()),
        (Some(&*to.to_string()), Some("to the group"))
    );
    sink.stop().lossless(1);
}
