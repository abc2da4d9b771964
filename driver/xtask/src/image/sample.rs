//! A driver's image, written by the tests that check the checks.

use object::pe;
use object::write::pe::{NtHeaders, Writer};

/// How sections are aligned in memory.
const PAGE: u32 = 4096;
/// Where the image would like to be loaded.
pub(crate) const BASE: u64 = 0x1_8000_0000;
/// Where the import table is put. It comes first, so that code can be written that calls by its slots.
const IMPORTS: u32 = PAGE;
/// Where the code is put.
pub(crate) const CODE: u32 = 2 * PAGE;

/// What to write.
#[derive(Clone)]
pub(crate) struct Sample {
    /// A library and one function of it each.
    pub(crate) imports: Vec<(&'static str, &'static str)>,
    /// The code, at [`CODE`].
    pub(crate) code: Vec<u8>,
    /// The functions that have a frame.
    pub(crate) frames: Vec<Frame>,
    /// What the image's data points at, relative to its base.
    pub(crate) pointers: Vec<u32>,
}

/// What the unwind information says of a function.
#[derive(Clone)]
pub(crate) struct Frame {
    /// The function's place relative to the image's base.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// What it takes from the stack in bytes, a multiple of 8.
    pub(crate) bytes: u32,
}

impl Sample {
    /// A driver that imports `DbgPrint` and returns from its entry point; no check finds anything wrong with it.
    pub(crate) fn driver() -> Self {
        Self {
            imports: vec![("ntoskrnl.exe", "DbgPrint")],
            // xor eax, eax; ret
            code: vec![0x31, 0xc0, 0xc3],
            frames: Vec::new(),
            pointers: vec![CODE],
        }
    }

    /// Where the address of the import `index` is put.
    pub(crate) fn slot(&self, index: usize) -> u32 {
        IMPORTS + offset(table_length(self.imports.len()) + index * 32 + 16)
    }

    /// The file.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(true, PAGE, 512, &mut bytes);
        writer.reserve_dos_header();
        writer.reserve_nt_headers(16);
        writer.reserve_section_headers(if self.pointers.is_empty() { 5 } else { 6 });
        let imports = self.import_table();
        let imports_range = writer.reserve_idata_section(offset(imports.len()));
        assert_eq!(imports_range.virtual_address, IMPORTS);
        let code = writer.reserve_text_section(offset(self.code.len()));
        assert_eq!(code.virtual_address, CODE);
        let functions_range = writer.reserve_pdata_section(offset(self.frames.len() * 12));
        let unwind_range = writer.reserve_xdata_section(offset(self.frames.len() * 8));
        let data = writer.reserve_rdata_section(offset(self.pointers.len() * 8));
        for index in 0..self.pointers.len() {
            writer.add_reloc(data.virtual_address + offset(index * 8), pe::IMAGE_REL_BASED_DIR64);
        }
        if writer.has_relocs() {
            writer.reserve_reloc_section();
        }

        writer.write_empty_dos_header().unwrap();
        writer.write_nt_headers(NtHeaders {
            machine: pe::IMAGE_FILE_MACHINE_AMD64,
            time_date_stamp: 0,
            characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE | pe::IMAGE_FILE_LARGE_ADDRESS_AWARE,
            major_linker_version: 14,
            minor_linker_version: 0,
            address_of_entry_point: CODE,
            image_base: BASE,
            major_operating_system_version: 6,
            minor_operating_system_version: 0,
            major_image_version: 0,
            minor_image_version: 0,
            major_subsystem_version: 6,
            minor_subsystem_version: 0,
            subsystem: pe::IMAGE_SUBSYSTEM_NATIVE,
            dll_characteristics: pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE
                | pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
            size_of_stack_reserve: 0x10_0000,
            size_of_stack_commit: 0x1000,
            size_of_heap_reserve: 0x10_0000,
            size_of_heap_commit: 0x1000,
        });
        writer.write_section_headers();
        writer.write_section(imports_range.file_offset, &imports);
        writer.write_section(code.file_offset, &self.code);
        let mut functions = Vec::new();
        let mut unwind = Vec::new();
        for frame in &self.frames {
            let information = unwind_range.virtual_address + offset(unwind.len());
            functions.extend([frame.start, frame.end, information].map(u32::to_le_bytes).concat());
            unwind.extend(frame.unwind());
        }
        writer.write_section(functions_range.file_offset, &functions);
        writer.write_section(unwind_range.file_offset, &unwind);
        let pointers: Vec<u8> =
            self.pointers.iter().flat_map(|target| (BASE + u64::from(*target)).to_le_bytes()).collect();
        writer.write_section(data.file_offset, &pointers);
        writer.write_reloc_section();
        sign(&mut bytes);
        bytes
    }

    /// The descriptors, then for each import its lookup table, its address table and its name, 32 bytes together, then
    /// the libraries' names.
    fn import_table(&self) -> Vec<u8> {
        let length = table_length(self.imports.len());
        let mut table = vec![0; length + self.imports.len() * 64];
        for (index, (library, function)) in self.imports.iter().enumerate() {
            let part = length + index * 32;
            let hint = length + self.imports.len() * 32 + index * 32;
            // Lookup table, time, forwarder, name, address table.
            for (field, value) in [(0, part), (12, hint + 16), (16, part + 16)] {
                put(&mut table, index * 20 + field, &(IMPORTS + offset(value)).to_le_bytes());
            }
            for entry in [part, part + 16] {
                put(&mut table, entry, &u64::from(IMPORTS + offset(hint)).to_le_bytes());
            }
            assert!(function.len() < 14 && library.len() < 16, "a name that a sample has no room for");
            // The first two bytes are a guess of the function's ordinal.
            put(&mut table, hint + 2, function.as_bytes());
            put(&mut table, hint + 16, library.as_bytes());
        }
        table
    }
}

impl Frame {
    /// Version 1, no handler, an allocation of any size in three codes.
    fn unwind(&self) -> [u8; 8] {
        let units = u16::try_from(self.bytes / 8).unwrap().to_le_bytes();
        // The prologue's size, then codes: its end, operation 1 (a large allocation) with a 16-bit count of units.
        [1, 4, 2, 0, 4, 0x01, units[0], units[1]]
    }
}

/// States the checksum that `image` has.
pub(crate) fn sign(image: &mut [u8]) {
    let sum = super::pe::Image::parse(image).unwrap().checksum().unwrap();
    let headers = u32::from_le_bytes(image[0x3c..0x40].try_into().unwrap());
    put(image, headers as usize + 88, &sum.to_le_bytes());
}

fn table_length(imports: usize) -> usize {
    (imports + 1) * 20
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap()
}
