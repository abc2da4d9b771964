//! Received data that comes in another shape than the provider gave it.

// UNSAFETY: changes indications before the client sees them, and back before the provider does.
#![expect(unsafe_code, reason = "indications are reached by address")]

use std::collections::HashMap;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use skua_engine::abi::cmsg::{CMSGHDR, ControlMessage, wsa_cmsg_data, wsa_cmsg_firsthdr, wsa_cmsg_nxthdr};
use skua_engine::abi::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_BUF;

use super::chain::{Chain, Shape};
use super::node::{Node, relink, set_list};
use super::{Quirk, Split};
use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::middleware::{Arguments, Call, Event, EventArguments, Middleware, lower};

/// Changes what is indicated.
#[derive(Debug)]
pub(super) struct Changed {
    quirk: Quirk,
    random: AtomicU64,
    /// What the indications that clients have were, by address.
    originals: Mutex<HashMap<usize, Original>>,
}

/// What an indication was, and what it leads to instead.
#[derive(Debug)]
struct Original {
    buffer: WSK_BUF,
    control: (*mut CMSGHDR, u32),
    _chain: Option<Chain>,
}

// SAFETY: the pointers are the provider's, put back where they came from and not followed.
unsafe impl Send for Original {}

impl Changed {
    pub(super) fn new(quirk: Quirk) -> Self {
        let seed = if let Quirk::SplitChains(Split::Seeded(seed)) = quirk { seed } else { 0 };
        Self { quirk, random: AtomicU64::new(seed), originals: Mutex::default() }
    }

    /// Gives a node its other shape.
    ///
    /// # Safety
    /// The node is lent.
    unsafe fn change(&self, kernel: &HostKernel, node: Node) {
        // SAFETY: the caller's promise.
        let buffer = unsafe { node.buffer() };
        // SAFETY: as above.
        let control = unsafe { node.control() };
        let mut original = Original { buffer: *buffer, control, _chain: None };
        match self.quirk {
            Quirk::MissingControl => {
                // SAFETY: as above.
                unsafe { node.set_control((null_mut(), 0)) };
            }
            Quirk::NullMdlForEmpty if buffer.Length == 0 => {
                *buffer = WSK_BUF { Mdl: null_mut(), Offset: 0, Length: 0 };
            }
            Quirk::SplitChains(_) | Quirk::UnmappedMdls => {
                // SAFETY: as above.
                let part = unsafe { coalesced(control) };
                let shape = self.shape(buffer.Length, part);
                // SAFETY: as above.
                let Some(chain) = (unsafe { Chain::copy(kernel, buffer, &shape) }) else { return };
                *buffer = chain.buffer();
                original._chain = Some(chain);
            }
            _ => return,
        }
        hold(&self.originals).insert(node.address(), original);
    }

    /// Makes nodes what they were, because the provider gets them back.
    ///
    /// # Safety
    /// The nodes are lent, or being given back.
    unsafe fn restore(&self, nodes: &[Node]) {
        for node in nodes {
            let original = hold(&self.originals).remove(&node.address());
            if let Some(original) = original {
                // SAFETY: the caller's promise.
                unsafe { *node.buffer() = original.buffer };
                // SAFETY: the caller's promise.
                unsafe { node.set_control(original.control) };
            }
        }
    }

    /// What the chain of `bytes` bytes is to look like, which is of datagrams of `part` bytes where it is coalesced.
    fn shape(&self, bytes: usize, part: Option<usize>) -> Shape {
        match self.quirk {
            Quirk::SplitChains(Split::At(place)) if bytes > 1 => {
                let place = 1 + place.saturating_sub(1) % (bytes - 1);
                Shape { cuts: vec![place, place], ..Shape::default() }
            }
            Quirk::SplitChains(Split::Seeded(_)) if bytes > 0 => {
                let mut cuts: Vec<usize> =
                    (0..self.draw(6)).map(|_| 1 + self.draw(bytes)).filter(|&cut| cut < bytes).collect();
                if let Some(&twice) = cuts.first() {
                    cuts.push(twice);
                }
                cuts.sort_unstable();
                Shape { cuts, before: self.draw(20), behind: self.draw(20), is_unmapped: self.draw(4) == 0 }
            }
            Quirk::SplitChains(Split::AcrossParts) => {
                let (first, step) = part.map_or((1, 1), |part| ((part / 2).max(1), part.max(1)));
                Shape { cuts: (first..bytes).step_by(step).take(64).collect(), ..Shape::default() }
            }
            Quirk::UnmappedMdls => Shape { is_unmapped: true, ..Shape::default() },
            _ => Shape::default(),
        }
    }

