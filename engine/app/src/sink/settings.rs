//! What the command line asks for, as the engine is told it.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::num::NonZeroU32;

use skua_engine::admission::{self, AdmissionConfig, Allow, Prefix};
use skua_engine::{Config, SinkConfig};
#[cfg(target_os = "linux")]
use skua_hosted::PacketRing;
use skua_record::RecordHeader;

use super::error::StartError;
#[cfg(target_os = "linux")]
use crate::cli::SinkArgs;
use crate::cli::{Group, Interface, Rate, Sample, Size};

/// Rows of the source table, in each shard: 320 KiB.
pub(crate) const SOURCE_ROWS: u32 = 4096;

/// A ring that cannot hold four of the largest records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "--ring {}: no room for four records of {snap_length} bytes; give --ring {} or more, or a smaller --snaplen",
    Size(*.ring), Size(*.needed)
)]
pub(crate) struct RingTooSmall {
    ring: usize,
    snap_length: u16,
    needed: usize,
}

/// The sink's settings: the ring rounded up to a power of two.
///
/// # Errors
/// [`RingTooSmall`].
pub(crate) fn sink_config(ring: Size, snaplen: u16) -> Result<SinkConfig, RingTooSmall> {
    let snap_length = snaplen.min(RecordHeader::LONGEST_PAYLOAD);
    let needed = SinkConfig::smallest_ring(snap_length);
    let ring_bytes = ring.0.checked_next_power_of_two().unwrap_or(ring.0);
    if ring_bytes < needed {
        return Err(RingTooSmall { ring: ring.0, snap_length, needed });
    }
    Ok(SinkConfig {
        ring_bytes,
        snap_length,
        // A reader that is woken with a quarter full has three quarters of a ring's time to get going.
        watermark: ring_bytes as u64 / 4,
        host_id: host_id(),
        boot_id: boot_id(),
    })
}

/// The ring that `--packet-ring` asks for.
///
/// # Errors
/// [`StartError::PacketRing`] where this process may not have one.
#[cfg(target_os = "linux")]
pub(crate) fn packet_ring(args: &SinkArgs) -> Result<Option<PacketRing>, StartError> {
    if !args.packet_ring {
        return Ok(None);
    }
    PacketRing::check().map_err(StartError::PacketRing)?;
    Ok(Some(PacketRing { block_timeout: args.block_timeout.0 }))
}

/// The engine's settings: no sends, nothing kept beyond the callback. An empty allow-list allows everyone.
pub(crate) fn engine_config(
    allow: &[Prefix],
    source_rate: Option<Rate>,
    sample: Option<Sample>,
) -> Config<'_> {
    Config {
        admission: AdmissionConfig {
            allow: if allow.is_empty() { Allow::Everyone } else { Allow::Only(allow) },
            allow_capacity: u32::try_from(allow.len()).unwrap_or(u32::MAX),
            rate: source_rate.map(|rate| admission::Rate::new(nonzero(rate.0))),
            sample: sample.map_or(NonZeroU32::MIN, |sample| sample.0),
            rows: SOURCE_ROWS,
            seed: RandomState::new().hash_one(std::process::id()),
            ..AdmissionConfig::default()
        },
        ..Config::default()
    }
}

/// What is kept, in words; empty when that is everything.
pub(crate) fn filter_in_words(allow: &[Prefix], source_rate: Option<Rate>, sample: Option<Sample>) -> String {
    let mut words = Vec::new();
    if !allow.is_empty() {
        let prefixes: Vec<String> = allow.iter().map(ToString::to_string).collect();
        words.push(format!("from {}", prefixes.join(" or ")));
    }
    if let Some(rate) = source_rate {
        words.push(format!("at most {}/s from one source", rate.0));
    }
    if let Some(sample) = sample {
        words.push(format!("one in {}", sample.0));
    }
    words.join(", ")
}

/// Whether a socket at `local` must leave IPv4 to others: beside one for IPv4 on the same port.
pub(crate) fn only_v6(local: SocketAddr, all: &[SocketAddr]) -> bool {
    let beside_ipv4 = all.iter().any(|other| other.is_ipv4() && other.port() == local.port());
    local.is_ipv6() && local.port() != 0 && beside_ipv4
}

/// The index of the interface to hear a group on; 0 leaves the choice to the system.
///
/// # Errors
/// [`StartError::Interface`].
pub(crate) fn interface(group: &Group) -> Result<u32, StartError> {
    let index = |interface: &Interface| {
        interface.index().map_err(|source| StartError::Interface { group: group.clone(), source })
    };
    group.interface.as_ref().map_or(Ok(0), index)
}

fn nonzero(rate: u64) -> NonZeroU32 {
    u32::try_from(rate).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX)
}

/// The machine's own name for itself, where it has one.
#[cfg(target_os = "linux")]
fn host_id() -> [u8; 16] {
    // 32 hexadecimal digits (machine-id(5)).
    read_id("/etc/machine-id")
}

#[cfg(windows)]
fn host_id() -> [u8; 16] {
    // A UUID, made when Windows was installed.
    windows_registry::LOCAL_MACHINE
        .open("SOFTWARE\\Microsoft\\Cryptography")
        .and_then(|key| key.get_string("MachineGuid"))
        .map_or([0; 16], |text| id_of(&text))
}

#[cfg(not(any(target_os = "linux", windows)))]
fn host_id() -> [u8; 16] {
    [0; 16]
}

/// This boot's name, where the machine gives it one.
#[cfg(target_os = "linux")]
fn boot_id() -> [u8; 16] {
    // A UUID (random(4)).
    read_id("/proc/sys/kernel/random/boot_id")
}

#[cfg(not(target_os = "linux"))]
fn boot_id() -> [u8; 16] {
    [0; 16]
}

#[cfg(target_os = "linux")]
fn read_id(path: &str) -> [u8; 16] {
    id_of(&std::fs::read_to_string(path).unwrap_or_default())
}

/// The hexadecimal digits of `text`; what is missing is 0.
#[cfg(any(target_os = "linux", windows))]
fn id_of(text: &str) -> [u8; 16] {
    let digits = text.chars().filter_map(|digit| digit.to_digit(16)).chain(std::iter::repeat(0));
    let mut id = [0; 16];
    for (place, digit) in (0..32).zip(digits) {
        let digit = u8::try_from(digit).unwrap_or(0);
        id[place / 2] |= if place % 2 == 0 { digit << 4 } else { digit };
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_holds_four_of_the_largest_records_or_is_refused() {
        let error = sink_config(Size(64 << 10), 65_535).unwrap_err();
        let line = error.to_string();
        assert!(
            line.contains("--ring 64K") && line.contains("--ring 512K") && line.contains("--snaplen"),
            "{line}"
        );
        assert_eq!(sink_config(Size(512 << 10), 65_535).map(|config| config.ring_bytes), Ok(512 << 10));
        assert_eq!(sink_config(Size(64 << 10), 1500).map(|config| config.ring_bytes), Ok(64 << 10));
        assert_eq!(sink_config(Size(65_537), 1500).map(|config| config.ring_bytes), Ok(128 << 10));
        assert!(sink_config(Size(0), 0).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_boot_has_a_name() {
        assert_ne!(boot_id(), [0; 16]);
    }
}
