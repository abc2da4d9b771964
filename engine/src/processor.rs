//! Levels and processors: who may touch what, and when.
//!
//! WSK promises its callbacks at *or below* DISPATCH_LEVEL. Below it a callback can be preempted, migrate to another
//! processor, or be interrupted by one that runs on the same processor. So every way into a shard first takes a
//! [`Dispatch`] guard, which raises the level unless the caller is known to be there, and only then asks which processor
//! it is on. The guard cannot leave its thread, and it alone yields `&mut` to what belongs to that processor.

// UNSAFETY: hands out `&mut` to a processor's cell on the strength of the raised level and the cell's `entered` mark.
#![expect(
    unsafe_code,
    reason = "one thread at a time has a raised processor; the mark catches re-entry on it"
)]

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

use crossbeam_utils::CachePadded;
use skua_pools::{OutOfMemory, Slab, Tag};

use crate::abi::nt::{KIRQL, PASSIVE_LEVEL};
use crate::kernel::Kernel;

/// Proof that the thread runs at PASSIVE_LEVEL: what may wait asks for one.
///
/// It borrows the kernel and cannot be sent, so it lives no longer than the scope that took it.
///
/// # Invariants
/// The holder took it at PASSIVE_LEVEL. Inside [`Dispatch::with`] it is still at hand but no longer true: what waits looks
/// at the level once more.
#[derive(Debug, Clone, Copy)]
pub struct Passive<'a>(PhantomData<(&'a (), *mut ())>);

impl<'a> Passive<'a> {
    /// The token, if the thread is at PASSIVE_LEVEL now.
    ///
    /// # IRQL
    /// Any.
    pub fn acquire<K: Kernel>(kernel: &'a K) -> Option<Self> {
        is_passive(kernel).then_some(Self(PhantomData))
    }

    /// Whether the token still says the truth.
    pub(crate) fn holds<K: Kernel>(&self, kernel: &K) -> bool {
        is_passive(kernel)
    }
}

fn is_passive<K: Kernel>(kernel: &K) -> bool {
    kernel.ke_get_current_irql() == PASSIVE_LEVEL
}

/// The thread holds its processor: it is at DISPATCH_LEVEL until this is dropped.
///
/// # Invariants
/// `processor` is the index the kernel gave after the level was raised, and stays true because the guard is neither
/// `Send` nor `Sync`.
#[derive(Debug)]
pub struct Dispatch<'k, K: Kernel> {
    kernel: &'k K,
    /// The level to return to; `None` where the caller was at DISPATCH_LEVEL already and lowers by itself.
    lower_to: Option<KIRQL>,
    processor: u32,
    not_send: PhantomData<*mut ()>,
}

impl<'k, K: Kernel> Dispatch<'k, K> {
    /// Runs `work` at DISPATCH_LEVEL. Scoped, so that levels are lowered in the reverse order of their raising.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub fn with<R>(kernel: &'k K, work: impl FnOnce(&Self) -> R) -> R {
        work(&Self::raise(kernel))
    }

    /// Raises to DISPATCH_LEVEL. Guards must be dropped in the reverse order of their making, which is why only
    /// [`Dispatch::with`] is public.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline]
    pub(crate) fn raise(kernel: &'k K) -> Self {
        let lower_to = Some(kernel.ke_raise_irql_to_dpc_level());
        Self { kernel, lower_to, processor: kernel.ke_get_current_processor_index(), not_send: PhantomData }
    }

    /// Takes note that the thread is at DISPATCH_LEVEL, as WSK_FLAG_AT_DISPATCH_LEVEL says, without the cost of raising.
    ///
    /// # Safety
    /// The thread is at DISPATCH_LEVEL and stays there while the guard lives.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    #[inline]
    pub(crate) unsafe fn assume(kernel: &'k K) -> Self {
        let processor = kernel.ke_get_current_processor_index();
        Self { kernel, lower_to: None, processor, not_send: PhantomData }
    }

    /// The processor that is held.
    #[inline]
    #[must_use]
    pub fn processor(&self) -> u32 {
        self.processor
    }
}

