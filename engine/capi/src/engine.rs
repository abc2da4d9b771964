//! The caller's memory that stands for an engine.

// UNSAFETY: reaches the engine's block by the address in memory of the caller's.
#![expect(unsafe_code, reason = "the gate in the caller's memory keeps the block alive")]

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use skua_engine::abi::status::{
    NTSTATUS, STATUS_DELETE_PENDING, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
};

use crate::instance::Instance;

/// An engine: memory of the caller's, nonpaged, zero before the first SkuaOpen.
///
/// It belongs to the library from SkuaOpen on, stays where it is, and must outlive every use of the engine: a call after SkuaClose gets
/// a status because this memory still says so. It may be opened again after that.
#[repr(C)]
#[derive(Debug)]
pub struct SKUA_ENGINE {
    /// The library's.
    pub Reserved: [u64; 4],
}

/// What the library keeps there.
#[repr(C)]
struct State {
    /// [`CLOSED`], [`OPENING`] or [`OPEN`].
    mark: AtomicU32,
    /// Calls that use the block, and [`CLOSING`]; or [`GONE`].
    inside: AtomicU32,
    block: AtomicPtr<Instance>,
}

const _: () = assert!(size_of::<State>() <= size_of::<SKUA_ENGINE>());
const _: () = assert!(align_of::<State>() <= align_of::<SKUA_ENGINE>());

/// There is no block to use.
const GONE: u32 = 1 << 31;
/// A close waits for those inside, and nobody else is let in.
const CLOSING: u32 = 1 << 30;
/// Also what zeroed memory says.
const CLOSED: u32 = 0;
const OPENING: u32 = u32::from_le_bytes(*b"SkuO");
const OPEN: u32 = u32::from_le_bytes(*b"Skua");

/// # Safety
/// `engine` is null or memory of the caller's as [`SKUA_ENGINE`] says.
unsafe fn state<'a>(engine: *mut SKUA_ENGINE) -> Result<&'a State, NTSTATUS> {
    if engine.is_null() || !engine.is_aligned() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    // SAFETY: memory of the size and alignment of a `State`, which only this module touches; zeros are one.
    Ok(unsafe { &*engine.cast::<State>() })
}

/// Makes the memory one that is being opened.
///
/// # Errors
/// STATUS_INVALID_PARAMETER for null; STATUS_INVALID_HANDLE where an engine is open, or the memory was never zeroed.
///
/// # Safety
/// `engine` is null or memory of the caller's as [`SKUA_ENGINE`] says.
pub(crate) unsafe fn reserve(engine: *mut SKUA_ENGINE) -> Result<(), NTSTATUS> {
    // SAFETY: the caller's promise.
    let state = unsafe { state(engine) }?;
    let reserved = state.mark.compare_exchange(CLOSED, OPENING, Ordering::AcqRel, Ordering::Relaxed);
    reserved.map(drop).map_err(|_| STATUS_INVALID_HANDLE)
}

/// Opens the memory on `block`, or closes it where there is none.
///
/// # Safety
/// The caller has reserved it.
pub(crate) unsafe fn publish(engine: *mut SKUA_ENGINE, block: Option<NonNull<Instance>>) {
    // SAFETY: the caller's promise.
    let Ok(state) = (unsafe { state(engine) }) else { return };
    match block {
        Some(block) => {
            state.block.store(block.as_ptr(), Ordering::Relaxed);
            state.inside.store(0, Ordering::Release);
            state.mark.store(OPEN, Ordering::Release);
        }
        None => state.mark.store(CLOSED, Ordering::Release),
    }
}

/// Goes inside: the block stays until the returned value is dropped.
///
/// # Errors
/// STATUS_INVALID_PARAMETER for null, STATUS_INVALID_HANDLE where no engine is open, STATUS_DELETE_PENDING where a close waits for
/// calls alone.
///
/// # Safety
/// `engine` is null or memory of the caller's as [`SKUA_ENGINE`] says.
///
/// # IRQL
/// At most DISPATCH_LEVEL.
#[inline]
pub(crate) unsafe fn enter<'a>(engine: *mut SKUA_ENGINE) -> Result<Inside<'a>, NTSTATUS> {
    // SAFETY: the caller's promise.
    let state = unsafe { state(engine) }?;
    if state.mark.load(Ordering::Acquire) != OPEN {
        return Err(STATUS_INVALID_HANDLE);
    }
    let mut before = state.inside.load(Ordering::Relaxed);
    // A repetition means that somebody else has entered or left.
    while before < CLOSING - 1 {
        match state.inside.compare_exchange_weak(before, before + 1, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return Ok(Inside { state }),
            Err(now) => before = now,
        }
    }
    Err(if before & GONE == 0 { STATUS_DELETE_PENDING } else { STATUS_INVALID_HANDLE })
}

/// A call that uses an engine's block.
pub(crate) struct Inside<'a> {
    state: &'a State,
}

impl core::ops::Deref for Inside<'_> {
    type Target = Instance;

    #[inline]
    fn deref(&self) -> &Instance {
        let block = self.state.block.load(Ordering::Relaxed);
        // SAFETY: written before the mark, and freed only when nobody is inside.
        unsafe { &*block }
    }
}

impl Inside<'_> {
    /// Takes the block out, for the caller to free, unless another call uses it: then nobody else is let in, until
    /// [`Inside::let_in`]. The mark is the caller's to set afterwards, by [`publish`].
    pub(crate) fn end(self) -> Result<NonNull<Instance>, Self> {
        let state = self.state;
        // Without this, threads that call without a pause would keep the count above one for ever.
        state.inside.fetch_or(CLOSING, Ordering::Relaxed);
        // AcqRel: what others did with the block comes before its end.
        let ended = state.inside.compare_exchange(CLOSING | 1, GONE, Ordering::AcqRel, Ordering::Relaxed);
        if ended.is_err() {
            return Err(self);
        }
        core::mem::forget(self);
        state.mark.store(OPENING, Ordering::Release);
        let block = state.block.swap(null_mut(), Ordering::Relaxed);
        // Written before the mark said that there is one.
        Ok(NonNull::new(block).unwrap_or(NonNull::dangling()))
    }

    /// Calls that use the block, this one among them.
    pub(crate) fn count(&self) -> u32 {
        self.state.inside.load(Ordering::Relaxed) & !CLOSING
    }

    /// Takes back what [`Inside::end`] did where it found another call.
    pub(crate) fn let_in(&self) {
        self.state.inside.fetch_and(!CLOSING, Ordering::Relaxed);
    }
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        self.state.inside.fetch_sub(1, Ordering::Release);
    }
}
