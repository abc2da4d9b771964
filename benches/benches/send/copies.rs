//! Sending over the in-memory provider to nobody.
//!
//! `copy` copies each payload into a buffer of its own and writes down where it is, as a program does for `sendmmsg`, and
//! calls nothing. `engine` is the engine and the provider: contexts, one call, the provider's walk over the buffers, the
//! completion. Rows are `contestant/bytes x batch`.

use std::hint::black_box;
use std::io::IoSlice;

use arrayvec::ArrayVec;
use criterion::{BenchmarkId, Criterion, Throughput};
use skua_benches::Sender;

use crate::measure::{ThreadTime, group};
use crate::{BATCHES, SIZES};

/// Bytes between two buffers.
const STRIDE: usize = 2048;

pub(crate) fn in_memory(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "send/in-memory");
    for bytes in SIZES {
        let payload = vec![0x5c; bytes];
        let sender = Sender::in_memory(1472);
        let mut buffers = vec![0_u8; BATCHES[1] * STRIDE];
        for batch in BATCHES {
            let name = format!("{bytes}x{batch}");
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new("copy", &name), |bencher| {
                bencher.iter(|| {
                    let mut vectors: ArrayVec<IoSlice<'_>, { BATCHES[1] }> = ArrayVec::new();
                    for buffer in buffers.chunks_exact_mut(STRIDE).take(batch) {
                        let (buffer, _) = buffer.split_at_mut(bytes);
                        buffer.copy_from_slice(black_box(&payload));
                        vectors.push(IoSlice::new(buffer));
                    }
                    black_box(vectors.as_slice());
                });
            });
            group.bench_function(BenchmarkId::new("engine", &name), |bencher| {
                bencher.iter(|| sender.send(black_box(&payload), batch, None));
            });
        }
        let stats = sender.stats();
        assert!(stats.sends_failed == 0 && stats.sends_completed == stats.sends_issued, "{stats:?}");
    }
}
