//! The engine: shards, pools and a handler, opened with all the memory they will ever use.

mod config;
pub(crate) mod core;
pub(crate) mod ledger;
pub(crate) mod shard;
pub(crate) mod tally;

pub use config::{BeyondBudget, Config, Retention};

use ::core::sync::atomic::Ordering;

use skua_pools::{OutOfMemory, PoolError, Reading, Slab, Tag};

use self::core::EngineCore;
use crate::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};
use crate::admission::{Admission, AdmissionError};
use crate::anchor::Anchor;
use crate::buffers::Copies;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::{Passive, PerProcessor};
use crate::send::context::SendPool;
use crate::stats::Stats;
use ledger::{Elsewhere, Ledger};
use shard::{Parts, Shard};
use tally::Tally;

const ENGINE_TAG: Tag = Tag::new(b"SkEn");
const SHARD_TAG: Tag = Tag::new(b"SkSh");
const LEDGER_TAG: Tag = Tag::new(b"SkLe");
const COPY_TAG: Tag = Tag::new(b"SkCo");
const SEND_TAG: Tag = Tag::new(b"SkSe");

/// Attempts at reading a shard's counters between two of its batches, before they are taken as they come.
const READ_ATTEMPTS: u32 = 64;

/// A datagram engine: the handler, what each processor needs for it, and the pools.
///
/// Sockets that feed it keep its memory alive; the last of them frees it.
///
/// # IRQL
/// PASSIVE_LEVEL to drop it: memory and mappings go back.
pub struct Engine<K: Kernel, H: Handler<K>> {
    pub(crate) block: Anchor<EngineBlock<K, H>, K>,
}

pub(crate) struct EngineBlock<K: Kernel, H: Handler<K>> {
    pub kernel: K,
    pub shards: PerProcessor<Shard<K, H>, K>,
    pub admission: Admission<K>,
    pub core: EngineCore<K>,
    pub handler: H,
}

/// Why [`Engine::open`] failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The kernel may have more processors than the engine may make shards for.
    #[error(
        "{processors} processors need {processors} shards, and the settings allow {shards}: raise shards"
    )]
    TooFewShards {
        /// Processors there are or may come.
        processors: u32,
        /// The setting.
        shards: u32,
    },
    /// A pool's settings contradict each other, or its memory is not to be had.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The admission settings contradict each other, or their memory is not to be had.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// Nonpaged pool is exhausted.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// No datagram is that long, and an MDL of that length cannot be.
    #[error("send_bytes is at most 65535, not {0}")]
    SendBytes(u32),
    /// The settings need more bytes than an address can count.
    #[error("the settings need more memory than can be addressed: lower slots, rows or sizes")]
    TooLarge,
}

impl OpenError {
    /// The status a driver returns for it.
    pub fn status(&self) -> NTSTATUS {
        match self {
            Self::OutOfMemory(_)
            | Self::Pool(PoolError::OutOfMemory(_))
            | Self::Admission(AdmissionError::OutOfMemory(_)) => STATUS_INSUFFICIENT_RESOURCES,
            _ => STATUS_INVALID_PARAMETER,
        }
    }
}

impl<K: Kernel, H: Handler<K>> Engine<K, H> {
    /// Takes all memory and makes every shard.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is held then.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    // A frame of its own: it builds what is large, and a kernel's stack is small.
    #[inline(never)]
    pub fn open(
        kernel: K,
        handler: H,
        config: &Config<'_>,
        passive: &Passive<'_>,
    ) -> Result<Self, OpenError> {
        let shards = Self::shards(&kernel, config)?;
        if config.send_bytes > u32::from(u16::MAX) {
            return Err(OpenError::SendBytes(config.send_bytes));
        }
        let core = Self::open_core(&kernel, config, shards)?;
        let admission = Admission::open(&kernel, &config.admission, shards, kernel.performance_frequency())?;
        let shards = Self::open_shards(&kernel, &handler, &admission, &core, shards, passive)?;
        Self::assemble(EngineBlock { kernel, shards, admission, core, handler })
    }

    #[inline(never)]
    fn open_core(kernel: &K, config: &Config<'_>, shards: u32) -> Result<EngineCore<K>, OpenError> {
        let ledgers = Slab::new(kernel.clone(), LEDGER_TAG, shards as usize, |_| Ledger::new())?;
        let copies = match config.copies() {
            Some(pool) => Some(Copies::new(kernel, COPY_TAG, &pool, config.retention.copy_bytes as usize)?),
            None => None,
        };
        let sends = match config.sends(shards) {
            Some(pool) => Some(SendPool::new(kernel, SEND_TAG, &pool, config.send_bytes)?),
            None => None,
        };
        Ok(EngineCore {
            ledgers,
            elsewhere: Elsewhere::default(),
            retention: config.retention,
            copies,
            send_lent: config.send_lent,
            sends,
        })
    }

