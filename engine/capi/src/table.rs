//! Numbers for what callers in C hold: each names a place in a table, and what lay there when it was given out.
//!
//! ```text
//! 63                      32 31    24 23                      0
//! +--------------------------+-------+-------------------------+
//! | generation               | kind  | place                   |
//! +--------------------------+-------+-------------------------+
//! ```
//!
//! A place's generation is raised when it is emptied, so that a number which was given back names nothing any more.

// UNSAFETY: a place's value is reached by whoever is inside its gate, and moved out by whoever leaves it last.
#![expect(unsafe_code, reason = "the gate says who may touch the value")]

use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use skua_engine::abi::nt::KEVENT;
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::{Dispatch, Kernel};
use skua_pools::{Gate, Pool, PoolConfig, PoolError, Released, Slab, Slot, Tag};

use crate::kernel::TableKernel;

/// The engine's memory is all under the host's tag.
const TAG: Tag = Tag(0);

/// What a number is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    Socket = 1,
    Retained = 2,
    Source = 3,
}

/// Places for values that callers name by number.
///
/// # Invariants
/// A place's gate is open while a number of its generation is out and nobody gives it back.
pub(crate) struct Table<T> {
    kernel: TableKernel,
    kind: Kind,
    places: Slab<Place<T>, TableKernel>,
    /// The places that are free, by number.
    free: Pool<u32, TableKernel>,
}

struct Place<T> {
    /// Counts those who use the value.
    gate: Gate,
    generation: AtomicU32,
    /// Somebody gives it back.
    claimed: AtomicBool,
    /// What whoever leaves last signals, instead of moving the value out: somebody waits to do that.
    waiter: AtomicPtr<KEVENT>,
    /// The element of the free list, while the place is taken.
    element: AtomicPtr<u32>,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is shared by those inside the gate and moved by who leaves last.
unsafe impl<T: Send + Sync> Sync for Place<T> {}
// SAFETY: nothing belongs to a thread.
unsafe impl<T: Send> Send for Place<T> {}

impl<T> Table<T> {
    /// A table of `capacity` places, none if that is 0. `seed` is where generations begin.
    pub(crate) fn new(
        kernel: TableKernel,
        kind: Kind,
        capacity: u32,
        seed: u32,
    ) -> Result<Option<Self>, PoolError> {
        if capacity == 0 {
            return Ok(None);
        }
        let config = PoolConfig { capacity, shards: 0, magazine: 0 };
        let free = Pool::new(kernel, TAG, &config, |index| index)?;
        let places = Slab::new(kernel, TAG, capacity as usize, |_| Place::empty(seed))?;
        Ok(Some(Self { kernel, kind, places, free }))
    }

    /// What a table takes, in bytes.
    pub(crate) fn bytes(capacity: u32) -> Result<usize, PoolError> {
        if capacity == 0 {
            return Ok(0);
        }
        let free = Pool::<u32, TableKernel>::bytes(&PoolConfig { capacity, shards: 0, magazine: 0 })?;
        let places = Slab::<Place<T>, TableKernel>::bytes(capacity as usize);
        places.and_then(|places| places.checked_add(free)).ok_or(PoolError::TooManySlots(capacity.into()))
    }

    /// Gives `value` a number; gives it back where every place is taken.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn insert(&self, value: T) -> Result<u64, T> {
        let Some(slot) = self.free.take_shared() else { return Err(value) };
        let index = *slot;
        let Some(place) = self.places.get(index as usize) else { return Err(value) };
        // SAFETY: the place is free and this thread has it: nobody is inside its gate.
        unsafe { *place.value.get() = Some(value) };
        place.element.store(slot.into_raw().as_ptr(), Ordering::Relaxed);
        place.claimed.store(false, Ordering::Relaxed);
        let generation = place.generation.load(Ordering::Relaxed);
        place.gate.reopen();
        Ok(u64::from(generation) << 32 | u64::from(self.kind as u8) << 24 | u64::from(index))
    }

