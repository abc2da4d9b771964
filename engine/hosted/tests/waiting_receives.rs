//! Calls of WskReceiveFrom that wait for a datagram allocate nothing: WSK lets them be made at DISPATCH_LEVEL.

// UNSAFETY: a global allocator that counts.
#![expect(unsafe_code, reason = "forwards to the system allocator, and speaks the C ABI by hand")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_PENDING};
use skua_hosted::{ProviderConfig, Transport};

#[path = "shared/layer.rs"]
mod layer;
#[expect(dead_code, reason = "the raw client has more than this takes")]
#[path = "wsk/raw/mod.rs"]
mod raw;

use raw::socket::{Socket, Target};
use raw::{Client, Irp, LOCALHOST, unverified};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: forwards to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: forwarded.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: forwarded.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: forwarded.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn as_many_receives_as_may_wait_allocate_nothing() {
    let kernel = unverified(Transport::Loopback);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let count = ProviderConfig::default().pending_receives as usize;
    let mut waiting: Vec<(Irp, Target)> =
        (0..count).map(|_| (Irp::new(&kernel), Target::new(&kernel, &[16]))).collect();
    let before = ALLOCATIONS.get();
    for (irp, target) in &mut waiting {
        assert_eq!(socket.receive_from(target, irp.raw()), STATUS_PENDING);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    socket.close();
    for (irp, _) in &waiting {
        assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    }
    std::hint::black_box(Box::new(1u64));
    assert!(ALLOCATIONS.get() > before, "one that was planted is counted");
    client.end();
}
