//! A pool under more threads than processors: each slot has one owner at a time, and all come back.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use skua_pools::{Pool, PoolConfig, Slot, Tag};

use crate::heap::Heap;

const THREADS: u32 = 6;
const ROUNDS: u64 = 40_000;

/// 0 while free, else who has it. A stranger's number in it is a slot with two owners.
struct Owned(AtomicU64);

impl Owned {
    fn acquire(&self, owner: u64) {
        assert_eq!(self.0.swap(owner, Ordering::Relaxed), 0, "taken while somebody had it");
    }

    fn release(&self, owner: u64) {
        assert_eq!(self.0.swap(0, Ordering::Relaxed), owner, "somebody else had it too");
    }
}

/// A slot's address on its way to another thread, as a completion carries it.
struct InFlight(NonNull<Owned>);

#[expect(unsafe_code, reason = "an address of a Send element crosses threads")]
// SAFETY: the slot is nobody else's, and its element is `Send`.
unsafe impl Send for InFlight {}

/// A cheap generator: xorshift, with a seed for each thread.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Takes and returns in every way there is, holding up to 40 slots.
fn run(
    pool: &Pool<Owned, &Heap>,
    me: u64,
    away: &SyncSender<InFlight>,
    arrivals: &Receiver<InFlight>,
) -> u64 {
    let mut magazine = pool.magazine().unwrap();
    let mut dice = Dice(me.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut held: Vec<Slot<'_, Owned, &Heap>> = Vec::new();
    let mut taken = 0;
    for _ in 0..ROUNDS {
        let slot = if dice.roll(4) == 0 { pool.take_shared() } else { pool.take(&mut magazine) };
        if let Some(slot) = slot {
            slot.acquire(me);
            taken += 1;
            held.push(slot);
        }
        while held.len() > 40 || (!held.is_empty() && dice.roll(3) == 0) {
            let at = usize::try_from(dice.roll(held.len() as u64)).unwrap();
            let slot = held.swap_remove(at);
            slot.release(me);
            match dice.roll(8) {
                0 => drop(slot),
                1 => {
                    if let Err(error) = away.try_send(InFlight(slot.into_raw())) {
                        let (mpsc::TrySendError::Full(back) | mpsc::TrySendError::Disconnected(back)) = error;
                        drop(arrive(pool, back));
                    }
                }
                _ => pool.put(slot, &mut magazine),
            }
        }
        if let Ok(arrived) = arrivals.try_recv() {
            pool.put(arrive(pool, arrived), &mut magazine);
        }
    }
    for slot in held {
        slot.release(me);
    }
    pool.retire(magazine);
    taken
}

fn arrive<'p>(pool: &'p Pool<Owned, &'p Heap>, InFlight(address): InFlight) -> Slot<'p, Owned, &'p Heap> {
    #[expect(unsafe_code, reason = "the way back from a completion context")]
    // SAFETY: every address in flight came from `into_raw` of this pool and arrives once.
    unsafe {
        Slot::from_raw(pool, address)
    }
}

#[test]
fn no_slot_is_lost_or_shared_among_many_threads() {
    for config in [
        PoolConfig { capacity: 8, shards: THREADS, magazine: 2 },
        PoolConfig { capacity: 100, shards: THREADS, magazine: 64 },
        PoolConfig { capacity: 300, shards: THREADS, magazine: 0 },
    ] {
        let heap = Heap::new();
        let mut pool = Pool::new(&heap, Tag::new(b"SkTs"), &config, |_| Owned(AtomicU64::new(0))).unwrap();
        let (away, arrivals): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::sync_channel(16)).unzip();
        let taken: u64 = thread::scope(|scope| {
            let pool = &pool;
            let threads: Vec<_> = (1..)
                .zip(arrivals)
                .zip(away.iter().cycle().skip(1))
                .map(|((me, arrivals), next)| {
                    let next = next.clone();
                    scope.spawn(move || {
                        let taken = run(pool, me, &next, &arrivals);
                        drop(next);
                        (taken, arrivals)
                    })
                })
                .collect();
            drop(away);
            let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            let late = results.iter().flat_map(|(_, arrivals)| arrivals.try_iter());
            late.for_each(|address| drop(arrive(pool, address)));
            results.iter().map(|(taken, _)| taken).sum()
        });
        assert!(taken > 10 * u64::from(config.slots().unwrap()), "{taken} taken of {config:?}");
        assert_eq!(pool.outstanding(), 0);
        assert!(pool.slots_mut().all(|(_, owned)| *owned.0.get_mut() == 0));
    }
}
