//! The sink's ring from either end: `writer` is the engine with the sink, `reader` looks at the header and the last byte of
//! each record. They take turns on one thread, over an eighth of the ring each time, and a row is the time of one of them.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use skua_benches::{RING_BYTES, RingEnd, Setting, SinkReceiver, thread_time};
use skua_record::{RecordHeader, RingReader};

use crate::measure::{ThreadTime, group};
use crate::{LIST, SIZES};

pub(crate) fn both(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "sink/ends");
    group.throughput(Throughput::Elements(LIST.into()));
    for bytes in SIZES {
        let mut sink = SinkReceiver::<RingReader>::open(Setting::Plain);
        let (receiver, end) = sink.parts();
        let list = receiver.list(LIST, bytes);
        let span = RING_BYTES / 8 / (usize::from(LIST) * (RecordHeader::BYTES + bytes));
        receiver.at_dispatch(|raised| {
            for (name, of_reader) in [("writer", false), ("reader", true)] {
                group.bench_function(BenchmarkId::new(name, bytes), |bencher| {
                    bencher.iter_custom(|lists| {
                        let (mut took, mut done) = (Duration::ZERO, 0);
                        while done < lists {
                            let now = lists.saturating_sub(done).min(span.max(1) as u64);
                            let begin = thread_time();
                            (0..now).for_each(|_| raised.indicate(&list));
                            let between = thread_time();
                            end.drain();
                            let finish = thread_time();
                            took += if of_reader { finish - between } else { between - begin };
                            done += now;
                        }
                        took
                    });
                });
            }
        });
        let stats = receiver.stats();
        assert!(stats.accepted == stats.indicated, "the ring was full: {stats:?}");
    }
}
