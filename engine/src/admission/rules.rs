//! The allow-list as one shard has it: rules, what each let in, and the test of an address.

use core::sync::atomic::{AtomicU64, Ordering};

use super::key::Key;
use super::prefix::Prefix;

/// One rule of the allow-list in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RuleHits {
    /// The prefix.
    pub prefix: Prefix,
    /// Datagrams it let in since it came on the list, over all shards. A datagram counts for the first rule of its
    /// family that holds its source.
    pub hits: u64,
}

/// One rule in words that other threads may read while they are replaced.
///
/// What is torn by that is told by the table's generation, not by the words.
#[derive(Debug, Default)]
pub(super) struct Rule {
    network: [AtomicU64; 2],
    mask: [AtomicU64; 2],
    /// Which of a shard's counts this rule adds to. It stays the rule's for as long as the rule is on the list.
    cell: AtomicU64,
    /// The generation that gave the rule its cell: counts from before belong to an earlier owner.
    since: AtomicU64,
}

/// The words of a [`Rule`], read.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleWords {
    pub(super) network: Key,
    pub(super) mask: Key,
    pub(super) cell: u64,
    pub(super) since: u64,
}

impl RuleWords {
    pub(super) fn new(prefix: &Prefix, cell: u64, since: u64) -> Self {
        let network = Key::new(&prefix.address());
        Self { network, mask: Key::from_bits(prefix.mask()), cell, since }
    }

    pub(super) fn prefix(&self) -> Prefix {
        Prefix::from_parts(self.network.address(), self.mask.address().bits())
    }

    /// Whether some address is in both prefixes.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (high, low) = (self.mask.high & other.mask.high, self.mask.low & other.mask.low);
        (self.network.high ^ other.network.high) & high == 0
            && (self.network.low ^ other.network.low) & low == 0
    }

    pub(super) fn is_same_prefix(&self, other: &Self) -> bool {
        self.network == other.network && self.mask == other.mask
    }
}

impl Rule {
    pub(super) fn load(&self) -> RuleWords {
        let [network_high, network_low] = &self.network;
        let [mask_high, mask_low] = &self.mask;
        RuleWords {
            network: Key { high: load(network_high), low: load(network_low) },
            mask: Key { high: load(mask_high), low: load(mask_low) },
            cell: load(&self.cell),
            since: load(&self.since),
        }
    }

    pub(super) fn store(&self, words: &RuleWords) {
        let [network_high, network_low] = &self.network;
        let [mask_high, mask_low] = &self.mask;
        network_high.store(words.network.high, Ordering::Relaxed);
        network_low.store(words.network.low, Ordering::Relaxed);
        mask_high.store(words.mask.high, Ordering::Relaxed);
        mask_low.store(words.mask.low, Ordering::Relaxed);
        self.cell.store(words.cell, Ordering::Relaxed);
        self.since.store(words.since, Ordering::Relaxed);
    }

    /// Whether an address of the rule's family is in its prefix.
    #[inline]
    fn holds(&self, key: Key) -> bool {
        let [network_high, _] = &self.network;
        let [mask_high, _] = &self.mask;
        key.high & load(mask_high) == load(network_high) && self.holds_low(key)
    }

    /// The same where the upper halves are known to agree.
    #[inline]
    fn holds_low(&self, key: Key) -> bool {
        let [_, network_low] = &self.network;
        let [_, mask_low] = &self.mask;
        key.low & load(mask_low) == load(network_low)
    }

    /// An IPv4 rule to be asked first. A prefix as short as to reach into what all IPv4 addresses begin with has all of them.
    fn as_usual(&self) -> Usual {
        let [_, network_low] = &self.network;
        let [_, mask_low] = &self.mask;
        let (network, mask) = (in_memory(load(network_low)), in_memory(load(mask_low)));
        Usual { network, mask, cell: load(&self.cell) }
    }
}

/// The last four octets of an address, from its lower word, as an IPv4 address lies in memory.
fn in_memory(low: u64) -> u32 {
    ((low >> 32) as u32).to_le()
}

