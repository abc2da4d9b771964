//! Records that the driver copies, for a reader that has not mapped the rings.

use std::sync::Arc;

use skua_pools::WaitFor;
use skua_protocol::ReaderAttached;
use skua_record::{Clock, PackedRecords, Record, Sequence};

use super::client::Client;
use crate::sink::intake::Ended;
use crate::sink::reader::FLUSH_INTERVAL;
use crate::sink::supply::{Mark, Portion, Proof};

/// Bytes asked for at once; the largest record takes 65,592.
const BUFFER_BYTES: usize = 1 << 20;

/// Asks the driver for records.
///
/// What one request brings is handed out in the order of time. Nothing is said of bytes that wait in the rings, because the
/// rings are not seen.
pub(crate) struct Packed {
    client: Arc<Client>,
    sink: u64,
    clock: Clock,
    // Of 8-byte words, as records are packed.
    buffer: Vec<u64>,
    rings: Vec<Ring>,
    damaged: u64,
}

/// What was read of one ring.
#[derive(Default)]
struct Ring {
    sequence: Sequence,
    position: u64,
}

impl Packed {
    /// Of the sink that `client` has attached to. `None` if it has no ring, or no clock.
    pub(crate) fn new(client: Arc<Client>, attached: &ReaderAttached) -> Option<Self> {
        let clock = Clock::new(attached.ticks, attached.unix_nanoseconds, attached.ticks_per_second)?;
        let rings = (0..attached.rings).map(|_| Ring::default()).collect::<Vec<_>>();
        let buffer = vec![0; BUFFER_BYTES / size_of::<u64>()];
        (!rings.is_empty()).then_some(Self { client, sink: attached.sink, clock, buffer, rings, damaged: 0 })
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn rings(&self) -> usize {
        self.rings.len()
    }

    pub(crate) fn marks(&self, mut note: impl FnMut(Mark)) {
        for (ring, read) in self.rings.iter().enumerate() {
            note(Mark { ring, position: read.position, unread: 0 });
        }
    }

    pub(crate) fn portion(&mut self, mut visit: impl FnMut(&Record<'_>)) -> Portion {
        let mut portion = Portion::default();
        let buffer: &mut [u8] = bytemuck::cast_slice_mut(&mut self.buffer);
        let bytes = match self.client.read(self.sink, buffer) {
            Ok(bytes) => bytes,
            Err(refusal) => {
                portion.ended = Some(Ended(refusal.to_string()));
                return portion;
            }
        };
        let mut records = Vec::new();
        for record in PackedRecords::new(&buffer[..bytes]) {
            match record {
                Ok(record) => records.push(record),
                Err(_) => self.damaged += 1,
            }
        }
        for record in &records {
            match self.rings.get_mut(usize::from(record.header().processor)) {
                Some(ring) => {
                    ring.sequence.follow(record.header().sequence);
                    ring.position += record.ring_bytes();
                }
                None => self.damaged += 1,
            }
        }
        // Stable: records of one ring stay in its order.
        records.sort_by_key(|record| record.header().time);
        for record in &records {
            portion.progress.records += 1;
            portion.progress.bytes += record.payload().len() as u64;
            visit(record);
        }
        portion.progress.limited = !records.is_empty();
        portion
    }

    /// The driver announces the sleep of a reader that waits, for any record. A rest from single records is slept here,
    /// because the driver cannot be told of it.
    pub(crate) fn prepare_sleep(&self, wait: WaitFor) -> bool {
        match wait {
            WaitFor::Any => true,
            WaitFor::Fill(_) => {
                std::thread::sleep(FLUSH_INTERVAL);
                false
            }
        }
    }

    pub(crate) fn proof(&self) -> Proof {
        let broken = |ring: &Ring| {
            let continuity = ring.sequence.continuity();
            continuity.missing + continuity.backward
        };
        Proof { broken: self.rings.iter().map(broken).sum(), damaged: self.damaged }
    }
}
