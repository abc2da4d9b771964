//! Indications of datagrams and of data, alike.

// UNSAFETY: reads and changes what a provider lends.
#![expect(unsafe_code, reason = "indications are reached by address")]

use std::ptr::null_mut;

use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::wsk::{WSK_BUF, WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION};

use crate::middleware::{Arguments, EventArguments};

/// An indication of either kind.
#[derive(Clone, Copy)]
pub(super) enum Node {
    Datagram(*mut WSK_DATAGRAM_INDICATION),
    Data(*mut WSK_DATA_INDICATION),
}

impl Node {
    /// Every node of a list.
    ///
    /// # Safety
    /// The list is lent.
    pub(super) unsafe fn list(first: Self) -> Vec<Self> {
        let mut nodes = Vec::new();
        let mut node = first;
        while node.address() != 0 {
            nodes.push(node);
            node = match node {
                // SAFETY: the caller's promise.
                Self::Datagram(node) => Self::Datagram(unsafe { (*node).Next }),
                // SAFETY: the caller's promise.
                Self::Data(node) => Self::Data(unsafe { (*node).Next }),
            };
        }
        nodes
    }

    pub(super) fn address(self) -> usize {
        match self {
            Self::Datagram(node) => node.addr(),
            Self::Data(node) => node.addr(),
        }
    }

    /// # Safety
    /// The node is lent.
    pub(super) unsafe fn buffer<'a>(self) -> &'a mut WSK_BUF {
        match self {
            // SAFETY: the caller's promise.
            Self::Datagram(node) => unsafe { &mut (*node).Buffer },
            // SAFETY: the caller's promise.
            Self::Data(node) => unsafe { &mut (*node).Buffer },
        }
    }

    /// # Safety
    /// The node is lent.
    pub(super) unsafe fn control(self) -> (*mut CMSGHDR, u32) {
        match self {
            Self::Datagram(node) => {
                // SAFETY: the caller's promise.
                let node = unsafe { &*node };
                (node.ControlInfo, node.ControlInfoLength)
            }
            Self::Data(_) => (null_mut(), 0),
        }
    }

    /// # Safety
    /// The node is lent.
    pub(super) unsafe fn set_control(self, (control, bytes): (*mut CMSGHDR, u32)) {
        if let Self::Datagram(node) = self {
            // SAFETY: the caller's promise.
            let node = unsafe { &mut *node };
            node.ControlInfo = control;
            node.ControlInfoLength = bytes;
        }
    }

    /// # Safety
    /// The node is lent.
    pub(super) unsafe fn set_next(self, next: Option<Self>) {
        match (self, next) {
            (Self::Datagram(node), Some(Self::Datagram(next))) => {
                // SAFETY: the caller's promise.
                unsafe { (*node).Next = next };
            }
            // SAFETY: the caller's promise.
            (Self::Datagram(node), _) => unsafe { (*node).Next = null_mut() },
            // SAFETY: the caller's promise.
            (Self::Data(node), Some(Self::Data(next))) => unsafe { (*node).Next = next },
            // SAFETY: the caller's promise.
            (Self::Data(node), _) => unsafe { (*node).Next = null_mut() },
        }
    }
}

impl Node {
    /// WskRelease of this node.
    pub(super) const fn arguments(self) -> Arguments {
        match self {
            Self::Datagram(node) => Arguments::ReleaseDatagrams { datagram_indication: node },
            Self::Data(node) => Arguments::ReleaseData { data_indication: node },
        }
    }
}

/// Makes a list of the nodes again, in their order.
pub(super) fn relink(nodes: &[Node]) {
    for (index, node) in nodes.iter().enumerate() {
        // SAFETY: lent, and not retained.
        unsafe { node.set_next(nodes.get(index + 1).copied()) };
    }
}

pub(super) fn set_list(arguments: &mut EventArguments, first: Node) {
    match (arguments, first) {
        (EventArguments::ReceiveFrom { data_indication, .. }, Node::Datagram(node)) => {
            *data_indication = node
        }
        (EventArguments::Receive { data_indication, .. }, Node::Data(node)) => *data_indication = node,
        _ => {}
    }
}
