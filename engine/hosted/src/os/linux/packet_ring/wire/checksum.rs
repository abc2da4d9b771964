//! The Internet checksum (RFC 1071), in the byte order of this machine: whether a sum is all ones does not depend on it.

/// The sum of 16-bit words so far, not folded yet.
#[derive(Clone, Copy, Default)]
pub(super) struct Sum(u64);

impl Sum {
    /// Adds `bytes`; with an odd number of them, nothing can follow.
    #[inline]
    pub(super) fn add(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        // 2^32 words of 32 bits fit into 64.
        let sum = words.iter().fold(self.0, |sum, word| sum + u64::from(u32::from_ne_bytes(*word)));
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        Self(sum + u64::from(u32::from_ne_bytes(last)))
    }

    /// Whether the words, the checksum among them, sum up to all ones.
    #[inline]
    pub(super) fn is_right(self) -> bool {
        self.folded() == 0xffff
    }

    /// What makes it right in the place of two zeros.
    #[cfg(test)]
    pub(super) fn missing(self) -> [u8; 2] {
        let missing = u16::try_from(0xffff - self.folded()).unwrap();
        // UDP's way of saying zero.
        if missing == 0 { [0xff; 2] } else { missing.to_ne_bytes() }
    }

    fn folded(self) -> u64 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As RFC 1071 has it: words in network byte order, the carry added at once.
    fn plain(bytes: &[u8]) -> u16 {
        bytes.chunks(2).fold(0u16, |sum, pair| {
            let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
            let (sum, carry) = sum.overflowing_add(word);
            sum + u16::from(carry)
        })
    }

    proptest! {
        #[test]
        fn a_checksum_is_right_alone(mut bytes in prop::collection::vec(any::<u8>(), 2..200), other in any::<u16>()) {
            bytes[..2].fill(0);
            let right = !plain(&bytes);
            for checksum in [right, other] {
                bytes[..2].copy_from_slice(&checksum.to_be_bytes());
                // Zeros alone never sum up to all ones.
                let same = checksum == right || (checksum == 0xffff && right == 0) || (checksum == 0 && right == 0xffff);
                let is_zero = bytes.iter().all(|byte| *byte == 0);
                prop_assert_eq!(Sum::default().add(&bytes).is_right(), same && !is_zero);
            }
        }

        #[test]
        fn pieces_sum_up_as_the_whole(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..100) {
            let (front, back) = bytes.split_at((at * 2).min(bytes.len()));
            prop_assert_eq!(Sum::default().add(front).add(back).is_right(), Sum::default().add(&bytes).is_right());
        }
    }
}
