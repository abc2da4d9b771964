//! The device: takes requests, answers what it can at once, and hands the rest to the control thread.

// UNSAFETY: packets arrive by address, and the control thread is given the address of what it shares with the device.
#![expect(unsafe_code, reason = "dispatch routines are called through C")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering, fence};

use arrayvec::ArrayVec;
use skua_engine::abi::nt::{IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, KEVENT};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST, STATUS_NAME_TOO_LONG,
    STATUS_OBJECT_NAME_NOT_FOUND, STATUS_PENDING, STATUS_SHUTDOWN_IN_PROGRESS, STATUS_SUCCESS,
};
use skua_engine::abi::zeroed;
use skua_pools::{Slab, Tag};
use skua_protocol::{ControlCode, MAX_SINKS, Version};

use crate::control::Control;
use crate::executive::Executive;
use crate::queue::{RequestQueue, Requests, context, set_context};
use crate::request::Request;
use crate::wait::WaitCell;

const TAG: Tag = Tag::new(b"SkDe");

/// Word of DriverContext that leads from a closing file's packet to the event its dispatch routine waits for.
const EVENT: usize = 3;

/// UTF-16 units of the Parameters key's path at the most.
const PATH_UNITS: usize = 256;

/// What is below the driver's own key.
const PARAMETERS: &str = r"\Parameters";

/// The driver's one device. Dropping it stops the driver: [`Device::stop`].
///
/// 1. [`Device::start`] takes the memory and starts the control thread.
/// 2. [`Device::dispatch`] is given every packet.
/// 3. [`Device::stop`] ends every wait and every sink, and returns when nothing of the driver's is under way any more.
pub struct Device<E: Executive> {
    // Dropped first: dropping it waits for the thread, which uses what is shared.
    thread: Option<E::Thread>,
    /// One element, at an address that stays.
    shared: Slab<Shared<E>, E>,
}

/// What dispatch routines, the control thread and rings' writers share.
pub(crate) struct Shared<E: Executive> {
    executive: E,
    queue: RequestQueue,
    /// Signalled when there is something for the control thread to do.
    call: UnsafeCell<KEVENT>,
    /// Where the readers of sinks wait.
    cells: [WaitCell<E>; MAX_SINKS],
    /// No opens and no waits any more.
    shut_down: AtomicBool,
    /// The control thread is to end.
    ending: AtomicBool,
    /// Path of the registry key with the settings.
    parameters: ArrayVec<u16, PATH_UNITS>,
}

// SAFETY: an event has no thread; the rest is Send by itself.
unsafe impl<E: Executive> Send for Shared<E> {}
// SAFETY: the event is the kernel's to guard, and used through its routines alone; everything else is Sync by itself.
unsafe impl<E: Executive> Sync for Shared<E> {}

impl<E: Executive> Device<E> {
    /// Starts the control thread. `registry_path` is what DriverEntry was given; it is copied.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES, STATUS_NAME_TOO_LONG, or why the thread did not start. Nothing is left then.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn start(executive: &E, registry_path: &[u16]) -> Result<Self, NTSTATUS> {
        let mut parameters = ArrayVec::new();
        for unit in registry_path.iter().copied().chain(PARAMETERS.encode_utf16()) {
            parameters.try_push(unit).map_err(|_| STATUS_NAME_TOO_LONG)?;
        }
        let shared = Slab::new(executive.clone(), TAG, 1, |_| Shared {
            executive: executive.clone(),
            queue: RequestQueue::new(),
            call: UnsafeCell::new(zeroed()),
            cells: core::array::from_fn(|_| WaitCell::new(executive.clone())),
            shut_down: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            parameters: parameters.clone(),
        })
        .map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        let mut device = Self { thread: None, shared };
        let place = device.shared.base();
        // SAFETY: nobody waits for the event yet, and it stays where it is.
        unsafe { executive.ke_initialize_event(device.shared().call.get(), false) };
        // SAFETY: the routine is given what outlives the thread: the thread is dropped first, which waits for its end.
        let thread = unsafe { executive.ps_create_system_thread(control_thread::<E>, place.as_ptr().cast()) };
        device.thread = Some(thread?);
        Ok(device)
    }

    /// Serves a packet: the driver's routine for every major function.
    ///
    /// # Safety
    /// The I/O manager gave `irp` to this driver; it has a current stack location.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub unsafe fn dispatch(&self, irp: NonNull<IRP>) -> NTSTATUS {
        // SAFETY: the caller's promise.
        let request = unsafe { Request::from_irp(irp) };
        let shared = self.shared();
        match request.major() {
            IRP_MJ_CREATE if shared.is_shut_down() => shared.finish(request, STATUS_SHUTDOWN_IN_PROGRESS),
            // There is nothing below the device.
            IRP_MJ_CREATE if request.has_name() => shared.finish(request, STATUS_OBJECT_NAME_NOT_FOUND),
            IRP_MJ_CREATE => {
                request.enter_file();
                shared.finish(request, STATUS_SUCCESS)
            }
            IRP_MJ_CLEANUP | IRP_MJ_CLOSE => shared.close(request),
            IRP_MJ_DEVICE_CONTROL => match ControlCode::from_code(request.code()) {
                Some(ControlCode::Version) => match request.answer(&shared.executive, &Version::HERE) {
                    Ok(()) => STATUS_SUCCESS,
                    Err(status) => status,
                },
                Some(_) => shared.post(request),
                None => shared.finish(request, STATUS_INVALID_DEVICE_REQUEST),
            },
            _ => shared.finish(request, STATUS_INVALID_DEVICE_REQUEST),
        }
    }

    /// Ends every wait and refuses opens; then ends every sink, waits for whatever is under way without limit, and ends
    /// the control thread. Requests that come after this are refused.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn stop(&mut self) {
        let shared = self.shared();
        shared.shut_down();
        shared.ending.store(true, Ordering::Release);
        shared.ring();
        // Waits for its end.
        self.thread = None;
        // Whoever completed something of the driver's from DISPATCH_LEVEL has left it after this.
        self.shared().executive.ke_flush_queued_dpcs();
    }

    fn shared(&self) -> &Shared<E> {
        // SAFETY: the slab has one element, which is only shared.
        unsafe { self.shared.base().as_ref() }
    }
}

