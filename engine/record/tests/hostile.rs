//! Whatever the bytes of a ring are, reading it ends with checked records, counts or an error.

mod reading;
mod region;

use proptest::prelude::*;
use skua_record::{Record, RecordHeader, RingHeader};

use reading::{DATA_BYTES, REGION_BYTES, copy_all, empty, golden, read_all, read_any};

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_ring_never_harms_its_reader(
        from_golden in any::<bool>(),
        damage in damage(),
        cursor in prop_oneof![Just(0_u64), (0_u64..1024).prop_map(|word| word * 8), any::<u64>()],
        limit in prop_oneof![Just(u64::MAX), 0_u64..2000],
    ) {
        let mut image = if from_golden { golden().0 } else { empty() };
        for (offset, bytes) in damage {
            image[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        read_all(&image, cursor, limit);
        copy_all(&image, cursor, usize::try_from(limit).unwrap_or(usize::MAX).min(DATA_BYTES));
    }

    #[test]
    fn whatever_a_fuzzer_makes_of_a_ring_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_any(&bytes);
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
    let (mut image, cursor) = golden();
    assert_eq!(read_all(&image, cursor, u64::MAX), (6, 0));
    // The version of the record after the cursor: frame header, then offset 5 of the record's.
    let at = RingHeader::PAGE_BYTES + usize::try_from(cursor).unwrap() % DATA_BYTES + 8 + 5;
    image[at] = 0x24;
    assert_eq!(read_all(&image, cursor, u64::MAX), (5, 1));
}
