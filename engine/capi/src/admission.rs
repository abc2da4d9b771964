//! Who is let in, while datagrams come.

// UNSAFETY: reads prefixes and limits of the caller's.
#![expect(unsafe_code, reason = "structures are met by address")]

use core::alloc::Layout;
use core::num::NonZeroU32;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_DEVICE_BUSY, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_engine::admission::{Allow, Limits, LimitsError, Prefix, Rate, ReplaceError};
use skua_pools::{Region, Tag};

use crate::config::{at_least_one, has_size, sized};
use crate::endpoint;
use crate::engine::{SKUA_ENGINE, enter};
use crate::kernel::TableKernel;

/// Most prefixes of a list.
const MOST: usize = 4096;

/// Addresses that have their first bits in common.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_PREFIX {
    /// SKUA_IPV4 or SKUA_IPV6.
    pub Family: u16,
    /// How many bits: 0 to 32, or 0 to 128.
    pub Length: u16,
    /// Zero.
    pub Reserved: u32,
    /// The address in network order, zeros beyond Length.
    pub Address: [u8; 16],
}

/// How many datagrams are let in, on each processor. Zeros are no limit.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_RATE {
    /// Datagrams a second in the long run.
    pub PerSecond: u32,
    /// Datagrams that a source which was silent may send at once; as PerSecond if 0.
    pub Burst: u32,
}

/// Rates and sampling.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_LIMITS {
    /// sizeof(SKUA_LIMITS).
    pub Size: u32,
    /// Of every this many datagrams that came this far, the first is let in; all if 0.
    pub Sample: u32,
    /// The limit of each source. It takes SourceRows.
    pub Rate: SKUA_RATE,
    /// The limit of all sources together that have no row; as Rate if zero.
    pub OtherRate: SKUA_RATE,
}

impl SKUA_RATE {
    fn to_rate(self) -> Result<Option<Rate>, NTSTATUS> {
        let Some(per_second) = NonZeroU32::new(self.PerSecond) else {
            return if self.Burst == 0 { Ok(None) } else { Err(STATUS_INVALID_PARAMETER) };
        };
        Ok(Some(Rate { per_second, burst: NonZeroU32::new(self.Burst).unwrap_or(per_second) }))
    }

    fn of(rate: Option<Rate>) -> Self {
        rate.map_or(Self::default(), |rate| Self {
            PerSecond: rate.per_second.get(),
            Burst: rate.burst.get(),
        })
    }
}

impl SKUA_LIMITS {
    fn to_limits(self) -> Result<Limits, NTSTATUS> {
        Ok(Limits {
            rate: self.Rate.to_rate()?,
            other_rate: self.OtherRate.to_rate()?,
            sample: at_least_one(self.Sample),
        })
    }

    /// The same where the structure is part of another, which may leave it out.
    pub(crate) fn to_limits_or_none(self) -> Result<Limits, NTSTATUS> {
        if self == Self::default() {
            return Ok(Limits::default());
        }
        // SAFETY: a structure of this frame.
        unsafe { has_size(&raw const self) }?;
        self.to_limits()
    }
}

impl SKUA_PREFIX {
    fn to_prefix(self) -> Result<Prefix, NTSTATUS> {
        let address = endpoint::address(self.Family, &self.Address)?;
        let length = u8::try_from(self.Length).map_err(|_too_long| STATUS_INVALID_PARAMETER)?;
        Prefix::new(address, length).map_err(|_malformed| STATUS_INVALID_PARAMETER)
    }
}

/// Prefixes of the caller's as the engine takes them, for the time of a call.
pub(crate) struct Prefixes {
    memory: Region<TableKernel>,
    count: usize,
}

impl Prefixes {
    /// # Errors
    /// STATUS_INVALID_PARAMETER for more than 4096 and for one that is none, STATUS_INSUFFICIENT_RESOURCES.
    ///
    /// # Safety
    /// `list` has `count` prefixes, or is null where that is 0.
    pub(crate) unsafe fn read(
        kernel: TableKernel,
        list: *const SKUA_PREFIX,
        count: u32,
    ) -> Result<Self, NTSTATUS> {
        let count = count as usize;
        if count > MOST || (count > 0 && (list.is_null() || !list.is_aligned())) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let layout = Layout::array::<Prefix>(count).map_err(|_too_large| STATUS_INVALID_PARAMETER)?;
        let memory = Region::new(kernel, Tag(0), layout).map_err(|_refused| STATUS_INSUFFICIENT_RESOURCES)?;
        let first = memory.start().cast::<Prefix>();
        for index in 0..count {
            // SAFETY: below `count`.
            let from = unsafe { list.add(index) };
            // SAFETY: the caller's promise; any bytes are a SKUA_PREFIX.
            let prefix = unsafe { from.read() }.to_prefix()?;
            // SAFETY: below `count`.
            let to = unsafe { first.add(index) };
            // SAFETY: room for one.
            unsafe { to.write(prefix) };
        }
        Ok(Self { memory, count })
    }

