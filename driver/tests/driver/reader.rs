//! A reader that has a sink's sections mapped.

// UNSAFETY: opens rings over sections that it holds.
#![expect(unsafe_code, reason = "sections are reached by address")]

use skua_driver::SectionAccess;
use skua_pools::WaitFor;
use skua_protocol::{ReaderAttached, Region, section_name};
use skua_record::RingReader;

use crate::host::OpenSection;

/// The mapped rings of one sink.
pub(crate) struct Mapped {
    // Dropped first: readers use the sections.
    pub(crate) rings: Vec<RingReader>,
    pub(crate) cursors: Vec<OpenSection>,
    _data: Vec<OpenSection>,
}

impl Mapped {
    /// Opens the sections that `attached` names.
    pub(crate) fn open(attached: &ReaderAttached) -> Self {
        let open = |region, access| -> Vec<OpenSection> {
            (0..u16::try_from(attached.rings).unwrap())
                .map(|ring| {
                    let name = section_name(&attached.sections, ring, region);
                    let path: Vec<u16> = r"\BaseNamedObjects\".encode_utf16().chain(name).collect();
                    let section = OpenSection::open(&path).expect("the section is there");
                    assert_eq!(section.access(), access);
                    section
                })
                .collect()
        };
        let data = open(Region::Data, SectionAccess::MapRead);
        let cursors = open(Region::Cursor, SectionAccess::MapWrite);
        let rings = data
            .iter()
            .zip(&cursors)
            .map(|(data, cursor)| {
                // SAFETY: both sections are held for longer than the reader; the driver lets one program read.
                unsafe { RingReader::open(data.address(), data.bytes(), cursor.address(), cursor.bytes()) }
                    .unwrap()
            })
            .collect();
        Self { rings, cursors, _data: data }
    }

    /// The payloads of everything published.
    pub(crate) fn read(&mut self) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        for ring in &mut self.rings {
            ring.read(u64::MAX, |record, _| payloads.push(record.payload().to_vec())).unwrap();
        }
        payloads
    }

    /// Announces a sleep on every ring; whether there is nothing to read.
    pub(crate) fn prepare_wait(&mut self) -> bool {
        self.rings.iter_mut().all(|ring| ring.prepare_wait(WaitFor::Any).unwrap())
    }

    /// Says on every ring that it is awake.
    pub(crate) fn wake(&mut self) {
        self.rings.iter_mut().for_each(RingReader::cancel_wait);
    }

    /// Records skipped or seen twice.
    pub(crate) fn missing(&self) -> u64 {
        self.rings.iter().map(|ring| ring.continuity().missing).sum()
    }
}
