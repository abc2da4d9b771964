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
    #[cfg(test)]
    pub(crate) fn write(&self, number: Number, datagram: &mut [u8]) {
        let length = u16::try_from(datagram.len()).unwrap();
        Series::new(number.run, number.flow, number.total, length).write(self, number.sequence, datagram);
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

/// The datagrams of one flow: what is the same in all of them, computed once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    run: u32,
    flow: u32,
    total: u64,
    length: u64,
    /// Where the check of each begins.
    seed: u64,
}

impl Series {
    /// Datagrams of `length` bytes, at least [`HEADER_BYTES`]; `total` as in [`Number`].
    pub(crate) fn new(run: u32, flow: u32, total: u64, length: u16) -> Self {
        Self { run, flow, total, length: length.into(), seed: seed(run, flow) }
    }

    /// Fills `datagram`, which is as long as those of this series, with the one numbered `sequence`.
    #[inline]
    pub(crate) fn write(&self, pattern: &Pattern, sequence: u64, datagram: &mut [u8]) {
        let Some((header, body)) = datagram.split_first_chunk_mut::<HEADER_BYTES>() else { return };
        let check = check(self.seed, sequence, self.total, self.length);
        let [first, second, third, fourth] = [
            u64::from(u32::from_le_bytes(MAGIC)) | u64::from(check) << 32,
            u64::from(self.run) | u64::from(self.flow) << 32,
            sequence,
            self.total,
        ]
        .map(u64::to_le_bytes);
        header[0..8].copy_from_slice(&first);
        header[8..16].copy_from_slice(&second);
        header[16..24].copy_from_slice(&third);
        header[24..32].copy_from_slice(&fourth);
        let from = pattern.body(sequence, body.len());
        // The shortest datagrams are the most: a copy of a length that the compiler knows.
        match (body.first_chunk_mut::<SHORT_BODY>(), from.first_chunk()) {
            (Some(short), Some(from)) if body_is_short(self.length) => *short = *from,
            _ => body.copy_from_slice(from),
        }
    }
}

/// The body of a datagram of 64 bytes, which is what `skua send` sends unless it is told otherwise.
const SHORT_BODY: usize = 64 - HEADER_BYTES;

const fn body_is_short(length: u64) -> bool {
    length == (HEADER_BYTES + SHORT_BODY) as u64
}

impl Number {
    fn check(&self, length: usize) -> u32 {
        check(seed(self.run, self.flow), self.sequence, self.total, length as u64)
    }
}

const fn seed(run: u32, flow: u32) -> u64 {
    mix((run as u64) << 32 | flow as u64)
}

#[inline]
fn check(seed: u64, sequence: u64, total: u64, length: u64) -> u32 {
    let sum = [sequence, total, length].into_iter().fold(seed, |sum, part| mix(sum ^ part));
    #[expect(clippy::cast_possible_truncation, reason = "half of a mixed word")]
    let check = sum as u32;
    check
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
        for length in [32, 33, 63, 64, 65, 1472, 65_507] {
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
