//! Reads every record and writes none.

use std::io;

use skua_record::Record;

use super::output::Output;
use crate::snapshot::Snapshot;

/// Looks at the header and at the last byte of every record.
///
/// That is the least a reader does: both ends of the record were brought into this thread's cache.
#[derive(Debug, Default)]
pub(crate) struct Discard {
    written: u64,
    // Keeps the look at the payload from being removed as useless.
    last: u8,
}

impl Output for Discard {
    fn name(&self) -> String {
        "discard".to_owned()
    }

    #[inline]
    fn write(&mut self, record: &Record<'_>, _time: u64, _lost: u64) -> io::Result<()> {
        self.last = std::hint::black_box(record.payload().last().copied().unwrap_or(self.last));
        self.written += 1;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _time: u64, _totals: &Snapshot) -> io::Result<()> {
        Ok(())
    }

    fn written(&self) -> u64 {
        self.written
    }
}
