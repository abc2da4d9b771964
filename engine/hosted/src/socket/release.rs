//! WskRelease: indications come back, singly or in lists, in any order, from any thread.

// UNSAFETY: follows the links of a list that the client gives.
#![expect(unsafe_code, reason = "indications are linked by address")]

use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_DATAGRAM_INDICATION;

use super::datagram::DatagramSocket;

/// More nodes than any list has: a list that is longer leads back into itself.
const LONGEST: usize = 1 << 24;

impl DatagramSocket {
    /// Takes back the nodes of `list`; none of them, and STATUS_INVALID_PARAMETER, when one is not lent.
    ///
    /// Links are followed only from nodes that are lent, whose memory is the provider's.
    pub(super) fn release(&self, list: *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS {
        let mut node = list;
        let mut nodes = 0;
        while !node.is_null() {
            nodes += 1;
            if !self.is_lent(node) || nodes > LONGEST {
                return STATUS_INVALID_PARAMETER;
            }
            node = next(node);
        }
        if nodes == 0 {
            return STATUS_INVALID_PARAMETER;
        }
        let mut released = 0;
        node = list;
        for _ in 0..nodes {
            // Before the release: a worker fills the block as soon as it is back.
            let behind = next(node);
            if !self.give_back(node) {
                break;
            }
            released += 1;
            node = behind;
        }
        self.kernel.ledger().indications.remove(released);
        // Fewer when two threads release the same node.
        if released == nodes { STATUS_SUCCESS } else { STATUS_INVALID_PARAMETER }
    }

    fn is_lent(&self, node: *mut WSK_DATAGRAM_INDICATION) -> bool {
        self.arena().is_some_and(|arena| arena.is_lent(node)) || self.injections.is_lent(node)
    }

    fn give_back(&self, node: *mut WSK_DATAGRAM_INDICATION) -> bool {
        match self.arena().and_then(|arena| arena.release(node)) {
            Some(worker) => {
                self.bell(worker).ring();
                true
            }
            None => self.injections.release(node),
        }
    }
}

/// The link of a node that is lent.
fn next(node: *mut WSK_DATAGRAM_INDICATION) -> *mut WSK_DATAGRAM_INDICATION {
    // SAFETY: the callers checked that the node is one of the provider's, whose memory lives as long as its socket.
    unsafe { (*node).Next }
}
