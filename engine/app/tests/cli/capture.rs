//! Captures, read back.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::path::Path;

use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption;
use pcap_file::pcapng::{Block, PcapNgReader};

use crate::receiving::payload;
use crate::sink::{Sink, text};

/// What a capture holds.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    /// Captured bytes and original length of each packet, IP header first.
    pub(crate) packets: Vec<(Vec<u8>, u32)>,
    /// The sum of all dropcount options.
    pub(crate) lost_before_packets: u64,
    /// The options of the statistics block.
    pub(crate) statistics: Vec<InterfaceStatisticsOption<'static>>,
}

/// Reads a capture, which must be whole blocks from the first byte to the last.
pub(crate) fn read(path: &Path) -> Capture {
    let bytes = std::fs::read(path).unwrap();
    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    let mut capture = Capture::default();
    while let Some(block) = reader.next_block() {
        match block.unwrap().into_owned() {
            Block::EnhancedPacket(packet) => {
                for option in &packet.options {
                    if let EnhancedPacketOption::DropCount(count) = option {
                        capture.lost_before_packets += count;
                    }
                }
                capture.packets.push((packet.data.into_owned(), packet.original_len));
            }
            Block::InterfaceStatistics(statistics) => capture.statistics = statistics.options,
            Block::InterfaceDescription(_) => {}
            other => panic!("{other:?} is no block of a capture"),
        }
    }
    capture
}

#[test]
fn a_capture_holds_what_was_sent_under_headers_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let mut sink = Sink::start(&[
        "--listen",
        "127.0.0.1:0",
        "--listen",
        "[::1]:0",
        "--write",
        text(&path),
        "--json",
        "-",
    ]);
    let sockets = [UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap()];
    let mut sent: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut count = 0;
    for (seed, length) in [0, 1, 47, 512, 1472, 9000, 65_507, 3].into_iter().cycle().take(64).enumerate() {
        let payload = payload(seed, length);
        let which = seed % 2;
        sockets[which].send_to(&payload, sink.addresses[which]).unwrap();
        sink.line();
        *sent.entry(payload).or_default() += 1;
        count += 1;
    }
    let ports = sink.addresses.clone();
    sink.stop().lossless(count);

    let capture = read(&path);
    assert_eq!(capture.packets.len() as u64, count);
    for (packet, original) in &capture.packets {
        assert_eq!(packet.len(), *original as usize);
        let (udp, to) = match packet[0] >> 4 {
            4 => (&packet[20..], ports[0]),
            _ => (&packet[40..], ports[1]),
        };
        assert_eq!(usize::from(u16::from_be_bytes([udp[4], udp[5]])), udp.len());
        assert_eq!(u16::from_be_bytes([udp[2], udp[3]]), to.port());
        let left = sent.get_mut(&udp[8..]).expect("a payload that was sent");
        *left -= 1;
    }
    assert!(sent.values().all(|left| *left == 0));
    for option in [
        InterfaceStatisticsOption::IsbIfRecv(count),
        InterfaceStatisticsOption::IsbIfDrop(0),
        InterfaceStatisticsOption::IsbOsDrop(0),
        InterfaceStatisticsOption::IsbUsrDeliv(count),
    ] {
        assert!(capture.statistics.contains(&option), "{option:?} in {:?}", capture.statistics);
    }
}

#[test]
fn cut_datagrams_keep_their_original_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcapng");
    let mut sink = Sink::start(&[
        "--listen",
        "127.0.0.1:0",
        "--snaplen",
        "100",
        "--ring",
        "64K",
        "--write",
        text(&path),
        "--json",
        "-",
    ]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in [99, 100, 101, 9000] {
        socket.send_to(&payload(1, length), sink.address()).unwrap();
        let line = sink.line();
        assert_eq!(
            (line["length"].as_u64(), line["truncated"].as_bool()),
            (Some(length as u64), (length > 100).then_some(true))
        );
    }
    sink.stop().lossless(4);
    let lengths: Vec<_> =
        read(&path).packets.iter().map(|(packet, original)| (packet.len(), *original)).collect();
    assert_eq!(lengths, [(127, 127), (128, 128), (128, 129), (128, 9028)]);
}
