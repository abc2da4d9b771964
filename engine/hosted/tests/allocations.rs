//! Between open and close, receiving and sending allocate nothing: counted over every thread of the process.

// UNSAFETY: a global allocator that counts.
#![expect(unsafe_code, reason = "forwards to the system allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use skua_engine::{
    Batch, BeyondBudget, Config, Engine, Events, Handler, Info, Passive, Registration, Retention, SendError,
    SendOptions, SocketOptions, Wanted,
};
use skua_hosted::{HostConfig, HostKernel};

struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

fn count() {
    if ON.load(Ordering::Relaxed) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: forwards to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: forwarded.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: forwarded.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: forwarded.
        unsafe { System.realloc(ptr, layout, size) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: forwarded.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Keeps every eighth datagram for a moment; allocates once for each batch if it is told to.
struct Keeper {
    plant: bool,
}

impl Handler<HostKernel> for Keeper {
    type Shard = u64;

    fn shard(&self, _processor: u32, _passive: &Passive<'_>) -> u64 {
        0
    }

    fn receive(&self, seen: &mut u64, batch: &mut Batch<'_, HostKernel>) {
        if self.plant {
            std::hint::black_box(Box::new([0_u8; 64]));
        }
        while let Some(datagram) = batch.next_datagram() {
            *seen += 1;
            if seen.is_multiple_of(8) {
                drop(datagram.retain());
            }
        }
    }
}

/// Allocations while 2,000 datagrams come in and 2,000 go out, where datagrams may gather for `moderation` and be joined.
fn allocations(plant: bool, moderation: Duration) -> u64 {
    let mut config = HostConfig::default().unverified();
    config.provider.moderation = moderation;
    let kernel = HostKernel::new(config);
    let passive = Passive::acquire(&kernel).unwrap();
    let registration = Registration::register(kernel.clone(), Events::Static, &passive).unwrap();
    let provider = registration.capture(Duration::from_secs(10), &passive).unwrap();
    let retention =
        Retention { datagrams: 1, bytes: 4096, beyond: BeyondBudget::Copy, copy_slots: 2, copy_bytes: 2048 };
    let config = Config { send_slots: 64, retention, ..Config::default() };
    let engine = Engine::open(kernel.clone(), Keeper { plant }, &config, &passive).unwrap();
    let wanted = Wanted {
        packet_info: Info::Wanted,
        type_of_service: Info::Wanted,
        hop_limit: Info::Wanted,
        timestamp: Info::Wanted,
        coalesced: if moderation.is_zero() { Info::Off } else { Info::Wanted },
    };
    let options = SocketOptions { wanted, ..SocketOptions::new("127.0.0.1:0".parse().unwrap()) };
    let socket = engine.open_socket(&provider, &options, &passive).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(socket.local_address()).unwrap();
    let to = peer.local_addr().unwrap();
    let payload = [7; 3000];
    let wait = |reached: u64| {
        let until = Instant::now() + Duration::from_secs(10);
        while engine.stats().indicated < reached {
            assert!(Instant::now() < until, "{:?}", engine.stats());
            std::thread::yield_now();
        }
    };
    peer.send(b"warm").unwrap();
    wait(1);
    ALLOCATIONS.store(0, Ordering::SeqCst);
    ON.store(true, Ordering::SeqCst);
    let mut received = 1;
    for round in 0..200_usize {
        for length in 0..10 {
            peer.send(&payload[..length * 300 + round]).unwrap();
        }
        received += 10;
        wait(received);
        socket
            .send_batch(to, &SendOptions::default(), |batch| {
                for _ in 0..9 {
                    batch.push(&payload[..round]).unwrap();
                }
            })
            .unwrap();
        while socket.send(to, b"one", &SendOptions::default()) == Err(SendError::NoSlot) {
            std::thread::yield_now();
        }
    }
    ON.store(false, Ordering::SeqCst);
    let counted = ALLOCATIONS.load(Ordering::SeqCst);
    let stats = engine.stats();
    assert!(stats.balances() && stats.kept > 0 && stats.sends_issued == 2000, "{stats:?}");
    socket.close(Duration::from_secs(10), &passive).unwrap();
    drop(provider);
    registration.close(Duration::from_secs(10), &passive).unwrap();
    drop(engine);
    counted
}

#[test]
fn receiving_and_sending_allocate_nothing_and_a_planted_allocation_is_found() {
    assert!(allocations(true, Duration::ZERO) > 0, "a handler that allocates was not noticed");
    for moderation in [Duration::ZERO, Duration::from_millis(1)] {
        assert_eq!(allocations(false, moderation), 0, "{moderation:?}");
    }
}
