//! Rules of indications: who has each node, and that nothing of it is touched by who has not.
//!
//! The client gets copies of what the provider lends (`copies.rs`), so that this works in front of any provider and leaves
//! the provider's receive path as it is.

// UNSAFETY: follows and writes the links of indications.
#![expect(unsafe_code, reason = "lent memory is reached by address")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::ptr;
use std::sync::Mutex;

use super::copies::{Indication, Plan};
use super::nodes::{Node, Nodes, Phase};
use super::rooms::Rooms;
use super::{Finding, Object, ObjectKind, Rule, Stack, Verifier};
use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::middleware::LayeredSocket;

/// What one verified kernel has lent.
#[derive(Default)]
pub(crate) struct Lent {
    state: Mutex<Nodes>,
}

/// Why a list cannot be released.
pub(crate) struct Refused;

impl Verifier {
    /// Copies a list for the client, and returns the copy and the addresses of its nodes.
    ///
    /// # Safety
    /// `list` is what a provider indicates.
    pub(crate) unsafe fn lend<T: Indication>(
        &self,
        kernel: &HostKernel,
        socket: &LayeredSocket,
        list: *mut T,
    ) -> (*mut T, Vec<usize>) {
        let created = socket.notes.created();
        let mut nodes: Vec<(usize, *mut T)> = Vec::new();
        let mut original = list;
        while !original.is_null() {
            // SAFETY: the caller's promise.
            let indication = unsafe { original.read() };
            // SAFETY: the caller's promise.
            let plan = unsafe { Plan::of(indication) };
            let pages = self.lent.take_pages(self, plan.pages());
            let copy = match pages.as_ref().map(|pages| self.lent.address(pages.start)) {
                // SAFETY: the pages were just taken, and are enough.
                Some(place) => unsafe { plan.copy(kernel, indication, place) },
                None => original,
            };
            let node = Node {
                original: original.expose_provenance(),
                socket: socket.client_pointer().addr(),
                created: created.clone(),
                pages: pages.unwrap_or_default(),
                phase: Phase::Indicated,
            };
            hold(&self.lent.state).nodes.insert(copy.addr(), node);
            nodes.push((copy.addr(), copy));
            original = indication.next();
        }
        let mut next = ptr::null_mut();
        for (_, copy) in nodes.iter().rev() {
            // SAFETY: a copy, which nobody else has yet; where there is none, what it was linked to before.
            let mut indication = unsafe { copy.read() };
            indication.set_next(next);
            // SAFETY: as above.
            unsafe { copy.write(indication) };
            next = *copy;
        }
        (next, nodes.into_iter().map(|(address, _)| address).collect())
    }

    /// The callback has returned, and the client has retained the list or not.
    pub(crate) fn lending_over(&self, nodes: &[usize], retained: bool) {
        let here = (!retained).then(Stack::capture);
        let mut state = hold(&self.lent.state);
        for address in nodes {
            let Some(node) = state.nodes.get_mut(address) else { continue };
            if !matches!(node.phase, Phase::Indicated) {
                continue;
            }
            match &here {
                None => node.phase = Phase::Retained,
                Some(here) => state.give_back(*address, here.clone()),
            }
        }
    }

    /// The client releases a list. The provider's list instead, linked as the client's was.
    ///
    /// # Safety
    /// `list` is null or what the client was lent.
    pub(crate) unsafe fn release<T: Indication>(&self, list: *mut T) -> Result<*mut T, Refused> {
        let mut nodes: Vec<(usize, usize)> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut node = list;
        while !node.is_null() {
            let original = match self.lent.original(node.addr()) {
                Some(original) if seen.insert(node.addr()) => original,
                _ => {
                    self.report(vec![self.lent.not_lent(node.addr(), seen.contains(&node.addr()))]);
                    return Err(Refused);
                }
            };
            nodes.push((node.addr(), original));
            // SAFETY: it is lent, so its memory is there.
            node = unsafe { node.read() }.next();
        }
        let here = Stack::capture();
        let mut next: *mut T = ptr::null_mut();
        for (address, original) in nodes.iter().rev() {
            hold(&self.lent.state).give_back(*address, here.clone());
            let original: *mut T = ptr::with_exposed_provenance_mut(*original);
            // SAFETY: lent by the provider, and not given back yet.
            let mut indication = unsafe { original.read() };
            indication.set_next(next);
            // SAFETY: as above: its link is the client's to use.
            unsafe { original.write(indication) };
            next = original;
        }
        Ok(next)
    }

