//! The datagrams of one send: a single buffer, or a list of them.

// UNSAFETY: follows the links of a list that the client lends.
#![expect(unsafe_code, reason = "buffers are linked by address")]

use skua_engine::abi::wsk::{WSK_BUF, WSK_BUF_LIST};

/// What is left to send, the next one first.
///
/// # Invariants
/// Every buffer that can be reached is the provider's until the request completes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages {
    next: Option<WSK_BUF>,
    rest: *mut WSK_BUF_LIST,
}

// SAFETY: the client lent the buffers until the request completes, on whichever thread that is.
unsafe impl Send for Messages {}

impl Messages {
    /// # Safety
    /// The MDL chain is the provider's until the request completes. The header is copied.
    pub(crate) unsafe fn one(buffer: WSK_BUF) -> Self {
        Self { next: Some(buffer), rest: std::ptr::null_mut() }
    }

    /// # Safety
    /// All nodes, and the MDL chains behind them, are the provider's until the request completes.
    pub(crate) unsafe fn list(list: *mut WSK_BUF_LIST) -> Self {
        let mut messages = Self { next: None, rest: list };
        messages.advance();
        messages
    }

    /// The next datagram, if one is left.
    pub(crate) fn first(&self) -> Option<WSK_BUF> {
        self.next
    }

    /// Steps over the first.
    pub(crate) fn advance(&mut self) {
        self.next = None;
        if !self.rest.is_null() {
            // SAFETY: the nodes are the provider's.
            let node = unsafe { *self.rest };
            self.next = Some(node.Buffer);
            self.rest = node.Next;
        }
    }
}