    #[inline(never)]
    fn assemble(block: EngineBlock<K, H>) -> Result<Self, OpenError> {
        let kernel = block.kernel.clone();
        Ok(Self { block: Anchor::new(&kernel, ENGINE_TAG, block)? })
    }

    #[inline(never)]
    fn open_shards(
        kernel: &K,
        handler: &H,
        admission: &Admission<K>,
        core: &EngineCore<K>,
        shards: u32,
        passive: &Passive<'_>,
    ) -> Result<PerProcessor<Shard<K, H>, K>, OutOfMemory> {
        Shard::for_each_processor(kernel, SHARD_TAG, shards, |processor| Parts {
            handler: handler.shard(processor, passive),
            admission: admission.shard(processor),
            sends: core.sends.as_ref().and_then(SendPool::magazine),
        })
    }

    /// Exactly the bytes that [`Engine::open`] asks of memory for `shards` processors, the handler's own apart.
    ///
    /// # Errors
    /// As [`Engine::open`], for settings that contradict each other.
    pub fn bytes(config: &Config<'_>, shards: u32) -> Result<usize, OpenError> {
        let parts = [
            Slab::<Ledger, K>::bytes(shards as usize),
            PerProcessor::<Shard<K, H>, K>::bytes(shards),
            Some(Anchor::<EngineBlock<K, H>, K>::bytes()),
            match config.copies() {
                Some(pool) => Some(Copies::<K>::bytes(&pool, config.retention.copy_bytes as usize)?),
                None => Some(0),
            },
            match config.sends(shards) {
                Some(pool) => Some(SendPool::<K>::bytes(&pool, config.send_bytes)?),
                None => Some(0),
            },
            Some(Admission::<K>::bytes(&config.admission, shards)?),
        ];
        parts.into_iter().try_fold(0_usize, |sum, part| sum.checked_add(part?)).ok_or(OpenError::TooLarge)
    }

    /// How many shards [`Engine::open`] makes on this kernel.
    ///
    /// # Errors
    /// [`OpenError::TooFewShards`].
    pub fn shards(kernel: &K, config: &Config<'_>) -> Result<u32, OpenError> {
        let processors = kernel.ke_query_maximum_processor_count();
        if processors > config.shards {
            return Err(OpenError::TooFewShards { processors, shards: config.shards });
        }
        Ok(processors)
    }

    /// The counters.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.block.stats()
    }

    /// The handler.
    #[must_use]
    pub fn handler(&self) -> &H {
        &self.block.handler
    }

    /// Who is let in: rules may be replaced, sources read.
    #[must_use]
    pub fn admission(&self) -> &Admission<K> {
        &self.block.admission
    }
}

impl<K: Kernel, H: Handler<K>> EngineBlock<K, H> {
    pub(crate) fn shard_count(&self) -> u32 {
        u32::try_from(self.core.ledgers.count()).unwrap_or(u32::MAX)
    }

    pub(crate) fn stats(&self) -> Stats {
        let ledgers = &self.core.ledgers;
        let mut tally = Tally::default();
        let mut released = 0;
        let mut exact = true;
        for ledger in ledgers.iter() {
            let returned = ledger.returned.datagrams.load(Ordering::Acquire);
            let reading = ledger.counters.read(READ_ATTEMPTS);
            exact &= matches!(reading, Reading::Whole(_));
            let shard = Tally::from_array(reading.totals());
            // What came back inside the batch that kept it is counted as kept only at the batch's end.
            released += returned.min(shard.kept);
            tally.add(&shard);
        }
        let elsewhere = &self.core.elsewhere;
        let nested = elsewhere.nested.load(Ordering::Relaxed);
        let mut drops = tally.drops;
        if let Some(drops) = drops.get_mut(crate::DropReason::Nested as usize) {
            *drops += nested;
        }
        Stats {
            indicated: tally.indicated + nested,
            accepted: tally.accepted,
            kept: tally.kept,
            released,
            bytes: tally.bytes,
            batches: tally.batches,
            without_info: tally.without_info,
            sends_issued: tally.sends_issued + elsewhere.sends_issued.load(Ordering::Relaxed),
            sends_completed: tally.sends_completed + elsewhere.sends_completed.load(Ordering::Relaxed),
            sends_failed: tally.sends_failed + elsewhere.sends_failed.load(Ordering::Relaxed),
            drops,
            exact,
        }
    }
}
