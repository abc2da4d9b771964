//! The end of an engine.

// UNSAFETY: frees the engine's block, and writes a structure of the caller's.
#![expect(unsafe_code, reason = "the block is freed when no call uses it")]

use core::sync::atomic::Ordering;
use core::time::Duration;

use skua_engine::abi::nt::KEVENT;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DELETE_PENDING, STATUS_DEVICE_BUSY, STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};
use skua_engine::{CloseError, DeregisterError, Kernel as _, Outstanding, Passive};

use crate::config::has_size;
use crate::engine::{SKUA_ENGINE, enter, publish};
use crate::instance::{Configuring, Instance};
use crate::kernel::TableKernel;

/// A wait without a limit.
const INFINITE: u32 = u32::MAX;
/// How often a close looks whether the last call has returned, in units of 100 ns.
const LOOK: u64 = 10_000;

/// What a close still waits for. Numbers are of the moment they were read.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_OUTSTANDING {
    /// sizeof(SKUA_OUTSTANDING), the caller's to set before.
    pub Size: u32,
    /// Nonzero where WskCloseSocket was called and has not completed.
    pub IsClosing: u32,
    /// Datagrams that were retained and not given back, over all sockets.
    pub Retained: u64,
    /// Datagrams that were handed over to be sent and have not completed, over all sockets.
    pub Sends: u64,
    /// Handlers and calls of the library that have not returned.
    pub Calls: u64,
}

/// A point in time up to which a call waits.
#[derive(Clone, Copy)]
pub(crate) struct Until {
    kernel: TableKernel,
    /// Interrupt time, in units of 100 ns.
    end: u64,
}

impl Until {
    pub(crate) fn after(kernel: TableKernel, milliseconds: u32) -> Self {
        let units = if milliseconds == INFINITE { u64::MAX } else { u64::from(milliseconds) * 10_000 };
        Self { kernel, end: kernel.ke_query_interrupt_time().saturating_add(units) }
    }

    /// What is left, in units of 100 ns, at most what a wait can be told.
    pub(crate) fn units(self) -> u64 {
        self.end.saturating_sub(self.kernel.ke_query_interrupt_time()).min(i64::MAX.unsigned_abs())
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::from_nanos_u128(u128::from(self.units()) * 100)
    }
}

impl Instance {
    /// Tells the caller what a close waits for, where it wants to know.
    ///
    /// # Safety
    /// `to` is null or a writable structure of its Size.
    pub(crate) unsafe fn tell(&self, to: *mut SKUA_OUTSTANDING, seen: Option<Outstanding>, calls: u32) {
        if to.is_null() {
            return;
        }
        let stats = self.engine.stats();
        let (retained, seen) = (stats.retained(), seen.unwrap_or_default());
        #[expect(clippy::cast_possible_truncation, reason = "a few bytes")]
        let outstanding = SKUA_OUTSTANDING {
            Size: size_of::<SKUA_OUTSTANDING>() as u32,
            IsClosing: seen.closing.into(),
            Retained: retained,
            Sends: stats.sends_outstanding(),
            Calls: seen.inside.saturating_sub(retained) + u64::from(calls),
        };
        // SAFETY: the caller's promise.
        unsafe { to.write(outstanding) };
    }
}

/// Whether there is no place to tell what is outstanding, or a good one.
///
/// # Safety
/// `outstanding` is null, or its first field can be read.
pub(crate) unsafe fn may_tell(outstanding: *const SKUA_OUTSTANDING) -> Result<(), NTSTATUS> {
    // SAFETY: the caller's promise.
    if outstanding.is_null() { Ok(()) } else { unsafe { has_size(outstanding) } }
}

/// Closes an engine: turns new sends and sockets away, closes what sockets and sources are still open, waits for handlers, retained datagrams
/// and sends, leaves WSK, and frees all memory. Engine may then be opened again, or go.
///
/// When everything is back, it waits for calls that have not returned, and every function that begins meanwhile returns
/// STATUS_DELETE_PENDING, or 0 where it returns a number of bytes.
///
/// Waits at most so many milliseconds, 0xFFFFFFFF without limit, as DriverUnload does. Past that the engine is still there and still
/// closing: retained datagrams go on being released, and SkuaClose is called again. What it waits for is in Outstanding, which may be
/// NULL; Outstanding->Size is the caller's to set.
///
/// IRQL: PASSIVE_LEVEL. Not in a handler.
///
/// Returns STATUS_IO_TIMEOUT when something is outstanding at the deadline, STATUS_INVALID_HANDLE where no engine is open,
/// STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL, STATUS_DEVICE_BUSY while another call configures or closes the engine.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Outstanding` is null or a writable structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaClose(
    Engine: *mut SKUA_ENGINE,
    Milliseconds: u32,
    Outstanding: *mut SKUA_OUTSTANDING,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    unsafe { close(Engine, Milliseconds, Outstanding) }.err().unwrap_or(STATUS_SUCCESS)
}

