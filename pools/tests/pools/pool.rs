//! What a pool promises: its capacity, its slots' identity, and nothing lost.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use skua_pools::{MAGAZINE_MAX, Magazine, Pool, PoolConfig, PoolError, Slot, Tag};

use crate::heap::Heap;

const TAG: Tag = Tag::new(b"SkTs");

/// The most slots that 24 bits number.
const MOST: u32 = (1 << 24) - 1;

fn config(capacity: u32, shards: u32, magazine: u32) -> PoolConfig {
    PoolConfig { capacity, shards, magazine }
}

fn pool(heap: &Heap, config: PoolConfig) -> Pool<u32, &Heap> {
    Pool::new(heap, TAG, &config, |index| index).unwrap()
}

/// Takes through `magazine` until the pool gives no more.
fn take_all<'p>(pool: &'p Pool<u32, &'p Heap>, magazine: &mut Magazine<u32>) -> Vec<Slot<'p, u32, &'p Heap>> {
    std::iter::from_fn(|| pool.take(magazine)).collect()
}

/// Takes until the magazine is empty and enough is held, puts what it keeps, and returns the rest shared.
fn fill(pool: &Pool<u32, &Heap>, magazine: &mut Magazine<u32>) {
    let mut held = Vec::new();
    while held.len() < magazine.size() || !magazine.is_empty() {
        held.push(pool.take(magazine).unwrap());
    }
    held.into_iter().take(magazine.size()).for_each(|slot| pool.put(slot, magazine));
    assert_eq!(magazine.len(), magazine.size());
}

#[test]
fn any_one_taker_reaches_the_capacity_while_every_other_magazine_is_full() {
    for (capacity, shards, magazine) in [(1, 1, 1), (1, 4, 64), (7, 3, 5), (100, 8, 16), (4096, 2, 64)] {
        let heap = Heap::new();
        let pool = pool(&heap, config(capacity, shards, magazine));
        let mut magazines: Vec<_> = (0..shards).map(|_| pool.magazine().unwrap()).collect();
        magazines.iter_mut().for_each(|magazine| fill(&pool, magazine));
        for magazine in &mut magazines {
            let held = take_all(&pool, magazine);
            assert!(held.len() >= capacity as usize, "{} of {capacity}", held.len());
            drop(held);
            fill(&pool, magazine);
        }
        let shared: Vec<_> = std::iter::from_fn(|| pool.take_shared()).collect();
        assert!(shared.len() >= capacity as usize, "{} of {capacity} shared", shared.len());
    }
}

#[test]
fn sizes_that_no_pool_can_have_are_refused_before_any_memory_is_taken() {
    let heap = Heap::new();
    let refused = |config| Pool::new(&heap, TAG, &config, |index| index).err().unwrap();
    assert_eq!(refused(config(0, 1, 1)), PoolError::NoCapacity);
    assert_eq!(refused(config(MOST + 1, 0, 0)), PoolError::TooManySlots(1 << 24));
    assert_eq!(refused(config(MOST - 127, 2, 64)), PoolError::TooManySlots(1 << 24));
    assert_eq!(refused(config(1, u32::MAX, 64)), PoolError::TooManySlots(1 + 64 * u64::from(u32::MAX)));
    assert_eq!(refused(config(u32::MAX, u32::MAX, 1)), PoolError::TooManySlots(2 * u64::from(u32::MAX)));
    assert_eq!(refused(config(1, 1, 65)), PoolError::MagazineTooLarge(65));
    assert_eq!(MAGAZINE_MAX, 64);
    assert_eq!(heap.requests(), 0);
    assert!(Pool::<u32, &Heap>::bytes(&config(0, 1, 1)).is_err());
}

#[test]
fn the_largest_pool_hands_out_every_slot() {
    let heap = Heap::new();
    let pool = Pool::new(&heap, TAG, &config(MOST - 64, 1, 64), |index| index.to_le_bytes()[0]).unwrap();
    let mut magazine = pool.magazine().unwrap();
    let mut count = 0;
    while let Some(slot) = pool.take(&mut magazine) {
        let _ = slot.into_raw();
        count += 1;
    }
    assert_eq!(count, MOST);
}

