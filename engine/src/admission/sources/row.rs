//! What a reader sees of one source.

use crate::address::Address;

/// Whose row it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Source {
    /// One address; where the table folds IPv6, the first address of a /64.
    ///
    /// The port is not part of it, nor the interface that scopes a link-local address.
    Address(Address),
    /// All sources that had no row, or whose row went to another source.
    Other,
}

/// The counts of one source in one shard, or merged over several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SourceRow {
    /// Whose they are.
    pub source: Source,
    /// Datagrams heard since the row is this source's, refused ones included.
    pub datagrams: u64,
    /// Payload bytes of these.
    pub bytes: u64,
    /// Of these, refused because the token bucket was empty.
    pub rate_limited: u64,
    /// Of these, not the one in N that is kept.
    pub sampled: u64,
    /// Performance-counter ticks of the first datagram; without meaning while `datagrams` is 0.
    pub first: u64,
    /// Performance-counter ticks of the latest; without meaning while `datagrams` is 0.
    pub last: u64,
}

impl SourceRow {
    /// Datagrams that went no further, for whatever reason.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.rate_limited.saturating_add(self.sampled)
    }

    /// Adds the counts of the same source in another shard. `false`, and nothing added, if it is another source.
    ///
    /// # IRQL
    /// Any.
    #[must_use = "rows of different sources do not merge"]
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.source != other.source {
            return false;
        }
        if other.datagrams == 0 {
            return true;
        }
        if self.datagrams == 0 {
            *self = *other;
            return true;
        }
        self.datagrams = self.datagrams.saturating_add(other.datagrams);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.rate_limited = self.rate_limited.saturating_add(other.rate_limited);
        self.sampled = self.sampled.saturating_add(other.sampled);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        true
    }
}
