//! What a pcapng file holds, read by this program: its captures here are larger than tshark reads in reasonable time.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, PcapError};

use super::traffic::{Print, Prints};
use crate::{process, tool};

/// Longest that capinfos may take.
const LIMIT: Duration = Duration::from_secs(60);

/// UDP's number in an IP header.
const UDP: u8 = 17;

/// The datagrams in the capture at `path`, which must be whole; capinfos must count as many.
pub(super) fn read(path: &Path) -> Result<Prints> {
    let prints = packets(path, false)?;
    let mut command = tool::CAPINFOS.command();
    command.args(["-M", "-c"]).arg(path);
    let said = process::run(&mut command, LIMIT)?.success()?.stdout;
    let counted = said.lines().find_map(|line| line.trim().strip_prefix("Number of packets:"));
    let counted: usize = counted.context("capinfos counts no packets")?.trim().parse()?;
    ensure!(counted == prints.len(), "capinfos counts {counted} packets where there are {}", prints.len());
    Ok(prints)
}

/// The datagrams in a capture whose writer was killed: a block that is cut ends it.
pub(super) fn read_cut(path: &Path) -> Result<Prints> {
    packets(path, true)
}

fn packets(path: &Path, may_be_cut: bool) -> Result<Prints> {
    let file = File::open(path).with_context(|| format!("no capture {}", path.display()))?;
    let mut reader = PcapNgReader::new(BufReader::new(file)).context("not a pcapng file")?;
    let mut prints = Prints::default();
    while let Some(block) = reader.next_block() {
        match block {
            Ok(Block::InterfaceDescription(interface)) => {
                ensure!(interface.linktype == DataLink::RAW, "packets of kind {:?}", interface.linktype);
            }
            Ok(Block::EnhancedPacket(packet)) => {
                ensure!(usize::try_from(packet.original_len)? == packet.data.len(), "a packet is cut");
                prints.add(datagram(&packet.data)?);
            }
            Ok(_) => {}
            Err(PcapError::IncompleteBuffer) if may_be_cut => break,
            Err(PcapError::IoError(error)) if may_be_cut && error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }
    Ok(prints)
}

/// The datagram that an IP packet is.
fn datagram(packet: &[u8]) -> Result<Print> {
    let version = packet.first().context("an empty packet")? >> 4;
    let (source, destination, udp): (IpAddr, IpAddr, &[u8]) = match version {
        4 => {
            let (header, rest) = packet.split_first_chunk::<20>().context("a short header")?;
            ensure!(header[0] & 0xf == 5 && header[9] == UDP, "not a plain UDP packet");
            let [.., a, b, c, d, e, f, g, h] = *header;
            (Ipv4Addr::new(a, b, c, d).into(), Ipv4Addr::new(e, f, g, h).into(), rest)
        }
        6 => {
            let (header, rest) = packet.split_first_chunk::<40>().context("a short header")?;
            ensure!(header[6] == UDP, "not a plain UDP packet");
            let address = |at: usize| -> Result<Ipv6Addr> {
                let octets: [u8; 16] = header[at..at + 16].try_into()?;
                Ok(octets.into())
            };
            (address(8)?.into(), address(24)?.into(), rest)
        }
        other => bail!("IP version {other}"),
    };
    let (header, payload) = udp.split_first_chunk::<8>().context("a short header")?;
    let [source_port, destination_port, length] =
        [0, 2, 4].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
    ensure!(usize::from(length) == udp.len(), "a UDP length of {length} for {} bytes", udp.len());
    Ok(Print::new(
        SocketAddr::new(source, source_port),
        SocketAddr::new(destination, destination_port),
        payload,
    ))
}
