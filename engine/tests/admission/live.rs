//! Reading rows while the shard writes them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use skua_engine::admission::{Admission, AdmissionConfig, Source};

use crate::ipv4;
use crate::pool::Pool;

/// Payload bytes of every datagram of a source: odd numbers that no small number of datagrams of two sources add up to.
fn bytes_of(source: u32) -> u32 {
    1_000_003 + 2 * source
}

#[test]
fn a_row_read_while_rows_change_hands_is_one_sources() {
    // A clock of 1 Hz, so that a row that was not heard in the batch before may go: nearly every datagram takes one.
    let config = AdmissionConfig { rows: 16, idle: Duration::from_secs(1), ..AdmissionConfig::default() };
    let admission = Admission::open(&Pool::default(), &config, 1, 1).unwrap();
    let mut shard = admission.shard(0).unwrap();
    let (over, rows) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                admission.sources(|row| {
                    let Source::Address(source) = row.source else { return };
                    let source = u32::from_be_bytes(source.as_ipv4().unwrap());
                    let each = u64::from(bytes_of(source));
                    assert_eq!(row.bytes % each, 0, "bytes of {source} and of somebody else");
                    assert!(row.first <= row.last);
                    rows.fetch_add(1, Ordering::Release);
                });
            }
        });
        let mut source = 0;
        for now in 1..=40_000 {
            let mut gate = admission.begin(&mut shard, now).unwrap();
            for _ in 0..8 {
                source = (source + 1) % 1000;
                gate.admit(&ipv4(source), bytes_of(source)).unwrap();
            }
            // Until both have done something, or the reader failed.
            while now == 40_000 && rows.load(Ordering::Acquire) == 0 && !reader.is_finished() {
                thread::yield_now();
            }
        }
        over.store(true, Ordering::Release);
    });
    assert!(admission.aged_out() > 40_000);
}