    pub(crate) fn get(&self) -> &[Prefix] {
        // SAFETY: as many were written, or the address is aligned and of none.
        unsafe { core::slice::from_raw_parts(self.memory.start().as_ptr().cast(), self.count) }
    }
}

/// Puts another allow-list in force: of Count prefixes, or everyone's where List is NULL.
///
/// Batches that begin after this returned run under it. A list of no prefix, which lets in nobody, is a Count of 0 and a List that is
/// not NULL. The list is copied.
///
/// IRQL: PASSIVE_LEVEL.
///
/// Returns STATUS_INVALID_PARAMETER for more prefixes than AllowCapacity and for one that has bits set beyond its length;
/// STATUS_DEVICE_BUSY while another thread replaces it; the list in force stays then.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `List` is null or has `Count` prefixes.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaReplaceAllowList(
    Engine: *mut SKUA_ENGINE,
    List: *const SKUA_PREFIX,
    Count: u32,
) -> NTSTATUS {
    let replace = || {
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let _passive = inside.passive()?;
        inside.is_open()?;
        let admission = inside.engine.admission();
        let replaced = if List.is_null() {
            if Count != 0 {
                return Err(STATUS_INVALID_PARAMETER);
            }
            admission.replace(Allow::Everyone)
        } else {
            // SAFETY: the caller's promise.
            let prefixes = unsafe { Prefixes::read(inside.kernel, List, Count) }?;
            admission.replace(Allow::Only(prefixes.get()))
        };
        replaced.map_err(|error| match error {
            ReplaceError::Busy => STATUS_DEVICE_BUSY,
            _ => STATUS_INVALID_PARAMETER,
        })
    };
    replace().err().unwrap_or(STATUS_SUCCESS)
}

/// Puts other rates and another sampling in force. Batches that begin after this returned run under them.
///
/// IRQL: PASSIVE_LEVEL.
///
/// Returns STATUS_INVALID_PARAMETER for a rate of each source where the engine was opened without SourceRows, and for a burst that
/// cannot be counted; STATUS_INFO_LENGTH_MISMATCH for an unknown Size; STATUS_DEVICE_BUSY while another thread sets them. The limits
/// in force stay then.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Limits` is null or a structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaSetLimits(Engine: *mut SKUA_ENGINE, Limits: *const SKUA_LIMITS) -> NTSTATUS {
    let set = || {
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        // SAFETY: the caller's promise.
        let limits = unsafe { sized(Limits) }?.to_limits()?;
        let _passive = inside.passive()?;
        inside.is_open()?;
        inside.engine.admission().set_limits(&limits).map_err(|error| match error {
            LimitsError::Busy => STATUS_DEVICE_BUSY,
            _ => STATUS_INVALID_PARAMETER,
        })
    };
    set().err().unwrap_or(STATUS_SUCCESS)
}

/// The limits in force. Limits->Size is the caller's to set before.
///
/// IRQL: at most DISPATCH_LEVEL.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Limits` is null or a writable structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaQueryLimits(Engine: *mut SKUA_ENGINE, Limits: *mut SKUA_LIMITS) -> NTSTATUS {
    let query = || {
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        // SAFETY: the caller's promise.
        unsafe { has_size(Limits) }?;
        let limits = inside.engine.admission().limits();
        #[expect(clippy::cast_possible_truncation, reason = "a few bytes")]
        let limits = SKUA_LIMITS {
            Size: size_of::<SKUA_LIMITS>() as u32,
            Sample: limits.sample.get(),
            Rate: SKUA_RATE::of(limits.rate),
            OtherRate: SKUA_RATE::of(limits.other_rate),
        };
        // SAFETY: writable, and of this size.
        unsafe { Limits.write(limits) };
        Ok(())
    };
    query().err().unwrap_or(STATUS_SUCCESS)
}
