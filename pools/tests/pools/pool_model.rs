//! Any sequence of operations on a pool, against a set of what is held.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use skua_pools::{Magazine, Pool, PoolConfig, Slot, Tag};

use crate::heap::Heap;

const SHARDS: u8 = 3;

#[derive(Clone, Debug)]
enum Operation {
    Take {
        shard: usize,
    },
    TakeShared,
    /// Returns one of the slots held, through a shard's magazine.
    Put {
        shard: usize,
        held: prop::sample::Index,
    },
    /// Drops one of the slots held.
    Drop {
        held: prop::sample::Index,
    },
    /// Sends one through a raw pointer and back.
    Cross {
        held: prop::sample::Index,
    },
    /// Retires a shard's magazine and makes another.
    Retire {
        shard: usize,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    let shard = 0..usize::from(SHARDS);
    prop_oneof![
        8 => shard.clone().prop_map(|shard| Operation::Take { shard }),
        2 => Just(Operation::TakeShared),
        6 => (shard.clone(), any::<prop::sample::Index>()).prop_map(|(shard, held)| Operation::Put { shard, held }),
        2 => any::<prop::sample::Index>().prop_map(|held| Operation::Drop { held }),
        1 => any::<prop::sample::Index>().prop_map(|held| Operation::Cross { held }),
        1 => shard.prop_map(|shard| Operation::Retire { shard }),
    ]
}

/// What is held, and what each slot's element must be.
struct Model<'p> {
    held: Vec<Slot<'p, u64, &'p Heap>>,
    written: HashMap<u32, u64>,
    stamp: u64,
}

impl<'p> Model<'p> {
    fn taken(&mut self, mut slot: Slot<'p, u64, &'p Heap>) {
        assert!(self.held.iter().all(|held| held.index() != slot.index()), "one slot, two owners");
        let expected = self.written.get(&slot.index()).copied().unwrap_or(u64::from(slot.index()));
        assert_eq!(*slot, expected, "the element changed while nobody held it");
        self.stamp += 1;
        *slot = self.stamp << 32;
        self.written.insert(slot.index(), *slot);
        self.held.push(slot);
    }

    fn remove(&mut self, held: &prop::sample::Index) -> Option<Slot<'p, u64, &'p Heap>> {
        (!self.held.is_empty()).then(|| self.held.swap_remove(held.index(self.held.len())))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_pool_gives_each_slot_to_one_owner_and_loses_none(
        capacity in 1_u32..20,
        magazine in prop_oneof![0_u32..6, Just(64)],
        operations in vec(operation(), 0..300),
    ) {
        let heap = Heap::new();
        let config = PoolConfig { capacity, shards: SHARDS.into(), magazine };
        let mut pool = Pool::new(&heap, Tag::new(b"SkTs"), &config, u64::from).unwrap();
        let slots = config.slots().unwrap() as usize;
        {
            let pool = &pool;
            let mut magazines: Vec<Magazine<u64>> = (0..SHARDS).map(|_| pool.magazine().unwrap()).collect();
            let mut model = Model { held: Vec::new(), written: HashMap::new(), stamp: 0 };
            for operation in &operations {
                match operation {
                    Operation::Take { shard } => match pool.take(&mut magazines[*shard]) {
                        Some(slot) => model.taken(slot),
                        None => {
                            let kept: usize = magazines.iter().map(Magazine::len).sum();
                            prop_assert!(magazines[*shard].is_empty());
                            prop_assert_eq!(model.held.len() + kept, slots, "refused with slots on the stack");
                            prop_assert!(model.held.len() >= capacity as usize, "refused below capacity");
                        }
                    },
                    Operation::TakeShared => match pool.take_shared() {
                        Some(slot) => model.taken(slot),
                        None => prop_assert!(model.held.len() >= capacity as usize, "refused below capacity"),
                    },
                    Operation::Put { shard, held } => {
                        if let Some(slot) = model.remove(held) {
                            pool.put(slot, &mut magazines[*shard]);
                        }
                    }
                    Operation::Drop { held } => drop(model.remove(held)),
                    Operation::Cross { held } => {
                        if let Some(slot) = model.remove(held) {
                            let (index, raw) = (slot.index(), slot.into_raw());
                            #[expect(unsafe_code, reason = "the way back from a completion context")]
                            // SAFETY: `into_raw` of this pool on the line before, turned back once.
                            let slot = unsafe { Slot::from_raw(pool, raw) };
                            prop_assert_eq!(slot.index(), index);
                            model.held.push(slot);
                        }
                    }
                    Operation::Retire { shard } => {
                        // Make room first: all magazines are out.
                        let fresh = |old: Magazine<u64>| { pool.retire(old); pool.magazine().unwrap() };
                        replace_with(&mut magazines[*shard], fresh);
                    }
                }
                for magazine in &magazines {
                    prop_assert!(magazine.len() <= magazine.size());
                }
            }
            magazines.into_iter().for_each(|magazine| pool.retire(magazine));
        }
        prop_assert_eq!(pool.outstanding(), 0);
        drop(pool);
        prop_assert_eq!(heap.live(), 0);
    }
}

/// Puts what `fresh` makes of the old value in its place; a stand-in from a pool of one fills the gap.
fn replace_with(place: &mut Magazine<u64>, fresh: impl FnOnce(Magazine<u64>) -> Magazine<u64>) {
    let heap = Heap::new();
    let config = PoolConfig { capacity: 1, shards: 1, magazine: 0 };
    let stand_in = Pool::new(&heap, Tag::new(b"SkTs"), &config, u64::from).unwrap();
    let old = std::mem::replace(place, stand_in.magazine().unwrap());
    *place = fresh(old);
}