impl<K: Kernel> Drop for Dispatch<'_, K> {
    #[inline]
    fn drop(&mut self) {
        if let Some(irql) = self.lower_to {
            // SAFETY: `irql` is what raising returned, on this thread: the guard cannot have left it.
            unsafe { self.kernel.ke_lower_irql(irql) }
        }
    }
}

/// Writes a field of a value that is being made where it stays: `place` is a pointer with room for it, and the caller's.
macro_rules! write_field {
    ($place:ident.$field:ident = $value:expr) => {{
        let value = $value;
        // SAFETY: the caller's place.
        let field = unsafe { &raw mut (*$place).$field };
        // SAFETY: as above; what is in it is not a value yet.
        unsafe { field.write(value) };
    }};
}
pub(crate) use write_field;

/// One value for each processor, entered by the thread that holds the processor.
///
/// # Invariants
/// A cell's value is touched only between `enter` and the drop of its [`Entered`].
///
/// # Invariants
/// The first `made` values are made.
pub(crate) struct PerProcessor<T, K: Kernel> {
    cells: Slab<CachePadded<Cell<T>>, K>,
    made: usize,
}

/// A processor's cell. `entered` is written only by the thread that holds the processor, so plain loads and stores do.
struct Cell<T> {
    entered: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: a value is reached by one thread at a time, the one that holds its processor, hence `T: Send` is enough.
unsafe impl<T: Send> Sync for Cell<T> {}

impl<T, K: Kernel> PerProcessor<T, K> {
    /// What [`PerProcessor::new`] asks of memory, in bytes; `None` if that is more than an address can count.
    pub(crate) fn bytes(count: u32) -> Option<usize> {
        Slab::<CachePadded<Cell<T>>, K>::bytes(count as usize)
    }

    /// Makes one value for each of `count` processors: `make` writes it where it stays, because it may be large for a kernel's
    /// stack.
    ///
    /// # Safety
    /// `make` makes a value in the place that it is given.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) unsafe fn new(
        kernel: &K,
        tag: Tag,
        count: u32,
        mut make: impl FnMut(u32, *mut T),
    ) -> Result<Self, OutOfMemory> {
        let cells = Slab::new(kernel.clone(), tag, count as usize, |_| {
            let value = UnsafeCell::new(MaybeUninit::uninit());
            CachePadded::new(Cell { entered: AtomicBool::new(false), value })
        })?;
        let mut values = Self { cells, made: 0 };
        for processor in 0..count {
            let Some(cell) = values.cells.get(processor as usize) else { break };
            make(processor, cell.value.get().cast());
            values.made += 1;
        }
        Ok(values)
    }

    /// The value of the processor that `dispatch` holds. `None` when it is entered further up this thread's stack, or
    /// when the processor came after the values were made.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    #[inline]
    pub(crate) fn enter<'a>(&'a self, dispatch: &'a Dispatch<'_, K>) -> Option<Entered<'a, T>> {
        let cell: &Cell<T> = self.cells.get(dispatch.processor as usize)?;
        if cell.entered.load(Ordering::Relaxed) {
            return None;
        }
        cell.entered.store(true, Ordering::Relaxed);
        Some(Entered { cell, not_send: PhantomData })
    }
}

impl<T, K: Kernel> Drop for PerProcessor<T, K> {
    fn drop(&mut self) {
        for cell in self.cells.iter_mut().take(self.made) {
            // SAFETY: made, and dropped once.
            unsafe { cell.value.get_mut().assume_init_drop() };
        }
    }
}

/// The value of the processor that the thread holds, until this is dropped.
pub(crate) struct Entered<'a, T> {
    cell: &'a Cell<T>,
    not_send: PhantomData<*mut ()>,
}

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the thread holds the processor and no other `Entered` of it exists: `entered` was false.
        let value = unsafe { &*self.cell.value.get() };
        // SAFETY: every cell's value is made before anybody can enter.
        unsafe { value.assume_init_ref() }
    }
}

impl<T> DerefMut for Entered<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        let value = unsafe { &mut *self.cell.value.get() };
        // SAFETY: as in `deref`.
        unsafe { value.assume_init_mut() }
    }
}

impl<T> Drop for Entered<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.cell.entered.store(false, Ordering::Relaxed);
    }
}
