//! What an engine is opened with, as C says it.

// UNSAFETY: reads a structure of the caller's.
#![expect(unsafe_code, reason = "structures are met by address, their sizes first")]

use core::ffi::c_void;
use core::num::NonZeroU32;
use core::time::Duration;

use skua_engine::abi::status::{NTSTATUS, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER};
use skua_engine::admission::{AdmissionConfig, Allow, Prefix};
use skua_engine::{BeyondBudget, Config, Retention};

use crate::admission::{SKUA_LIMITS, SKUA_PREFIX};
use crate::handler::SKUA_BATCH;
use crate::services::SKUA_KERNEL;

/// Sends the provider's own memory on, without a copy, where a datagram that was retained is sent. Nothing in WSK's documentation
/// forbids it, and nobody is known to do it on Windows.
pub const SKUA_SEND_LENT: u32 = 0x1;
/// Beyond the budget of lent memory, what is retained is copied into a slot, if there is one; else it is dropped.
pub const SKUA_COPY_BEYOND_BUDGET: u32 = 0x2;
/// There is an allow-list, AllowList: who is not on it is dropped. An empty one lets in nobody.
pub const SKUA_ALLOW_LISTED: u32 = 0x4;
/// All addresses of an IPv6 /64 are one source.
pub const SKUA_FOLD_IPV6: u32 = 0x8;
/// Receive events are switched on for each socket, and not for all sockets of the registration.
pub const SKUA_DYNAMIC_EVENTS: u32 = 0x10;

/// Every flag of an engine.
const FLAGS: u32 =
    SKUA_SEND_LENT | SKUA_COPY_BEYOND_BUDGET | SKUA_ALLOW_LISTED | SKUA_FOLD_IPV6 | SKUA_DYNAMIC_EVENTS;

/// A handler: looks at a batch of datagrams of one socket. What it neither drops nor retains is consumed when it returns.
///
/// IRQL: DISPATCH_LEVEL. Called on several processors at once, on one processor one at a time. It must not wait, and use no more than
/// about 1 KiB of stack. Batch is valid until it returns.
pub type SKUA_RECEIVE = Option<unsafe extern "C" fn(Context: *mut c_void, Batch: *mut SKUA_BATCH)>;

/// What an engine is opened with. Every byte of memory that it will ever use follows from it: see SkuaEngineBytes.
///
/// Zero is a good value for everything but Size, Kernel and Receive: `SKUA_ENGINE_CONFIG config = { sizeof(config) }`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SKUA_ENGINE_CONFIG {
    /// sizeof(SKUA_ENGINE_CONFIG): says which version of the structure this is.
    pub Size: u32,
    /// SKUA_SEND_LENT and the like.
    pub Flags: u32,
    /// The services to run on: SkuaKernel(), or a table of one's own. It is copied.
    pub Kernel: *const SKUA_KERNEL,
    /// The handler of every socket and source.
    pub Receive: SKUA_RECEIVE,
    /// The handler's first argument.
    pub Context: *mut c_void,
    /// The pool tag under which everything is allocated: the four characters, the first in the lowest byte; "Skua" if 0.
    pub PoolTag: u32,
    /// Bytes that the handler has for each processor, zeroed: SkuaBatchMemory.
    pub HandlerBytes: u32,
    /// The most processors there may be; SkuaOpen fails where there can be more. 0: as many as there can be.
    pub MaxProcessors: u32,
    /// The most sockets at once; 8 if 0.
    pub MaxSockets: u32,
    /// The most sources for network buffer lists at once.
    pub MaxSources: u32,
    /// Sends under way at once; 0: the engine does not send.
    pub SendSlots: u32,
    /// The longest datagram that is copied to be sent, in bytes; 1472 if 0.
    pub SendBytes: u32,
    /// Send slots that each processor may hold for itself, at most 64; 16 if 0.
    pub Magazine: u32,
    /// Lent datagrams that may be retained at once, for each processor; 0: none stays lent.
    pub RetainDatagrams: u32,
    /// Their bytes, for each processor; no limit of its own if 0.
    pub RetainBytes: u32,
    /// Slots for copies of what is retained beyond that, shared by all processors (SKUA_COPY_BEYOND_BUDGET).
    pub CopySlots: u32,
    /// The longest datagram that is copied, in bytes; 2048 if 0.
    pub CopyBytes: u32,
    /// The allow-list (SKUA_ALLOW_LISTED), which is copied; NULL where AllowCount is 0.
    pub AllowList: *const SKUA_PREFIX,
    /// Its prefixes.
    pub AllowCount: u32,
    /// Distinct prefixes that this and every later allow-list may have, at most 4096; 64 if 0.
    pub AllowCapacity: u32,
    /// Rates and sampling; Size of it may be 0 for none.
    pub Limits: SKUA_LIMITS,
    /// Rows of the source table, for each processor; a rate for each source needs them.
    pub SourceRows: u32,
    /// How long a source must be silent before its row may be another's, in milliseconds; 60,000 if 0.
    pub SourceIdle: u32,
    /// Random bits that no sender knows, for the source table.
    pub Seed: u64,
}

