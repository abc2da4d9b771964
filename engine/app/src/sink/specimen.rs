//! Records and rings made by hand, for the tests of whatever reads them.

// UNSAFETY: plays the writer's end of a ring.
#![expect(unsafe_code, reason = "a ring is written by address")]

use skua_pools::{Producer, SharedMemory};
use skua_record::{CURSOR_BYTES, Clock, Family, RecordFlags, RecordHeader, RingHeader};

use crate::shared::{MappedMemory, Mapping};

/// The frame a sink would have written for `header`, of a datagram of `original` bytes of which `payload` was kept.
pub(crate) fn frame(header: RecordHeader, family: Family, payload: &[u8], original: usize) -> Vec<u8> {
    let mut header = RecordHeader {
        form: family.form(),
        original: u16::try_from(original).unwrap(),
        captured: u16::try_from(payload.len()).unwrap(),
        ..header
    };
    if payload.len() < original {
        header.flags |= RecordFlags::TRUNCATED.bits();
    }
    [bytemuck::bytes_of(&header), payload].concat()
}

/// An IPv4 address in the form records have.
pub(crate) fn mapped(octets: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::from(octets).to_ipv6_mapped().octets()
}

/// A header of a datagram from 192.0.2.1:40000 to 192.0.2.2:9125.
pub(crate) fn header(sequence: u32) -> RecordHeader {
    RecordHeader {
        remote: mapped([192, 0, 2, 1]),
        local: mapped([192, 0, 2, 2]),
        remote_port: 40_000,
        local_port: 9125,
        hop_limit: 64,
        sequence,
        ..bytemuck::Zeroable::zeroed()
    }
}

/// A ring as a sink makes one, and its writer.
pub(crate) struct Ring {
    producer: Producer,
    sequence: u32,
    // Dropped last: the producer writes there.
    pub(crate) mapping: Mapping,
}

impl Ring {
    /// The ring of `processor`, empty. Its clock has 1 tick a ns and began with Unix time.
    pub(crate) fn new(processor: u32, bytes: usize) -> Self {
        let mapping = MappedMemory.create(processor, RingHeader::PAGE_BYTES + bytes, CURSOR_BYTES).unwrap();
        let start = MappedMemory::data(&mapping);
        let clock = Clock::new(0, 0, 1_000_000_000).unwrap();
        let header = RingHeader::new(processor, bytes as u64, [0; 16], [0; 16], &clock);
        // SAFETY: the region begins with room for a header, and nobody else has it yet.
        unsafe { start.cast().write(header) };
        // SAFETY: the region has a page before its data, and the head in it.
        let head = unsafe { start.add(RingHeader::HEAD_OFFSET) }.cast();
        // SAFETY: as above.
        let data = unsafe { start.add(RingHeader::PAGE_BYTES) };
        let cursor = MappedMemory::cursor(&mapping).cast();
        // SAFETY: the mapping is dropped after the producer, which is the only one.
        let producer = unsafe { Producer::from_raw(head, cursor, data, bytes) }.unwrap();
        Self { producer, sequence: 0, mapping }
    }

    /// Whether one more record would fit.
    pub(crate) fn has_room(&mut self) -> bool {
        // A reservation that is dropped is none.
        self.producer.reserve(size_of::<RecordHeader>() + 7).is_ok()
    }

    /// Publishes one record of each time, and says whether the reader is to be woken.
    pub(crate) fn publish(&mut self, times: &[u64], watermark: u64) -> bool {
        for &time in times {
            let header = RecordHeader { time, ..header(self.sequence) };
            let frame = frame(header, Family::V4, b"payload", 7);
            let mut room = self.producer.reserve(frame.len()).unwrap();
            room.write(0, &frame).unwrap();
            room.commit();
            self.sequence += 1;
        }
        self.producer.publish();
        self.producer.wake_needed(watermark)
    }
}