#[test]
fn a_pool_of_one_slot_gives_it_to_one_at_a_time() {
    let heap = Heap::new();
    let pool = pool(&heap, config(1, 0, 0));
    assert!(pool.magazine().is_none(), "a pool without shards gives out no magazine");
    let slot = pool.take_shared().unwrap();
    assert!(pool.take_shared().is_none());
    drop(slot);
    assert!(pool.take_shared().is_some());
}

#[test]
fn a_magazine_of_size_0_goes_to_the_shared_stack_each_time() {
    let heap = Heap::new();
    let pool = pool(&heap, config(2, 1, 0));
    let mut magazine = pool.magazine().unwrap();
    let held = take_all(&pool, &mut magazine);
    assert_eq!(held.len(), 2);
    held.into_iter().for_each(|slot| pool.put(slot, &mut magazine));
    assert!(magazine.is_empty());
    assert!(pool.take_shared().is_some());
}

#[test]
fn a_magazine_refills_and_flushes_by_half() {
    for (size, half) in [(1, 1), (2, 1), (7, 4), (64, 32)] {
        let heap = Heap::new();
        let pool = pool(&heap, config(200, 1, size));
        let mut magazine = pool.magazine().unwrap();
        let first = pool.take(&mut magazine).unwrap();
        assert_eq!(magazine.len(), half - 1, "half of {size} arrived, and one was given out");
        fill(&pool, &mut magazine);
        pool.put(first, &mut magazine);
        assert_eq!(magazine.len(), magazine.size() - half, "half of {size} left, and the one that was put");
    }
}

#[test]
fn bytes_is_exactly_what_is_asked_of_memory() {
    for config in [config(1, 0, 0), config(1000, 4, 32), config(77, 3, 1)] {
        let heap = Heap::new();
        let _pool = pool(&heap, config);
        assert_eq!(Pool::<u32, &Heap>::bytes(&config), Ok(heap.asked()));
        #[repr(align(256))]
        struct Wide(#[expect(dead_code, reason = "only its size matters")] [u8; 300]);
        let heap = Heap::new();
        let _pool = Pool::new(&heap, TAG, &config, |_| Wide([0; 300])).unwrap();
        assert_eq!(Pool::<Wide, &Heap>::bytes(&config), Ok(heap.asked()));
    }
}

#[test]
fn out_of_memory_at_any_request_leaks_nothing() {
    let drops = AtomicUsize::new(0);
    struct Element<'c>(&'c AtomicUsize);
    impl Drop for Element<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut requests = 0;
    loop {
        let heap = Heap::refusing(requests);
        let mut built = 0;
        let made = Pool::new(&heap, TAG, &config(10, 2, 4), |_| {
            built += 1;
            Element(&drops)
        });
        let refused = match &made {
            Ok(_) => false,
            Err(PoolError::OutOfMemory(error)) => error.tag == TAG,
            Err(other) => panic!("{other}"),
        };
        drop(made);
        assert_eq!((heap.live(), drops.swap(0, Ordering::Relaxed)), (0, built));
        if !refused {
            break;
        }
        requests += 1;
    }
    assert_eq!(requests, 2, "a pool makes two requests, and each was refused once");
}

#[test]
fn slots_keep_their_address_and_their_element() {
    let heap = Heap::new();
    let mut pool = pool(&heap, config(50, 1, 8));
    let mut addresses = Vec::new();
    for (index, value) in pool.slots_mut() {
        assert_eq!(*value, index);
        *value += 1000;
        addresses.push(std::ptr::from_mut(value).addr());
    }
    assert_eq!(addresses.len(), 58);
    let mut magazine = pool.magazine().unwrap();
    for _ in 0..3 {
        let held = take_all(&pool, &mut magazine);
        let seen: HashSet<_> = held.iter().map(|slot| slot.index()).collect();
        assert_eq!(seen.len(), 58);
        for slot in held {
            let index = slot.index();
            assert_eq!(*slot, index + 1000);
            assert_eq!(slot.as_ptr().addr().get(), addresses[index as usize]);
            pool.put(slot, &mut magazine);
        }
    }
}

