//! A packet socket with its TPACKET_V3 ring, mapped.
//!
//! ```text
//!   kernel fills --full, or the time-out--> user: frames are lent --all given back--> kernel
//! ```
//!
//! Blocks are handed over in order, by the status word of each: whoever has a block is alone with it, except for that word.

// UNSAFETY: maps the ring, and reaches its blocks by address.
#![expect(unsafe_code, reason = "the ring is memory that the kernel shares")]

use std::io::{Error, Result};
use std::net::IpAddr;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use bytemuck::{NoUninit, Pod, Zeroable};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use socket2::{Domain, SockRef, Socket, Type};

use super::filter;
use super::wire::{self, Version};
use crate::os::linux::sockopt;

const _: () = assert!(wire::CHECKSUM_NOT_READY == libc::TP_STATUS_CSUMNOTREADY);
const _: () = assert!(wire::CHECKSUM_VALID == libc::TP_STATUS_CSUM_VALID);

/// Bytes of a block: with room for the largest frame, 64 KiB and its headers, and for some thousand small ones, so that
/// waking up costs little. It fits into a processor's cache of the second level.
pub(super) const BLOCK_BYTES: usize = 512 << 10;
/// A ring has at least so many: one that the kernel fills, one that is lent, and two for what lies between.
const LEAST_BLOCKS: usize = 4;
/// And at most so many, 1 GiB.
const MOST_BLOCKS: usize = 2048;

/// `tp_frame_size` has no meaning in this version but has to divide the block.
const FRAME_BYTES: u32 = 2048;
/// `enum tpacket_versions`.
const TPACKET_V3: u32 = 2;
/// Where `block_status` lies in `struct tpacket_block_desc`.
const STATUS_AT: usize = 8;

/// `struct tpacket_req3`.
#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct Request {
    block_bytes: u32,
    blocks: u32,
    frame_bytes: u32,
    frames: u32,
    /// ms.
    timeout: u32,
    private_bytes: u32,
    features: u32,
}

/// `struct sockaddr_ll`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct LinkAddress {
    family: u16,
    /// In network byte order.
    protocol: u16,
    interface: u32,
    _hardware: u16,
    _kind: u8,
    _bytes: u8,
    _address: [u8; 8],
}

/// What a ring is opened with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) version: Version,
    /// Bytes that are asked for.
    pub(super) bytes: usize,
    /// After so many ms a block that is not full is handed over.
    pub(super) timeout: u32,
}

/// What a ring is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) local: IpAddr,
    pub(super) port: u16,
    /// 0 for all interfaces.
    pub(super) interface: u32,
}

/// A packet socket and its ring.
///
/// # Invariants
/// `memory` is mapped for `blocks * BLOCK_BYTES` bytes until this is dropped.
pub(super) struct Ring {
    socket: Socket,
    version: Version,
    memory: NonNull<u8>,
    blocks: usize,
    has_offload: bool,
}

// SAFETY: the addresses are of shared memory, which has no affinity to a thread; who may touch a block is settled by its
// status word.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

/// Whether this process may open packet sockets.
pub(crate) fn check() -> Result<()> {
    open_socket().map(drop)
}

/// A packet socket that hears nothing until it is bound.
fn open_socket() -> Result<Socket> {
    Socket::new(Domain::from(libc::AF_PACKET), Type::RAW, None)
}

