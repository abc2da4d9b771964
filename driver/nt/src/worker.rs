//! A thread with a way to tell it that it is enough.

// UNSAFETY: owns a block by address, which a thread reads.
#![expect(unsafe_code, reason = "the block lives until the thread has ended")]

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::time::Duration;

use skua_engine::Kernel;
use skua_engine::abi::nt::KEVENT;
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};
use skua_engine::abi::zeroed;
use skua_pools::{Region, Tag};

use crate::kernel::NtKernel;
use crate::thread::NtThread;

const TAG: Tag = Tag::new(b"SkWo");

/// A system thread that runs until it is told to stop: what a driver that embeds the engine starts in `DriverEntry` and drops
/// in `DriverUnload`.
///
/// Dropping it tells the thread to stop and waits for its end, without limit, at PASSIVE_LEVEL. It is one address, for
/// [`Worker::into_raw`], because the I/O manager hands `DriverUnload` nothing but the driver's object.
///
/// # Invariants
/// The block is whole, and freed only by the drop.
pub struct Worker(NonNull<Block>);

struct Block {
    stop: Stop,
    body: fn(&Stop),
    /// Written once the thread runs, which does not look at it.
    thread: MaybeUninit<NtThread>,
    /// The memory this block lies in; moved out before it is freed.
    region: Region<NtKernel>,
}

/// What a [`Worker`]'s thread asks whether it is enough.
pub struct Stop(UnsafeCell<KEVENT>);

// SAFETY: an event is the kernel's to guard.
unsafe impl Sync for Stop {}
// SAFETY: the block may be dropped by another thread than the one that made it.
unsafe impl Send for Worker {}

impl Worker {
    /// Starts a system thread that runs `body`, which returns soon after it was told to stop.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES, or what PsCreateSystemThread answered.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn start(body: fn(&Stop)) -> Result<Self, NTSTATUS> {
        let region = Region::new(NtKernel, TAG, Layout::new::<Block>())
            .map_err(|_refused| STATUS_INSUFFICIENT_RESOURCES)?;
        let place = region.start().cast::<Block>();
        let stop = Stop(UnsafeCell::new(zeroed()));
        // SAFETY: room for one, and nobody else's.
        unsafe { place.write(Block { stop, body, thread: MaybeUninit::uninit(), region }) };
        // SAFETY: written just now, and nobody else knows of it.
        let stop = unsafe { &(*place.as_ptr()).stop };
        // SAFETY: it lies where it stays, and nobody waits on it yet.
        unsafe { NtKernel.ke_initialize_event(stop.0.get(), false) };
        // SAFETY: `run` takes a block, which lives until the thread has ended.
        match unsafe { NtThread::start(run, place.as_ptr().cast()) } {
            Ok(thread) => {
                // SAFETY: a field of the block, which the thread does not look at.
                let field = unsafe { &raw mut (*place.as_ptr()).thread };
                // SAFETY: as above.
                unsafe { field.write(MaybeUninit::new(thread)) };
                Ok(Self(place))
            }
            Err(status) => {
                // SAFETY: no thread was started: the block is this call's.
                unsafe { free(place) };
                Err(status)
            }
        }
    }

    /// The worker as an address; [`Worker::from_raw`] takes it back.
    #[must_use]
    pub fn into_raw(self) -> NonNull<c_void> {
        let block = self.0.cast();
        core::mem::forget(self);
        block
    }

    /// Takes back what [`Worker::into_raw`] gave away.
    ///
    /// # Safety
    /// `raw` came from `into_raw`, and is taken back once.
    #[must_use]
    pub unsafe fn from_raw(raw: NonNull<c_void>) -> Self {
        Self(raw.cast())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let block = self.0.as_ptr();
        // SAFETY: a field of the block.
        let stop = unsafe { &(*block).stop };
        // SAFETY: initialised by `start`.
        unsafe { NtKernel.ke_set_event(stop.0.get()) };
        // SAFETY: a field of the block.
        let thread = unsafe { &raw mut (*block).thread };
        // SAFETY: written by `start`, and read once.
        let thread = unsafe { thread.read() };
        // SAFETY: as above. Dropping it waits for the thread's end.
        drop(unsafe { thread.assume_init() });
        // SAFETY: the thread has ended: the block is this value's.
        unsafe { free(self.0) };
    }
}

impl Stop {
    /// Waits until the thread is told to stop, at most so long; whether it was told.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL; with a wait of zero, at most DISPATCH_LEVEL.
    #[must_use]
    pub fn wait(&self, longest: Duration) -> bool {
        let units = u64::try_from(longest.as_nanos() / 100).unwrap_or(u64::MAX);
        // SAFETY: initialised by `Worker::start`, and there as long as the thread.
        unsafe { NtKernel.ke_wait_for_single_object(self.0.get(), Some(units)) == STATUS_SUCCESS }
    }
}

unsafe extern "C" fn run(context: *mut c_void) {
    let block = context.cast::<Block>();
    // SAFETY: `start` passes the block.
    let body = unsafe { (*block).body };
    // SAFETY: as above, and it outlives the thread.
    let stop = unsafe { &(*block).stop };
    body(stop);
}

/// # Safety
/// The block is the caller's, and nobody's after that.
unsafe fn free(block: NonNull<Block>) {
    // SAFETY: a field of the block.
    let region = unsafe { &raw const (*block.as_ptr()).region };
    // SAFETY: read once: nothing uses the block's copy again.
    drop(unsafe { region.read() });
}
