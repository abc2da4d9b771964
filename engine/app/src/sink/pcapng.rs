//! A capture that Wireshark opens as ordinary UDP.
//!
//! One section, one interface. The interface's packets begin with their IP header (LINKTYPE_RAW, 101), and its times
//! are in nanoseconds. Losses are said twice: in the dropcount option of the first packet after them, and as totals in
//! the interface statistics block at the end.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError, PcapResult};
use skua_record::Record;

use super::output::Output;
use super::packet;
use super::unit_file::UnitFile;
use crate::snapshot::Snapshot;

/// Times are in units of 10⁻⁹ s.
const NANOSECONDS: u8 = 9;

/// Writes a pcapng file.
pub(crate) struct Pcapng {
    name: String,
    writer: PcapNgWriter<UnitFile>,
    // One packet at a time; its memory is used again for the next.
    packet: Vec<u8>,
    started: u64,
}

/// What the capture says about itself.
pub(crate) struct Provenance {
    /// When it began, in ns since 1970-01-01 UTC.
    pub(crate) started: u64,
    /// The addresses listened on.
    pub(crate) sockets: String,
    /// The most payload bytes kept of a datagram.
    pub(crate) snap_length: u16,
    /// What was kept and what was not, in words; empty when everything was.
    pub(crate) filter: String,
}

impl Pcapng {
    /// Begins a capture in `file`; messages call it `name`.
    ///
    /// # Errors
    /// The system's, when the file cannot be written.
    pub(crate) fn new(name: String, file: File, provenance: &Provenance) -> io::Result<Self> {
        let section = SectionHeaderBlock {
            endianness: Endianness::native(),
            options: vec![
                SectionHeaderOption::Hardware(std::env::consts::ARCH.into()),
                SectionHeaderOption::OS(operating_system().into()),
                SectionHeaderOption::UserApplication(concat!("skua ", env!("CARGO_PKG_VERSION")).into()),
            ],
            ..SectionHeaderBlock::default()
        };
        let mut options = vec![
            InterfaceDescriptionOption::IfName("skua".into()),
            InterfaceDescriptionOption::IfDescription(format!("UDP to {}", provenance.sockets).into()),
            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
        ];
        if !provenance.filter.is_empty() {
            // The first octet 0 says that a filter in words follows.
            let filter = [b"\0", provenance.filter.as_bytes()].concat();
            options.push(InterfaceDescriptionOption::IfFilter(filter.into()));
        }
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: u32::from(provenance.snap_length) + packet::HEADER_BYTES,
            options,
        };
        let mut writer = plain(PcapNgWriter::with_section_header(UnitFile::new(file), section))?;
        plain(writer.write_pcapng_block(interface))?;
        // So that the file is a capture from the start, and a file that cannot be written is found out now.
        writer.get_mut().flush()?;
        Ok(Self { name, writer, packet: Vec::with_capacity(65_536), started: provenance.started })
    }
}

impl Output for Pcapng {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn write(&mut self, record: &Record<'_>, time: u64, lost: u64) -> io::Result<()> {
        self.packet.clear();
        let original_len = packet::append(record, &mut self.packet);
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(time),
            original_len,
            data: Cow::Borrowed(&self.packet),
            // An empty vector takes no memory.
            options: if lost == 0 { Vec::new() } else { vec![EnhancedPacketOption::DropCount(lost)] },
        };
        plain(self.writer.write_pcapng_block(block))?;
        self.writer.get_mut().end_datagram()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.get_mut().flush()
    }

    fn finish(&mut self, time: u64, totals: &Snapshot) -> io::Result<()> {
        let below = totals.lost_below.unwrap_or(0);
        let mut options = vec![
            InterfaceStatisticsOption::IsbStartTime(high_first(self.started)),
            InterfaceStatisticsOption::IsbEndTime(high_first(time)),
            InterfaceStatisticsOption::IsbIfRecv(totals.indicated + below),
            InterfaceStatisticsOption::IsbIfDrop(totals.lost_here()),
            InterfaceStatisticsOption::IsbFilterAccept(totals.indicated - totals.filtered()),
        ];
        if totals.lost_below.is_some() {
            options.push(InterfaceStatisticsOption::IsbOsDrop(below));
        }
        options.push(InterfaceStatisticsOption::IsbUsrDeliv(totals.read));
        let statistics = InterfaceStatisticsBlock { interface_id: 0, timestamp: high_first(time), options };
        plain(self.writer.write_pcapng_block(statistics))?;
        self.flush()
    }

    fn written(&self) -> u64 {
        self.writer.get_ref().written()
    }
}

