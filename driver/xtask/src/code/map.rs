//! The linker's map: what lies where.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

/// Every symbol by its address relative to the image's base. Several have one address where the linker found equal code.
pub(crate) struct Map {
    pub(crate) symbols: BTreeMap<u32, Vec<String>>,
}

impl Map {
    /// Reads what `/MAP` of link.exe or lld-link wrote: a line a symbol, with section and offset, name, address.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let base = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("Preferred load address is"))
            .context("the map states no load address")?;
        let base = u64::from_str_radix(base.trim(), 16).context("the map's load address is no number")?;
        let mut symbols: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(place), Some(name), Some(address)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let is_place = place.split_once(':').is_some_and(|(section, _)| section.len() == 4);
            let Ok(address) = u64::from_str_radix(address, 16) else { continue };
            // Section 0 holds absolute symbols, which are no addresses.
            if !is_place || place.starts_with("0000:") {
                continue;
            }
            let Some(address) = address.checked_sub(base).and_then(|address| u32::try_from(address).ok())
            else {
                continue;
            };
            symbols.entry(address).or_default().push(readable(name));
        }
        ensure!(!symbols.is_empty(), "the map has no symbols");
        Ok(Self { symbols })
    }

    /// The address of the only function whose name begins so.
    pub(crate) fn address(&self, name: &str) -> Result<u32> {
        let mut found =
            self.symbols.iter().filter(|(_, names)| names.iter().any(|one| one.starts_with(name)));
        let (address, _) = found.next().with_context(|| format!("no function is named {name}"))?;
        ensure!(found.next().is_none(), "several functions are named {name}");
        Ok(*address)
    }
}

/// The name as the source has it, without the hashes that tell crates of one name apart.
fn readable(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
 Timestamp is 6b091385 (Fri Nov 27 05:22:13 2026)

 Preferred load address is 0000000180000000

 Start         Length     Name                   Class
 0001:00000000 00000112H .text                   CODE

  Address         Publics by Value              Rva+Base               Lib:Object

 0000:00000000       __ImageBase                0000000180000000     <linker-defined>
 0001:00000000       DriverEntry                0000000180001000     a.o

 entry point at         0001:00000000

 Static symbols

 0001:000000f0       _RNvNtCs79YnNruztty_4core9panicking9panic_fmt 00000001800010f0     a.o
 0001:000000f0       _ZN4core9panicking5panic17h0123456789abcdefE 00000001800010f0     a.o
";

    #[test]
    fn symbols_are_read_with_their_readable_names() {
        let map = Map::parse(TEXT).unwrap();
        let symbols: Vec<_> = map.symbols.iter().collect();
        let panics = ["core::panicking::panic_fmt", "core::panicking::panic"].map(str::to_owned);
        assert_eq!(symbols, [(&0x1000, &vec!["DriverEntry".to_owned()]), (&0x10f0, &panics.to_vec())]);
    }

    #[test]
    fn a_function_is_found_by_how_its_name_begins() {
        let map = Map::parse(TEXT).unwrap();
        assert_eq!(map.address("Driver").unwrap(), 0x1000);
        map.address("Dreiver").unwrap_err();
        map.address("").unwrap_err();
    }

    #[test]
    fn what_is_no_map_is_an_error() {
        Map::parse("").map(drop).unwrap_err();
        Map::parse(" Preferred load address is 0000000180000000\n").map(drop).unwrap_err();
    }
}
