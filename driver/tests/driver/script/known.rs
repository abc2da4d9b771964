//! A sink that runs, as whoever did everything to it knows it.

// UNSAFETY: reads and writes the words of a ring as its reader.
#![expect(unsafe_code, reason = "sections are reached by address")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use skua_protocol::{ReaderAttached, Region, SinkReport, section_name};
use skua_record::RingHeader;

use super::Cursor;
use crate::host::OpenSection;

/// What is known of a sink that runs.
pub(super) struct Known {
    pub(super) number: u64,
    pub(super) listeners: Vec<SocketAddr>,
    pub(super) reader: Option<usize>,
    /// The sections of each ring, as its reader has them.
    pub(super) rings: Vec<(OpenSection, OpenSection)>,
    /// Datagrams that came in, and whether that is all that the sink counts.
    pub(super) datagrams: u64,
    pub(super) certain: bool,
    /// Whether nothing was done with it before it was known: the registry's sink may start at any time.
    pub(super) from_start: bool,
}

impl Known {
    /// Every datagram that came in is in the counts, once.
    pub(super) fn compare(&self, report: &SinkReport) {
        assert!(!self.from_start || (report.attached == 1) == self.reader.is_some(), "{report:?}");
        assert_eq!(report.exact, 1, "nothing is under way: {report:?}");
        let dropped: u64 = report.drops.iter().sum();
        assert_eq!(report.indicated, report.accepted + report.kept + dropped, "{report:?}");
        assert_eq!(report.published, report.accepted, "{report:?}");
        assert!(report.indicated >= self.datagrams, "{} came in: {report:?}", self.datagrams);
        assert!(
            !self.certain || report.indicated == self.datagrams,
            "{} came in: {report:?}",
            self.datagrams
        );
    }
}

impl Cursor {
    pub(super) fn store(self, data: &OpenSection, cursor: &OpenSection) {
        let word = match self {
            Self::Word(word) => word,
            Self::Behind { bytes, bits } => {
                // SAFETY: in the section's first page.
                let head = unsafe { data.address().add(RingHeader::HEAD_OFFSET) };
                // SAFETY: aligned, mapped for reading, and only accessed atomically.
                let head = unsafe { AtomicU64::from_ptr(head.as_ptr().cast()) }.load(Ordering::Acquire);
                head.wrapping_sub(bytes) | bits
            }
        };
        // SAFETY: mapped for writing; the driver reads it atomically.
        unsafe { AtomicU64::from_ptr(cursor.address().as_ptr().cast()) }.store(word, Ordering::SeqCst);
    }
}

/// The sections of every ring, data and cursor, as a reader opens them.
pub(super) fn open_rings(attached: &ReaderAttached) -> Vec<(OpenSection, OpenSection)> {
    let open = |ring, region| {
        let name = section_name(&attached.sections, ring, region);
        let path: Vec<u16> = r"\BaseNamedObjects\".encode_utf16().chain(name).collect();
        OpenSection::open(&path).expect("the section is there")
    };
    (0..u16::try_from(attached.rings).unwrap())
        .map(|ring| (open(ring, Region::Data), open(ring, Region::Cursor)))
        .collect()
}
