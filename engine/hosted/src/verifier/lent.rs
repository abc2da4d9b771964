//! Rules of indications: who has each node, and that nothing of it is touched by who has not.
//!
//! The client gets copies, made here of what the provider lends, so that this works in front of any provider and leaves the
//! provider's receive path as it is. A node and all it leads to lie in pages of their own:
//!
//! ```text
//! | indication | MDLs | control messages | address |  ...  |    data | guard |
//! '- a page, or as many as it takes -----------------'     '- ends with a page, so that a byte beyond it is a fault
//! ```
//!
//! The shape of the MDL chain is that of the provider's: the same number of MDLs, of the same lengths, mapped or not. Behind
//! the length of the datagram there is no memory.

// UNSAFETY: copies indications, which are linked by address.
#![expect(unsafe_code, reason = "lent memory is reached by address")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::ptr;
use std::sync::Mutex;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL, mm_initialize_mdl, mm_size_of_mdl,
};
use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::wsk::{WSK_BUF, WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION};

use super::buffers::described;
use super::rooms::{PAGE, Rooms};
use super::{Finding, Object, ObjectKind, Rule, Stack, Verifier};
use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::middleware::LayeredSocket;

/// Nodes that came back and are remembered.
const REMEMBERED: usize = 4096;
/// MDLs of one node at most that are copied.
const MDLS: usize = 4096;

/// What one verified kernel has lent.
#[derive(Default)]
pub(crate) struct Lent {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Made when something is first lent; `Some(None)` where there are none to be had.
    rooms: Option<Option<Rooms>>,
    /// By the address that the client has, which is where the first of its pages begins, if it has any.
    nodes: BTreeMap<usize, Node>,
    /// The pages of the nodes that are lent, each run by its first.
    lent_pages: BTreeMap<usize, usize>,
    /// Where to look for free pages first.
    next_page: usize,
    /// Nodes that came back, oldest first.
    returned: VecDeque<usize>,
}

/// A node that the client has or had.
struct Node {
    /// The provider's.
    original: usize,
    socket: usize,
    /// The client's socket was made here.
    created: Option<Stack>,
    /// The pages it lies in, and the guard behind them. Empty where there were none: then the client has the original.
    pages: Range<usize>,
    phase: Phase,
    /// The touch is found already, and the pages are open.
    is_exposed: bool,
}

#[derive(Clone)]
enum Phase {
    /// In a callback that has not returned.
    Indicated,
    /// The callback returned STATUS_PENDING.
    Retained,
    Returned(Stack),
}

/// What both kinds of indication have.
pub(crate) trait Indication: Copy {
    fn next(&self) -> *mut Self;
    fn set_next(&mut self, next: *mut Self);
    fn buffer(&mut self) -> &mut WSK_BUF;
    /// The control messages, and the address.
    fn rest(&mut self) -> Option<&mut WSK_DATAGRAM_INDICATION> {
        None
    }
}

impl Indication for WSK_DATAGRAM_INDICATION {
    fn next(&self) -> *mut Self {
        self.Next
    }
    fn set_next(&mut self, next: *mut Self) {
        self.Next = next;
    }
    fn buffer(&mut self) -> &mut WSK_BUF {
        &mut self.Buffer
    }
    fn rest(&mut self) -> Option<&mut WSK_DATAGRAM_INDICATION> {
        Some(self)
    }
}

