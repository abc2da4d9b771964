//! Whatever the bytes of a ring are, reading it ends with checked records, counts or an error.

// UNSAFETY: opens readers over made-up memory.
#![expect(unsafe_code, reason = "a ring is opened by address")]

mod region;

use proptest::prelude::*;
use skua_pools::WaitFor;
use skua_record::{Clock, PackedReader, PackedRecords, Record, RecordHeader, RingHeader, RingReader};

use region::Region;

const DATA_BYTES: usize = 4096;
const REGION_BYTES: usize = RingHeader::PAGE_BYTES + DATA_BYTES;

/// One change of a ring's image: `bytes` at `offset`.
type Damage = Vec<(usize, Vec<u8>)>;

fn damage() -> impl Strategy<Value = Damage> {
    let frame = (0..DATA_BYTES / 8, 0_u32..1100, 0_u32..3).prop_map(|(at, length, kind)| {
        (RingHeader::PAGE_BYTES + at * 8, [length.to_le_bytes(), kind.to_le_bytes()].concat())
    });
    let header = (0..RingHeader::BYTES, proptest::collection::vec(any::<u8>(), 1..9));
    let head =
        any::<u16>().prop_map(|head| (RingHeader::HEAD_OFFSET, u64::from(head).to_le_bytes().to_vec()));
    let word = any::<u64>().prop_map(|head| (RingHeader::HEAD_OFFSET, head.to_le_bytes().to_vec()));
    let data = (RingHeader::PAGE_BYTES..REGION_BYTES - 16, proptest::collection::vec(any::<u8>(), 1..16));
    proptest::collection::vec(prop_oneof![4 => frame, 1 => header, 2 => head, 1 => word, 4 => data], 0..60)
}

/// Opens what is there and reads it to its end; returns how many records were found and what became of the rest.
fn read_all(image: &[u8], cursor_word: u64, limit: u64) -> (u64, u64) {
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
fn copy_all(image: &[u8], cursor_word: u64, room: usize) {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_ring_never_harms_its_reader(
        from_golden in any::<bool>(),
        damage in damage(),
        cursor in prop_oneof![Just(0_u64), (0_u64..1024).prop_map(|word| word * 8), any::<u64>()],
        limit in prop_oneof![Just(u64::MAX), 0_u64..2000],
    ) {
        let mut image = if from_golden {
            include_bytes!("golden/ring-v1.bin")[..REGION_BYTES].to_vec()
        } else {
            let clock = Clock::new(1, 2, 3).unwrap();
            let header = RingHeader::new(0, DATA_BYTES as u64, [0; 16], [0; 16], &clock);
            let mut image = vec![0; REGION_BYTES];
            image[..RingHeader::BYTES].copy_from_slice(bytemuck::bytes_of(&header));
            image
        };
        for (offset, bytes) in damage {
            image[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        read_all(&image, cursor, limit);
        copy_all(&image, cursor, usize::try_from(limit).unwrap_or(usize::MAX).min(DATA_BYTES));
    }

    #[test]
    fn arbitrary_bytes_are_no_ring(bytes in proptest::collection::vec(any::<u8>(), 0..300), region in any::<usize>()) {
        // A magic of 8 random bytes does not come up.
        prop_assert!(RingHeader::read(&bytes, region).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_a_record_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), plausible in any::<bool>()) {
        if plausible && bytes.len() >= RecordHeader::BYTES {
            let captured = u16::try_from(bytes.len() - RecordHeader::BYTES).unwrap();
            bytes[2..4].copy_from_slice(&captured.to_le_bytes());
            bytes[5] = 0x14;
        }
        if let Ok(record) = Record::parse(&bytes) {
            prop_assert_eq!(record.payload(), &bytes[RecordHeader::BYTES..]);
            prop_assert!(record.header().captured <= record.header().original);
            let _ = (record.header().source(), record.header().destination());
        }
    }
}

#[test]
fn one_damaged_record_does_not_hide_its_neighbours() {
    let mut image = include_bytes!("golden/ring-v1.bin")[..REGION_BYTES].to_vec();
    let cursor =
        u64::from_le_bytes(include_bytes!("golden/ring-v1.bin")[REGION_BYTES..][..8].try_into().unwrap());
    assert_eq!(read_all(&image, cursor, u64::MAX), (6, 0));
    // The version of the record after the cursor: frame header, then offset 5 of the record's.
    let at = RingHeader::PAGE_BYTES + usize::try_from(cursor).unwrap() % DATA_BYTES + 8 + 5;
    image[at] = 0x24;
    assert_eq!(read_all(&image, cursor, u64::MAX), (5, 1));
}
