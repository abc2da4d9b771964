//! What a sink is opened with.

use skua_pools::{FRAME_HEADER, OutOfMemory, RING_MAX_BYTES, RING_MIN_BYTES, RingGeometryError};
use skua_record::{RecordHeader, RingHeader};

use crate::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};

/// The settings of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkConfig {
    /// Bytes of each processor's ring: a power of two, and room for four of the largest records wherever the first of
    /// them begins.
    pub ring_bytes: usize,
    /// Payload bytes kept of a datagram; what is longer is cut and marked. At most 65,527.
    pub snap_length: u16,
    /// Unread bytes at which a reader that waits for a full load is woken.
    pub watermark: u64,
    /// Names the machine in the rings' headers.
    pub host_id: [u8; 16],
    /// Names its boot.
    pub boot_id: [u8; 16],
}

/// Why a sink did not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The ring cannot hold four of the largest records.
    #[error(
        "a ring of {ring_bytes} bytes cannot hold four records of {snap_length} bytes: use {needed} or more"
    )]
    RingTooSmall {
        /// The setting.
        ring_bytes: usize,
        /// The setting.
        snap_length: u16,
        /// The smallest ring for it.
        needed: usize,
    },
    /// The ring is no power of two, or beyond what a ring can be.
    #[error("a ring has a power of two of bytes from {RING_MIN_BYTES} to {RING_MAX_BYTES}, not {0}")]
    RingSize(usize),
    /// Longer than a datagram can be.
    #[error("a snap length is at most 65527 bytes, not {0}")]
    SnapLength(u16),
    /// The performance counter does not count.
    #[error("the kernel's performance counter has no frequency: records would have no time")]
    NoClock,
    /// Memory, shared or not, is exhausted.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The shared memory is not laid out as a ring needs it.
    #[error(transparent)]
    Geometry(#[from] RingGeometryError),
}

impl SinkError {
    /// The status a driver returns for it.
    pub fn status(&self) -> NTSTATUS {
        match self {
            Self::OutOfMemory(_) => STATUS_INSUFFICIENT_RESOURCES,
            _ => STATUS_INVALID_PARAMETER,
        }
    }
}

impl SinkConfig {
    /// Bytes of one ring's data region: the header page and the data.
    #[must_use]
    pub const fn data_region_bytes(&self) -> usize {
        RingHeader::PAGE_BYTES.saturating_add(self.ring_bytes)
    }

    /// The smallest ring for `snap_length`: four of the largest records and what a ring can lose before its end, where one
    /// of them did not fit by 8 bytes; rounded up to a power of two.
    #[must_use]
    pub const fn smallest_ring(snap_length: u16) -> usize {
        let largest = (FRAME_HEADER + RecordHeader::BYTES + snap_length as usize).next_multiple_of(8);
        let needed = (4 * largest + (largest - 8)).next_power_of_two();
        if needed < RING_MIN_BYTES { RING_MIN_BYTES } else { needed }
    }

    pub(super) fn check(&self) -> Result<(), SinkError> {
        let Self { ring_bytes, snap_length, .. } = *self;
        if snap_length > RecordHeader::LONGEST_PAYLOAD {
            return Err(SinkError::SnapLength(snap_length));
        }
        if !ring_bytes.is_power_of_two() || !(RING_MIN_BYTES..=RING_MAX_BYTES).contains(&ring_bytes) {
            return Err(SinkError::RingSize(ring_bytes));
        }
        let needed = Self::smallest_ring(snap_length);
        if ring_bytes < needed {
            return Err(SinkError::RingTooSmall { ring_bytes, snap_length, needed });
        }
        Ok(())
    }
}
