//! A client's WSK_BUF: the pieces of memory behind its MDL chain.

// UNSAFETY: follows a client's MDL chain and copies into its memory.
#![expect(unsafe_code, reason = "buffers are described by MDLs")]

use arrayvec::ArrayVec;
use skua_engine::Kernel;
use skua_engine::abi::nt::{MDL, mm_get_mapped_system_address};
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};
use skua_engine::abi::wsk::WSK_BUF;

use crate::HostKernel;

/// A piece of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) at: *mut u8,
    pub(crate) bytes: usize,
}

/// The pieces of one buffer in order, none of them empty, until its length is reached.
///
/// An item is an error, and the last, when the buffer breaks a rule of WSK_BUF: it has a length but no MDL, its offset
/// lies behind the first MDL, or the chain ends before the length; or when an MDL cannot be mapped.
pub(crate) struct Pieces<'k> {
    kernel: &'k HostKernel,
    mdl: *mut MDL,
    offset: usize,
    left: usize,
}

impl<'k> Pieces<'k> {
    /// # Safety
    /// The MDL chain of `buffer` is valid, locked and the provider's to read while the iterator is used.
    pub(crate) unsafe fn new(kernel: &'k HostKernel, buffer: &WSK_BUF) -> Self {
        Self { kernel, mdl: buffer.Mdl, offset: buffer.Offset as usize, left: buffer.Length }
    }

    fn fail(&mut self, status: NTSTATUS) -> Option<Result<Piece, NTSTATUS>> {
        self.left = 0;
        Some(Err(status))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece, NTSTATUS>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            if self.mdl.is_null() {
                return self.fail(STATUS_INVALID_PARAMETER);
            }
            let mdl = self.mdl;
            // SAFETY: `new`'s caller promised a valid chain.
            let header = unsafe { *mdl };
            let offset = std::mem::take(&mut self.offset);
            let Some(bytes) = (header.ByteCount as usize).checked_sub(offset) else {
                return self.fail(STATUS_INVALID_PARAMETER);
            };
            self.mdl = header.Next;
            let bytes = bytes.min(self.left);
            if bytes == 0 {
                continue;
            }
            // SAFETY: as above.
            let mut address = unsafe { mm_get_mapped_system_address(mdl) };
            if address.is_null() {
                // SAFETY: as above; the provider has the MDL to itself.
                address = unsafe { self.kernel.mm_map_locked_pages_specify_cache(mdl) };
            }
            if address.is_null() {
                return self.fail(STATUS_INSUFFICIENT_RESOURCES);
            }
            self.left -= bytes;
            return Some(Ok(Piece { at: address.cast::<u8>().wrapping_add(offset), bytes }));
        }
        None
    }
}

/// Pieces of one system call at most.
pub(crate) const PIECES: usize = 64;

/// The pieces of a buffer behind its first `skip` bytes, as many as one system call takes; none when it has no more.
///
/// # Safety
/// As for [`Pieces::new`].
pub(crate) unsafe fn pieces_behind(
    kernel: &HostKernel,
    buffer: &WSK_BUF,
    mut skip: usize,
) -> Result<ArrayVec<Piece, PIECES>, NTSTATUS> {
    let mut found = ArrayVec::new();
    // SAFETY: the caller's promise.
    for piece in unsafe { Pieces::new(kernel, buffer) } {
        let piece = piece?;
        let skipped = skip.min(piece.bytes);
        skip -= skipped;
        if skipped < piece.bytes {
            found.push(Piece { at: piece.at.wrapping_add(skipped), bytes: piece.bytes - skipped });
        }
        if found.is_full() {
            break;
        }
    }
    Ok(found)
}

/// Copies as much of `source` as fits into the client's buffer, and says how much that was.
///
/// # Safety
/// As for [`Pieces::new`], and the memory is the provider's to write.
pub(crate) unsafe fn scatter(
    kernel: &HostKernel,
    buffer: &WSK_BUF,
    source: [Piece; 2],
) -> Result<usize, NTSTATUS> {
    let mut source = source.into_iter().filter(|piece| piece.bytes > 0);
    let mut from = source.next();
    let mut copied = 0;
    // SAFETY: the caller promises a valid chain.
    for to in unsafe { Pieces::new(kernel, buffer) } {
        let mut to = to?;
        while let Some(piece) = &mut from {
            let bytes = piece.bytes.min(to.bytes);
            // SAFETY: both pieces are live for `bytes`, and a receive block is never part of a client's buffer.
            unsafe { std::ptr::copy_nonoverlapping(piece.at, to.at, bytes) };
            copied += bytes;
            to = Piece { at: to.at.wrapping_add(bytes), bytes: to.bytes - bytes };
            *piece = Piece { at: piece.at.wrapping_add(bytes), bytes: piece.bytes - bytes };
            if piece.bytes == 0 {
                from = source.next();
            }
            if to.bytes == 0 {
                break;
            }
        }
        if from.is_none() {
            break;
        }
    }
    Ok(copied)
}
