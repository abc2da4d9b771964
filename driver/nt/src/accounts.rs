//! What is charged to each tag of nonpaged pool, in a table of fixed size.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use skua_pools::Tag;

use crate::memory::PoolUse;

/// How many tags have room. The engine and a driver use fewer; one more is refused memory.
pub(super) const TAGS: usize = 32;

/// The accounts. Several threads may allocate at once, so the words are atomic; what a reader sees of one account need not
/// be of one moment.
pub(super) struct Accounts {
    accounts: [Account; TAGS],
}

/// # Invariants
/// `tag` is written once, from 0 (which is no tag) to the account's.
struct Account {
    tag: AtomicU32,
    in_use: AtomicUsize,
    high_water: AtomicUsize,
}

impl Accounts {
    pub(super) const fn new() -> Self {
        Self { accounts: [const { Account::new() }; TAGS] }
    }

    /// Charges `bytes`; whether the tag has an account.
    pub(super) fn charge(&self, tag: Tag, bytes: usize) -> bool {
        let Some(account) = self.accounts.iter().find(|account| account.is(tag)) else {
            return false;
        };
        let in_use = account.in_use.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
        account.high_water.fetch_max(in_use, Ordering::Relaxed);
        true
    }

    /// Takes back what was charged.
    pub(super) fn credit(&self, tag: Tag, bytes: usize) {
        if let Some(account) = self.accounts.iter().find(|account| account.is(tag)) {
            account.in_use.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// The `index`th account, in the order of first use; `None` behind the last.
    pub(super) fn get(&self, index: usize) -> Option<PoolUse> {
        let account = self.accounts.get(index)?;
        let tag = account.tag.load(Ordering::Relaxed);
        (tag != 0).then(|| PoolUse {
            tag: Tag(tag),
            in_use: account.in_use.load(Ordering::Relaxed),
            high_water: account.high_water.load(Ordering::Relaxed),
        })
    }

    /// An account with bytes in use.
    pub(super) fn owing(&self) -> Option<PoolUse> {
        (0..TAGS).map_while(|index| self.get(index)).find(|account| account.in_use != 0)
    }
}

impl Account {
    const fn new() -> Self {
        Self { tag: AtomicU32::new(0), in_use: AtomicUsize::new(0), high_water: AtomicUsize::new(0) }
    }

    /// Whether this is the tag's account, or becomes it now.
    fn is(&self, tag: Tag) -> bool {
        // An account that another thread takes in this moment has that thread's tag.
        match self.tag.compare_exchange(0, tag.0, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => true,
            Err(taken) => taken == tag.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Tag = Tag::new(b"SkA1");
    const B: Tag = Tag::new(b"SkB2");

    #[test]
    fn every_tag_has_its_own_account() {
        let accounts = Accounts::new();
        assert_eq!(accounts.get(0), None);
        assert!(accounts.charge(A, 100));
        assert!(accounts.charge(B, 7));
        assert!(accounts.charge(A, 50));
        accounts.credit(A, 100);
        assert_eq!(accounts.get(0), Some(PoolUse { tag: A, in_use: 50, high_water: 150 }));
        assert_eq!(accounts.get(1), Some(PoolUse { tag: B, in_use: 7, high_water: 7 }));
        assert_eq!(accounts.get(2), None);
    }

    #[test]
    fn what_is_owed_is_named_until_it_is_paid() {
        let accounts = Accounts::new();
        assert!(accounts.charge(A, 1));
        assert!(accounts.charge(B, 2));
        accounts.credit(A, 1);
        assert_eq!(accounts.owing().map(|account| account.tag), Some(B));
        accounts.credit(B, 2);
        assert_eq!(accounts.owing(), None);
    }

    #[test]
    fn a_tag_beyond_the_table_is_refused() {
        let accounts = Accounts::new();
        let tag = |index: usize| Tag(u32::try_from(index + 1).unwrap());
        assert!((0..TAGS).all(|index| accounts.charge(tag(index), 1)));
        assert!(!accounts.charge(tag(TAGS), 1));
        assert!(accounts.charge(tag(TAGS - 1), 1));
        assert_eq!(accounts.get(TAGS - 1).map(|account| account.in_use), Some(2));
        assert_eq!(accounts.get(TAGS), None);
    }
}