    /// A number below `limit`, which is not 0.
    fn draw(&self, limit: usize) -> usize {
        // SplitMix64.
        let mut word = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((word ^ (word >> 31)) % limit as u64).unwrap_or_default()
    }

    /// Passes the nodes as lists of one.
    ///
    /// # Safety
    /// The nodes are the whole of the event's list.
    unsafe fn pass_one_by_one(event: &mut Event<'_>, nodes: &[Node]) -> NTSTATUS {
        let mut answers = Vec::new();
        for node in nodes {
            // SAFETY: lent.
            unsafe { node.set_next(None) };
        }
        for (index, &node) in nodes.iter().enumerate() {
            set_list(&mut event.arguments, node);
            let answer = event.pass();
            // The provider can be told this of the whole only: the first decides, and a later one is lost.
            if index == 0 && !matches!(answer, STATUS_SUCCESS | STATUS_PENDING) {
                relink(nodes);
                return answer;
            }
            answers.push(answer == STATUS_PENDING);
        }
        if !answers.contains(&true) {
            relink(nodes);
            return STATUS_SUCCESS;
        }
        // The provider takes back nothing by itself now.
        for (&node, retained) in nodes.iter().zip(answers) {
            if !retained {
                lower::release(event.socket(), node.arguments());
            }
        }
        STATUS_PENDING
    }
}

/// The size of the parts of a coalesced buffer.
///
/// # Safety
/// The control area is lent.
unsafe fn coalesced((control, bytes): (*mut CMSGHDR, u32)) -> Option<usize> {
    let bytes = bytes as usize;
    let mut message = wsa_cmsg_firsthdr(control, bytes);
    while !message.is_null() {
        // SAFETY: a message begins here.
        let header = unsafe { message.read_unaligned() };
        if header.message() == ControlMessage::UDP_COALESCED_INFO {
            // SAFETY: its payload is a DWORD.
            let size = unsafe { wsa_cmsg_data(message).cast::<u32>().read_unaligned() };
            return usize::try_from(size).ok();
        }
        // SAFETY: a message of this area.
        message = unsafe { wsa_cmsg_nxthdr(control, bytes, message) };
    }
    None
}

impl Middleware for Changed {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let first = match call.arguments {
            Arguments::ReleaseDatagrams { datagram_indication } => Node::Datagram(datagram_indication),
            Arguments::ReleaseData { data_indication } => Node::Data(data_indication),
            _ => return call.pass(),
        };
        // SAFETY: the client's contract: a list that it gives back.
        let nodes = unsafe { Node::list(first) };
        // SAFETY: as above.
        unsafe { self.restore(&nodes) };
        call.pass()
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        let first = match event.arguments {
            EventArguments::ReceiveFrom { data_indication, .. } => Node::Datagram(data_indication),
            EventArguments::Receive { data_indication, .. } => Node::Data(data_indication),
            _ => return event.pass(),
        };
        // SAFETY: the provider's contract: a list that it lends.
        let nodes = unsafe { Node::list(first) };
        let is_stream = matches!(first, Node::Data(_));
        match self.quirk {
            // Of a stream the order matters, and bytes are accepted of the whole list.
            Quirk::OneByOne | Quirk::Reversed if is_stream || nodes.len() < 2 => event.pass(),
            // SAFETY: as above.
            Quirk::OneByOne => unsafe { Self::pass_one_by_one(event, &nodes) },
            Quirk::Reversed => {
                let reversed: Vec<Node> = nodes.iter().rev().copied().collect();
                relink(&reversed);
                set_list(&mut event.arguments, reversed[0]);
                let status = event.pass();
                if status != STATUS_PENDING {
                    relink(&nodes);
                }
                status
            }
            _ => {
                let kernel = event.kernel().clone();
                for &node in &nodes {
                    // SAFETY: as above.
                    unsafe { self.change(&kernel, node) };
                }
                let status = event.pass();
                if status != STATUS_PENDING {
                    // SAFETY: not retained.
                    unsafe { self.restore(&nodes) };
                }
                status
            }
        }
    }
}
