//! Lists of indications that were built by hand.

// UNSAFETY: builds indications and MDLs, and follows those that it built.
#![expect(unsafe_code, reason = "indications are linked by address")]

use std::cell::UnsafeCell;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use skua_engine::Kernel;
use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::nt::{
    MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_SOURCE_IS_NONPAGED_POOL, PFN_NUMBER,
    address_and_size_to_span_pages, mm_initialize_mdl,
};
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::wsk::{WSK_BUF, WSK_DATAGRAM_INDICATION};

use super::{Control, Injected};
use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::receive::{Arrival, CONTROL_BYTES, ControlWriter, Wanted, mapped};

/// The lists that were injected into one socket.
#[derive(Default)]
pub(crate) struct Injections {
    lists: Mutex<Vec<Arc<List>>>,
}

impl Injections {
    pub(super) fn add(&self, list: Arc<List>) {
        let mut lists = hold(&self.lists);
        lists.retain(|known| Arc::strong_count(known) > 1 || known.lent() > 0);
        lists.push(list);
    }

    pub(super) fn remove(&self, list: &Arc<List>) {
        hold(&self.lists).retain(|known| !Arc::ptr_eq(known, list));
    }

    pub(crate) fn is_lent(&self, indication: *const WSK_DATAGRAM_INDICATION) -> bool {
        hold(&self.lists).iter().any(|list| list.is_lent(indication))
    }

    /// The client gives a node back; false when it was not lent.
    pub(crate) fn release(&self, indication: *const WSK_DATAGRAM_INDICATION) -> bool {
        hold(&self.lists).iter().any(|list| list.give_up(indication))
    }

    /// How many nodes are lent.
    pub(crate) fn lent(&self) -> usize {
        hold(&self.lists).iter().map(|list| list.lent()).sum()
    }
}

/// Nodes at fixed addresses, with everything they lead to.
///
/// # Invariants
/// Each node's indication leads to its own MDLs, address and control messages, none of which moves. A node is lent when
/// its mark is set and `lent` is not 0, so that taking all of them back is one exchange.
pub(super) struct List {
    nodes: Box<[Node]>,
    /// How many nodes the client has.
    lent: AtomicUsize,
    /// Set by the thread that indicates the list, from before it arms the nodes until it has dealt with the verdict.
    indicating: AtomicBool,
    /// Whether a mapping has to be undone before the nodes are indicated again.
    has_unmapped: bool,
}

/// A node: what each indication touches lies in its first 64 bytes.
#[repr(C, align(64))]
struct Node {
    indication: UnsafeCell<WSK_DATAGRAM_INDICATION>,
    /// 1 until the client releases it.
    mark: AtomicU32,
    parts: Vec<Part>,
    _address: Pin<Box<UnsafeCell<SOCKADDR_INET>>>,
    _control: Box<[UnsafeCell<u64>]>,
}

/// One MDL and what it describes.
struct Part {
    /// Header and page numbers.
    mdl: Box<[UnsafeCell<PFN_NUMBER>]>,
    bytes: Vec<u8>,
    unmapped: bool,
}

// SAFETY: who may touch a node is settled by the marks, as for receive blocks; the rest does not change.
unsafe impl Send for List {}
// SAFETY: as above.
unsafe impl Sync for List {}

impl List {
    /// Claims the list for one indication; false while another thread indicates it or the client has nodes of it.
    pub(super) fn claim(&self) -> bool {
        if self.indicating.swap(true, Ordering::Acquire) {
            return false;
        }
        let free = self.lent() == 0;
        if !free {
            self.unclaim();
        }
        free
    }

    /// Ends what [`List::claim`] began.
    pub(super) fn unclaim(&self) {
        self.indicating.store(false, Ordering::Release);
    }

    pub(super) fn build(kernel: &HostKernel, datagrams: &[Injected], maps: bool) -> Self {
        Self {
            nodes: datagrams.iter().map(|datagram| Node::build(kernel, datagram, maps)).collect(),
            lent: AtomicUsize::new(0),
            indicating: AtomicBool::new(false),
            has_unmapped: datagrams.iter().any(|datagram| datagram.unmapped),
        }
    }

    /// Links and marks the nodes, none of which is lent, and returns the first. A client changes nothing else of an
    /// indication than its link, and of an MDL than its mapping.
    pub(super) fn arm(&self) -> *mut WSK_DATAGRAM_INDICATION {
        if self.has_unmapped {
            self.nodes.iter().flat_map(|node| &node.parts).for_each(Part::unmap);
        }
        let mut next = std::ptr::null_mut();
        for node in self.nodes.iter().rev() {
            let indication = node.indication.get();
            // SAFETY: the node is not lent, so this is its only user.
            unsafe { (*indication).Next = next };
            node.mark.store(1, Ordering::Relaxed);
            next = indication;
        }
        self.lent.store(self.nodes.len(), Ordering::Release);
        next
    }

    /// Takes the nodes back after the callback; how many the client had not released inside it.
    pub(super) fn disarm(&self) -> usize {
        self.lent.swap(0, Ordering::AcqRel)
    }

    /// How many nodes the client has.
    pub(super) fn lent(&self) -> usize {
        self.lent.load(Ordering::Acquire)
    }

    /// Whether `indication` is one of this list's and lent.
    fn is_lent(&self, indication: *const WSK_DATAGRAM_INDICATION) -> bool {
        self.lent() > 0 && self.find(indication).is_some_and(|node| node.mark.load(Ordering::Acquire) == 1)
    }