impl Indication for WSK_DATA_INDICATION {
    fn next(&self) -> *mut Self {
        self.Next
    }
    fn set_next(&mut self, next: *mut Self) {
        self.Next = next;
    }
    fn buffer(&mut self) -> &mut WSK_BUF {
        &mut self.Buffer
    }
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
            let pages = self.lent.take_pages(self, plan.meta_pages + plan.data_pages + 1);
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
                is_exposed: false,
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
                node.is_exposed = true;
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
        state.next_page = pages.end;
        state.lent_pages.insert(pages.start, pages.end);
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

impl State {
    /// Pages that no node has which is lent, as long after they were last used as there are others.
    fn find_pages(&self, count: usize, total: usize) -> Option<Range<usize>> {
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
    fn forget(&mut self, pages: &Range<usize>) -> Vec<Finding> {
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

    fn give_back(&mut self, address: usize, here: Stack) {
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
    fn describe(&self, finding: Finding) -> Finding {
        let finding = finding.created(self.created.clone());
        match &self.phase {
            Phase::Returned(at) => finding.related("given back", Some(at)),
            Phase::Indicated | Phase::Retained => finding,
        }
    }

    fn touched(&self, node: usize, address: usize) -> Finding {
        let what = match self.phase {
            Phase::Returned(_) => "which was given back",
            Phase::Indicated | Phase::Retained => "beyond its data",
        };
        let object = Object { kind: ObjectKind::Indication, address: node };
        let message = format!("memory of the indication at {node:#x} was touched at {address:#x}, {what}");
        self.describe(Finding::new(Rule::LentMemoryTouched, object, message))
    }
}

/// How a node is copied.
struct Plan {
    /// The provider's MDLs in order, with the bytes of each that are copied.
    mdls: Vec<(*mut MDL, usize)>,
    meta_pages: usize,
    data_pages: usize,
    data_bytes: usize,
}

/// Room for an indication of either kind.
const HEAD: usize = 64;

impl Plan {
    /// # Safety
    /// The indication is what a provider indicates.
    unsafe fn of<T: Indication>(mut indication: T) -> Self {
        let buffer = *indication.buffer();
        let mut left = (buffer.Offset as usize).saturating_add(buffer.Length);
        let (mut mdls, mut meta, mut data) = (Vec::new(), HEAD, 0);
        let mut mdl = buffer.Mdl;
        while !mdl.is_null() && mdls.len() < MDLS {
            // SAFETY: the caller's promise.
            let header = unsafe { mdl.read() };
            let bytes = left.min(header.ByteCount as usize);
            left -= bytes;
            data += bytes;
            meta += room_of_mdl(header.ByteCount as usize);
            mdls.push((mdl, bytes));
            mdl = header.Next;
        }
        let control = indication.rest().map_or(0, |rest| rest.ControlInfoLength as usize);
        meta += control.next_multiple_of(8) + size_of::<SOCKADDR_INET>().next_multiple_of(8);
        Self { mdls, meta_pages: meta.div_ceil(PAGE), data_pages: data.div_ceil(PAGE), data_bytes: data }
    }

    /// Copies what `indication` leads to, and it, to `place`.
    ///
    /// # Safety
    /// `place` has the pages of the plan, which are writable.
    unsafe fn copy<T: Indication>(&self, kernel: &HostKernel, mut indication: T, place: usize) -> *mut T {
        let node: *mut T = ptr::with_exposed_provenance_mut(place);
        let mut meta: *mut u8 = node.cast::<u8>().wrapping_add(HEAD);
        let end = (self.meta_pages + self.data_pages) * PAGE;
        let mut data = node.cast::<u8>().wrapping_add(end - self.data_bytes);
        let mut copies: Vec<*mut MDL> = Vec::with_capacity(self.mdls.len());
        for (original, bytes) in &self.mdls {
            let copy = meta.cast::<MDL>();
            // SAFETY: the provider's, and room was counted for the copy.
            unsafe { copy_mdl(kernel, *original, copy, data, *bytes) };
            // SAFETY: the provider's.
            meta = meta.wrapping_add(room_of_mdl(unsafe { (**original).ByteCount } as usize));
            data = data.wrapping_add(*bytes);
            copies.push(copy);
        }
        for pair in copies.windows(2) {
            // SAFETY: a copy.
            unsafe { (*pair[0]).Next = pair[1] };
        }
        indication.buffer().Mdl = copies.first().copied().unwrap_or_default();
        if let Some(rest) = indication.rest() {
            let bytes = rest.ControlInfoLength as usize;
            if !rest.ControlInfo.is_null() {
                // SAFETY: so many bytes are the provider's to read, and room was counted for them.
                unsafe { ptr::copy_nonoverlapping(rest.ControlInfo.cast::<u8>(), meta, bytes) };
                rest.ControlInfo = meta.cast();
                meta = meta.wrapping_add(bytes.next_multiple_of(8));
            }
            if !rest.RemoteAddress.is_null() {
                // SAFETY: an address of the provider's.
                let address = unsafe { SOCKADDR_INET::read(rest.RemoteAddress) };
                // SAFETY: room was counted for it.
                unsafe { meta.cast::<SOCKADDR_INET>().write(address.unwrap_or(SOCKADDR_INET::UNSPEC)) };
                rest.RemoteAddress = meta.cast::<SOCKADDR_INET>().cast::<_>() as PSOCKADDR;
            }
        }
        // SAFETY: room was counted for it.
        unsafe { node.write(indication) };
        node
    }
}

/// Bytes of an MDL for a range of `bytes` bytes wherever it begins.
fn room_of_mdl(bytes: usize) -> usize {
    mm_size_of_mdl(PAGE - 1, bytes).unwrap_or(0).next_multiple_of(8)
}

/// # Safety
/// `original` is readable, as are `bytes` of what it describes; `copy` has the room of its range, and `data` of the bytes.
unsafe fn copy_mdl(kernel: &HostKernel, original: *mut MDL, copy: *mut MDL, data: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise.
    let header = unsafe { original.read() };
    // SAFETY: the caller's promise.
    let from = unsafe { described(original) };
    // SAFETY: the caller's promise; the rooms are apart from the provider's memory.
    unsafe { ptr::copy_nonoverlapping(ptr::with_exposed_provenance::<u8>(from), data, bytes) };
    // SAFETY: the caller's promise.
    unsafe { mm_initialize_mdl(copy, data.cast(), header.ByteCount) };
    // SAFETY: as above.
    unsafe { kernel.mm_build_mdl_for_non_paged_pool(copy) };
    if header.MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) == 0 {
        // SAFETY: as above.
        unsafe { (*copy).MappedSystemVa = ptr::null_mut() };
    }
    // SAFETY: as above.
    unsafe { (*copy).MdlFlags = header.MdlFlags };
}
