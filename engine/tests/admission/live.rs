//! Reading rows while the shard writes them.

use std::sync::atomic::{AtomicBool, Ordering};
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
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut rows = 0_u64;
            while !over.load(Ordering::Acquire) {
                admission.sources(|row| {
                    let Source::Address(source) = row.source else { return };
                    let source = u32::from_be_bytes(source.as_ipv4().unwrap());
                    let each = u64::from(bytes_of(source));
                    assert_eq!(row.bytes % each, 0, "bytes of {source} and of somebody else");
                    assert!(row.first <= row.last);
                    rows += 1;
                });
            }
            rows
        });
        let (mut now, mut source) = (0, 0);
        // As long as it takes for both to have done something.
        while admission.aged_out() < 300_000 {
            now += 1;
            let mut gate = admission.begin(&mut shard, now).unwrap();
            for _ in 0..8 {
                source = (source + 1) % 1000;
                gate.admit(&ipv4(source), bytes_of(source)).unwrap();
            }
        }
        over.store(true, Ordering::Release);
        assert!(reader.join().unwrap() > 0);
    });
}
