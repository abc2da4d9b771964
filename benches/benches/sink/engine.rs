//! A list of 32 datagrams of which each becomes a record in a ring of 1 MiB.
//!
//! `copy` copies 64 bytes of header and the payload from the same list into memory of the ring's size, and does nothing
//! else. `sink` is the engine with the built-in sink, whose reader gives room back without looking; `sink-read` has the
//! reader look at the header and the last byte of each record, on the same thread.

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use skua_benches::{RING_BYTES, RingEnd, Setting, SinkReceiver};
use skua_pools::Consumer;
use skua_record::{RecordHeader, RingReader};

use crate::measure::{ThreadTime, group};
use crate::{LIST, SIZES};

/// The three rows for each size, and the sink with control messages for one.
pub(crate) fn sink(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "sink/engine");
    group.throughput(Throughput::Elements(LIST.into()));
    for bytes in SIZES {
        copy(&mut group, bytes);
        engine::<Consumer>(&mut group, "sink", Setting::Plain, bytes);
        engine::<RingReader>(&mut group, "sink-read", Setting::Plain, bytes);
    }
    engine::<RingReader>(&mut group, "sink-read-pktinfo-tos", Setting::ControlMessages, SIZES[1]);
}

fn copy(group: &mut BenchmarkGroup<'_, ThreadTime>, bytes: usize) {
    let mut sink = SinkReceiver::<Consumer>::open(Setting::Plain);
    let list = sink.parts().0.list(LIST, bytes);
    let header = [0x5c; RecordHeader::BYTES];
    let mut ring = vec![0; RING_BYTES];
    let mut at = 0;
    group.bench_function(BenchmarkId::new("copy", bytes), |bencher| {
        bencher.iter(|| list.copy(&header, &mut ring, &mut at));
    });
}

fn engine<E: RingEnd>(
    group: &mut BenchmarkGroup<'_, ThreadTime>,
    name: &str,
    setting: Setting,
    bytes: usize,
) {
    let mut sink = SinkReceiver::<E>::open(setting);
    let (receiver, end) = sink.parts();
    let list = receiver.list(LIST, bytes);
    group.bench_function(BenchmarkId::new(name, bytes), |bencher| {
        receiver.at_dispatch(|raised| {
            bencher.iter(|| {
                raised.indicate(&list);
                end.drain();
            });
        });
    });
    let stats = receiver.stats();
    assert!(stats.accepted == stats.indicated, "the ring was full: {stats:?}");
}
