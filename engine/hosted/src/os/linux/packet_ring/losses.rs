//! What was lost before it could be indicated, and why.

use std::sync::atomic::{AtomicU64, Ordering};

use super::wire::Fault;
use crate::config::PacketRingLosses;

/// The counts of one socket. Workers write, anybody reads.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Datagrams that were lent or thrown away by a worker.
    taken: AtomicU64,
    fragmented: AtomicU64,
    bad_checksum: AtomicU64,
    malformed: AtomicU64,
    truncated: AtomicU64,
}

impl Losses {
    /// So many datagrams were taken out of the ring and are accounted for elsewhere.
    pub(super) fn took(&self, count: usize) {
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// A datagram cannot be lent.
    pub(super) fn note(&self, fault: Fault) {
        let count = match fault {
            Fault::Fragment => &self.fragmented,
            Fault::Checksum => &self.bad_checksum,
            Fault::Malformed => &self.malformed,
            Fault::Truncated => &self.truncated,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// So many frames of a block cannot be read.
    pub(super) fn note_unreadable(&self, count: u32) {
        self.malformed.fetch_add(u64::from(count), Ordering::Relaxed);
    }

    /// All that is known, with `ring_full` frames that found no room; and when the socket rests, with `reached`, how many
    /// datagrams came as far as the claiming socket. That is fewer than were in the ring where netfilter drops some.
    pub(super) fn sum_up(&self, ring_full: u64, reached: Option<u64>) -> PacketRingLosses {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let known = PacketRingLosses {
            ring_full,
            fragmented: get(&self.fragmented),
            bad_checksum: get(&self.bad_checksum),
            malformed: get(&self.malformed),
            truncated: get(&self.truncated),
            unseen: 0,
        };
        let seen = get(&self.taken) + known.total();
        PacketRingLosses { unseen: reached.map_or(0, |reached| reached.saturating_sub(seen)), ..known }
    }
}

impl PacketRingLosses {
    /// Adds those of another socket.
    pub(crate) fn add(&mut self, other: &Self) {
        self.ring_full += other.ring_full;
        self.fragmented += other.fragmented;
        self.bad_checksum += other.bad_checksum;
        self.malformed += other.malformed;
        self.truncated += other.truncated;
        self.unseen += other.unseen;
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ring_full + self.fragmented + self.bad_checksum + self.malformed + self.truncated + self.unseen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reached_the_port_and_was_not_seen_is_lost_once_the_socket_rests() {
        let losses = Losses::default();
        losses.took(10);
        for fault in [Fault::Fragment, Fault::Checksum, Fault::Malformed, Fault::Truncated, Fault::Truncated]
        {
            losses.note(fault);
        }
        losses.note_unreadable(3);
        let running = losses.sum_up(2, None);
        assert_eq!((running.total(), running.unseen), (10, 0));
        let resting = losses.sum_up(2, Some(25));
        assert_eq!((resting.total(), resting.unseen, resting.malformed), (15, 5, 4));
        // Netfilter drops behind the ring.
        assert_eq!(losses.sum_up(2, Some(3)), running);
    }
}