    /// Indications of a socket that the client has retained.
    pub(crate) fn retained_of(&self, socket: &LayeredSocket) -> usize {
        let socket = socket.client_pointer().addr();
        let state = hold(&self.lent.state);
        let retained = |node: &&Node| node.socket == socket && matches!(node.phase, Phase::Retained);
        state.nodes.values().filter(retained).count()
    }

    /// An instruction has faulted at an address of the rooms. Whether it can go on.
    pub(super) fn lent_touched(&self, address: usize) -> bool {
        let mut state = hold(&self.lent.state);
        let Some(Some(rooms)) = &state.rooms else { return false };
        let Some(page) = rooms.page_of(address) else { return false };
        let start = rooms.address(page);
        let found =
            state.nodes.range_mut(..=address).next_back().filter(|(_, node)| node.pages.contains(&page));
        let (finding, pages) = match found {
            Some((node_address, node)) => {
                let finding = node.touched(*node_address, address);
                let is_beyond = !matches!(node.phase, Phase::Returned(_));
                // What is behind the data is opened alone.
                (finding, if is_beyond { page..page + 1 } else { node.pages.clone() })
            }
            None => {
                let object = Object { kind: ObjectKind::Indication, address: start };
                let message = format!("the memory at {address:#x} was touched, which was lent long ago");
                (Finding::new(Rule::LentMemoryTouched, object, message), page..page + 1)
            }
        };
        if let Some(Some(rooms)) = &state.rooms {
            rooms.open(pages);
        }
        drop(state);
        self.report_from_signal(finding.here());
        true
    }

    /// Looks for writes to memory that was given back, where those are found afterwards only.
    pub(super) fn lent_poisoned(&self) -> Vec<Finding> {
        let state = hold(&self.lent.state);
        let returned = state.nodes.iter().filter(|(_, node)| matches!(node.phase, Phase::Returned(_)));
        let touched = |(address, node): (&usize, &Node)| {
            let rooms = state.rooms.as_ref()?.as_ref()?;
            let at = rooms.touched(node.pages.clone())?;
            Some(node.touched(*address, at))
        };
        returned.filter_map(touched).collect()
    }
}

impl Lent {
    fn address(&self, page: usize) -> usize {
        let state = hold(&self.state);
        state.rooms.as_ref().and_then(Option::as_ref).map_or(0, |rooms| rooms.address(page))
    }

    fn original(&self, node: usize) -> Option<usize> {
        let state = hold(&self.state);
        let node = state.nodes.get(&node)?;
        (!matches!(node.phase, Phase::Returned(_))).then_some(node.original)
    }

    /// Takes pages for one node, the last of which stays shut.
    fn take_pages(&self, verifier: &Verifier, count: usize) -> Option<Range<usize>> {
        let mut found = Vec::new();
        let mut state = hold(&self.state);
        let memory = verifier.config().lent;
        let pages = {
            let rooms = state.rooms.get_or_insert_with(|| Rooms::new(memory, verifier));
            let total = rooms.as_ref()?.pages();
            state.find_pages(count, total)?
        };
        found.extend(state.forget(&pages));
        let opened = state.rooms.as_ref()?.as_ref()?.open(pages.start..pages.end - 1);
        if opened {
            state.next_page = pages.end;
            state.lent_pages.insert(pages.start, pages.end);
        }
        drop(state);
        verifier.report(found);
        opened.then_some(pages)
    }

    fn not_lent(&self, address: usize, is_in_list: bool) -> Finding {
        let state = hold(&self.state);
        let object = Object { kind: ObjectKind::Indication, address };
        match state.nodes.get(&address) {
            Some(node) => {
                let what = if is_in_list { "is in the list twice" } else { "was given back already" };
                let message = format!("WskRelease of the indication at {address:#x}, which {what}");
                let finding = Finding::new(Rule::IndicationReleasedTwice, object, message).here();
                node.describe(finding)
            }
            None => {
                let message = format!("WskRelease of the indication at {address:#x}, which is not lent");
                Finding::new(Rule::IndicationNotLent, object, message).here()
            }
        }
    }
}