/// # Safety
/// As for [`SkuaClose`].
unsafe fn close(
    engine: *mut SKUA_ENGINE,
    milliseconds: u32,
    outstanding: *mut SKUA_OUTSTANDING,
) -> Result<(), NTSTATUS> {
    // SAFETY: the caller's promise.
    unsafe { may_tell(outstanding) }?;
    // SAFETY: the caller's promise.
    let entered = unsafe { enter(engine) };
    // Another close is at its last wait.
    let mut inside = entered
        .map_err(|status| if status == STATUS_DELETE_PENDING { STATUS_DEVICE_BUSY } else { status })?;
    let kernel = inside.kernel;
    let until = Until::after(kernel, milliseconds);
    {
        let passive = inside.passive()?;
        let mut configuring = inside.configure()?;
        inside.closing.store(true, Ordering::Release);
        if let Err(seen) = end_client(&inside, &mut configuring, until, &passive) {
            // SAFETY: the caller's promise.
            unsafe { inside.tell(outstanding, seen, 0) };
            return Err(STATUS_IO_TIMEOUT);
        }
        // Another close would wait for this one to leave, as this one does for others.
        configuring.keep();
    }
    let block = loop {
        inside = match inside.end() {
            Ok(block) => break block,
            Err(again) => again,
        };
        if until.units() == 0 {
            let calls = inside.count().saturating_sub(1);
            // SAFETY: the caller's promise.
            unsafe { inside.tell(outstanding, None, calls) };
            inside.let_in();
            inside.may_configure();
            return Err(STATUS_IO_TIMEOUT);
        }
        pause(kernel, LOOK.min(until.units()));
    };
    // SAFETY: no call uses it, and nothing of it is out: the registration was closed.
    unsafe { Instance::free(block) };
    // SAFETY: `end` left it reserved.
    unsafe { publish(engine, None) };
    Ok(())
}

/// Closes everything that is a client's of WSK.
fn end_client(
    instance: &Instance,
    configuring: &mut Configuring<'_>,
    until: Until,
    passive: &Passive<'_>,
) -> Result<(), Option<Outstanding>> {
    let mut left = Ok(());
    if let Some(sockets) = &instance.sockets {
        // All of them first, so that none brings more while another is waited for.
        for number in sockets.numbers() {
            if let Some(used) = sockets.enter(number)
                && let Some(socket) = used.get()
            {
                socket.stop();
            }
        }
        for number in sockets.numbers() {
            match sockets.take_when_idle(number, until.units()) {
                Ok(Some(socket)) => {
                    if let Err(CloseError { outstanding, .. }) = socket.close(until.duration(), passive) {
                        left = Err(Some(outstanding));
                    }
                }
                Ok(None) => left = Err(None),
                Err(_closed_by_another) => {}
            }
        }
    }
    if !crate::nbl::drain_all(instance, until, passive) {
        left = Err(None);
    }
    left?;
    let client = configuring.client();
    client.provider = None;
    let Some(registration) = client.registration.take() else { return Ok(()) };
    let Err(error) = registration.close(until.duration(), passive) else { return Ok(()) };
    let seen = match &error {
        DeregisterError::Outstanding { outstanding, .. } => Some(*outstanding),
        _ => None,
    };
    client.registration = Some(error.into_registration());
    Err(seen)
}

/// Waits for `units` of 100 ns.
fn pause(kernel: TableKernel, units: u64) {
    let mut event = skua_engine::abi::zeroed::<KEVENT>();
    let event = &raw mut event;
    // SAFETY: an event of this frame, on which nobody waits.
    unsafe { kernel.ke_initialize_event(event, false) };
    // SAFETY: initialised just now; nobody signals it.
    let _timeout = unsafe { kernel.ke_wait_for_single_object(event, Some(units)) };
}
