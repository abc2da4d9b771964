//! Magazines over the free list: refill and flush race with each other and with slots returned shared.

use std::vec::Vec;

use super::checker::sync::Arc;
use super::checker::thread;

use super::{Exclusive, Heap, TAG, explore};
use crate::magazine::Magazine;
use crate::pool::{Pool, PoolConfig};

type Shared = Arc<Pool<Exclusive, Heap>>;

fn pool(capacity: u32, shards: u32, magazine: u32) -> Shared {
    let config = PoolConfig { capacity, shards, magazine };
    Arc::new(Pool::new(Heap, TAG, &config, |_| Exclusive::new()).unwrap())
}

/// Takes `count` slots, touches all, and puts them back.
fn take_and_put(pool: &Shared, magazine: &mut Magazine<Exclusive>, count: usize) {
    let slots: Vec<_> = (0..count).map_while(|_| pool.take(magazine)).collect();
    assert_eq!(slots.len(), count, "the configuration has enough for both");
    slots.iter().for_each(|slot| slot.touch());
    slots.into_iter().for_each(|slot| pool.put(slot, magazine));
}

fn assert_complete(pool: Shared) {
    let mut pool = Arc::try_unwrap(pool).ok().unwrap();
    assert_eq!(pool.outstanding(), 0);
}

/// 2 shards with magazines of 2, capacity 3 (7 slots); each thread takes 3, which refills three times, and puts them,
/// which flushes. At most 4 preemptions.
#[test]
fn refill_and_flush_of_two_shards() {
    explore(Some(4), || {
        let shared = pool(3, 2, 2);
        let other = shared.clone();
        let thread = thread::spawn(move || {
            let mut magazine = other.magazine().unwrap();
            take_and_put(&other, &mut magazine, 3);
            other.retire(magazine);
        });
        let mut magazine = shared.magazine().unwrap();
        take_and_put(&shared, &mut magazine, 3);
        shared.retire(magazine);
        thread.join().unwrap();
        assert_complete(shared);
    });
}

/// 1 shard with a magazine of 2 refills while another thread drops a slot to the shared stack and takes one there:
/// capacity 2 (4 slots), any number of preemptions.
#[test]
fn refill_beside_shared_returns() {
    explore(None, || {
        let shared = pool(2, 1, 2);
        let away = shared.take_shared().unwrap().into_raw().as_ptr() as usize;
        let other = shared.clone();
        let thread = thread::spawn(move || {
            let raw = core::ptr::NonNull::new(away as *mut Exclusive).unwrap();
            // SAFETY: `into_raw` of this pool, turned back once.
            let slot = unsafe { crate::slot::Slot::from_raw(&*other, raw) };
            slot.touch();
            drop(slot);
            if let Some(slot) = other.take_shared() {
                slot.touch();
            }
        });
        let mut magazine = shared.magazine().unwrap();
        take_and_put(&shared, &mut magazine, 2);
        shared.retire(magazine);
        thread.join().unwrap();
        assert_complete(shared);
    });
}
