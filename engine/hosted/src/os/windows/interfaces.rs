//! The IPv4 addresses of the host's interfaces.

// UNSAFETY: reads a table that the host wrote into memory of this module's.
#![expect(unsafe_code, reason = "the table has a variable length")]

use std::net::{Ipv4Addr, SocketAddr};

use windows_sys::Win32::Foundation::NO_ERROR;
use windows_sys::Win32::NetworkManagement::IpHelper::{GetIpAddrTable, MIB_IPADDRROW_XP};

use crate::os::Family;

/// Words of one row.
const ROW_WORDS: usize = size_of::<MIB_IPADDRROW_XP>() / size_of::<u32>();
/// Tries, as addresses may be added between the question for the size and that for the table.
const TRIES: usize = 4;

/// An address of the interface `index`.
pub(super) fn address_of(index: u32) -> Option<Ipv4Addr> {
    let table = table()?;
    let (count, rows) = table.split_first()?;
    let mut rows = rows.chunks_exact(ROW_WORDS).take(*count as usize);
    // A row begins with the address, in network order, and the index.
    let row = rows.find(|row| row.get(1) == Some(&index))?;
    row.first().map(|address| Ipv4Addr::from(address.to_ne_bytes()))
}

/// The addresses of `family`, sorted; only those of IPv4 are in the table.
pub(in crate::os) fn addresses(family: Family) -> Option<Vec<SocketAddr>> {
    let Family::V4 = family else { return None };
    let table = table()?;
    let (count, rows) = table.split_first()?;
    let rows = rows.chunks_exact(ROW_WORDS).take(*count as usize);
    let addresses = rows.filter_map(|row| row.first()).map(|word| Ipv4Addr::from(word.to_ne_bytes()));
    let mut found: Vec<SocketAddr> = addresses.map(|address| SocketAddr::new(address.into(), 0)).collect();
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// MIB_IPADDRTABLE, as words: the number of rows, and the rows.
fn table() -> Option<Vec<u32>> {
    let mut words: Vec<u32> = Vec::new();
    for _ in 0..TRIES {
        let mut bytes = u32::try_from(size_of_val(&words[..])).ok()?;
        // SAFETY: writable for the size given.
        let answer = unsafe { GetIpAddrTable(words.as_mut_ptr().cast(), &raw mut bytes, 0) };
        if answer == NO_ERROR && !words.is_empty() {
            return Some(words);
        }
        words = vec![0u32; (bytes as usize).div_ceil(size_of::<u32>())];
    }
    None
}
