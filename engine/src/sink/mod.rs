//! The telemetry sink: a handler that writes each datagram into a ring its reader has mapped.
//!
//! 1. [`Sink::open`] takes one pair of regions for each processor from [`SharedMemory`] and writes the ring headers.
//! 2. As the handler of an [`Engine`](crate::Engine) it appends one record for each datagram, and publishes once a batch.
//! 3. The reader maps the same memory, takes records, and moves its cursor; [`Wake`] ends its sleep.

mod config;
mod stats;
mod writer;

pub use config::{SinkConfig, SinkError};
pub use stats::{ShardStats, SinkStats};
pub use writer::SinkShard;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use skua_pools::{SharedMemory, Slab, Tag};
use skua_record::{CURSOR_BYTES, Clock, RecordHeader};

use crate::kernel::Kernel;
use stats::ShardLedger;

const TAG: Tag = Tag::new(b"SkSi");

/// The identity of the next sink.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// 100 ns units from 1601-01-01, where NT counts from, to 1970-01-01, where Unix does.
const EPOCH_DIFFERENCE: u64 = 116_444_736_000_000_000;

/// Ends the sleep of a ring's reader, and sees what is recorded if it wants to.
pub trait Wake: Send + Sync + 'static {
    /// The reader of `shard`'s ring sleeps and should look.
    ///
    /// Called at most once for each time it goes to sleep. It must not wait, nor allocate.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    fn wake(&self, shard: u32);

    /// Whether [`Wake::recorded`] is to be called for the records of a batch. Asked once a batch.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    #[inline]
    fn wants_records(&self) -> bool {
        false
    }

    /// A record was written into the ring of its processor; the reader is shown it at the end of the batch.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    #[inline]
    fn recorded(&self, header: &RecordHeader) {
        let _nobody_asked = header;
    }
}

/// Writes datagrams into rings, one for each processor.
pub struct Sink<K: Kernel, S: SharedMemory, W: Wake> {
    rings: Slab<Ring<S>, K>,
    wake: W,
    config: SinkConfig,
    clock: Clock,
    /// Unlike that of any other sink of the program.
    identity: u64,
}

struct Ring<S: SharedMemory> {
    /// `None` only while `open` has failed and is about to say so.
    mapping: Option<S::Mapping>,
    /// Whether its one writer was handed out.
    taken: AtomicBool,
    ledger: ShardLedger,
}

impl<K: Kernel, S: SharedMemory, W: Wake> Sink<K, S, W> {
    /// Creates the rings of `shards` processors.
    ///
    /// # Errors
    /// [`SinkError`]; nothing is held then.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn open(kernel: &K, shared: &S, wake: W, config: SinkConfig, shards: u32) -> Result<Self, SinkError> {
        config.check()?;
        let unix = kernel.ke_query_system_time_precise().saturating_sub(EPOCH_DIFFERENCE).saturating_mul(100);
        let clock = Clock::new(kernel.ke_query_performance_counter(), unix, kernel.performance_frequency())
            .ok_or(SinkError::NoClock)?;
        let mut failed = None;
        let rings = Slab::new(kernel.clone(), TAG, shards as usize, |shard| {
            #[expect(clippy::cast_possible_truncation, reason = "below `shards`, which is a u32")]
            let shard = shard as u32;
            // Where memory is short, the rest is not asked for.
            let mapping = if failed.is_some() {
                None
            } else {
                let mapping = shared.create(shard, config.data_region_bytes(), CURSOR_BYTES);
                mapping.inspect_err(|error| failed = Some(*error)).ok()
            };
            if let Some(mapping) = &mapping {
                writer::write_header::<S>(mapping, shard, &config, &clock);
            }
            Ring { mapping, taken: AtomicBool::new(false), ledger: ShardLedger::default() }
        })?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(Self { rings, wake, config, clock, identity: NEXT.fetch_add(1, Ordering::Relaxed) }),
        }
    }

    /// What [`Sink::open`] asks of memory, and of shared memory, in bytes; `None` beyond what an address can count.
    #[must_use]
    pub fn bytes(config: &SinkConfig, shards: u32) -> Option<(usize, usize)> {
        let own = Slab::<Ring<S>, K>::bytes(shards as usize)?;
        let each = config.data_region_bytes().checked_add(CURSOR_BYTES)?;
        Some((own, each.checked_mul(shards as usize)?))
    }

    /// The memory of a processor's ring, as the reader maps it.
    #[must_use]
    pub fn mapping(&self, shard: u32) -> Option<&S::Mapping> {
        self.rings.get(shard as usize)?.mapping.as_ref()
    }

    /// How many rings there are.
    #[must_use]
    pub fn rings(&self) -> u32 {
        u32::try_from(self.rings.count()).unwrap_or(u32::MAX)
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &SinkConfig {
        &self.config
    }

    /// How the records' ticks relate to the time of day, as the rings' headers say it.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What the rings took.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn stats(&self) -> SinkStats {
        self.rings.iter().map(|ring| ring.ledger.read()).fold(SinkStats::default(), SinkStats::add)
    }

    /// What one ring took.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn shard_stats(&self, shard: u32) -> Option<ShardStats> {
        Some(self.rings.get(shard as usize)?.ledger.read())
    }

    /// The ring of a processor for its one writer; `None` if it was taken.
    fn take(&self, processor: u32) -> Option<&Ring<S>> {
        let ring = self.rings.get(processor as usize)?;
        (!ring.taken.swap(true, Ordering::AcqRel)).then_some(ring)
    }
}
