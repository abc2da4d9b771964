//! From a datagram to a record.

// UNSAFETY: writes into a ring that a reader has mapped.
#![expect(
    unsafe_code,
    reason = "a ring has one writer, and a reservation is its alone until it is published"
)]

use core::ptr::NonNull;

use skua_pools::{Producer, ReserveError, SharedMemory};
use skua_record::{Clock, Family, RecordFlags, RecordHeader, RingHeader};

use crate::handler::{Batch, Datagram, Handler};
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::reason::DropReason;
use crate::sink::{Sink, SinkConfig, Wake};

/// What one processor's writer keeps between batches.
pub struct SinkShard {
    /// `None` where the processor has no ring; its datagrams are dropped as `ring_full`.
    ring: Option<Producer>,
    /// The sink that owns the ring's memory: with another one, the ring is not used.
    sink: u64,
    /// Records written since open: the next record's number.
    sequence: u32,
    processor: u16,
}

/// Writes the header of a new ring, before anybody has it.
pub(super) fn write_header<S: SharedMemory>(
    mapping: &S::Mapping,
    shard: u32,
    config: &SinkConfig,
    clock: &Clock,
) {
    let header = RingHeader::new(shard, config.ring_bytes as u64, config.host_id, config.boot_id, clock);
    let place = S::data(mapping).cast::<RingHeader>();
    // SAFETY: the region is at least a page, page-aligned and still ours alone.
    unsafe { place.write(header) };
}

impl<K: Kernel, S: SharedMemory + 'static, W: Wake> Handler<K> for Sink<K, S, W> {
    type Shard = SinkShard;

    fn shard(&self, processor: u32, _passive: &Passive<'_>) -> SinkShard {
        let ring = self.take(processor).and_then(|ring| ring.mapping.as_ref());
        let ring = ring.and_then(|mapping| producer::<S>(mapping, self.config.ring_bytes));
        SinkShard {
            ring,
            sink: self.identity,
            sequence: 0,
            processor: u16::try_from(processor).unwrap_or(u16::MAX),
        }
    }

    fn receive(&self, shard: &mut SinkShard, batch: &mut Batch<'_, K>) {
        let SinkShard { ring, sink, sequence, processor } = shard;
        // The same sink: `self` keeps the ring's memory mapped.
        let Some(ring) = ring.as_mut().filter(|_| *sink == self.identity) else {
            while let Some(datagram) = batch.next_datagram() {
                datagram.refuse(DropReason::RingFull);
            }
            return;
        };
        let (socket, local_port) = (batch.socket(), batch.local_port());
        let (mut records, mut bytes) = (0, 0);
        let observed = self.wake.wants_records();
        while let Some(datagram) = batch.next_datagram() {
            let mut header = header(&datagram, self.config.snap_length);
            header.local_port = local_port;
            header.socket = socket;
            header.processor = *processor;
            header.sequence = *sequence;
            match append(ring, &header, &datagram) {
                Ok(()) => {
                    *sequence = sequence.wrapping_add(1);
                    records += 1;
                    bytes += u64::from(header.captured);
                    if observed {
                        self.wake.recorded(&header);
                    }
                }
                Err(reason) => datagram.refuse(reason),
            }
        }
        ring.publish();
        let wake = ring.wake_needed(self.config.watermark);
        if wake {
            self.wake.wake(u32::from(*processor));
        }
        if let Some(place) = self.rings.get(*processor as usize) {
            place.ledger.publish(records, bytes, wake, ring.used(), ring.reader_faults());
        }
    }
}

#[inline]
fn header<K: Kernel>(datagram: &Datagram<'_, '_, K>, snap_length: u16) -> RecordHeader {
    // A payload is at most 65,535 bytes.
    #[expect(clippy::cast_possible_truncation, reason = "Payload::of refuses longer ones as oversize")]
    let original = datagram.payload().len() as u16;
    let captured = original.min(snap_length);
    let mut flags = datagram.flags();
    flags.set(RecordFlags::TRUNCATED, captured < original);
    let remote = datagram.remote();
    let family = if remote.address.as_ipv4().is_some() { Family::V4 } else { Family::V6 };
    RecordHeader {
        original,
        captured,
        flags: flags.bits(),
        form: family.form(),
        tos: datagram.type_of_service(),
        hop_limit: datagram.hop_limit(),
        remote_port: remote.port,
        local_port: 0,
        socket: 0,
        processor: 0,
        remote: remote.address.octets(),
        local: datagram.local_address().octets(),
        interface: datagram.interface(),
        sequence: 0,
        time: datagram.time(),
    }
}

/// Writes one record; it is shown to the reader by the next publish.
#[inline]
fn append<K: Kernel>(
    ring: &mut Producer,
    header: &RecordHeader,
    datagram: &Datagram<'_, '_, K>,
) -> Result<(), DropReason> {
    let captured = usize::from(header.captured);
    let mut room = ring.reserve(RecordHeader::BYTES + captured).map_err(|error| match error {
        ReserveError::TooLarge(_) => DropReason::Oversize,
        _ => DropReason::RingFull,
    })?;
    room.write(0, bytemuck::bytes_of(header)).map_err(|_| DropReason::Oversize)?;
    // SAFETY: the reservation holds the header and `captured` bytes behind it.
    let to = unsafe { room.as_mut_ptr().add(RecordHeader::BYTES) };
    // SAFETY: as above; a ring is no lent memory.
    let copied = unsafe { datagram.payload().copy_to_ptr(to, captured) };
    if copied != captured {
        // The chain holds less than it did when it was mapped. The room goes back.
        return Err(DropReason::Malformed);
    }
    room.commit();
    Ok(())
}

/// The one writer of a ring.
fn producer<S: SharedMemory>(mapping: &S::Mapping, ring_bytes: usize) -> Option<Producer> {
    let region = S::data(mapping);
    // SAFETY: the region is a header page and the data.
    let head = unsafe { region.add(RingHeader::HEAD_OFFSET) }.cast::<u64>();
    // SAFETY: as above.
    let data = unsafe { region.add(RingHeader::PAGE_BYTES) };
    let cursor: NonNull<u64> = S::cursor(mapping).cast();
    // SAFETY: the ring is used only with the sink that owns the mapping, see `SinkShard::sink`; it is taken once, so nobody
    // else writes.
    unsafe { Producer::from_raw(head, cursor, data, ring_bytes) }.ok()
}
