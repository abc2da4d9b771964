//! The copy of a driver that is run: the image that ships, but for the names of what it imports from, or for a fault
//! planted on purpose.

use anyhow::{Context as _, Result, bail, ensure};

use crate::image::pe::Image;

/// What stands in for an image of Windows under Wine, and is reached by another name of the same length.
pub(super) const STAND_INS: [(&str, &str); 2] =
    [("ntoskrnl.exe", "ntosshim.exe"), ("netio.sys", "wskio.sys")];

/// Makes `image`, a driver, import from the stand-ins; says how many it imports from.
pub(super) fn import_stand_ins(image: &mut [u8]) -> Result<usize> {
    let mut renamed = 0;
    for (at, library) in Image::parse(image)?.libraries()? {
        let stand_in = STAND_INS.iter().find(|(windows, _)| library.eq_ignore_ascii_case(windows));
        if let Some((windows, stand_in)) = stand_in {
            ensure!(windows.len() == stand_in.len(), "{stand_in} does not fit where {windows} was");
            image[at..at + stand_in.len()].copy_from_slice(stand_in.as_bytes());
            renamed += 1;
        }
    }
    Ok(renamed)
}

/// Puts `code` where `image` has the function at `address`, relative to its base.
pub(super) fn plant(image: &mut [u8], address: u32, code: &[u8]) -> Result<()> {
    let parsed = Image::parse(image)?;
    let is_code = parsed
        .sections()?
        .iter()
        .any(|section| section.is_executable() && (section.start..section.end()).contains(&address));
    if !is_code {
        bail!("{address:#x} is no code");
    }
    let at = parsed.file_offset(address)?;
    image.get_mut(at..at + code.len()).context("the function leaves the file")?.copy_from_slice(code);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::{CODE, Sample};

    fn libraries(image: &[u8]) -> Vec<String> {
        Image::parse(image).unwrap().libraries().unwrap().into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn only_the_names_of_imports_change() {
        let mut sample = Sample::driver();
        sample.imports = vec![("NTOSKRNL.exe", "A"), ("hal.dll", "B"), ("netio.sys", "C")];
        let before = sample.write();
        let mut after = before.clone();
        assert_eq!(import_stand_ins(&mut after).unwrap(), 2);
        assert_eq!(libraries(&after), ["ntosshim.exe", "hal.dll", STAND_INS[1].1]);
        let different = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!(different <= "ntoskrnl.exe".len() + "netio.sys".len());
        assert_eq!(Image::parse(&after).unwrap().imports().unwrap().len(), 3);
    }

    #[test]
    fn stand_ins_fit() {
        assert!(STAND_INS.iter().all(|(windows, stand_in)| windows.len() == stand_in.len()));
    }

    #[test]
    fn code_is_planted_where_there_is_code() {
        let mut image = Sample::driver().write();
        plant(&mut image, CODE, &[0xcc]).unwrap();
        assert_eq!(Image::parse(&image).unwrap().at(CODE).unwrap()[0], 0xcc);
        plant(&mut image, 0x1000, &[0xcc]).unwrap_err();
    }
}
