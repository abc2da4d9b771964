//! What the stack dropped: 32 bits a descriptor, extended to 64.

use super::descriptor::Descriptor;
use super::meminfo::MemInfo;

/// The count of one socket. It misses nothing as long as fewer than 2^32 datagrams are dropped between two samples.
#[derive(Default)]
pub(super) struct Drops {
    by_descriptor: Vec<Extended>,
}

#[derive(Clone, Copy, Default)]
struct Extended {
    last: u32,
    total: u64,
}

impl Drops {
    /// Reads the counts of all descriptors, which are open, and sums them up. `None` when one cannot be read.
    pub(super) fn sample<'a>(&mut self, descriptors: impl Iterator<Item = &'a Descriptor>) -> Option<u64> {
        let mut sum = Some(0);
        for (index, descriptor) in descriptors.enumerate() {
            if self.by_descriptor.len() <= index {
                self.by_descriptor.push(Extended::default());
            }
            let extended = &mut self.by_descriptor[index];
            let total = MemInfo::of(descriptor).map(|info| extended.advance(info.drops()));
            sum = sum.zip(total).map(|(sum, total)| sum + total);
        }
        sum
    }
}

impl Extended {
    /// What it has been in all, now that the 32 bits are `now`.
    fn advance(&mut self, now: u32) -> u64 {
        self.total += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::{Family, settings};

    #[test]
    fn a_count_that_wraps_goes_on() {
        let mut drops = Extended::default();
        for now in [0, 5, u32::MAX, 4] {
            drops.advance(now);
        }
        assert_eq!(drops.total, u64::from(u32::MAX) + 5);
    }

    #[test]
    fn a_count_that_cannot_be_read_is_not_zero() {
        let descriptors = [(); 2].map(|()| Descriptor::new(settings::open(Family::V4).unwrap()));
        let mut drops = Drops::default();
        assert_eq!(drops.sample(descriptors.iter()), Some(0));
        descriptors[0].close();
        assert_eq!(drops.sample(descriptors.iter()), None, "although the last one can be read");
        let more_than_there_are = descriptors[1].words::<64>(libc::SOL_SOCKET, libc::SO_MEMINFO);
        assert!(more_than_there_are.is_err());
    }
}
