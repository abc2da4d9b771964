//! Network buffer lists built by hand.

// UNSAFETY: builds lists, buffers and MDLs as NDIS lays them out.
#![expect(unsafe_code, reason = "lists are built by address")]

use std::ptr::null_mut;

use skua_engine::Kernel;
use skua_engine::abi::ndis::{NET_BUFFER, NET_BUFFER_LIST};
use skua_engine::abi::nt::{MDL, mm_initialize_mdl};
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;

/// One buffer to be: its used data, and where it is cut into MDLs.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// Unused bytes before the used data, as lower layers leave them.
    pub before: usize,
    /// Headers and payload.
    pub data: Vec<u8>,
    /// Positions in `data` where another MDL begins; two equal ones make an empty MDL.
    pub cuts: Vec<usize>,
    /// What DataLength says, if not the truth.
    pub claims: Option<usize>,
    /// What CurrentMdlOffset says, if not the truth.
    pub offset: Option<u32>,
    /// MDLs that were not mapped yet.
    pub unmapped: bool,
}

impl Packet {
    pub(crate) fn new(data: &[u8], cuts: &[usize]) -> Self {
        Self {
            before: 0,
            data: data.to_vec(),
            cuts: cuts.to_vec(),
            claims: None,
            offset: None,
            unmapped: false,
        }
    }
}

/// A chain of lists, and the memory it lies in.
#[expect(clippy::vec_box, reason = "what is linked stays where it is while the vectors grow")]
pub(crate) struct Packets {
    lists: Vec<Box<NET_BUFFER_LIST>>,
    buffers: Vec<Box<NET_BUFFER>>,
    _mdls: Vec<Box<[u64; 64]>>,
    _bytes: Vec<Box<[u8]>>,
}

// SAFETY: addresses of memory that the value owns.
unsafe impl Send for Packets {}

impl Packets {
    /// Lists of the packets in each of `lists`.
    pub(crate) fn new(kernel: &HostKernel, lists: &[Vec<Packet>]) -> Self {
        let mut all = Self { lists: Vec::new(), buffers: Vec::new(), _mdls: Vec::new(), _bytes: Vec::new() };
        for packets in lists {
            let first = all.buffers.len();
            for packet in packets {
                let buffer = all.buffer(kernel, packet);
                all.buffers.push(Box::new(buffer));
            }
            for index in first + 1..all.buffers.len() {
                let next: *mut NET_BUFFER = &raw mut *all.buffers[index];
                all.buffers[index - 1].Next = next;
            }
            let mut list: NET_BUFFER_LIST = zeroed();
            list.FirstNetBuffer = all.buffers.get_mut(first).map_or(null_mut(), |buffer| &raw mut **buffer);
            all.lists.push(Box::new(list));
        }
        for index in 1..all.lists.len() {
            let next: *mut NET_BUFFER_LIST = &raw mut *all.lists[index];
            all.lists[index - 1].Next = next;
        }
        all
    }

    /// The first list.
    pub(crate) fn first(&mut self) -> *mut NET_BUFFER_LIST {
        self.lists.first_mut().map_or(null_mut(), |list| &raw mut **list)
    }

    /// The position of a buffer among all.
    pub(crate) fn position(&self, buffer: *const NET_BUFFER) -> usize {
        self.buffers.iter().position(|other| std::ptr::eq(&raw const **other, buffer)).expect("one of these")
    }

    fn buffer(&mut self, kernel: &HostKernel, packet: &Packet) -> NET_BUFFER {
        let bytes = [vec![0xee; packet.before], packet.data.clone()].concat();
        let mut bytes = bytes.into_boxed_slice();
        let mut edges = vec![0];
        edges.extend(packet.cuts.iter().map(|cut| packet.before + cut));
        edges.push(bytes.len());
        let mut mdls: Vec<*mut MDL> = Vec::new();
        for edge in edges.windows(2) {
            let mut room = Box::new([0_u64; 64]);
            let mdl = room.as_mut_ptr().cast::<MDL>();
            let base = bytes[edge[0]..].as_mut_ptr().cast();
            let length = u32::try_from(edge[1] - edge[0]).unwrap();
            // SAFETY: the room is for the header and the pages of 64 KiB.
            unsafe { mm_initialize_mdl(mdl, base, length) };
            // SAFETY: initialised over memory that is never paged here.
            unsafe { kernel.mm_build_mdl_for_non_paged_pool(mdl) };
            if packet.unmapped {
                // SAFETY: built just now.
                unsafe { (*mdl).MdlFlags = skua_engine::abi::nt::MDL_PAGES_LOCKED };
                // SAFETY: as above.
                unsafe { (*mdl).MappedSystemVa = null_mut() };
            }
            if let Some(&before) = mdls.last() {
                // SAFETY: built before.
                unsafe { (*before).Next = mdl };
            }
            mdls.push(mdl);
            self._mdls.push(room);
        }
        self._bytes.push(bytes);
        let mut buffer: NET_BUFFER = zeroed();
        buffer.MdlChain = mdls[0];
        buffer.CurrentMdl = mdls[0];
        buffer.DataOffset = u32::try_from(packet.before).unwrap();
        buffer.CurrentMdlOffset = packet.offset.unwrap_or(buffer.DataOffset);
        buffer.DataLength = packet.claims.unwrap_or(packet.data.len());
        buffer
    }
}