    /// Goes inside the place that `number` names, which keeps its value there.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn enter(&self, number: u64) -> Option<Inside<'_, T>> {
        if (number >> 24) & 0xFF != u64::from(self.kind as u8) {
            return None;
        }
        let (index, generation) = ((number & 0x00FF_FFFF) as usize, (number >> 32) as u32);
        let place = self.places.get(index)?;
        if !place.gate.enter() {
            return None;
        }
        let inside = Inside { table: self, place };
        (place.generation.load(Ordering::Acquire) == generation).then_some(inside)
    }

    /// Takes the value out. `Ok(None)` where somebody is still inside, with whom it ends; `Err` where the number names nothing.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn take(&self, number: u64) -> Result<Option<T>, NoSuch> {
        let inside = self.claim(number)?;
        let place = inside.into_place();
        Ok((place.gate.leave() == Released::Last).then(|| self.empty(place)).flatten())
    }

    /// Takes the value out, and waits for those inside for `units` of 100 ns at most: `Ok(None)` after that, and the value ends with
    /// the last of them.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn take_when_idle(&self, number: u64, units: u64) -> Result<Option<T>, NoSuch> {
        let mut event = UnsafeCell::new(skua_engine::abi::zeroed::<KEVENT>());
        // SAFETY: an event of this frame, on which nobody waits yet.
        unsafe { self.kernel.ke_initialize_event(event.get_mut(), false) };
        let inside = self.claim_for(number, event.get())?;
        let place = inside.into_place();
        if place.gate.leave() == Released::Last {
            place.waiter.store(null_mut(), Ordering::Relaxed);
            return Ok(self.empty(place));
        }
        // SAFETY: initialised, and of this frame.
        let status = unsafe { self.kernel.ke_wait_for_single_object(event.get(), Some(units)) };
        if status != STATUS_SUCCESS {
            if !place.waiter.swap(null_mut(), Ordering::AcqRel).is_null() {
                // Whoever leaves last ends the value.
                return Ok(None);
            }
            // Somebody has the event, and signals it in a moment: it must not go before that.
            // SAFETY: as above.
            let _signalled = unsafe { self.kernel.ke_wait_for_single_object(event.get(), None) };
        }
        Ok(self.empty(place))
    }

    /// Numbers that are out, one after the other.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        let kind = u64::from(self.kind as u8) << 24;
        self.places.iter().zip(0_u64..).filter_map(move |(place, index)| {
            let generation = u64::from(place.generation.load(Ordering::Relaxed));
            (!place.element.load(Ordering::Relaxed).is_null()).then_some(generation << 32 | kind | index)
        })
    }

    fn claim(&self, number: u64) -> Result<Inside<'_, T>, NoSuch> {
        self.claim_for(number, null_mut())
    }

    /// Goes inside as the one who gives the number back; nobody else goes inside after that.
    fn claim_for(&self, number: u64, waiter: *mut KEVENT) -> Result<Inside<'_, T>, NoSuch> {
        let inside = self.enter(number).ok_or(NoSuch)?;
        if inside.place.claimed.swap(true, Ordering::AcqRel) {
            return Err(NoSuch);
        }
        inside.place.waiter.store(waiter, Ordering::Release);
        // Not drained: this thread is inside.
        let _drained = inside.place.gate.close();
        Ok(inside)
    }

    /// Leaves the place; the last to leave one whose number is given back ends its value, or tells who waits for it.
    fn leave(&self, place: &Place<T>) {
        if place.gate.leave() != Released::Last {
            return;
        }
        let waiter = place.waiter.swap(null_mut(), Ordering::AcqRel);
        if waiter.is_null() {
            drop(self.empty(place));
            return;
        }
        // At DISPATCH_LEVEL, so that the instructions after the signal are not preempted.
        Dispatch::with(&self.kernel, |_| {
            // SAFETY: the one who waits leaves the event where it is until it is signalled.
            unsafe { self.kernel.ke_set_event(waiter) };
        });
    }

    /// Moves the value out and frees the place, of which the caller was the last inside.
    fn empty(&self, place: &Place<T>) -> Option<T> {
        // SAFETY: the gate is closed and drained, and this thread alone was told so.
        let value = unsafe { (*place.value.get()).take() };
        place.generation.fetch_add(1, Ordering::AcqRel);
        if let Some(element) = NonNull::new(place.element.swap(null_mut(), Ordering::Relaxed)) {
            // SAFETY: given up by `insert`, and taken back once.
            drop(unsafe { Slot::from_raw(&self.free, element) });
        }
        value
    }
}

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        for place in self.places.iter_mut() {
            drop(place.value.get_mut().take());
        }
    }
}

impl<T> Place<T> {
    fn empty(generation: u32) -> Self {
        let gate = Gate::new();
        // Drained: it is new.
        let _drained = gate.close();
        Self {
            gate,
            generation: AtomicU32::new(generation),
            claimed: AtomicBool::new(true),
            waiter: AtomicPtr::new(null_mut()),
            element: AtomicPtr::new(null_mut()),
            value: UnsafeCell::new(None),
        }
    }
}

/// The number names nothing: it was given back, or is of another kind or engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoSuch;

/// A value that is used.
pub(crate) struct Inside<'t, T> {
    table: &'t Table<T>,
    place: &'t Place<T>,
}

impl<'t, T> Inside<'t, T> {
    /// The value.
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: inside the gate nobody moves the value.
        unsafe { (*self.place.value.get()).as_ref() }
    }

    /// The place, still to be left.
    fn into_place(self) -> &'t Place<T> {
        let place = self.place;
        core::mem::forget(self);
        place
    }
}

impl<T> Drop for Inside<'_, T> {
    fn drop(&mut self) {
        self.table.leave(self.place);
    }
}
