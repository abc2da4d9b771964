//! A close, and a call that does not return.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use skua_capi::*;
use skua_engine::Kernel as _;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DELETE_PENDING, STATUS_DEVICE_BUSY, STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};
use skua_hosted::HostKernel;

use crate::fixture::{CONSUME, Fixture, Handler, PATIENCE, PATIENCE_MS, size};

/// The next call that asks for its level is held.
static HOLD: AtomicBool = AtomicBool::new(false);
/// One is.
static HELD: AtomicBool = AtomicBool::new(false);

/// KeGetCurrentIrql, which returns when nobody holds it.
unsafe extern "C" fn level(context: *mut c_void) -> u8 {
    if HOLD.swap(false, Ordering::AcqRel) {
        HELD.store(true, Ordering::Release);
        until(|| !HELD.load(Ordering::Acquire));
    }
    // SAFETY: the context of the fixture's table.
    unsafe { &*context.cast::<HostKernel>() }.ke_get_current_irql()
}

fn until(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() && Instant::now() < end {
        thread::yield_now();
    }
}

fn query(fixture: &Fixture) -> NTSTATUS {
    let mut now = SKUA_STATISTICS { Size: size::<SKUA_STATISTICS>(), ..SKUA_STATISTICS::default() };
    // SAFETY: an engine's memory, and a structure of its size.
    unsafe { SkuaQueryStatistics(fixture.engine(), &raw mut now) }
}

fn set_limits(fixture: &Fixture) -> NTSTATUS {
    // SAFETY: zeros are limits.
    let mut limits: SKUA_LIMITS = unsafe { std::mem::zeroed() };
    limits.Size = size::<SKUA_LIMITS>();
    // SAFETY: an engine, and limits.
    unsafe { SkuaSetLimits(fixture.engine(), &raw const limits) }
}

fn close(fixture: &Fixture, milliseconds: u32, outstanding: *mut SKUA_OUTSTANDING) -> NTSTATUS {
    // SAFETY: an engine, and null or a structure of its size.
    unsafe { SkuaClose(fixture.engine(), milliseconds, outstanding) }
}

#[test]
fn a_close_that_waits_for_a_call_lets_no_other_begin() {
    let mut table = None;
    let fixture = Fixture::open(Handler::told(CONSUME), |config| {
        // SAFETY: the fixture's table.
        let services = table.insert(unsafe { config.Kernel.read() });
        services.KeGetCurrentIrql = Some(level);
        config.Kernel = services;
    });
    let mut outstanding =
        SKUA_OUTSTANDING { Size: size::<SKUA_OUTSTANDING>(), ..SKUA_OUTSTANDING::default() };
    thread::scope(|scope| {
        HOLD.store(true, Ordering::Release);
        let call = scope.spawn(|| set_limits(&fixture));
        until(|| HELD.load(Ordering::Acquire));

        // Past its deadline it lets them in again.
        assert_eq!(close(&fixture, 1, &raw mut outstanding), STATUS_IO_TIMEOUT);
        assert_eq!(outstanding.Calls, 1);
        assert_eq!(query(&fixture), STATUS_SUCCESS);

        let closes = scope.spawn(|| close(&fixture, PATIENCE_MS, null_mut()));
        let mut said = STATUS_SUCCESS;
        until(|| {
            said = query(&fixture);
            said != STATUS_SUCCESS
        });
        assert_eq!(said, STATUS_DELETE_PENDING);
        assert_eq!(close(&fixture, 1, null_mut()), STATUS_DEVICE_BUSY);
        assert!(HELD.swap(false, Ordering::AcqRel), "the call was held all the time");
        assert_eq!(closes.join().unwrap(), STATUS_SUCCESS);
        assert_eq!(call.join().unwrap(), STATUS_DELETE_PENDING);
    });
    assert_eq!(fixture.kernel.memory_in_use(), 0);
}