/// A time as the library wants it in statistics blocks: it writes one 64-bit number in the machine's byte order, where
/// the format has the upper half first.
fn high_first(time: u64) -> u64 {
    if cfg!(target_endian = "little") { time.rotate_left(32) } else { time }
}

fn plain<T>(result: PcapResult<T>) -> io::Result<T> {
    result.map_err(|error| match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    })
}

fn operating_system() -> String {
    #[cfg(target_os = "linux")]
    {
        let name = rustix::system::uname();
        format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy())
    }
    #[cfg(not(target_os = "linux"))]
    {
        std::env::consts::OS.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use pcap_file::pcapng::{Block, PcapNgReader};
    use skua_record::{Family, RecordHeader};

    use super::*;
    use crate::sink::specimen;

    const TIME: u64 = 1_772_366_400_123_456_789;

    fn capture(records: &[(RecordHeader, Vec<u8>, usize, u64)], totals: &Snapshot) -> Vec<Block<'static>> {
        let mut file = tempfile::tempfile().unwrap();
        let provenance = Provenance {
            started: TIME,
            sockets: "127.0.0.1:9".into(),
            snap_length: 65_535,
            filter: "from 10.0.0.0/8".into(),
        };
        let mut output = Pcapng::new("x".into(), file.try_clone().unwrap(), &provenance).unwrap();
        for (header, payload, original, lost) in records {
            let frame = specimen::frame(*header, Family::V4, payload, *original);
            output.write(&Record::parse(&frame).unwrap(), TIME, *lost).unwrap();
        }
        output.finish(TIME + 5, totals).unwrap();
        assert_eq!(output.written(), records.len() as u64);
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
        let mut blocks = Vec::new();
        while let Some(block) = reader.next_block() {
            blocks.push(block.unwrap().into_owned());
        }
        blocks
    }

    #[test]
    fn packets_come_back_with_time_lengths_and_losses() {
        let records = [
            (specimen::header(0), b"hello".to_vec(), 5, 0),
            (specimen::header(1), vec![7; 65_507], 65_507, 3),
            (specimen::header(2), b"cut".to_vec(), 1400, 0),
        ];
        let blocks = capture(&records, &Snapshot::default());
        let packets: Vec<_> = blocks.iter().filter_map(|b| b.clone().into_enhanced_packet()).collect();
        assert_eq!(packets.len(), 3);
        for (packet, (_, payload, original, lost)) in packets.iter().zip(&records) {
            assert_eq!(packet.timestamp, Duration::from_nanos(TIME));
            assert_eq!(packet.original_len as usize, original + 28);
            assert_eq!(&packet.data[28..], payload);
            let drops = packet.options.iter().find_map(|o| match o {
                EnhancedPacketOption::DropCount(count) => Some(*count),
                _ => None,
            });
            assert_eq!(drops.unwrap_or(0), *lost);
        }
    }

    #[test]
    fn the_totals_stand_at_the_end() {
        let mut totals =
            Snapshot { indicated: 100, delivered: 90, read: 90, lost_below: Some(4), ..Snapshot::default() };
        for (count, reason) in totals.drops.iter_mut().zip(skua_engine::DropReason::ALL) {
            *count = match reason {
                skua_engine::DropReason::RingFull => 7,
                skua_engine::DropReason::Sampled => 3,
                _ => 0,
            };
        }
        let blocks = capture(&[], &totals);
        let statistics = blocks.last().unwrap().clone().into_interface_statistics().unwrap();
        for option in [
            InterfaceStatisticsOption::IsbIfRecv(104),
            InterfaceStatisticsOption::IsbIfDrop(7),
            InterfaceStatisticsOption::IsbOsDrop(4),
            InterfaceStatisticsOption::IsbFilterAccept(97),
            InterfaceStatisticsOption::IsbUsrDeliv(90),
        ] {
            assert!(statistics.options.contains(&option), "{option:?}");
        }
    }
}