/// A place in a shard's list: rule number i, and count number i, which is that of the rule whose cell is i.
///
/// A line to itself, because other processors' places are next to it.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Entry {
    pub(super) rule: Rule,
    /// Datagrams let in. Written by the shard alone.
    pub(super) count: AtomicU64,
}

/// How many rules a list has, and whether it is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Shape {
    /// Only what a rule holds is let in. Without it there is no list and everyone is.
    pub(super) listed: bool,
    /// Rules 0 to here are IPv4.
    pub(super) ipv4: u32,
    /// From there to here IPv6.
    pub(super) total: u32,
    /// No address is in two of the IPv4 prefixes, so that the rule which holds one is the first that does.
    pub(super) disjoint: bool,
}

/// A shard's list during one batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'a> {
    entries: &'a [Entry],
    ipv4: &'a [Entry],
    ipv6: &'a [Entry],
    disjoint: bool,
}

/// The IPv4 rule that is asked first: the one that let the last sender in, where the order of the rules leaves the choice. Senders of
/// one network come one after the other.
///
/// # Invariants
/// It is a rule of the list that the shard has, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual {
    /// The address as it lies in memory, and which of its bits count. Without a rule, such that no address agrees.
    network: u32,
    mask: u32,
    cell: u64,
}

impl Usual {
    /// A rule that holds nobody.
    pub(super) const NONE: Self = Self { network: 1, mask: 0, cell: u64::MAX };

    /// Whether it holds an IPv4 address, as it lies in memory.
    #[inline]
    pub(super) fn holds(&self, word: u32) -> bool {
        word & self.mask == self.network
    }

    /// Counts datagrams that it held, in the entries of the shard.
    #[inline]
    pub(super) fn count_in(&self, entries: &[Entry], datagrams: u64) {
        if let Some(count) = count_of(entries, self.cell) {
            add(count, datagrams);
        }
    }
}

impl<'a> List<'a> {
    /// `entries` are the shard's, as many as the capacity.
    #[inline]
    pub(super) fn new(entries: &'a [Entry], shape: Shape) -> Self {
        let in_use = entries.get(..shape.total as usize).unwrap_or_default();
        let (ipv4, ipv6) = in_use.split_at_checked(shape.ipv4 as usize).unwrap_or_default();
        Self { entries, ipv4, ipv6, disjoint: shape.disjoint }
    }

    /// Whether a rule holds the address; the first that does counts it.
    pub(super) fn admits(&self, key: Key, usual: &mut Usual) -> bool {
        if key.is_ipv4() {
            // The upper half of every IPv4 network is that of every IPv4 address.
            let Some(entry) = self.ipv4.iter().find(|entry| entry.rule.holds_low(key)) else { return false };
            self.count(entry);
            if self.disjoint {
                *usual = entry.rule.as_usual();
            }
            true
        } else {
            let Some(entry) = self.ipv6.iter().find(|entry| entry.rule.holds(key)) else { return false };
            self.count(entry);
            true
        }
    }

    /// Counts a datagram for the rule of `entry`.
    #[inline]
    fn count(&self, entry: &Entry) {
        if let Some(count) = count_of(self.entries, load(&entry.rule.cell)) {
            add(count, 1);
        }
    }

    /// Counts datagrams that `usual` held.
    #[inline]
    pub(super) fn count_for(&self, usual: &Usual, datagrams: u64) {
        usual.count_in(self.entries, datagrams);
    }
}

/// The count of the rule whose cell this is, among the entries of one shard.
#[inline]
pub(super) fn count_of(entries: &[Entry], cell: u64) -> Option<&AtomicU64> {
    Some(&entries.get(usize::try_from(cell).ok()?)?.count)
}

/// Relaxed: each word stands alone, or its table's generation says whether words belong together.
#[inline]
pub(super) fn load(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

/// Adds to a word that only this thread writes, so no read-modify-write is needed.
#[inline]
pub(super) fn add(word: &AtomicU64, amount: u64) {
    word.store(load(word).wrapping_add(amount), Ordering::Relaxed);
}
