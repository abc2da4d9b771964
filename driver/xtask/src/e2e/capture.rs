//! What tshark and capinfos find in a capture.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::datagram::Datagram;
use super::sender::from_hex;
use crate::{process, tool};

/// Longest that a reader may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The fields asked of tshark, in this order, separated by tabs.
const FIELDS: [&str; 13] = [
    "ip.src",
    "ipv6.src",
    "udp.srcport",
    "ip.dst",
    "ipv6.dst",
    "udp.dstport",
    "udp.payload",
    "frame.time_epoch",
    "frame.len",
    "frame.cap_len",
    "udp.length",
    "frame.drop_count",
    "_ws.expert.severity",
];

/// The severity that tshark gives a warning; an error's is higher.
const WARNING: u32 = 0x60_0000;

/// One packet of a capture.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    /// What was captured of it.
    pub(super) payload: Vec<u8>,
    /// How long the payload was on the wire, in bytes.
    pub(super) original: usize,
    /// Whether the packet was longer than what was captured.
    pub(super) cut: bool,
    /// Seconds since 1970.
    pub(super) time: f64,
    /// Packets that the capture says were dropped just before this one.
    pub(super) dropped: u64,
}

/// A capture that was read to its end.
pub(super) struct Capture {
    pub(super) packets: Vec<Packet>,
}

impl Capture {
    /// Reads `path` with tshark, and fails when tshark warns of a packet (a wrong checksum or length, say) or capinfos
    /// counts another number.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut command = tool::TSHARK.command();
        command
            // Names are never looked up, and no payload is taken for another protocol by its port or looks.
            .args(["-n", "-Q", "-d", "udp.port==1-65535,data"])
            .args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-r"])
            .arg(path)
            .args(["-T", "fields", "-E", "separator=/t"]);
        for field in FIELDS {
            command.args(["-e", field]);
        }
        let finished = process::run(&mut command, LIMIT)?.success()?;
        let packets = finished.stdout.lines().map(packet).collect::<Result<Vec<_>>>()?;
        let counted = count(path)?;
        ensure!(
            packets.len() == counted,
            "{}: tshark reads {} packets, capinfos {counted}",
            path.display(),
            packets.len()
        );
        Ok(Self { packets })
    }

    /// The packets as datagrams, for comparison with what was sent.
    pub(super) fn datagrams(&self) -> Vec<Datagram> {
        self.packets
            .iter()
            .map(|packet| Datagram {
                source: packet.source,
                destination: packet.destination,
                payload: packet.payload.clone(),
            })
            .collect()
    }
}

/// The number of packets, as capinfos counts them, in a capture whose times it reads as nanoseconds.
fn count(path: &Path) -> Result<usize> {
    let mut command = tool::CAPINFOS.command();
    command.args(["-M", "-c", "-I"]).arg(path);
    let finished = process::run(&mut command, LIMIT)?.success()?;
    let value = |label: &str| {
        finished
            .stdout
            .lines()
            .find_map(|line| line.trim().strip_prefix(label))
            .map(|rest| rest.trim().to_owned())
    };
    let precision = value("Time precision =").context("capinfos names no time precision")?;
    ensure!(precision.starts_with("nanoseconds"), "capinfos: times in {precision}");
    let packets = value("Number of packets:").context("capinfos counts no packets")?;
    packets.parse().with_context(|| format!("capinfos: not a number: {packets}"))
}

fn packet(line: &str) -> Result<Packet> {
    let fields: Vec<&str> = line.split('\t').collect();
    let Ok(fields) = <[&str; FIELDS.len()]>::try_from(fields) else {
        bail!("tshark: not {} fields: {line:.120}", FIELDS.len());
    };
    let [source4, source6, source_port, destination4, destination6, destination_port, payload, ..] = fields;
    let [.., time, length, captured, udp_length, dropped, severities] = fields;
    let length: usize = length.parse().with_context(|| format!("not a length: {length}"))?;
    let captured: usize = captured.parse().with_context(|| format!("not a length: {captured}"))?;
    let cut = captured < length;
    // What tshark says against a packet that was cut is that it was cut.
    let warned =
        severities.split(',').any(|severity| severity.parse::<u32>().is_ok_and(|level| level >= WARNING));
    ensure!(cut || !warned, "tshark warns of a packet: {line:.120}");
    let udp_length: usize = udp_length.parse().with_context(|| format!("no UDP length: {line:.120}"))?;
    Ok(Packet {
        source: address(source4, source6, source_port)?,
        destination: address(destination4, destination6, destination_port)?,
        payload: from_hex(payload)?,
        original: udp_length.checked_sub(8).context("a UDP length below its header's")?,
        cut,
        time: time.parse().with_context(|| format!("not a time: {time}"))?,
        dropped: if dropped.is_empty() { 0 } else { dropped.parse().context("not a drop count")? },
    })
}

fn address(v4: &str, v6: &str, port: &str) -> Result<SocketAddr> {
    let text = if v4.is_empty() { v6 } else { v4 };
    let host: IpAddr = text.parse().with_context(|| format!("tshark shows no address: {text}"))?;
    Ok(SocketAddr::new(host, port.parse().with_context(|| format!("tshark shows no port: {port}"))?))
}
