//! Recognises the datagrams of `skua send` and counts what became of them.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use skua_record::Record;

use super::output::Output;
use crate::numbered::{Number, Pattern, Recognised};
use crate::snapshot::Snapshot;

/// How far behind the newest of its flow a datagram may come and still be told from a duplicate.
const WINDOW: u64 = WINDOW_WORDS as u64 * 64;
const WINDOW_WORDS: usize = 512;
/// Flows followed; 4 KiB each. Datagrams of further ones are counted as foreign.
const MOST_FLOWS: usize = 16_384;

/// What became of numbered datagrams, all flows together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct Verdict {
    /// Flows seen.
    pub(crate) flows: u64,
    /// Datagrams as they were sent, duplicates included.
    pub(crate) intact: u64,
    /// Numbers that never came: below the highest one seen, or below the total where the sender knew it.
    pub(crate) lost: u64,
    /// Numbers that came again.
    pub(crate) duplicated: u64,
    /// Datagrams that came after one with a higher number.
    pub(crate) reordered: u64,
    /// Numbered datagrams that are not as they were sent.
    pub(crate) corrupt: u64,
    /// Datagrams that `skua send` did not make.
    pub(crate) foreign: u64,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flows, intact, lost, duplicated, reordered, corrupt, foreign } = self;
        write!(
            f,
            "intact {intact} in {flows} flows, lost {lost}, duplicated {duplicated}, reordered {reordered}, \
             corrupt {corrupt}, foreign {foreign}"
        )
    }
}

/// Follows every flow.
pub(crate) struct Verify {
    pattern: Pattern,
    flows: HashMap<(u32, u32), Flow>,
    verdict: Verdict,
    // What the last flush made known to the other threads.
    shown: Arc<Mutex<Verdict>>,
    written: u64,
}

impl Verify {
    /// Begins with no flow; the verdict so far is in the second value, renewed at every flush.
    pub(crate) fn new() -> (Self, Arc<Mutex<Verdict>>) {
        let shown = Arc::default();
        let this = Self {
            pattern: Pattern::new(),
            flows: HashMap::new(),
            verdict: Verdict::default(),
            shown: Arc::clone(&shown),
            written: 0,
        };
        (this, shown)
    }

    fn follow(&mut self, number: Number) {
        let key = (number.run, number.flow);
        if self.flows.len() == MOST_FLOWS && !self.flows.contains_key(&key) {
            self.verdict.foreign += 1;
            return;
        }
        let flow = self.flows.entry(key).or_default();
        self.verdict.intact += 1;
        match flow.follow(number) {
            Place::Next => {}
            Place::Behind => self.verdict.reordered += 1,
            Place::Again => self.verdict.duplicated += 1,
        }
    }

    fn show(&mut self) {
        self.verdict.flows = self.flows.len() as u64;
        self.verdict.lost = self.flows.values().map(Flow::lost).sum();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = self.verdict;
    }
}

impl Output for Verify {
    fn name(&self) -> String {
        "verify".to_owned()
    }

    fn write(&mut self, record: &Record<'_>, _time: u64, _lost: u64) -> io::Result<()> {
        match self.pattern.recognise(record.payload(), usize::from(record.header().original)) {
            Recognised::Intact(number) => self.follow(number),
            Recognised::Corrupt => self.verdict.corrupt += 1,
            Recognised::Foreign => self.verdict.foreign += 1,
        }
        self.written += 1;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.show();
        Ok(())
    }

    fn finish(&mut self, _time: u64, _totals: &Snapshot) -> io::Result<()> {
        self.show();
        Ok(())
    }

    fn written(&self) -> u64 {
        self.written
    }
}

/// Which numbers of one flow came.
///
/// # Invariants
/// Bit `n % WINDOW` of `seen` tells of number `n` for the `WINDOW` numbers below `next`, and of no other.
struct Flow {
    next: u64,
    unique: u64,
    total: u64,
    seen: Box<[u64; WINDOW_WORDS]>,
}

/// How a number stands to those before it.
enum Place {
    /// Higher than all of them.
    Next,
    /// Lower than one of them, and new; or so much lower that nobody remembers.
    Behind,
    /// It was there before.
    Again,
}

