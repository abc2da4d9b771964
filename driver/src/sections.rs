//! The memory that readers map: two named sections for each ring.

// UNSAFETY: implements `SharedMemory` by what `Executive` promises of its sections.
#![expect(unsafe_code, reason = "a promise about memory is passed on")]

use core::cell::Cell;
use core::ptr::NonNull;

use arrayvec::ArrayVec;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_pools::{OutOfMemory, SharedMemory, Tag};
use skua_protocol::{Region, SECTION_NAME_UNITS, section_name};

use crate::executive::{Executive, SectionAccess};

const TAG: Tag = Tag::new(b"SkRi");

/// The folder of names that every session of Windows sees; a program calls it `Global\`.
const FOLDER: &str = r"\BaseNamedObjects\";

/// UTF-16 units of a section's whole path.
const PATH_UNITS: usize = FOLDER.len() + SECTION_NAME_UNITS;

/// Makes the sections of one sink.
#[derive(Debug)]
pub(crate) struct Sections<E: Executive> {
    executive: E,
    /// What is random in their names.
    id: [u8; 16],
    failure: Cell<NTSTATUS>,
}

/// One ring's sections. Dropped by the control thread, which made them.
pub(crate) struct RingSections<E: Executive> {
    data: E::Section,
    cursor: E::Section,
}

impl<E: Executive> Sections<E> {
    /// With names that nobody foresees.
    pub(crate) fn new(executive: E) -> Self {
        let id = executive.unguessable_128().to_ne_bytes();
        Self { executive, id, failure: Cell::new(STATUS_SUCCESS) }
    }

    /// What is random in the names: what a reader is told.
    pub(crate) fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Why a section was refused last.
    pub(crate) fn failure(&self) -> NTSTATUS {
        self.failure.get()
    }

    fn section(
        &self,
        ring: u16,
        region: Region,
        bytes: usize,
        access: SectionAccess,
    ) -> Result<E::Section, OutOfMemory> {
        let mut path = ArrayVec::<u16, PATH_UNITS>::new();
        path.extend(FOLDER.encode_utf16().chain(section_name(&self.id, ring, region)));
        self.executive.create_section(&path, bytes, access).map_err(|status| {
            self.failure.set(status);
            OutOfMemory { bytes, tag: TAG }
        })
    }
}

// SAFETY: sections are zeroed, resident, page-aligned, as long as asked and mapped at one address until they are dropped,
// as `Executive` promises; two sections are disjoint, and a reader's view of one is its own.
unsafe impl<E: Executive> SharedMemory for Sections<E> {
    type Mapping = RingSections<E>;

    fn create(
        &self,
        shard: u32,
        data_bytes: usize,
        cursor_bytes: usize,
    ) -> Result<RingSections<E>, OutOfMemory> {
        let ring = u16::try_from(shard).map_err(|_| OutOfMemory { bytes: usize::MAX, tag: TAG })?;
        Ok(RingSections {
            data: self.section(ring, Region::Data, data_bytes, SectionAccess::MapRead)?,
            cursor: self.section(ring, Region::Cursor, cursor_bytes, SectionAccess::MapWrite)?,
        })
    }

    fn data(mapping: &RingSections<E>) -> NonNull<u8> {
        E::section_address(&mapping.data)
    }

    fn cursor(mapping: &RingSections<E>) -> NonNull<u8> {
        E::section_address(&mapping.cursor)
    }
}
