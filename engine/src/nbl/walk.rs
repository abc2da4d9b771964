//! A way through a chain of lists: one buffer after the other, and what of it is the datagram.

// UNSAFETY: follows the links of lists that a filter lends.
#![expect(unsafe_code, reason = "lists are met by address")]

use core::ptr::NonNull;

use crate::abi::ndis::{NET_BUFFER, NET_BUFFER_LIST};
use crate::abi::nt::MDL;
use crate::abi::wsk::WSK_BUF;
use crate::reason::DropReason;

/// MDLs that headers may fill before the datagram begins.
const HEADER_MDLS: u32 = 16;

/// The buffers of a chain of lists, in order.
///
/// # Invariants
/// `list` is null or lent; `buffer` is null or one of its buffers.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    list: *mut NET_BUFFER_LIST,
    buffer: *mut NET_BUFFER,
}

impl Walk {
    /// Begins at the first buffer.
    ///
    /// # Safety
    /// `list` and everything it leads to are lent, and its links are not changed, for the life of the walk.
    pub(super) unsafe fn new(list: *mut NET_BUFFER_LIST) -> Self {
        let buffer = match NonNull::new(list) {
            // SAFETY: the caller's promise.
            Some(list) => unsafe { (*list.as_ptr()).FirstNetBuffer },
            None => core::ptr::null_mut(),
        };
        Self { list, buffer }
    }

    /// The next buffer, and the list it is in.
    pub(super) fn next(&mut self) -> Option<(NonNull<NET_BUFFER_LIST>, NonNull<NET_BUFFER>)> {
        loop {
            let list = NonNull::new(self.list)?;
            if let Some(buffer) = NonNull::new(self.buffer) {
                // SAFETY: lent, as `new` was promised.
                self.buffer = unsafe { (*buffer.as_ptr()).Next };
                return Some((list, buffer));
            }
            // SAFETY: as above.
            let next = unsafe { (*list.as_ptr()).Next };
            // SAFETY: null, or lent as above.
            *self = unsafe { Self::new(next) };
        }
    }
}

/// What of a buffer follows the first `header_bytes` of its used data.
///
/// # Errors
/// [`DropReason::Malformed`] where the buffer has fewer bytes, or its chain does not hold them.
///
/// # Safety
/// `buffer` is lent.
pub(super) unsafe fn datagram(buffer: NonNull<NET_BUFFER>, header_bytes: u32) -> Result<WSK_BUF, DropReason> {
    // SAFETY: the caller's promise.
    let mut mdl: *mut MDL = unsafe { (*buffer.as_ptr()).CurrentMdl };
    // SAFETY: the caller's promise.
    let offset = unsafe { (*buffer.as_ptr()).CurrentMdlOffset };
    // SAFETY: the caller's promise.
    let length = unsafe { (*buffer.as_ptr()).DataLength };
    let length = length.checked_sub(header_bytes as usize).ok_or(DropReason::Malformed)?;
    let mut offset = offset.checked_add(header_bytes).ok_or(DropReason::Malformed)?;
    if length == 0 {
        return Ok(WSK_BUF { Mdl: mdl, Offset: 0, Length: 0 });
    }
    // A WSK_BUF begins in its first MDL; headers may fill MDLs of their own.
    for _ in 0..HEADER_MDLS {
        if mdl.is_null() {
            break;
        }
        // SAFETY: an MDL of the lent chain.
        let bytes = unsafe { (*mdl).ByteCount };
        if offset < bytes {
            return Ok(WSK_BUF { Mdl: mdl, Offset: offset, Length: length });
        }
        offset -= bytes;
        // SAFETY: as above.
        mdl = unsafe { (*mdl).Next };
    }
    Err(DropReason::Malformed)
}
