//! A host that brings its own services.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use skua_capi::*;
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_hosted::{HostConfig, HostKernel};
use skua_pools::{Memory, Tag};

use crate::fixture::{CONSUME, Fixture, Handler, PATIENCE_MS, config};

/// A host whose memory is its own. The other functions take its address for its first field's.
#[repr(C)]
struct Host {
    kernel: HostKernel,
    tag_is_the_hosts: AtomicBool,
    taken: AtomicU64,
    given_back: AtomicU64,
}

unsafe extern "C" fn allocate(context: *mut c_void, bytes: usize, tag: u32) -> *mut c_void {
    // SAFETY: the table's context.
    let host = unsafe { &*context.cast::<Host>() };
    host.tag_is_the_hosts.fetch_and(tag == u32::from_le_bytes(*b"Mine"), Ordering::Relaxed);
    host.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    host.kernel.allocate(bytes, Tag(tag)).map_or(std::ptr::null_mut(), |address| address.as_ptr().cast())
}

unsafe extern "C" fn free(context: *mut c_void, address: *mut c_void, bytes: usize, tag: u32) {
    // SAFETY: the table's context.
    let host = unsafe { &*context.cast::<Host>() };
    host.given_back.fetch_add(bytes as u64, Ordering::Relaxed);
    let address = std::ptr::NonNull::new(address.cast()).unwrap();
    // SAFETY: allocated above, with the same numbers.
    unsafe { host.kernel.free(address, bytes, Tag(tag)) };
}

#[test]
fn all_memory_is_taken_by_the_hosts_function_under_the_hosts_tag() {
    let host = Box::new(Host {
        kernel: HostKernel::new(HostConfig::default()),
        tag_is_the_hosts: AtomicBool::new(true),
        taken: AtomicU64::new(0),
        given_back: AtomicU64::new(0),
    });
    // SAFETY: the host outlives the engine.
    let mut table = unsafe { SKUA_KERNEL::at((&raw const *host).cast::<HostKernel>()) };
    table.ExAllocatePool2 = Some(allocate);
    table.ExFreePoolWithTag = Some(free);
    let handler = Handler::told(CONSUME);
    let mut config = config(&table, &handler);
    config.PoolTag = u32::from_le_bytes(*b"Mine");
    config.MaxSockets = 1;
    let (mut bytes, processors) = (0, 2);
    // SAFETY: a configuration, and room for a number.
    assert_eq!(unsafe { SkuaEngineBytes(&raw const config, processors, &raw mut bytes) }, STATUS_SUCCESS);
    let mut engine = SKUA_ENGINE { Reserved: [0; 4] };
    // SAFETY: zeroed memory, and a configuration.
    assert_eq!(unsafe { SkuaOpen(&raw mut engine, &raw const config) }, STATUS_SUCCESS);
    // Both were copied.
    table.Size = 0;
    table.Context = std::ptr::null_mut();
    config.Size = 0;
    std::hint::black_box((&table, &config));
    // SAFETY: an engine.
    assert_eq!(unsafe { SkuaClose(&raw mut engine, PATIENCE_MS, std::ptr::null_mut()) }, STATUS_SUCCESS);
    let (taken, given_back) = (host.taken.load(Ordering::Relaxed), host.given_back.load(Ordering::Relaxed));
    assert!(taken > 0 && taken == given_back && taken <= bytes, "{taken} of {bytes}, {given_back} back");
    assert!(host.tag_is_the_hosts.load(Ordering::Relaxed));
    assert_eq!(host.kernel.memory_in_use(), 0);
}

#[test]
fn two_engines_on_two_kernels_do_not_know_of_each_other() {
    let (one, other) =
        (Fixture::open(Handler::told(CONSUME), |_| {}), Fixture::open(Handler::told(CONSUME), |_| {}));
    let ((_, to_one), (_, to_other)) = (one.socket(), other.socket());
    for _ in 0..10 {
        to_one.send(b"one").unwrap();
        to_other.send(b"other").unwrap();
    }
    one.until(|now| now.Accepted == 10);
    other.until(|now| now.Accepted == 10);
    assert!(one.handler.payloads.lock().unwrap().iter().all(|payload| payload == b"one"));
    one.close();
    to_other.send(b"other").unwrap();
    other.until(|now| now.Accepted == 11);
    other.close();
}
