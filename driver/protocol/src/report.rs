//! What the driver tells of its sinks.

use bytemuck::{Pod, Zeroable};

use crate::place::Listener;
use crate::start::Limits;
use crate::{MAX_SINKS, SINK_NAME_BYTES};

/// The sinks there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SinksReport {
    /// How many of `sinks` are set.
    pub count: u32,
    /// Zero.
    pub reserved: u32,
    /// Their numbers, in the order of their start.
    pub sinks: [u64; MAX_SINKS],
}

/// What a sink does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[non_exhaustive]
pub enum SinkState {
    /// It takes datagrams in.
    Running = 1,
    /// It takes nothing more in; what is in its rings can still be read.
    Quiescent = 2,
}

impl SinkState {
    /// The state with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Running),
            2 => Some(Self::Quiescent),
            _ => None,
        }
    }
}

/// Every count of a sink at one moment. Counts run from the start and never go back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SinkReport {
    /// The sink's number.
    pub sink: u64,
    /// Its name.
    pub name: [u8; SINK_NAME_BYTES],
    /// A [`SinkState`].
    pub state: u32,
    /// Whether a reader is attached: 0 or 1.
    pub attached: u32,
    /// Processors, and so rings.
    pub shards: u32,
    /// [`ListenerReport`]s that follow.
    pub listeners: u32,
    /// Bytes of each ring.
    pub ring_bytes: u64,
    /// Payload bytes kept of a datagram.
    pub snap_length: u32,
    /// Whether every shard was read at a batch end, so that the sums hold: 0 or 1.
    pub exact: u32,
    /// The limits in force.
    pub limits: Limits,
    /// Whether there is an allow-list: 0 or 1.
    pub allow_listed: u32,
    /// Its rules.
    pub prefixes: u32,
    /// The performance counter when it started.
    pub started: u64,
    /// The performance counter now.
    pub now: u64,
    /// How often the performance counter counts in a second.
    pub ticks_per_second: u64,
    /// Datagrams that the provider indicated.
    pub indicated: u64,
    /// Datagrams that the sink accepted.
    pub accepted: u64,
    /// Datagrams kept beyond the callback.
    pub kept: u64,
    /// Those of them given back.
    pub released: u64,
    /// Payload bytes that reached the sink.
    pub bytes: u64,
    /// Batches of datagrams.
    pub batches: u64,
    /// Datagrams without a control message that was wanted.
    pub without_info: u64,
    /// Drops, in the order of the engine's `DropReason::ALL`; the rest is zero.
    pub drops: [u64; 16],
    /// How many drop reasons there are.
    pub drop_reasons: u32,
    /// Zero.
    pub reserved: u32,
    /// Records that readers have been shown.
    pub published: u64,
    /// Their payload bytes.
    pub published_bytes: u64,
    /// How often the reader was woken.
    pub wakes: u64,
    /// The most bytes that were in use in any ring.
    pub high_water: u64,
    /// How often a reader's cursor was not one that an honest reader stores.
    pub reader_faults: u64,
    /// Source rows that went to another source.
    pub aged_out: u64,
    /// Bytes of nonpaged pool that the whole driver holds.
    pub memory: u64,
    /// Bytes of this sink's ring sections.
    pub shared_memory: u64,
}

/// What a listener does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[non_exhaustive]
pub enum ListenerState {
    /// It is bound.
    Open = 1,
    /// It could not be opened, or died, and is tried again.
    Waiting = 2,
    /// It was closed with its sink.
    Closed = 3,
}

impl ListenerState {
    /// The state with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Open),
            2 => Some(Self::Waiting),
            3 => Some(Self::Closed),
            _ => None,
        }
    }
}

/// One listener of a sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct ListenerReport {
    /// What it was asked to be.
    pub asked: Listener,
    /// The port it is, or was last, bound to.
    pub port: u16,
    /// Zero.
    pub reserved: u16,
    /// A [`ListenerState`].
    pub state: u32,
    /// The NTSTATUS of the last attempt that failed, or 0.
    pub status: i32,
    /// Failed attempts in a row.
    pub attempts: u32,
    /// How often it was opened again after it had died.
    pub reopened: u32,
    /// Zero.
    pub reserved_too: u32,
    /// How long it was not open, in ticks of the performance counter.
    pub closed_ticks: u64,
}
