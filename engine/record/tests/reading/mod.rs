//! A ring made of any bytes, read to its end by everything that reads rings. The tests beside this make the bytes up; so
//! does a fuzzer.

// UNSAFETY: opens readers over made-up memory.
#![expect(unsafe_code, reason = "a ring is opened by address")]

use skua_pools::WaitFor;
use skua_record::{Clock, PackedReader, PackedRecords, Record, RingHeader, RingReader};

use crate::region::Region;

pub(crate) const DATA_BYTES: usize = 4096;
pub(crate) const REGION_BYTES: usize = RingHeader::PAGE_BYTES + DATA_BYTES;

/// A ring that a sink wrote, and the cursor that its reader left.
pub(crate) fn golden() -> (Vec<u8>, u64) {
    let file = include_bytes!("../golden/ring-v1.bin");
    let (ring, cursor) = file.split_at(REGION_BYTES);
    (ring.to_vec(), u64::from_le_bytes(*cursor.first_chunk().unwrap()))
}

/// A ring that nothing was written to.
pub(crate) fn empty() -> Vec<u8> {
    let clock = Clock::new(1, 2, 3).unwrap();
    let header = RingHeader::new(0, DATA_BYTES as u64, [0; 16], [0; 16], &clock);
    let mut image = vec![0; REGION_BYTES];
    image[..RingHeader::BYTES].copy_from_slice(bytemuck::bytes_of(&header));
    image
}

/// A ring, changed and read as `bytes` say: what to begin with, the cursor, how much to read at once, then each change as
/// its place, its length and that many bytes.
pub(crate) fn read_any(bytes: &[u8]) {
    let _ = (Record::parse(bytes), RingHeader::read(bytes, REGION_BYTES));
    let Some((fixed, mut changes)) = bytes.split_first_chunk::<11>() else { return };
    let [kind, low, high, cursor @ ..] = *fixed;
    let (mut image, left) = if kind & 1 == 0 { golden() } else { (empty(), 0) };
    let cursor = if kind & 2 == 0 { left } else { u64::from_le_bytes(cursor) };
    let limit = u64::from(u16::from_le_bytes([low, high]));
    while let Some(([low, high, length], rest)) = changes.split_first_chunk::<3>() {
        let length = usize::from(*length).min(rest.len());
        let (bytes, rest) = rest.split_at(length);
        let at = usize::from(u16::from_le_bytes([*low, *high])) % (REGION_BYTES - length);
        image[at..at + length].copy_from_slice(bytes);
        changes = rest;
    }
    read_all(&image, cursor, limit);
    copy_all(&image, cursor, usize::from(u16::from_le_bytes([low, high])).min(DATA_BYTES));
}

/// Opens what is there and reads it to its end; returns how many records were found and what became of the rest.
pub(crate) fn read_all(image: &[u8], cursor_word: u64, limit: u64) -> (u64, u64) {
    let data = Region::of(image);
    let mut cursor = Region::new(4096);
    cursor.bytes_mut()[..8].copy_from_slice(&cursor_word.to_le_bytes());
    // SAFETY: both regions outlive the reader and nobody else has them; the contents need not make sense.
    let Ok(mut reader) = (unsafe { RingReader::open(data.at(0), image.len(), cursor.at(0), 4096) }) else {
        return (0, 0);
    };
    let mut records = 0;
    loop {
        let read = reader.read(limit, |record, _| {
            records += 1;
            assert!(record.payload().len() <= DATA_BYTES);
            assert_eq!(record.payload().len(), usize::from(record.header().captured));
        });
        match read {
            Ok(progress) if progress.limited => {}
            _ => break,
        }
    }
    let _ = reader.prepare_wait(WaitFor::Fill(DATA_BYTES as u64 / 2));
    reader.cancel_wait();
    assert_eq!(reader.continuity().seen, records);
    (records, reader.damage().records + reader.damage().bytes)
}

/// The same, copied into a buffer.
pub(crate) fn copy_all(image: &[u8], cursor_word: u64, room: usize) {
    let data = Region::of(image);
    let mut cursor = Region::new(4096);
    cursor.bytes_mut()[..8].copy_from_slice(&cursor_word.to_le_bytes());
    // SAFETY: both regions outlive the reader and nobody else has them; the contents need not make sense.
    let Ok(mut reader) = (unsafe { PackedReader::open(data.at(0), image.len(), cursor.at(0), 4096) }) else {
        return;
    };
    let mut buffer = vec![0; room];
    while let Ok(progress) = reader.read_into(&mut buffer) {
        assert!(progress.bytes <= room);
        let records = PackedRecords::new(&buffer[..progress.bytes]).map(Result::unwrap).count();
        assert_eq!(records as u64, progress.records);
        reader.release();
        if progress.records == 0 {
            break;
        }
    }
}
