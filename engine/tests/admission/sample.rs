//! One in N.

use proptest::prelude::*;
use skua_engine::DropReason;
use skua_engine::admission::{AdmissionConfig, Allow};

use crate::{count, ipv4, open, prefix, rate};

proptest! {
    #[test]
    fn of_any_n_in_a_row_exactly_one_is_kept(every in 1_u32..40, batches in prop::collection::vec(0_usize..50, 0..20)) {
        let config = AdmissionConfig { sample: count(every), ..AdmissionConfig::default() };
        let (admission, mut shard) = open(&config);
        let mut verdicts = Vec::new();
        for datagrams in batches {
            let mut gate = admission.begin(&mut shard, 0).unwrap();
            verdicts.extend((0..datagrams).map(|_| gate.admit(&ipv4(1), 1)));
        }
        for (number, verdict) in verdicts.into_iter().enumerate() {
            let kept = number % every as usize == 0;
            prop_assert_eq!(verdict, if kept { Ok(()) } else { Err(DropReason::Sampled) });
        }
    }
}

#[test]
fn only_what_came_this_far_is_counted_towards_n() {
    let list = [prefix("10.0.0.0/8")];
    let config = AdmissionConfig {
        allow: Allow::Only(&list),
        rows: 8,
        rate: Some(rate(1, 6)),
        sample: count(2),
        ..AdmissionConfig::default()
    };
    let (admission, mut shard) = open(&config);
    let mut gate = admission.begin(&mut shard, 0).unwrap();
    let (stranger, friend) = (ipv4(0xc000_0201), ipv4(0x0a00_0001));
    for round in 0..10 {
        assert_eq!(gate.admit(&stranger, 1), Err(DropReason::NotAllowed));
        let expected = match round {
            6.. => Err(DropReason::RateLimited),
            0 | 2 | 4 => Ok(()),
            _ => Err(DropReason::Sampled),
        };
        assert_eq!(gate.admit(&friend, 1), expected, "round {round}");
    }
    drop(gate);
    admission.sources(|row| {
        if row.datagrams > 0 {
            assert_eq!((row.datagrams, row.rate_limited, row.sampled, row.refused()), (10, 4, 3, 7));
        }
    });
}
