//! What a function takes from the stack, by the unwind information that the compiler wrote for it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use object::pe;
use pe_unwind_info::x86_64::{FunctionTableEntries, UnwindInfo, UnwindInfoTrailer, UnwindOperation};

use crate::image::pe::Image;

/// Longest chain of entries that may describe one function.
const CHAIN: usize = 32;

/// A function's entry.
pub(super) struct Frame {
    pub(super) end: u32,
    /// Bytes between the return address and the lowest the function's own stack reaches.
    pub(super) bytes: u32,
}

/// Every function that has a frame, by its start. A function without an entry must leave the stack pointer alone.
///
/// Source: "x64 exception handling" in Microsoft's documentation.
pub(super) fn frames(image: &Image<'_>) -> Result<BTreeMap<u32, Frame>> {
    let table = FunctionTableEntries::parse(image.directory_bytes(pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION)?);
    let mut frames = BTreeMap::new();
    for function in table.functions().context("no readable function table")? {
        let start = function.begin_address.get();
        let mut bytes = 0_u32;
        let mut information = function.unwind_info_address.get();
        for link in 0.. {
            ensure!(link < CHAIN, "the unwind information of {start:#x} is chained without end");
            let info = UnwindInfo::parse(image.at(information)?)
                .with_context(|| format!("no readable unwind information for {start:#x}"))?;
            for (_, operation) in info.unwind_operations() {
                let taken = match operation {
                    UnwindOperation::PopNonVolatile(_) => 8,
                    UnwindOperation::UnStackAlloc(bytes) => bytes,
                    _ => 0,
                };
                bytes = bytes.checked_add(taken).context("a frame of more than 4 GiB")?;
            }
            let Some(UnwindInfoTrailer::ChainedUnwindInfo { chained }) = info.trailer() else { break };
            information = chained.unwind_info_address.get();
        }
        frames.insert(start, Frame { end: function.end_address.get(), bytes });
    }
    Ok(frames)
}
