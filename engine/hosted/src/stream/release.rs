//! WskRelease of data: retained indications come back, singly or in lists, in any order, from any thread.

use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_DATA_INDICATION;

use super::socket::StreamSocket;

impl StreamSocket {
    /// Takes back the nodes of `list`; none of them, and STATUS_INVALID_PARAMETER, when one is not lent.
    ///
    /// Links are followed only from nodes that are lent, whose memory is the provider's.
    pub(super) fn release(&self, list: *mut WSK_DATA_INDICATION) -> NTSTATUS {
        let mut nodes = Vec::new();
        let mut node = list;
        while !node.is_null() {
            // No list is longer than all that is lent: such a one leads back into itself.
            let next = self.lent.next(node).filter(|_| nodes.len() < self.lent.count());
            let Some(next) = next else { return STATUS_INVALID_PARAMETER };
            nodes.push(node.addr());
            node = next;
        }
        // Two threads may release the same node: one of them has it.
        let released = nodes.iter().filter_map(|node| self.lent.take(*node)).count();
        self.kernel.ledger().indications.remove(released);
        self.wire().wake();
        if released == nodes.len() && released > 0 { STATUS_SUCCESS } else { STATUS_INVALID_PARAMETER }
    }
}
