//! What must hold for an image's bytes, whoever linked them.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use object::LittleEndian as LE;
use object::pe;

use super::imports::List;
use super::pe::Image;
use crate::cli::ImageArguments;

/// What build-sys makes.
const IMAGES: [&str; 3] = ["skua.sys", "forward.sys", "skua.exe"];
/// What `cargo xtask wine` makes besides; not there if it never ran.
const OTHERS: [&str; 3] = ["cforward.sys", "ntosshim.exe", "wskio.sys"];
/// How images are called that must be what Windows asks of a driver, and are no stand-ins.
const DRIVERS: [&str; 3] = ["skua.sys", "forward.sys", "cforward.sys"];

/// Flags that every image must have: it may be loaded anywhere, and its data is never run.
const FLAGS: [(pe::DllFlags, &str); 2] = [
    (pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, "DYNAMIC_BASE"),
    (pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT, "NX_COMPAT"),
];

/// The smallest alignment at which pages of different sections can be protected differently.
const PAGE: u32 = 4096;

/// Checks the images that the arguments name; all of them, also after one failed.
pub(crate) fn run(arguments: &ImageArguments) -> Result<()> {
    let mut paths = arguments.paths.clone();
    if paths.is_empty() {
        paths.extend(IMAGES.map(|name| super::folder().join(name)));
        paths.extend(OTHERS.map(|name| super::folder().join(name)).into_iter().filter(|path| path.exists()));
    }
    let mut failed = 0;
    for path in &paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let list = List::of(&name).with_context(|| format!("there is no list of imports for {name}"))?;
        let bytes = fs::read(path)
            .with_context(|| format!("cannot read {}; cargo xtask build-sys makes it", path.display()))?;
        let violations = violations(&name, &bytes, &list)?;
        for violation in &violations {
            println!("{name} {violation}");
        }
        if violations.is_empty() {
            println!("{name:24} ok  {} bytes", bytes.len());
        }
        failed += usize::from(!violations.is_empty());
    }
    ensure!(failed == 0, "{failed} of {} images must not ship", paths.len());
    Ok(())
}

/// Everything that is wrong with the image `name`, each as a sentence without its subject.
fn violations(name: &str, bytes: &[u8], list: &List) -> Result<Vec<String>> {
    let image = Image::parse(bytes).with_context(|| name.to_owned())?;
    let mut found = list.differences(&image.imports()?);
    pages(&image, &mut found)?;
    if DRIVERS.contains(&name) {
        driver(&image, &mut found)?;
    }
    Ok(found)
}

/// What holds in user mode too.
fn pages(image: &Image<'_>, found: &mut Vec<String>) -> Result<()> {
    let header = &image.headers().optional_header;
    let flags = header.dll_characteristics.get(LE);
    for (flag, name) in FLAGS {
        if !flags.contains(flag) {
            found.push(format!("lacks the flag {name}"));
        }
    }
    if header.section_alignment.get(LE) < PAGE {
        found
            .push(format!("has sections that share a page: aligned to {}", header.section_alignment.get(LE)));
    }
    for section in image.sections()? {
        if section.is_writable() && section.is_executable() {
            found.push(format!("has a section both writable and executable: {}", section.name()));
        }
    }
    if image.directory(pe::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT).1 != 0 {
        found.push("imports functions with a delay, which no list shows".to_owned());
    }
    Ok(())
}

