//! io_uring: a multishot recvmsg, which fills buffers of a ring as long as there are any.

// UNSAFETY: the kernel writes to buffers that were handed to it.
#![expect(unsafe_code, reason = "buffers are handed to the kernel by address")]

use std::alloc::{Layout, alloc_zeroed};
use std::io;
use std::os::fd::AsRawFd as _;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd, RecvMsgOut};
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::control::{coalesce, segment};
use super::{Listen, Receiver, Take};

/// Buffers in the ring: a power of two.
const BUFFERS: u16 = 256;
const COALESCED_BUFFERS: u16 = 32;

/// What precedes the payload in a buffer: a header of four words, the source, and control messages.
const HEADER: usize = 16;
const NAME: usize = 32;
const CONTROL: usize = 64;

/// The largest that UDP_GRO makes of several.
const LARGEST: usize = 1 << 16;

/// One multishot recvmsg, started anew when it ends.
pub(super) struct Uring {
    pub(super) coalesced: bool,
}

impl Receiver for Uring {
    fn run<T: Take>(&self, listen: &Listen, mut take: T) -> io::Result<()> {
        let socket = listen.socket(|socket| coalesce(socket, self.coalesced))?;
        let mut ring = open()?;
        let (count, room) =
            if self.coalesced { (COALESCED_BUFFERS, LARGEST) } else { (BUFFERS, listen.room()) };
        let mut buffers = Buffers::register(&ring, count, HEADER + NAME + CONTROL + room)?;
        // SAFETY: a header of zeros names no memory. The kernel reads two lengths of it.
        let mut header: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        header.msg_namelen = libc::socklen_t::try_from(NAME).unwrap_or_default();
        header.msg_controllen = CONTROL;
        let start: squeue::Entry =
            opcode::RecvMsgMulti::new(Fd(socket.as_raw_fd()), &raw const *header, 0).build();
        let mut armed = false;
        loop {
            if !armed {
                // SAFETY: the socket and the header live as long as this function, which has no other end than an error.
                unsafe { ring.submission().push(&start) }.map_err(io::Error::other)?;
                armed = true;
            }
            ring.submit_and_wait(1)?;
            for entry in ring.completion() {
                armed &= cqueue::more(entry.flags());
                let Ok(length) = usize::try_from(entry.result()) else {
                    if entry.result() == -libc::ENOBUFS {
                        continue;
                    }
                    return Err(io::Error::from_raw_os_error(-entry.result()));
                };
                let Some(id) = cqueue::buffer_select(entry.flags()) else { continue };
                if let Ok(message) = RecvMsgOut::parse(buffers.filled(id, length), &header) {
                    let payload = message.payload_data();
                    if self.coalesced {
                        let segment = segment(message.control_data()).unwrap_or(payload.len());
                        take.take_coalesced(payload, segment);
                    } else {
                        take.take(payload);
                    }
                }
                buffers.give_back(id);
            }
            buffers.publish();
            take.publish();
        }
    }
}

/// With completions handed over when they are waited for, where the kernel can (6.1).
fn open() -> io::Result<IoUring> {
    let mut best = IoUring::builder();
    best.setup_single_issuer().setup_defer_taskrun().setup_cqsize(1024);
    best.build(8).or_else(|_| IoUring::builder().setup_cqsize(1024).build(8))
}

/// A ring of buffers that the kernel takes from and this program adds to. Lives until the process ends, as the kernel may
/// write there until then.
///
/// # Invariants
/// `entries` is page-aligned and has `count` entries; `first` has `count` buffers of `room` bytes each. The kernel writes to
/// the buffers whose entries lie between its own position and `tail`, and no others.
struct Buffers {
    entries: NonNull<BufRingEntry>,
    first: NonNull<u8>,
    count: u16,
    room: usize,
    tail: u16,
}

impl Buffers {
    fn register(ring: &IoUring, count: u16, room: usize) -> io::Result<Self> {
        let entries = zeroed(usize::from(count) * size_of::<BufRingEntry>())?.cast();
        let first = zeroed(usize::from(count) * room)?;
        // SAFETY: page-aligned, as long as it must be, and never freed.
        unsafe { ring.submitter().register_buf_ring_with_flags(entries.as_ptr() as u64, count, 0, 0) }?;
        let mut buffers = Self { entries, first, count, room, tail: 0 };
        for id in 0..count {
            buffers.give_back(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// What the kernel wrote into a buffer.
    fn filled(&self, id: u16, length: usize) -> &[u8] {
        let start = self.start(id);
        // SAFETY: inside the buffer, which the kernel gave with a completion and does not write to until it has it back.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length.min(self.room)) }
    }

    /// Puts a buffer behind the others; the kernel sees it after [`Self::publish`].
    fn give_back(&mut self, id: u16) {
        let start = self.start(id).as_ptr() as u64;
        let place = usize::from(self.tail & (self.count - 1));
        // SAFETY: below `count`.
        let entry = unsafe { self.entries.add(place) };
        // SAFETY: the kernel does not read entries behind the tail. Its fields are set one by one: the first entry also
        // holds the tail.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(start);
        entry.set_len(u32::try_from(self.room).unwrap_or(u32::MAX));
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the address of the ring's first entry.
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: aligned, and lives as long as the ring; the kernel reads it, and only this thread writes it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    fn start(&self, id: u16) -> NonNull<u8> {
        // SAFETY: inside the buffers, as ids are below `count`.
        unsafe { self.first.add(usize::from(id & (self.count - 1)) * self.room) }
    }
}

/// Zeroed pages, for good.
fn zeroed(bytes: usize) -> io::Result<NonNull<u8>> {
    let layout = Layout::from_size_align(bytes, 4096).map_err(io::Error::other)?;
    // SAFETY: the layout has a size.
    let start = unsafe { alloc_zeroed(layout) };
    NonNull::new(start).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}