#[test]
fn a_slot_crosses_a_context_that_carries_one_pointer() {
    let heap = Heap::new();
    let mut pool = pool(&heap, config(1, 0, 0));
    let mut slot = pool.take_shared().unwrap();
    *slot = 99;
    let context = slot.into_raw();
    assert!(pool.take_shared().is_none(), "taken until it is turned back");
    #[expect(unsafe_code, reason = "the way back from a completion context")]
    // SAFETY: `into_raw` of this pool above, turned back once.
    let slot = unsafe { Slot::from_raw(&pool, context) };
    assert_eq!(*slot, 99);
    drop(slot);
    assert_eq!(pool.outstanding(), 0);
}

#[test]
fn a_magazine_of_another_pool_is_left_alone() {
    let heap = Heap::new();
    let ours = pool(&heap, config(4, 1, 4));
    let theirs = Pool::new(&heap, TAG, &config(4, 1, 4), |index| index + 100).unwrap();
    let mut their_magazine = theirs.magazine().unwrap();
    fill(&theirs, &mut their_magazine);
    let slot = ours.take(&mut their_magazine).unwrap();
    assert!(*slot < 100, "never the other pool's slot");
    ours.put(slot, &mut their_magazine);
    assert_eq!(their_magazine.len(), 4, "a full one gives nothing up");
    let spare = theirs.take(&mut their_magazine).unwrap();
    let slot = ours.take(&mut their_magazine).unwrap();
    ours.put(slot, &mut their_magazine);
    assert_eq!(their_magazine.len(), 3, "and one with room takes nothing in");
    drop(spare);
    let their_slot = theirs.take(&mut their_magazine).unwrap();
    let mut our_magazine = ours.magazine().unwrap();
    ours.put(their_slot, &mut our_magazine);
    assert!(our_magazine.is_empty());
    ours.retire(their_magazine);
    assert!(theirs.magazine().is_none(), "retired with the wrong pool, so still out");
    let held = take_all(&ours, &mut our_magazine);
    assert!(held.len() == 8 && held.iter().all(|slot| **slot < 100));
}

#[test]
fn a_magazine_outlives_its_pool_harmlessly() {
    let heap = Heap::new();
    let first = pool(&heap, config(4, 1, 4));
    let mut stale = first.magazine().unwrap();
    fill(&first, &mut stale);
    drop(first);
    // Commonly at the same address as the first.
    let second = pool(&heap, config(4, 1, 4));
    let held: HashSet<_> =
        std::iter::from_fn(|| second.take(&mut stale)).map(|slot| slot.into_raw()).collect();
    assert_eq!((held.len(), stale.len()), (8, 4));
}

#[test]
fn no_more_magazines_are_out_than_the_capacity_counts_on() {
    let heap = Heap::new();
    let mut pool = pool(&heap, config(10, 2, 4));
    let mut first = pool.magazine().unwrap();
    let second = pool.magazine().unwrap();
    assert!(pool.magazine().is_none());
    fill(&pool, &mut first);
    pool.retire(first);
    pool.retire(second);
    assert_eq!(pool.outstanding(), 0, "a retired magazine keeps nothing");
    assert!(pool.magazine().is_some());
}

#[test]
fn outstanding_counts_what_was_not_returned() {
    let heap = Heap::new();
    let mut pool = pool(&heap, config(10, 1, 4));
    std::mem::forget(pool.take_shared());
    std::mem::forget(pool.take_shared());
    assert_eq!((pool.outstanding(), pool.slots()), (2, 14));
}