/// What Windows asks of a driver.
fn driver(image: &Image<'_>, found: &mut Vec<String>) -> Result<()> {
    let headers = image.headers();
    let subsystem = headers.optional_header.subsystem.get(LE);
    if subsystem != pe::IMAGE_SUBSYSTEM_NATIVE {
        found.push(format!("has subsystem {}, not native", subsystem.0));
    }
    let (stated, computed) = (headers.optional_header.check_sum.get(LE), image.checksum()?);
    if stated != computed {
        found.push(format!("states the checksum {stated:#x}; it is {computed:#x}"));
    }
    if headers.file_header.characteristics.get(LE).contains(pe::IMAGE_FILE_RELOCS_STRIPPED)
        || image.directory(pe::IMAGE_DIRECTORY_ENTRY_BASERELOC).1 == 0
    {
        found.push("has no relocations, and cannot be loaded anywhere".to_owned());
    }
    if headers.optional_header.address_of_entry_point.get(LE) == 0 {
        found.push("has no entry point".to_owned());
    }
    // The kernel's loader does not set thread-local storage up.
    if image.directory(pe::IMAGE_DIRECTORY_ENTRY_TLS).1 != 0 {
        found.push("uses thread-local storage".to_owned());
    }
    for section in image.sections()? {
        // What is given back must not be what somebody may still write to.
        if section.is_writable() && (section.is_discardable() || section.name() == "INIT") {
            found.push(format!("has a section both writable and discardable: {}", section.name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, sign};
    use super::*;

    /// Where a sample's optional header begins, and the headers of its sections.
    const OPTIONAL: usize = 64 + 24;
    const SECTIONS: usize = OPTIONAL + 240;

    fn found(name: &str, bytes: &[u8]) -> Vec<String> {
        violations(name, bytes, &List::parse("ntoskrnl.exe DbgPrint")).unwrap()
    }

    /// What is found in a driver after `change`, whose checksum is right again.
    fn changed(change: impl FnOnce(&mut [u8])) -> Vec<String> {
        let mut bytes = Sample::driver().write();
        change(&mut bytes);
        sign(&mut bytes);
        found(DRIVERS[0], &bytes)
    }

    fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
        bytes[at..at + what.len()].copy_from_slice(what);
    }

    #[test]
    fn nothing_is_wrong_with_a_driver_as_it_should_be() {
        assert_eq!(found(DRIVERS[0], &Sample::driver().write()), [""; 0]);
    }

    #[test]
    fn each_violation_in_the_headers_is_found() {
        let directory = |index: usize| OPTIONAL + 112 + index * 8;
        let cases: [(&str, usize, &[u8]); 9] = [
            ("has no entry point", OPTIONAL + 16, &[0; 4]),
            ("has sections that share a page", OPTIONAL + 32, &512_u32.to_le_bytes()),
            ("has subsystem 3, not native", OPTIONAL + 68, &[3, 0]),
            ("lacks the flag DYNAMIC_BASE", OPTIONAL + 70, &[0x00, 0x01]),
            ("lacks the flag NX_COMPAT", OPTIONAL + 70, &[0x40, 0x00]),
            ("has no relocations", directory(5), &[0; 8]),
            ("has no relocations", 64 + 22, &[0x23, 0]),
            ("uses thread-local storage", directory(9), &[0, 0x20, 0, 0, 8, 0, 0, 0]),
            ("imports functions with a delay", directory(13), &[0, 0x20, 0, 0, 8, 0, 0, 0]),
        ];
        for (said, at, bytes) in cases {
            let found = changed(|image| put(image, at, bytes));
            assert!(found.len() == 1 && found[0].starts_with(said), "{said}: {found:?}");
        }
    }

    #[test]
    fn a_wrong_checksum_is_found() {
        let mut bytes = Sample::driver().write();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let found = found(DRIVERS[0], &bytes);
        assert!(found.len() == 1 && found[0].starts_with("states the checksum"), "{found:?}");
    }

    #[test]
    fn a_section_that_can_be_written_must_not_be_run_or_given_back() {
        // The second section is the code: readable, executable.
        let code = SECTIONS + 40;
        let found = changed(|image| put(image, code + 36, &0xe000_0020_u32.to_le_bytes()));
        assert_eq!(found, ["has a section both writable and executable: .text"]);
        let found = changed(|image| put(image, code + 36, &0xc200_0040_u32.to_le_bytes()));
        assert_eq!(found, ["has a section both writable and discardable: .text"]);
        let found = changed(|image| {
            put(image, code, b"INIT\0");
            put(image, code + 36, &0xc000_0040_u32.to_le_bytes());
        });
        assert_eq!(found, ["has a section both writable and discardable: INIT"]);
    }

    #[test]
    fn an_import_that_is_not_listed_is_found() {
        let mut sample = Sample::driver();
        sample.imports.push(("hal.dll", "KeStall"));
        let found = found(DRIVERS[0], &sample.write());
        assert_eq!(found, ["imports hal.dll, which is not on its list"]);
    }

    #[test]
    fn a_program_need_not_be_a_driver() {
        let mut bytes = Sample::driver().write();
        put(&mut bytes, OPTIONAL + 68, &[3, 0]);
        assert_eq!(found("skua.exe", &bytes), [""; 0]);
    }

    #[test]
    fn what_is_no_image_is_an_error() {
        violations(DRIVERS[0], b"MZ and nothing else", &List::parse("")).map(drop).unwrap_err();
    }
}
