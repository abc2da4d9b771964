//! The datagrams that `skua send` makes and `skua sink --verify` recognises.
//!
//! ```text
//!  0        4        8        12       16                 24                 32
//!  +--------+--------+--------+--------+------------------+------------------+---------- - - -
//!  | "SKUA" | check  | run    | flow   | sequence         | total            | body
//!  +--------+--------+--------+--------+------------------+------------------+---------- - - -
//! ```
//!
//! Numbers are little-endian. `run` tells one sender from another, `flow` its source ports; `sequence` counts from 0
//! within a flow, and `total` is how many the flow will have, 0 where that is not known beforehand. `check` covers the
//! other fields and the length of the whole. The body is a stretch of one fixed pattern that begins at an offset the
//! sequence gives, so that both ends handle it at the speed of a copy and of a comparison.

/// The bytes that number a datagram; no datagram is shorter.
pub(crate) const HEADER_BYTES: usize = 32;

const MAGIC: [u8; 4] = *b"SKUA";
/// Bodies begin at an offset below this.
const OFFSETS: u16 = 4096;
const LONGEST_BODY: usize = 65_535;

/// What numbers a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Number {
    pub(crate) run: u32,
    pub(crate) flow: u32,
    pub(crate) sequence: u64,
    pub(crate) total: u64,
}

/// What a payload turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recognised {
    /// As it was sent, as far as it was captured.
    Intact(Number),
    /// Numbered, but not as it was sent.
    Corrupt,
    /// Not numbered, or too few bytes were captured to tell.
    Foreign,
}

/// The pattern that bodies are stretches of.
pub(crate) struct Pattern(Box<[u8]>);

impl Pattern {
    /// Computes the pattern: the same for every run and machine.
    pub(crate) fn new() -> Self {
        let words = (LONGEST_BODY + usize::from(OFFSETS)).div_ceil(8) as u64;
        Self((0..words).flat_map(|word| mix(word).to_le_bytes()).collect())
    }

    /// Fills `datagram`, which is at least [`HEADER_BYTES`] long.
    pub(crate) fn write(&self, number: Number, datagram: &mut [u8]) {
        let length = datagram.len();
        let (header, body) = datagram.split_at_mut(HEADER_BYTES);
        header[0..4].copy_from_slice(&MAGIC);
        header[4..8].copy_from_slice(&number.check(length).to_le_bytes());
        header[8..12].copy_from_slice(&number.run.to_le_bytes());
        header[12..16].copy_from_slice(&number.flow.to_le_bytes());
        header[16..24].copy_from_slice(&number.sequence.to_le_bytes());
        header[24..32].copy_from_slice(&number.total.to_le_bytes());
        body.copy_from_slice(self.body(number.sequence, body.len()));
    }

    /// Recognises a datagram that was `original` bytes long, of which `captured` are left.
    pub(crate) fn recognise(&self, captured: &[u8], original: usize) -> Recognised {
        let Some((header, body)) = captured.split_first_chunk::<HEADER_BYTES>() else {
            return Recognised::Foreign;
        };
        let [m0, m1, m2, m3, c0, c1, c2, c3, r0, r1, r2, r3, f0, f1, f2, f3, numbers @ ..] = *header;
        if [m0, m1, m2, m3] != MAGIC {
            return Recognised::Foreign;
        }
        let ([sequence, total], []) = numbers.as_chunks::<8>() else {
            return Recognised::Foreign;
        };
        let number = Number {
            run: u32::from_le_bytes([r0, r1, r2, r3]),
            flow: u32::from_le_bytes([f0, f1, f2, f3]),
            sequence: u64::from_le_bytes(*sequence),
            total: u64::from_le_bytes(*total),
        };
        let intact = u32::from_le_bytes([c0, c1, c2, c3]) == number.check(original)
            && body.len() <= LONGEST_BODY
            && body == self.body(number.sequence, body.len());
        if intact { Recognised::Intact(number) } else { Recognised::Corrupt }
    }

    fn body(&self, sequence: u64, length: usize) -> &[u8] {
        #[expect(clippy::cast_possible_truncation, reason = "the low half counts, modulo OFFSETS")]
        let offset = usize::from(sequence as u16 % OFFSETS);
        &self.0[offset..offset + length]
    }
}

impl Number {
    fn check(&self, length: usize) -> u32 {
        let mut sum = mix(u64::from(self.run) << 32 | u64::from(self.flow));
        for part in [self.sequence, self.total, length as u64] {
            sum = mix(sum ^ part);
        }
        #[expect(clippy::cast_possible_truncation, reason = "half of a mixed word")]
        let check = sum as u32;
        check
    }
}

/// The finaliser of SplitMix64: every bit of the result depends on every bit of `word`.
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: Number = Number { run: 7, flow: 3, sequence: 5_000_000_001, total: 9 };

    #[test]
    fn what_was_written_is_recognised_whole_and_cut() {
        let pattern = Pattern::new();
        for length in [32, 33, 64, 1472, 65_507] {
            let mut datagram = vec![0; length];
            pattern.write(NUMBER, &mut datagram);
            for captured in [length, 32, length.min(48)] {
                let seen = pattern.recognise(&datagram[..captured], length);
                assert_eq!(seen, Recognised::Intact(NUMBER), "{captured} of {length}");
            }
        }
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let pattern = Pattern::new();
        let mut datagram = [0; 70];
        pattern.write(NUMBER, &mut datagram);
        for bit in 32..70 * 8 {
            datagram[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(pattern.recognise(&datagram, 70), Recognised::Corrupt, "bit {bit}");
            datagram[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(pattern.recognise(&datagram[..69], 69), Recognised::Corrupt);
    }

    #[test]
    fn other_peoples_datagrams_are_foreign() {
        let pattern = Pattern::new();
        for payload in [&b""[..], b"SKUA", b"<13>Mar  1 12:00:00 host app: a message of some length"] {
            assert_eq!(pattern.recognise(payload, payload.len()), Recognised::Foreign);
        }
    }
}
