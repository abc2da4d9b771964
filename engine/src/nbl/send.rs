//! Sending a filter's lists out of their own memory.

// UNSAFETY: writes list nodes into the reserved bytes of buffers that the caller owns.
#![expect(unsafe_code, reason = "nodes lie in the reserved bytes of network buffers")]

use core::ptr::{NonNull, null_mut};

use super::walk::{Walk, datagram};
use crate::abi::ndis::{NET_BUFFER, NET_BUFFER_LIST};
use crate::abi::wsk::{WSK_BUF, WSK_BUF_LIST};

/// Whose reserved bytes of each NET_BUFFER hold the nodes of the list that WSK is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// ProtocolReserved: for the driver that made the buffers.
    Protocol,
    /// MiniportReserved: for the driver at the bottom, a tunnel's miniport say, while it has them.
    Miniport,
}

/// A chain of NET_BUFFER_LISTs whose buffers are datagrams to send.
#[derive(Clone, Copy, Debug)]
pub struct NblList {
    /// The first list.
    pub list: *mut NET_BUFFER_LIST,
    /// Bytes of the used data of each buffer that are not sent.
    pub header_bytes: u32,
    /// Where the nodes go.
    pub reserved: Reserved,
}

const _: () =
    assert!(size_of::<WSK_BUF_LIST>() <= size_of::<[*mut u8; 4]>(), "MiniportReserved holds a node");

impl NblList {
    /// Builds the nodes; the first datagram, the nodes behind it, and how many datagrams there are. `None` if there is none,
    /// or one is not what it says.
    ///
    /// # Safety
    /// The chain, and the reserved bytes, are the caller's until the send is over.
    pub(crate) unsafe fn build(&self) -> Option<(WSK_BUF, *mut WSK_BUF_LIST, u32)> {
        // SAFETY: the caller's promise.
        let mut walk = unsafe { Walk::new(self.list) };
        let (_, first) = walk.next()?;
        // SAFETY: the caller's promise.
        let buffer = unsafe { datagram(first, self.header_bytes) }.ok()?;
        let mut rest = null_mut();
        let mut link: *mut *mut WSK_BUF_LIST = &raw mut rest;
        let mut count = 1_u32;
        while let Some((_, next)) = walk.next() {
            // SAFETY: the caller's promise.
            let buffer = unsafe { datagram(next, self.header_bytes) }.ok()?;
            let node = self.node(next);
            // SAFETY: reserved bytes of a buffer of the caller's, aligned to 16 and long enough.
            unsafe { node.write(WSK_BUF_LIST { Next: null_mut(), Buffer: buffer }) };
            // SAFETY: `rest`, or the link of the node before.
            unsafe { *link = node };
            // SAFETY: within the node just written.
            link = unsafe { &raw mut (*node).Next };
            count = count.checked_add(1)?;
        }
        Some((buffer, rest, count))
    }

    fn node(&self, buffer: NonNull<NET_BUFFER>) -> *mut WSK_BUF_LIST {
        let buffer = buffer.as_ptr();
        match self.reserved {
            // SAFETY: within the caller's buffer.
            Reserved::Protocol => unsafe { &raw mut (*buffer).ProtocolReserved }.cast(),
            // SAFETY: within the caller's buffer.
            Reserved::Miniport => unsafe { &raw mut (*buffer).MiniportReserved }.cast(),
        }
    }
}
