//! The results on their way to the program.

use core::fmt::{self, Write as _};

use skua_engine::Kernel;
use skua_engine::abi::status::{STATUS_BUFFER_TOO_SMALL, STATUS_SUCCESS};
use skua_protocol::{SelfTestOutcome, SelfTestReport, SelfTestResult};

use crate::request::{Answer, Request};

/// A report whose rows are written as they come.
pub(super) struct Rows {
    answer: Answer,
    report: SelfTestReport,
    /// Whether there was room for everything so far.
    fits: bool,
}

impl Rows {
    /// No rows yet.
    pub(super) fn new(request: Request) -> Self {
        let report = SelfTestReport { count: 0, failed: 0 };
        let mut answer = Answer::new(request);
        let fits = answer.push(&report).is_some();
        Self { answer, report, fits }
    }

    /// Adds one.
    pub(super) fn push(
        &mut self,
        group: &str,
        name: &str,
        outcome: SelfTestOutcome,
        expected: &dyn fmt::Display,
        seen: &dyn fmt::Display,
    ) {
        self.report.count += 1;
        self.report.failed += u32::from(outcome.is_failure());
        let mut row = SelfTestResult::new(outcome);
        put(&mut row.group, &group);
        put(&mut row.name, &name);
        put(&mut row.expected, expected);
        put(&mut row.seen, seen);
        self.fits &= self.answer.push(&row).is_some();
    }

    /// Completes the request.
    pub(super) fn finish<K: Kernel>(mut self, kernel: &K) {
        self.answer.replace_front(&self.report);
        self.answer.finish(kernel, if self.fits { STATUS_SUCCESS } else { STATUS_BUFFER_TOO_SMALL });
    }
}

/// Writes text into zeroed bytes, as much as fits.
fn put(bytes: &mut [u8], text: &dyn fmt::Display) {
    // What does not fit is cut off, which is no error of anybody's.
    let _whole = write!(Field { bytes, written: 0 }, "{text}");
}

/// Bytes that are written from front to back.
struct Field<'a> {
    bytes: &'a mut [u8],
    written: usize,
}

impl fmt::Write for Field<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.written..).unwrap_or_default();
        let count = text.floor_char_boundary(room.len());
        room.iter_mut().zip(text.bytes().take(count)).for_each(|(place, byte)| *place = byte);
        self.written += count;
        if count < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