    /// The client gives a node back; false when it was not lent.
    fn give_up(&self, indication: *const WSK_DATAGRAM_INDICATION) -> bool {
        let is_lent = self.lent() > 0
            && self.find(indication).is_some_and(|node| node.mark.swap(0, Ordering::AcqRel) == 1);
        if is_lent {
            self.lent.fetch_sub(1, Ordering::AcqRel);
        }
        is_lent
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The address ranges of the payload, one for each part.
    pub(super) fn payload_ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let parts = self.nodes.iter().flat_map(|node| &node.parts);
        parts.map(|part| part.bytes.as_ptr_range()).map(|range| range.start.addr()..range.end.addr())
    }

    fn find(&self, indication: *const WSK_DATAGRAM_INDICATION) -> Option<&Node> {
        self.nodes.iter().find(|node| node.indication.get().cast_const() == indication)
    }
}

impl Node {
    fn build(kernel: &HostKernel, datagram: &Injected, maps: bool) -> Self {
        let source = match datagram.source {
            v4 @ SocketAddr::V4(_) if maps => SocketAddr::new(mapped(v4.ip()).into(), v4.port()),
            source => source,
        };
        let address = Box::pin(UnsafeCell::new(SOCKADDR_INET::from(source)));
        let (control, control_length) = datagram.control.build(datagram.source.is_ipv4());
        let parts: Vec<Part> =
            datagram.parts.iter().map(|bytes| Part::build(kernel, bytes, datagram.unmapped)).collect();
        let chained = parts.iter().zip(parts.iter().skip(1).map(Part::mdl).chain([std::ptr::null_mut()]));
        for (part, next) in chained {
            // SAFETY: the part's own MDL, which nobody uses yet.
            unsafe { (*part.mdl()).Next = next };
        }
        let whole: usize = datagram.parts.iter().map(Vec::len).sum();
        let length = datagram.length.unwrap_or(whole.saturating_sub(datagram.offset as usize));
        let built = WSK_DATAGRAM_INDICATION {
            Next: std::ptr::null_mut(),
            Buffer: WSK_BUF {
                Mdl: parts.first().map_or(std::ptr::null_mut(), Part::mdl),
                Offset: datagram.offset,
                Length: length,
            },
            ControlInfo: if control_length == 0 {
                std::ptr::null_mut()
            } else {
                control.as_ptr().cast_mut().cast::<CMSGHDR>()
            },
            ControlInfoLength: u32::try_from(control_length).unwrap_or_default(),
            RemoteAddress: address.get().cast(),
        };
        Self {
            indication: UnsafeCell::new(built),
            mark: AtomicU32::new(0),
            parts,
            _address: address,
            _control: control,
        }
    }
}

impl Control {
    /// The messages, in words so that they are aligned, and their length in bytes.
    fn build(&self, is_v4: bool) -> (Box<[UnsafeCell<u64>]>, usize) {
        let room = match self {
            Self::Raw(bytes) => bytes.len(),
            _ => CONTROL_BYTES,
        };
        let words: Box<[UnsafeCell<u64>]> = (0..room.div_ceil(8)).map(|_| UnsafeCell::new(0)).collect();
        let area = words.as_ptr().cast_mut().cast::<u8>();
        let used = match self {
            Self::Missing => 0,
            Self::Raw(bytes) => {
                // SAFETY: the words were made for so many bytes.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), area, bytes.len()) };
                bytes.len()
            }
            Self::Facts(facts) => {
                let arrival = Arrival {
                    destination: facts.destination,
                    type_of_service: facts.type_of_service,
                    hop_limit: facts.hop_limit,
                    time: facts.time,
                    error: None,
                };
                // SAFETY: the words are this function's, aligned to 8, and `room` bytes long.
                let mut writer = unsafe { ControlWriter::new(area, room) };
                arrival.write(ALL, is_v4, &mut writer);
                if let Some(size) = facts.coalesced {
                    writer.coalesced(size);
                }
                writer.used()
            }
        };
        (words, used)
    }
}

/// Every message but ECN alone, which TOS contains.
const ALL: u32 = Wanted::PACKET_INFO_V4
    | Wanted::PACKET_INFO_V6
    | Wanted::TYPE_OF_SERVICE_V4
    | Wanted::TYPE_OF_SERVICE_V6
    | Wanted::HOP_LIMIT_V4
    | Wanted::HOP_LIMIT_V6
    | Wanted::TIMESTAMPS;

impl Part {
    fn build(kernel: &HostKernel, bytes: &[u8], unmapped: bool) -> Self {
        // Never without memory, so that an empty part has an address too.
        let mut copy = Vec::with_capacity(bytes.len().max(1));
        copy.extend_from_slice(bytes);
        let pages = address_and_size_to_span_pages(copy.as_ptr().addr(), bytes.len());
        let words = size_of::<MDL>() / size_of::<PFN_NUMBER>() + pages;
        let part = Self { mdl: (0..words).map(|_| UnsafeCell::new(0)).collect(), bytes: copy, unmapped };
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        // SAFETY: room for the header and one number a page, and nobody else uses it.
        unsafe { mm_initialize_mdl(part.mdl(), part.bytes.as_ptr().cast_mut().cast(), length) };
        // SAFETY: as above.
        unsafe { kernel.mm_build_mdl_for_non_paged_pool(part.mdl()) };
        part
    }

    fn mdl(&self) -> *mut MDL {
        self.mdl.as_ptr().cast_mut().cast()
    }

    /// Takes the system address away again, which a client got by mapping.
    fn unmap(&self) {
        if !self.unmapped {
            return;
        }
        let mdl = self.mdl();
        // SAFETY: the part's own MDL, and its node is not lent.
        let flags = unsafe { (*mdl).MdlFlags };
        let flags = flags & !(MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) | MDL_PAGES_LOCKED;
        // SAFETY: as above.
        unsafe { (*mdl).MdlFlags = flags };
        // SAFETY: as above.
        unsafe { (*mdl).MappedSystemVa = std::ptr::null_mut() };
    }
}
