//! A PE32+ image, as far as its checks look into one.

use anyhow::{Context as _, Result, bail, ensure};
use object::LittleEndian as LE;
use object::pe::{self, ImageNtHeaders64, ImageSectionHeader};
use object::read::pe::{Import as Thunk, PeFile64};

/// An image whose headers were read.
pub(crate) struct Image<'a> {
    bytes: &'a [u8],
    file: PeFile64<'a>,
}

/// A function that the image imports.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Import {
    /// The image that has it, as the import table spells it.
    pub(crate) library: String,
    /// Its name, or `#` and its ordinal.
    pub(crate) function: String,
    /// Where its address is put, relative to the image's base.
    pub(crate) slot: u32,
}

/// A range of the loaded image, relative to its base.
#[derive(Clone, Copy)]
pub(crate) struct Section<'a> {
    pub(crate) start: u32,
    /// What the file has of it; memory beyond is zero.
    pub(crate) bytes: &'a [u8],
    header: &'a ImageSectionHeader,
}

impl<'a> Image<'a> {
    /// Reads the headers of the file `bytes`.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let file = PeFile64::parse(bytes).context("not a 64-bit PE image")?;
        let machine = file.nt_headers().file_header.machine.get(LE);
        ensure!(machine == pe::IMAGE_FILE_MACHINE_AMD64, "its machine is {:#x}, not x86-64", machine.0);
        Ok(Self { bytes, file })
    }

    /// The headers, as the format defines them.
    pub(crate) fn headers(&self) -> &'a ImageNtHeaders64 {
        self.file.nt_headers()
    }

    /// Where the data directory `index` lies and how long it is; both 0 for one that is not there.
    pub(crate) fn directory(&self, index: usize) -> (u32, u32) {
        self.file.data_directory(index).map_or((0, 0), pe::ImageDataDirectory::address_range)
    }

    /// The bytes of the data directory `index`; none for one that is not there.
    pub(crate) fn directory_bytes(&self, index: usize) -> Result<&'a [u8]> {
        let (start, length) = self.directory(index);
        if length == 0 {
            return Ok(&[]);
        }
        let length = usize::try_from(length)?;
        self.at(start)?.get(..length).with_context(|| format!("data directory {index} leaves its section"))
    }

    /// The sections, in the order of their headers.
    pub(crate) fn sections(&self) -> Result<Vec<Section<'a>>> {
        self.file
            .section_table()
            .iter()
            .map(|header| {
                let bytes = header.pe_data(self.bytes).context("a section leaves the file")?;
                Ok(Section { start: header.virtual_address.get(LE), bytes, header })
            })
            .collect()
    }

    /// What the file has from `address`, relative to the image's base, to the end of its section.
    pub(crate) fn at(&self, address: u32) -> Result<&'a [u8]> {
        self.file
            .section_table()
            .pe_data_at(self.bytes, address)
            .with_context(|| format!("no section has {address:#x}"))
    }

    /// Where the file has what lies at `address`, relative to the image's base.
    pub(crate) fn file_offset(&self, address: u32) -> Result<usize> {
        let range = self.file.section_table().pe_file_range_at(address);
        let (offset, _) = range.with_context(|| format!("no section has {address:#x}"))?;
        Ok(usize::try_from(offset)?)
    }

    /// The images that it imports from, and where the file has their names.
    pub(crate) fn libraries(&self) -> Result<Vec<(usize, String)>> {
        let mut libraries = Vec::new();
        let Some(table) = self.file.import_table().context("no readable import table")? else {
            return Ok(libraries);
        };
        let mut descriptors = table.descriptors()?;
        while let Some(descriptor) = descriptors.next()? {
            let address = descriptor.name.get(LE);
            let name = String::from_utf8_lossy(table.name(address)?).into_owned();
            libraries.push((self.file_offset(address)?, name));
        }
        Ok(libraries)
    }

    /// Every import, in the order of the table.
    pub(crate) fn imports(&self) -> Result<Vec<Import>> {
        let mut imports = Vec::new();
        let Some(table) = self.file.import_table().context("no readable import table")? else {
            return Ok(imports);
        };
        let mut descriptors = table.descriptors()?;
        while let Some(descriptor) = descriptors.next()? {
            let library = String::from_utf8_lossy(table.name(descriptor.name.get(LE))?).into_owned();
            let mut slot = descriptor.first_thunk.get(LE);
            let names = descriptor.original_first_thunk.get(LE);
            let mut thunks = table.thunks(if names == 0 { slot } else { names })?;
            while let Some(thunk) = thunks.next::<ImageNtHeaders64>()? {
                let function = match table.import::<ImageNtHeaders64>(thunk)? {
                    Thunk::Name(_, name) => String::from_utf8_lossy(name).into_owned(),
                    Thunk::Ordinal(ordinal) => format!("#{ordinal}"),
                };
                imports.push(Import { library: library.clone(), function, slot });
                slot = slot.checked_add(8).context("the import table leaves the image")?;
            }
        }
        Ok(imports)
    }

    /// The checksum that the headers should have: the sum of the file's 16-bit words with the carry added back, and the
    /// file's length. The field itself counts as zero.
    ///
    /// Source: `CheckSumMappedFile`, whose result Windows compares with the field when it loads a driver.
    pub(crate) fn checksum(&self) -> Result<u32> {
        let field = self.checksum_field()?;
        let mut sum = 0_u32;
        for (index, word) in self.bytes.chunks(2).enumerate() {
            if (field..field + 4).contains(&(index * 2)) {
                continue;
            }
            let low = u32::from(word[0]);
            let high = word.get(1).copied().map_or(0, u32::from);
            sum += low | high << 8;
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let length = u32::try_from(self.bytes.len()).context("an image of more than 4 GiB")?;
        Ok(sum.wrapping_add(length))
    }

    /// Every address in the image that depends on where it is loaded: where such an address is kept, and what it points
    /// at, both relative to the image's base.
    pub(crate) fn pointers(&self) -> Result<Vec<(u32, u32)>> {
        let mut pointers = Vec::new();
        if self.directory(pe::IMAGE_DIRECTORY_ENTRY_BASERELOC).1 == 0 {
            return Ok(pointers);
        }
        let base = self.headers().optional_header.image_base.get(LE);
        let blocks =
            self.file.data_directories().relocation_blocks(self.bytes, &self.file.section_table())?;
        for block in blocks.into_iter().flatten() {
            for relocation in block.context("no readable relocations")? {
                let place = relocation.virtual_address;
                ensure!(
                    relocation.typ == pe::IMAGE_REL_BASED_DIR64,
                    "a relocation of type {} at {place:#x}",
                    relocation.typ.0
                );
                let bytes = self.at(place)?.first_chunk().context("an address leaves its section")?;
                let target = u64::from_le_bytes(*bytes)
                    .checked_sub(base)
                    .and_then(|target| u32::try_from(target).ok());
                pointers.push((
                    place,
                    target.with_context(|| format!("the address at {place:#x} leaves the image"))?,
                ));
            }
        }
        Ok(pointers)
    }

    /// Where the file has the checksum: 64 bytes into the optional header, which follows the signature and the file
    /// header.
    fn checksum_field(&self) -> Result<usize> {
        let headers = usize::try_from(self.file.dos_header().nt_headers_offset())?;
        let field = headers + 4 + size_of::<pe::ImageFileHeader>() + 64;
        // The sum goes by words.
        if !field.is_multiple_of(2) {
            bail!("the headers begin at an odd offset");
        }
        Ok(field)
    }
}

impl Section<'_> {
    /// The name, without what the header does not hold.
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(self.header.raw_name()).into_owned()
    }

    /// Behind the last byte that the file has of it.
    pub(crate) fn end(&self) -> u32 {
        // A section is read from a file whose offsets are 32 bits.
        self.start.saturating_add(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.has(pe::IMAGE_SCN_MEM_WRITE)
    }

    pub(crate) fn is_executable(&self) -> bool {
        self.has(pe::IMAGE_SCN_MEM_EXECUTE)
    }

    /// Whether Windows gives its memory back once the driver is initialised.
    pub(crate) fn is_discardable(&self) -> bool {
        self.has(pe::IMAGE_SCN_MEM_DISCARDABLE)
    }

    fn has(&self, flag: pe::SectionFlags) -> bool {
        self.header.characteristics.get(LE).contains(flag)
    }
}