impl<E: Executive> Drop for Device<E> {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop();
        }
    }
}

impl<E: Executive> Shared<E> {
    pub(crate) fn executive(&self) -> &E {
        &self.executive
    }

    pub(crate) fn parameters(&self) -> &[u16] {
        &self.parameters
    }

    /// Takes the requests that have come.
    pub(crate) fn take(&self) -> Requests {
        self.queue.take()
    }

    /// The same, and refuses those that come later.
    pub(crate) fn take_last(&self) -> Requests {
        self.queue.close()
    }

    /// Where the reader of the sink at `place` waits.
    pub(crate) fn cell(&self, place: usize) -> Option<&WaitCell<E>> {
        self.cells.get(place)
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Acquire)
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Ends every wait, and lets no file be opened any more.
    pub(crate) fn shut_down(&self) {
        self.shut_down.store(true, Ordering::Release);
        for cell in &self.cells {
            cell.end(STATUS_SHUTDOWN_IN_PROGRESS);
        }
    }

    /// The control thread sleeps here until it is called or `timeout`, in units of 100 ns, is over.
    pub(crate) fn wait(&self, timeout: Option<u64>) {
        // SAFETY: initialised by `start`, and there as long as `self`.
        let _called = unsafe { self.executive.ke_wait_for_single_object(self.call.get(), timeout) };
        // Before the queue is looked at: a request that comes later signals anew.
        // SAFETY: as above.
        unsafe { self.executive.ke_clear_event(self.call.get()) };
        // KeClearEvent is a store, which the looks that follow could overtake: they would see nothing, and the store would
        // then wipe out the signal of whoever asked in between. With the fence in `ring` one of both sees the other.
        fence(Ordering::SeqCst);
    }

    /// A request that only says that a file is gone was heard: its dispatch routine goes on and completes it.
    pub(crate) fn release(&self, request: Request) {
        let irp = request.into_irp();
        // SAFETY: the packet is this function's until the signal.
        let event = unsafe { context(irp, EVENT) }.cast::<KEVENT>();
        // SAFETY: the dispatch routine's event, which it waits for.
        unsafe { self.executive.ke_set_event(event) };
    }

    fn finish(&self, request: Request, status: NTSTATUS) -> NTSTATUS {
        request.complete(&self.executive, status);
        status
    }

    /// Leaves a request to the control thread.
    fn post(&self, request: Request) -> NTSTATUS {
        request.mark_pending();
        match self.queue.push(request) {
            Ok(()) => self.ring(),
            Err(request) => request.complete(&self.executive, STATUS_SHUTDOWN_IN_PROGRESS),
        }
        STATUS_PENDING
    }

    /// A file is closed. The control thread must have heard of it before the packet is completed: its address may be
    /// another file's afterwards. Not pended, because a close is not to be.
    ///
    /// Once is enough, as no file becomes a reader after that: a CLOSE after a CLEANUP waits for nobody.
    fn close(&self, request: Request) -> NTSTATUS {
        if request.leave_file() && request.major() == IRP_MJ_CLOSE {
            return self.finish(request, STATUS_SUCCESS);
        }
        let event = UnsafeCell::new(zeroed::<KEVENT>());
        // SAFETY: nobody knows the event yet.
        unsafe { self.executive.ke_initialize_event(event.get(), false) };
        let irp = request.irp();
        // SAFETY: the packet is this function's.
        unsafe { set_context(irp, EVENT, event.get().cast()) };
        let request = match self.queue.push(request) {
            Err(request) => request,
            Ok(()) => {
                self.ring();
                // SAFETY: the control thread signals it, and no longer touches packet or event then.
                let _heard = unsafe { self.executive.ke_wait_for_single_object(event.get(), None) };
                // SAFETY: given back by the control thread.
                unsafe { Request::from_irp(irp) }
            }
        };
        self.finish(request, STATUS_SUCCESS)
    }

    fn ring(&self) {
        // Pairs with the one in `wait`.
        fence(Ordering::SeqCst);
        // SAFETY: initialised by `start`, and there as long as `self`.
        unsafe { self.executive.ke_set_event(self.call.get()) };
    }
}

/// The control thread.
unsafe extern "C" fn control_thread<E: Executive>(context: *mut c_void) {
    // SAFETY: `Device::start` passes what it shares, which outlives the thread.
    let shared = unsafe { &*context.cast::<Shared<E>>() };
    Control::new(shared).run();
}
