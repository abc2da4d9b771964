//! The proof that nothing is missing.

/// Follows the 32-bit numbers of one ring's records and extends them to 64 bits.
///
/// A writer numbers every record it publishes, and only those, so numbers that follow each other prove that the reader
/// saw every record from its first one on. What the sink refused or had no room for has no number; it is in the sink's
/// drop counters.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    // The extended number expected next; None before the first record.
    next: Option<u64>,
    continuity: Continuity,
}

/// What a [`Sequence`] saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Continuity {
    /// Records seen.
    pub seen: u64,
    /// Numbers that were skipped.
    pub missing: u64,
    /// Records whose number lay behind the expected one: the ring was restarted or damaged, or read twice.
    pub backward: u64,
}

impl Continuity {
    /// Whether every record from the first one on was seen, once and in order.
    #[inline]
    #[must_use]
    pub const fn is_unbroken(&self) -> bool {
        self.missing == 0 && self.backward == 0
    }
}

impl Sequence {
    /// Before the first record.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: None, continuity: Continuity { seen: 0, missing: 0, backward: 0 } }
    }

    /// Takes the next record's number and returns it extended to 64 bits.
    ///
    /// The first record's number is taken as it is. A number less than 2³¹ ahead of the expected one counts the
    /// numbers between as missing; any other lies behind, is counted, and is where the sequence goes on from.
    #[inline]
    pub fn follow(&mut self, sequence: u32) -> u64 {
        let extended = match self.next {
            None => u64::from(sequence),
            Some(next) => {
                #[expect(clippy::cast_possible_truncation, reason = "the low half is what records carry")]
                let ahead = sequence.wrapping_sub(next as u32);
                if ahead < 1 << 31 {
                    self.continuity.missing += u64::from(ahead);
                    next.wrapping_add(u64::from(ahead))
                } else {
                    self.continuity.backward += 1;
                    next.wrapping_sub(u64::from(ahead.wrapping_neg()))
                }
            }
        };
        self.next = Some(extended.wrapping_add(1));
        self.continuity.seen += 1;
        extended
    }

    /// What was seen so far.
    #[inline]
    #[must_use]
    pub const fn continuity(&self) -> Continuity {
        self.continuity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(numbers: &[u32]) -> (Continuity, u64) {
        let mut sequence = Sequence::new();
        let mut last = 0;
        for &number in numbers {
            last = sequence.follow(number);
        }
        (sequence.continuity(), last)
    }

    #[test]
    fn numbers_go_on_past_the_wrap() {
        let (continuity, last) = followed(&[u32::MAX - 1, u32::MAX, 0, 1]);
        assert!(continuity.is_unbroken());
        assert_eq!(last, (1 << 32) + 1);
    }

    #[test]
    fn a_gap_is_counted_even_across_the_wrap() {
        let (continuity, last) = followed(&[u32::MAX, 9]);
        assert_eq!(continuity, Continuity { seen: 2, missing: 9, backward: 0 });
        assert_eq!(last, (1 << 32) + 9);
    }

    #[test]
    fn a_repeated_number_is_not_progress() {
        let (continuity, last) = followed(&[5, 6, 6, 7]);
        assert_eq!(continuity, Continuity { seen: 4, missing: 0, backward: 1 });
        assert_eq!(last, 7);
    }
}
