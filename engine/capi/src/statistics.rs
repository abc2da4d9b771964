//! What an engine counts.

// UNSAFETY: writes a structure of the caller's.
#![expect(unsafe_code, reason = "structures are met by address")]

use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};

use crate::config::has_size;
use crate::engine::{SKUA_ENGINE, enter};
use crate::reason::SKUA_DROP_REASONS;

/// Counters of an engine since it was opened, over all processors. They never run backwards.
///
/// Indicated = Accepted + Kept + the sum of Drops. That is exact when nothing is under way, and while datagrams come unless IsExact is 0.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_STATISTICS {
    /// sizeof(SKUA_STATISTICS), the caller's to set before.
    pub Size: u32,
    /// Nonzero where every processor was read between two of its batches.
    pub IsExact: u32,
    /// Datagrams that the provider, or a filter, indicated.
    pub Indicated: u64,
    /// Datagrams that the handler consumed.
    pub Accepted: u64,
    /// Datagrams that the handler retained.
    pub Kept: u64,
    /// Of those, the ones that were given back.
    pub Released: u64,
    /// Payload bytes of the datagrams that reached the handler.
    pub Bytes: u64,
    /// Calls of the handler.
    pub Batches: u64,
    /// Datagrams without a control message that the socket would have liked to see.
    pub WithoutInfo: u64,
    /// Datagrams handed over to be sent.
    pub SendsIssued: u64,
    /// Sends that completed with success.
    pub SendsCompleted: u64,
    /// Sends that failed.
    pub SendsFailed: u64,
    /// Datagrams that went no further, by reason: SKUA_DROP_HANDLER and its like are the indices.
    pub Drops: [u64; SKUA_DROP_REASONS],
}

/// The counters. Statistics->Size is the caller's to set before.
///
/// IRQL: at most DISPATCH_LEVEL.
///
/// Returns STATUS_INFO_LENGTH_MISMATCH for an unknown Size, STATUS_INVALID_HANDLE where no engine is open, STATUS_INVALID_PARAMETER for NULL.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Statistics` is null or a writable structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaQueryStatistics(
    Engine: *mut SKUA_ENGINE,
    Statistics: *mut SKUA_STATISTICS,
) -> NTSTATUS {
    let query = || {
        // SAFETY: the caller's promise.
        unsafe { has_size(Statistics) }?;
        // SAFETY: the caller's promise.
        let stats = unsafe { enter(Engine) }?.engine.stats();
        let mut drops = [0; SKUA_DROP_REASONS];
        for (to, from) in drops.iter_mut().zip(stats.drops) {
            *to = from;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a few hundred bytes")]
        let statistics = SKUA_STATISTICS {
            Size: size_of::<SKUA_STATISTICS>() as u32,
            IsExact: stats.exact.into(),
            Indicated: stats.indicated,
            Accepted: stats.accepted,
            Kept: stats.kept,
            Released: stats.released,
            Bytes: stats.bytes,
            Batches: stats.batches,
            WithoutInfo: stats.without_info,
            SendsIssued: stats.sends_issued,
            SendsCompleted: stats.sends_completed,
            SendsFailed: stats.sends_failed,
            Drops: drops,
        };
        // SAFETY: writable, and of this size.
        unsafe { Statistics.write(statistics) };
        Ok(())
    };
    query().err().unwrap_or(STATUS_SUCCESS)
}
