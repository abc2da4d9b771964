//! Addresses as admission compares and hashes them.

use crate::address::Address;

/// Octets 8 to 11 of a v4-mapped address, as a little-endian word.
const MAPPED: u32 = 0xffff_0000;

/// An address as two words.
///
/// The words are the octets read little-endian, so that no byte is swapped on the processors this runs on: masks,
/// networks and addresses are compared in one order, and which one does not matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key {
    /// Octets 0 to 7.
    pub(super) high: u64,
    /// Octets 8 to 15.
    pub(super) low: u64,
}

impl Key {
    #[inline]
    pub(super) fn new(address: &Address) -> Self {
        Self::from_octets(address.octets())
    }

    /// The words of a mask or network given as its bits, most significant first.
    pub(super) fn from_bits(bits: u128) -> Self {
        Self::from_octets(bits.to_be_bytes())
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the halves of a u128")]
    fn from_octets(octets: [u8; 16]) -> Self {
        let words = u128::from_le_bytes(octets);
        Self { high: words as u64, low: (words >> 64) as u64 }
    }

    pub(super) fn address(self) -> Address {
        let words = u128::from(self.high) | u128::from(self.low) << 64;
        Address::from_octets(words.to_le_bytes())
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "octets 8 to 11 alone")]
    pub(super) fn is_ipv4(self) -> bool {
        self.high == 0 && self.low as u32 == MAPPED
    }

    /// The key of an IPv6 address's /64. An IPv4 address stays what it is.
    #[inline]
    pub(super) fn folded(self) -> Self {
        if self.is_ipv4() { self } else { Self { high: self.high, low: 0 } }
    }
}

/// What the hash of one engine's tables mixes in, spread from the seed that open was given.
///
/// Senders choose their addresses. Who knows these words can pick addresses that share a set of rows; who does not can
/// only guess, and nothing that the engine answers tells. It is not a cryptographic hash: that collisions cost their
/// sources a row, and nobody else anything, is the table's doing.
#[derive(Clone, Copy, Debug)]
pub(super) struct HashKeys {
    high: u64,
    low: u64,
    last: u64,
}

impl HashKeys {
    pub(super) fn new(seed: u64) -> Self {
        let mut state = seed;
        Self { high: spread(&mut state), low: spread(&mut state), last: spread(&mut state) }
    }

    /// The halves of the product of both words, folded together; and multiplied once more, because addresses that were
    /// given out in order would otherwise crowd some sets, twenty times as many as chance would for an unlucky seed.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the halves of a u128")]
    pub(super) fn hash(&self, key: Key) -> u64 {
        let product = u128::from(key.high ^ self.high) * u128::from(key.low ^ self.low);
        (product as u64 ^ (product >> 64) as u64).wrapping_mul(self.last)
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014), made odd: as a multiplier it must not lose low bits.
fn spread(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ z >> 31) | 1
}
