//! What the stack dropped, by SO_MEMINFO: 32 bits a descriptor, extended to 64.

use std::sync::Mutex;

use super::descriptor::Descriptor;
use crate::kernel::lock::hold;

/// `SK_MEMINFO_DROPS` (linux/sock_diag.h): datagrams that reached the socket and were dropped, because its buffer was full, a
/// filter refused them, or their checksum was wrong.
const DROPS: usize = 8;
/// `SK_MEMINFO_VARS`: how many words SO_MEMINFO has.
const WORDS: usize = 9;

/// The count of one socket. It misses nothing as long as fewer than 2^32 datagrams are dropped between two samples.
#[derive(Default)]
pub(super) struct Drops {
    by_descriptor: Mutex<Vec<Extended>>,
}

#[derive(Clone, Copy, Default)]
struct Extended {
    last: u32,
    total: u64,
}

impl Drops {
    /// Reads the counts of all descriptors, and the sum of what they have been. A descriptor that is closed keeps its last.
    pub(super) fn sample<'a>(&self, descriptors: impl Iterator<Item = &'a Descriptor>) -> u64 {
        let mut extended = hold(&self.by_descriptor);
        for (index, descriptor) in descriptors.enumerate() {
            if extended.len() <= index {
                extended.push(Extended::default());
            }
            if let Ok(words) = descriptor.words::<WORDS>(libc::SOL_SOCKET, libc::SO_MEMINFO) {
                extended[index].advance(words[DROPS]);
            }
        }
        extended.iter().map(|extended| extended.total).sum()
    }
}

impl Extended {
    fn advance(&mut self, now: u32) {
        self.total += u64::from(now.wrapping_sub(self.last));
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_wraps_goes_on() {
        let mut drops = Extended::default();
        for now in [0, 5, u32::MAX, 4] {
            drops.advance(now);
        }
        assert_eq!(drops.total, u64::from(u32::MAX) + 5);
    }
}
