//! Data under a chain of MDLs.

// UNSAFETY: builds MDLs over memory of its own, and reads chains that a provider lends.
#![expect(unsafe_code, reason = "MDLs are reached by address")]

use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{MDL, mdl_size_for_any_address, mm_get_mapped_system_address, mm_initialize_mdl};
use skua_engine::abi::wsk::WSK_BUF;

use super::Bench;
use super::memory::Owned;
use crate::outcome::Outcome;

/// Bytes of nonpaged memory, described by one MDL for each part.
pub(crate) struct Buffer<'b, K: Kernel> {
    mdls: Owned<'b, u64, K>,
    data: Owned<'b, u8, K>,
    length: usize,
    /// What the header says.
    said: usize,
}

impl<'b, K: Kernel> Buffer<'b, K> {
    /// Zeroed parts of these sizes, at least one.
    pub(crate) fn room(bench: &'b Bench<K>, parts: &[usize]) -> Result<Self, Outcome> {
        let words = |part: usize| mdl_size_for_any_address(part).unwrap_or(usize::MAX).div_ceil(8);
        let length = parts.iter().sum();
        let mdls = Owned::<u64, K>::run(bench, parts.iter().map(|part| words(*part)).sum())?;
        let data = Owned::<u8, K>::run(bench, length)?;
        let (mut at, mut mdl, mut before) = (data.as_ptr(), mdls.as_ptr(), ptr::null_mut::<MDL>());
        for part in parts {
            let header = mdl.cast::<MDL>();
            let bytes = u32::try_from(*part).unwrap_or(u32::MAX);
            // SAFETY: room for the header and the pages of so many bytes anywhere.
            unsafe { mm_initialize_mdl(header, at.cast(), bytes) };
            // SAFETY: nonpaged memory, described above.
            unsafe { bench.kernel().mm_build_mdl_for_non_paged_pool(header) };
            if !before.is_null() {
                // SAFETY: the part before this one.
                unsafe { (*before).Next = header };
            }
            before = header;
            mdl = mdl.wrapping_add(words(*part));
            at = at.wrapping_add(*part);
        }
        Ok(Self { mdls, data, length, said: length })
    }

    /// These parts.
    pub(crate) fn of(bench: &'b Bench<K>, parts: &[&[u8]]) -> Result<Self, Outcome> {
        const MOST: usize = 16;
        let mut sizes = [0; MOST];
        for (size, part) in sizes.iter_mut().zip(parts) {
            *size = part.len();
        }
        let mut buffer = Self::room(bench, &sizes[..parts.len().min(MOST)])?;
        let mut at = 0;
        for part in parts.iter().take(MOST) {
            buffer.data.bytes_mut()[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        Ok(buffer)
    }

    /// `length` bytes that [`pattern`] gives for `seed`, in one part.
    pub(crate) fn patterned(bench: &'b Bench<K>, seed: u8, length: usize) -> Result<Self, Outcome> {
        let mut buffer = Self::room(bench, &[length])?;
        for (index, byte) in buffer.data.bytes_mut()[..length].iter_mut().enumerate() {
            *byte = pattern(seed, index);
        }
        Ok(buffer)
    }

    /// The same memory, of which the header says another length than the MDLs.
    #[cfg(feature = "misuse")]
    pub(crate) fn with_length(mut self, length: usize) -> Self {
        self.said = length;
        self
    }

    /// All of it.
    pub(crate) fn header(&self) -> WSK_BUF {
        WSK_BUF { Mdl: self.mdls.as_ptr().cast(), Offset: 0, Length: self.said }
    }

    /// The digest of the bytes as the MDLs describe them.
    pub(crate) fn digest_by_mdls(&self) -> u64 {
        let mut seen = digest([]);
        let kernel = self.data.bench().kernel();
        // SAFETY: built over memory of this buffer.
        unsafe { read(kernel, &self.header(), |byte| seen = digest_on(seen, byte)) };
        seen
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.data.bytes()[..self.length]
    }
}

/// The `index`th byte of the data that is told apart by `seed`.
pub(crate) fn pattern(seed: u8, index: usize) -> u8 {
    // Differs between neighbours, between pages, and between seeds.
    let [low, high, ..] = index.to_le_bytes();
    low.wrapping_mul(31).wrapping_add(high.wrapping_mul(7)).wrapping_add(seed.wrapping_mul(101))
}

/// A number that two different runs of bytes hardly share: FNV-1a.
pub(crate) fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, digest_on)
}

/// The digest of one byte more.
pub(crate) const fn digest_on(digest: u64, byte: u8) -> u64 {
    (digest ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

/// Gives the bytes that `buffer` describes to `each`, in order; how many they were. Fewer than the length when an MDL
/// cannot be mapped or the chain ends too soon.
///
/// # Safety
/// A buffer of a provider that the caller has: the chain describes readable memory that stays during the call.
///
/// # IRQL
/// At most DISPATCH_LEVEL.
pub(crate) unsafe fn read<K: Kernel>(kernel: &K, buffer: &WSK_BUF, mut each: impl FnMut(u8)) -> usize {
    let (mut mdl, mut offset, mut left) = (buffer.Mdl, buffer.Offset as usize, buffer.Length);
    while left > 0 && !mdl.is_null() {
        // SAFETY: a part of the chain.
        let header = unsafe { *mdl };
        // SAFETY: as above.
        let mut at = unsafe { mm_get_mapped_system_address(mdl) };
        let count = (header.ByteCount as usize).saturating_sub(offset).min(left);
        if at.is_null() && count > 0 {
            // SAFETY: locked pages, as all that is indicated.
            at = unsafe { kernel.mm_map_locked_pages_specify_cache(mdl) };
            if at.is_null() {
                break;
            }
        }
        for index in 0..count {
            // SAFETY: within the part.
            each(unsafe { at.cast::<u8>().wrapping_add(offset + index).read() });
        }
        left -= count;
        offset = 0;
        mdl = header.Next;
    }
    buffer.Length - left
}