/// The tag where the host names none.
const DEFAULT_TAG: u32 = u32::from_le_bytes(*b"Skua");

fn or(value: u32, default: u32) -> u32 {
    if value == 0 { default } else { value }
}

impl SKUA_ENGINE_CONFIG {
    /// A copy of the caller's structure.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for null, flags that are none, and no handler; STATUS_INFO_LENGTH_MISMATCH for a size that no version has.
    ///
    /// # Safety
    /// `config` is null, or its first field at least can be read, and as many bytes as that says where that is a size of one.
    pub(crate) unsafe fn read(config: *const Self) -> Result<Self, NTSTATUS> {
        // SAFETY: the caller's promise.
        let config = unsafe { sized(config) }?;
        if config.Flags & !FLAGS != 0 || config.Receive.is_none() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        Ok(config)
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.Flags & flag != 0
    }

    pub(crate) fn tag(&self) -> u32 {
        or(self.PoolTag, DEFAULT_TAG)
    }

    pub(crate) fn sockets(&self) -> u32 {
        or(self.MaxSockets, 8)
    }

    /// Datagrams that can be retained at once by `shards` processors.
    pub(crate) fn retained(&self, shards: u32) -> Result<u32, NTSTATUS> {
        let copies = if self.has(SKUA_COPY_BEYOND_BUDGET) { self.CopySlots } else { 0 };
        let lent = self.RetainDatagrams.checked_mul(shards);
        lent.and_then(|lent| lent.checked_add(copies)).ok_or(STATUS_INVALID_PARAMETER)
    }

    /// The engine's own settings, with `allow` as the prefixes of AllowList.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER, STATUS_INFO_LENGTH_MISMATCH.
    pub(crate) fn settings<'a>(&self, allow: &'a [Prefix]) -> Result<Config<'a>, NTSTATUS> {
        let limits = self.Limits.to_limits_or_none()?;
        let retention = Retention {
            datagrams: self.RetainDatagrams,
            bytes: or(self.RetainBytes, u32::MAX),
            beyond: if self.has(SKUA_COPY_BEYOND_BUDGET) { BeyondBudget::Copy } else { BeyondBudget::Drop },
            copy_slots: self.CopySlots,
            copy_bytes: or(self.CopyBytes, 2048),
        };
        let admission = AdmissionConfig {
            allow: if self.has(SKUA_ALLOW_LISTED) { Allow::Only(allow) } else { Allow::Everyone },
            allow_capacity: or(self.AllowCapacity, 64),
            rate: limits.rate,
            other_rate: limits.other_rate,
            sample: limits.sample,
            rows: self.SourceRows,
            idle: Duration::from_millis(or(self.SourceIdle, 60_000).into()),
            fold_ipv6: self.has(SKUA_FOLD_IPV6),
            seed: self.Seed,
        };
        Ok(Config {
            shards: or(self.MaxProcessors, u32::MAX),
            send_slots: self.SendSlots,
            send_bytes: or(self.SendBytes, 1472),
            magazine: or(self.Magazine, 16),
            retention,
            send_lent: self.has(SKUA_SEND_LENT),
            admission,
        })
    }
}

/// A copy of a structure of the caller's whose first field is its size.
///
/// # Errors
/// STATUS_INVALID_PARAMETER for null, STATUS_INFO_LENGTH_MISMATCH for another size.
///
/// # Safety
/// `place` is null, or its first 4 bytes at least can be read, and as many bytes as they say where that is a `T`'s. Any bytes are
/// a `T`.
pub(crate) unsafe fn sized<T: Copy>(place: *const T) -> Result<T, NTSTATUS> {
    // SAFETY: the caller's promise.
    unsafe { has_size(place) }?;
    // SAFETY: as many bytes as a `T` has.
    Ok(unsafe { place.read() })
}

/// Whether a structure of the caller's has the size of a `T`.
///
/// # Errors
/// As for [`sized`].
///
/// # Safety
/// `place` is null, or its first 4 bytes at least can be read.
pub(crate) unsafe fn has_size<T>(place: *const T) -> Result<(), NTSTATUS> {
    if place.is_null() || !place.is_aligned() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    // SAFETY: the caller's promise.
    let size = unsafe { place.cast::<u32>().read() };
    if size as usize == size_of::<T>() { Ok(()) } else { Err(STATUS_INFO_LENGTH_MISMATCH) }
}

/// NonZeroU32, with 1 for 0.
pub(crate) fn at_least_one(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN)
}
