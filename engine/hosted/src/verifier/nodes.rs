//! The nodes of indications that a client has or had, and the pages they lie in.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::rooms::Rooms;
use super::{Finding, Object, ObjectKind, Rule, Stack};

/// Nodes that came back, and have no pages, that are remembered.
const REMEMBERED: usize = 4096;

/// The nodes of one verified kernel.
#[derive(Default)]
pub(super) struct Nodes {
    /// Made when something is first lent; `Some(None)` where there are none to be had.
    pub(super) rooms: Option<Option<Rooms>>,
    /// By the address that the client has, which is where the first of its pages begins, if it has any.
    pub(super) nodes: BTreeMap<usize, Node>,
    /// The pages of the nodes that are lent, each run by its first.
    pub(super) lent_pages: BTreeMap<usize, usize>,
    /// Where to look for free pages first.
    pub(super) next_page: usize,
    /// Nodes that came back, oldest first.
    returned: VecDeque<usize>,
}

/// A node that the client has or had.
pub(super) struct Node {
    /// The provider's.
    pub(super) original: usize,
    pub(super) socket: usize,
    /// The client's socket was made here.
    pub(super) created: Option<Stack>,
    /// The pages it lies in, and the guard behind them. Empty where there were none: then the client has the original.
    pub(super) pages: Range<usize>,
    pub(super) phase: Phase,
}

#[derive(Clone)]
pub(super) enum Phase {
    /// In a callback that has not returned.
    Indicated,
    /// The callback returned STATUS_PENDING.
    Retained,
    Returned(Stack),
}

impl Nodes {
    /// Pages that no node has which is lent, as long after they were last used as there are others.
    pub(super) fn find_pages(&self, count: usize, total: usize) -> Option<Range<usize>> {
        for first in [self.next_page, 0] {
            let before = self.lent_pages.range(..first).next_back();
            let mut start = before.map_or(first, |(_, end)| first.max(*end));
            for (taken, end) in self.lent_pages.range(first..) {
                if start + count <= *taken {
                    break;
                }
                start = start.max(*end);
            }
            if start + count <= total {
                return Some(start..start + count);
            }
        }
        None
    }

    /// Forgets the nodes whose pages are used again, and says what was written to them meanwhile.
    pub(super) fn forget(&mut self, pages: &Range<usize>) -> Vec<Finding> {
        let Some(Some(rooms)) = &self.rooms else { return Vec::new() };
        let over = |(_, node): &(&usize, &Node)| node.pages.start < pages.end && pages.start < node.pages.end;
        let (start, end) = (rooms.address(pages.start), rooms.address(pages.end));
        let before = self.nodes.range(..start).next_back();
        let old: Vec<usize> = before
            .into_iter()
            .chain(self.nodes.range(start..end))
            .filter(over)
            .map(|(address, _)| *address)
            .collect();
        let mut found = Vec::new();
        for address in old {
            let Some(node) = self.nodes.remove(&address) else { continue };
            if let Some(Some(rooms)) = &self.rooms
                && let Some(at) = rooms.touched(node.pages.clone())
            {
                found.push(node.touched(address, at));
            }
        }
        found
    }

    pub(super) fn give_back(&mut self, address: usize, here: Stack) {
        let Some(node) = self.nodes.get_mut(&address) else { return };
        node.phase = Phase::Returned(here);
        let pages = node.pages.clone();
        if let Some(Some(rooms)) = &self.rooms
            && !pages.is_empty()
        {
            self.lent_pages.remove(&pages.start);
            rooms.shut(pages);
        }
        self.returned.push_back(address);
        if self.returned.len() > REMEMBERED {
            let oldest = self.returned.pop_front();
            let is_old = |address: &usize| {
                self.nodes
                    .get(address)
                    .is_some_and(|node| matches!(node.phase, Phase::Returned(_)) && node.pages.is_empty())
            };
            // Those that have pages are forgotten when these are used again.
            if let Some(oldest) = oldest.filter(is_old) {
                self.nodes.remove(&oldest);
            }
        }
    }
}

impl Node {
    pub(super) fn describe(&self, finding: Finding) -> Finding {
        let finding = finding.created(self.created.clone());
        match &self.phase {
            Phase::Returned(at) => finding.related("given back", Some(at)),
            Phase::Indicated | Phase::Retained => finding,
        }
    }

    pub(super) fn touched(&self, node: usize, address: usize) -> Finding {
        let what = match self.phase {
            Phase::Returned(_) => "which was given back",
            Phase::Indicated | Phase::Retained => "beyond its data",
        };
        let object = Object { kind: ObjectKind::Indication, address: node };
        let message = format!("memory of the indication at {node:#x} was touched at {address:#x}, {what}");
        self.describe(Finding::new(Rule::LentMemoryTouched, object, message))
    }
}