impl Default for Flow {
    fn default() -> Self {
        Self { next: 0, unique: 0, total: 0, seen: Box::new([0; WINDOW_WORDS]) }
    }
}

impl Flow {
    fn follow(&mut self, number: Number) -> Place {
        let sequence = number.sequence;
        self.total = self.total.max(number.total);
        if sequence >= self.next {
            // Numbers skipped were not seen; beyond a whole window there is nothing left to clear.
            for skipped in self.next.max(sequence.saturating_sub(WINDOW - 1))..sequence {
                self.set(skipped, false);
            }
            self.next = sequence.saturating_add(1);
            self.set(sequence, true);
            self.unique += 1;
            Place::Next
        } else if self.next - sequence > WINDOW {
            self.unique += 1;
            Place::Behind
        } else if self.set(sequence, true) {
            Place::Again
        } else {
            self.unique += 1;
            Place::Behind
        }
    }

    fn lost(&self) -> u64 {
        self.next.max(self.total).saturating_sub(self.unique)
    }

    /// Notes whether a number within the window was seen, and returns what was noted before.
    fn set(&mut self, sequence: u64, seen: bool) -> bool {
        let place = sequence % WINDOW;
        let words = &mut self.seen;
        let word = &mut words[(place / 64) as usize];
        let before = *word >> (place % 64) & 1 == 1;
        *word = *word & !(1 << (place % 64)) | u64::from(seen) << (place % 64);
        before
    }
}

#[cfg(test)]
mod tests {
    use skua_record::Family;

    use super::*;
    use crate::sink::specimen;

    fn judge(sequences: &[u64], total: u64) -> Verdict {
        let (mut verify, shown) = Verify::new();
        let pattern = Pattern::new();
        for &sequence in sequences {
            let mut payload = [0; 48];
            pattern.write(Number { run: 1, flow: 0, sequence, total }, &mut payload);
            let frame = specimen::frame(specimen::header(0), Family::V4, &payload, 48);
            verify.write(&Record::parse(&frame).unwrap(), 0, 0).unwrap();
        }
        verify.flush().unwrap();
        *shown.lock().unwrap()
    }

    #[test]
    fn an_unbroken_flow_lost_nothing() {
        let sequences: Vec<u64> = (0..100_000).collect();
        let verdict = judge(&sequences, 100_000);
        assert_eq!(verdict, Verdict { flows: 1, intact: 100_000, ..Verdict::default() });
    }

    #[test]
    fn each_kind_of_trouble_is_counted_as_itself() {
        // 3 is missing, 5 comes twice, 7 after 8, and the sender meant to send 12.
        let verdict = judge(&[0, 1, 2, 4, 5, 5, 6, 8, 7, 9], 12);
        assert_eq!(
            verdict,
            Verdict { flows: 1, intact: 10, lost: 3, duplicated: 1, reordered: 1, ..Verdict::default() }
        );
    }

    #[test]
    fn a_jump_longer_than_the_window_forgets_nothing_it_should_know() {
        let verdict = judge(&[0, 1, WINDOW * 3, WINDOW * 2 + 1, WINDOW * 2 + 1, WINDOW * 3 + 1], 0);
        assert_eq!((verdict.duplicated, verdict.reordered, verdict.lost), (1, 1, WINDOW * 3 + 2 - 5));
    }

    #[test]
    fn foreign_and_corrupt_datagrams_are_told_apart() {
        let (mut verify, shown) = Verify::new();
        let mut payload = [0; 40];
        Pattern::new().write(Number { run: 1, flow: 0, sequence: 0, total: 1 }, &mut payload);
        payload[39] ^= 1;
        for payload in [&payload[..], b"hello"] {
            let frame = specimen::frame(specimen::header(0), Family::V4, payload, payload.len());
            verify.write(&Record::parse(&frame).unwrap(), 0, 0).unwrap();
        }
        verify.finish(0, &Snapshot::default()).unwrap();
        assert_eq!(*shown.lock().unwrap(), Verdict { corrupt: 1, foreign: 1, ..Verdict::default() });
        assert_eq!(verify.written(), 2);
    }
}