impl Ring {
    /// Opens a ring, which hears nothing yet. All memory is taken here.
    pub(super) fn open(shape: Shape) -> Result<Self> {
        let socket = open_socket()?;
        set(&socket, libc::PACKET_VERSION, TPACKET_V3)?;
        // A kernel that refuses it shows joined datagrams as one of their whole length.
        let has_offload = set(&socket, libc::PACKET_VNET_HDR, 1u32).is_ok();
        filter::attach(&SockRef::from(&socket), &filter::nothing())?;
        let blocks = shape.bytes.div_ceil(BLOCK_BYTES).clamp(LEAST_BLOCKS, MOST_BLOCKS);
        let [block_bytes, count] = [BLOCK_BYTES, blocks].map(|it| u32::try_from(it).unwrap_or_default());
        let request = Request {
            block_bytes,
            blocks: count,
            frame_bytes: FRAME_BYTES,
            frames: block_bytes / FRAME_BYTES * count,
            timeout: shape.timeout,
            private_bytes: 0,
            features: 0,
        };
        set(&socket, libc::PACKET_RX_RING, request)?;
        let (protection, length) = (ProtFlags::READ | ProtFlags::WRITE, blocks * BLOCK_BYTES);
        // SAFETY: a new mapping, at an address of the kernel's choice.
        let memory = unsafe { mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, &socket, 0) }?;
        let memory = NonNull::new(memory.cast()).ok_or_else(Error::last_os_error)?;
        Ok(Self { socket, version: shape.version, memory, blocks, has_offload })
    }

    /// Lets frames in that the stack takes as packets of the ring's version, behind VLANs, bridges and bonds and before
    /// netfilter: only then are those of one datagram seen once, on the interface that it belongs to.
    pub(super) fn bind(&self, place: &Place) -> Result<()> {
        filter::attach(&self.sock(), &filter::to_port(self.version, place.local, place.port))?;
        let protocol = match self.version {
            Version::V4 => libc::ETH_P_IP,
            Version::V6 => libc::ETH_P_IPV6,
        };
        let address = LinkAddress {
            family: u16::try_from(libc::AF_PACKET).unwrap_or_default(),
            protocol: u16::try_from(protocol).unwrap_or_default().to_be(),
            interface: place.interface,
            ..LinkAddress::zeroed()
        };
        let size = libc::socklen_t::try_from(size_of::<LinkAddress>()).unwrap_or_default();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&self.socket);
        // SAFETY: the address is readable for its size.
        let result = unsafe { libc::bind(descriptor, (&raw const address).cast(), size) };
        if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
    }

    /// Spreads packets among this ring and others by a hash of their flow, and has the kernel put fragments of IPv4
    /// together before: with those of the group `id`, or of a new one. Returns the group.
    pub(super) fn share(&self, id: Option<u16>) -> Result<u16> {
        let defragment = match self.version {
            Version::V4 => libc::PACKET_FANOUT_FLAG_DEFRAG,
            Version::V6 => 0,
        };
        let unique = if id.is_none() { libc::PACKET_FANOUT_FLAG_UNIQUEID } else { 0 };
        let how = libc::PACKET_FANOUT_HASH | defragment | unique;
        set(&self.socket, libc::PACKET_FANOUT, u32::from(id.unwrap_or_default()) | how << 16)?;
        let [group] = sockopt::words(self.socket.as_fd(), libc::SOL_PACKET, libc::PACKET_FANOUT)?;
        let [low, high, ..] = group.to_le_bytes();
        Ok(u16::from_le_bytes([low, high]))
    }

    /// Lets nothing in any more.
    pub(super) fn end(&self) {
        let _ = filter::attach(&self.sock(), &filter::nothing());
    }

    /// Frames that passed the filter and found no room since this was last asked.
    pub(super) fn take_lost(&self) -> u64 {
        // struct tpacket_stats_v3: packets, drops, times that the queue froze.
        let words = sockopt::words::<3>(self.socket.as_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS);
        words.map_or(0, |[_, drops, _]| u64::from(drops))
    }

    /// For the calls of socket2.
    pub(super) fn sock(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// How many blocks it has.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Whether frames have offload headers.
    pub(super) fn has_offload(&self) -> bool {
        self.has_offload
    }

    /// Whether block number `block` has been handed over and not given back.
    pub(super) fn is_ours(&self, block: usize) -> bool {
        self.status(block).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    /// A block that [`Ring::is_ours`].
    pub(super) fn block(&self, block: usize) -> &[u8] {
        // SAFETY: mapped, and nobody writes to it: the kernel will when the block is given back, clients read what they are
        // lent. The status word may be read by the kernel at the same time.
        unsafe { std::slice::from_raw_parts(self.at(block, 0).as_ptr(), BLOCK_BYTES) }
    }

    /// Where the byte at `offset` of a block lies.
    pub(super) fn at(&self, block: usize, offset: usize) -> NonNull<u8> {
        let offset = block.min(self.blocks - 1) * BLOCK_BYTES + offset.min(BLOCK_BYTES);
        // SAFETY: within the mapping, or at its end.
        unsafe { self.memory.add(offset) }
    }

    /// Has the processor fetch `bytes` at `offset` of a block, as far as they lie in it.
    pub(super) fn prefetch(&self, block: usize, offset: usize, bytes: usize) {
        #[cfg(target_arch = "x86_64")]
        for offset in (offset..BLOCK_BYTES.min(offset.saturating_add(bytes))).step_by(64) {
            use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let at = self.at(block, offset).as_ptr().cast_const().cast();
            // SAFETY: a hint, which never faults.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (block, offset, bytes);
    }

    /// The block that `address` lies in.
    pub(super) fn find(&self, address: NonNull<u8>) -> Option<usize> {
        let offset = address.addr().get().checked_sub(self.memory.addr().get())?;
        let block = offset / BLOCK_BYTES;
        (block < self.blocks).then_some(block)
    }

    /// Gives a block back to the kernel. Nobody reads it any more.
    pub(super) fn give_back(&self, block: usize) {
        self.status(block).store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }

    /// The addresses of all blocks.
    pub(super) fn addresses(&self) -> Range<usize> {
        let start = self.memory.addr().get();
        start..start + self.blocks * BLOCK_BYTES
    }

    fn status(&self, block: usize) -> &AtomicU32 {
        let at = self.at(block, STATUS_AT).cast::<AtomicU32>();
        // SAFETY: mapped and aligned; the kernel reads and writes it as one word.
        unsafe { at.as_ref() }
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: this value's mapping, which nobody refers to any more.
        let _ = unsafe { munmap(self.memory.as_ptr().cast(), self.blocks * BLOCK_BYTES) };
    }
}

fn set<T: NoUninit>(socket: &Socket, option: i32, value: T) -> Result<()> {
    sockopt::set(socket.as_fd(), libc::SOL_PACKET, option, value)
}
