//! forward.sys: a driver with the engine in it, and nothing of Skua's driver: its own DriverEntry, DriverUnload, pool tag.
//!
//! It forwards from 127.0.0.1:17101 to 127.0.0.1:17103 and from [::1]:17101 to [::1]:17103, by an engine for each family, and
//! what comes back to the inner sockets, on port 17102, to port 17104. Nothing passes that came from 127.0.0.2. A product would
//! read such things from its registry key. Built by `cargo xtask build-sys`, run by `cargo xtask wine`.
#![no_std]
// UNSAFETY: the image's entry points, called through C.
#![expect(
    unsafe_code,
    reason = "the loader finds DriverEntry by its name, and the driver's object by address"
)]

use core::ffi::c_void;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::panic::PanicInfo;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use skua_engine::DropReason;
use skua_engine::abi::nt::{DRIVER_OBJECT, UNICODE_STRING};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::admission::Prefix;
use skua_forward::{Action, Forwarder, Rule, Settings, Side, run};
use skua_nt::{NtKernel, PoolUse, Stop, Worker, bug_check, debug_print};
use skua_pools::Tag;

/// The tag under which all memory of this driver is taken.
const TAG: Tag = Tag::new(b"FwEx");

/// Ports of the outer sockets, the inner ones, and where datagrams go from each.
const OUTER: u16 = 17_101;
const INNER: u16 = 17_102;
const TO_INSIDE: u16 = 17_103;
const TO_OUTSIDE: u16 = 17_104;

/// Whose datagrams do not pass.
const UNWANTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Datagrams under way at once on each processor.
const UNDER_WAY: u32 = 64;

/// The driver's only state: its worker, from DriverEntry to DriverUnload. An image is loaded once at a time.
static WORKER: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// The image's entry point: starts the thread that does everything else, because nothing here may wait.
///
/// # Safety
/// Called by the I/O manager, once: with the driver's object, and the path of its registry key.
///
/// # IRQL
/// PASSIVE_LEVEL.
// SAFETY: no other symbol of the image has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn DriverEntry(
    driver: *mut DRIVER_OBJECT,
    _registry_path: *mut UNICODE_STRING,
) -> NTSTATUS {
    let Some(driver) = NonNull::new(driver) else { return STATUS_INVALID_PARAMETER };
    if let Err(status) = NtKernel::load(Some(TAG)) {
        return status;
    }
    match Worker::start(work) {
        Ok(worker) => {
            WORKER.store(worker.into_raw().as_ptr(), Ordering::Release);
            // SAFETY: the driver is being loaded: its entry points are its own to write.
            unsafe { (*driver.as_ptr()).DriverUnload = Some(unload) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// DriverUnload: when this returns, the code goes away. The worker has closed everything by then.
unsafe extern "C" fn unload(_driver: *mut DRIVER_OBJECT) {
    if let Some(worker) = NonNull::new(WORKER.swap(null_mut(), Ordering::Acquire)) {
        // SAFETY: put there by DriverEntry, and taken out once.
        drop(unsafe { Worker::from_raw(worker) });
    }
    match NtKernel.owing() {
        None => debug_print::line("forward: unloaded, all pool given back"),
        Some(PoolUse { tag, in_use, .. }) => {
            debug_print::format(format_args!(
                "forward: {in_use} bytes of pool under {tag} were not given back"
            ));
        }
    }
}

/// The thread: the service, for both families, until the driver is unloaded.
fn work(stop: &Stop) {
    let mut before = [0; 2];
    let report = |forwarders: &[Forwarder<NtKernel>]| {
        for (forwarder, before) in forwarders.iter().zip(&mut before) {
            let stats = forwarder.stats();
            // A line when something has changed, and one when it opens.
            if *before != stats.engine.indicated + 1 {
                *before = stats.engine.indicated + 1;
                say(forwarder);
            }
        }
    };
    let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let rules = addresses.map(rules);
    let settings = [0, 1].map(|family: usize| Settings {
        local: [OUTER, INNER].map(|port| SocketAddr::new(addresses[family], port)),
        rules: &rules[family],
        under_way: UNDER_WAY,
    });
    if let Err(error) = run(&NtKernel, &settings, |longest| stop.wait(longest), report) {
        debug_print::format(format_args!("forward: {error}"));
    }
}

/// What is forwarded at an address.
fn rules(address: IpAddr) -> [Rule; 3] {
    let forward =
        |side, port| Rule { side, source: None, action: Action::Forward(SocketAddr::new(address, port)) };
    let unwanted = Prefix::new(UNWANTED.into(), 32).ok();
    [
        Rule { side: Side::Outer, source: unwanted, action: Action::Drop },
        forward(Side::Outer, TO_INSIDE),
        forward(Side::Inner, TO_OUTSIDE),
    ]
}

/// One line of counts.
fn say(forwarder: &Forwarder<NtKernel>) {
    let stats = forwarder.stats();
    debug_print::format(format_args!(
        "forward: {} indicated={} forwarded={} handler={} not_allowed={} retain_budget={} not_sent={} retained={}",
        forwarder.local()[0],
        stats.engine.indicated,
        stats.forwarded,
        stats.engine.dropped(DropReason::Handler),
        stats.engine.dropped(DropReason::NotAllowed),
        stats.engine.dropped(DropReason::RetainBudget),
        stats.not_sent,
        stats.engine.retained(),
    ));
}

/// Objects that touch floating-point types refer to this; nothing reads it.
// SAFETY: no other symbol of the image has this name.
#[unsafe(no_mangle)]
pub static _fltused: i32 = 0;

/// A broken promise ends the system: a bug check with the place in the source.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    bug_check(info.location())
}
