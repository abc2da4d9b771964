//! recvmmsg: one system call a batch, into headers that are built once.

// UNSAFETY: headers hold addresses of blocks, which the kernel writes to.
#![expect(unsafe_code, reason = "system calls take pointers")]

use std::io::Error;
use std::sync::Arc;

use libc::{iovec, mmsghdr, msghdr};
use skua_engine::abi::sockaddr::SOCKADDR_INET;

use super::address::to_windows;
use super::ancillary::translate;
use super::meminfo::MemInfo;
use super::{Descriptor, Family, Shared, errors};
use crate::kernel::clock;
use crate::os::{Backlog, Received, Receiver};
use crate::receive::{BlockRef, HEAD_BYTES, TAIL_BYTES, Wanted};

/// Room for every control message that can be asked for; the kernel's PKTINFO and times are longer than Windows'.
const LINUX_CONTROL_BYTES: usize = 256;

/// Room for an address of either family.
const ADDRESS_BYTES: u32 = 28;
const _: () = assert!(ADDRESS_BYTES as usize == size_of::<SOCKADDR_INET>());

/// Where the kernel joins datagrams, a batch is to be of so many bytes at most: they lie in a processor's cache still when
/// they are read.
const JOINED_BYTES: usize = 256 << 10;

/// Where the kernel puts the control messages of one slot.
#[repr(C, align(64))]
struct ControlArea([u8; LINUX_CONTROL_BYTES]);

/// The receiver of one worker.
///
/// # Invariants
/// Header `i` leads to vector pair `i`, control area `i` and, once a block is attached, to that block's source address,
/// head and tail. The boxes do not move.
pub(super) struct LinuxReceiver {
    shared: Arc<Shared>,
    worker: u32,
    headers: Box<[mmsghdr]>,
    vectors: Box<[[iovec; 2]]>,
    controls: Box<[ControlArea]>,
    blocks: Box<[Option<BlockRef>]>,
    /// How many slots the next batch may fill where the kernel joins datagrams.
    joined: usize,
    emptied: bool,
}

// SAFETY: the addresses in the headers are this value's own, or of blocks, which have no affinity to a thread.
unsafe impl Send for LinuxReceiver {}

impl LinuxReceiver {
    pub(super) fn new(shared: Arc<Shared>, worker: u32, batch: usize) -> Self {
        let mut receiver = Self {
            shared,
            worker,
            headers: (0..batch).map(|_| mmsghdr { msg_hdr: empty(), msg_len: 0 }).collect(),
            vectors: vec![[iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; 2]; batch].into(),
            controls: (0..batch).map(|_| ControlArea([0; LINUX_CONTROL_BYTES])).collect(),
            blocks: vec![None; batch].into(),
            joined: batch,
            emptied: false,
        };
        for slot in 0..batch {
            let header = &mut receiver.headers[slot].msg_hdr;
            header.msg_iov = receiver.vectors[slot].as_mut_ptr();
            header.msg_iovlen = 2;
            header.msg_control = receiver.controls[slot].0.as_mut_ptr().cast();
            receiver.reset(slot);
        }
        receiver
    }

    /// Undoes what the kernel did to a header: both lengths are in and out.
    fn reset(&mut self, slot: usize) {
        let header = &mut self.headers[slot].msg_hdr;
        header.msg_namelen = ADDRESS_BYTES;
        header.msg_controllen = LINUX_CONTROL_BYTES;
    }

    /// Sizes the next batch by the last one, of `datagrams`.
    fn size_joined(&mut self, datagrams: usize) {
        let bytes: usize = self.headers[..datagrams].iter().map(|header| header.msg_len as usize).sum();
        let mean = bytes / datagrams.max(1);
        self.joined = (JOINED_BYTES / mean.max(1)).clamp(1, self.headers.len());
    }

    fn descriptor(&self) -> &Descriptor {
        self.shared.descriptor(self.worker)
    }

    /// Translates what slot `slot` received. False when that was no datagram but the end: the only message without a
    /// source.
    fn finish(&mut self, slot: usize, wanted: u32, clock_offset: u64) -> bool {
        let (header, length) = (&self.headers[slot].msg_hdr, self.headers[slot].msg_len as usize);
        let Some(block) = self.blocks[slot] else { return false };
        if header.msg_namelen == 0 {
            return false;
        }
        if self.shared.family == Family::V6 {
            // SAFETY: the worker has the block, and the kernel has just written its address.
            let source = unsafe { block.address().read() };
            // SAFETY: as above.
            unsafe { block.address().write(to_windows(source)) };
        }
        let (control, delivery) = if header.msg_controllen == 0 {
            (0, 0)
        } else {
            let mut writer = block.control_writer();
            let area = self.controls[slot].0.as_ptr();
            // SAFETY: the kernel wrote so many bytes there.
            let delivery =
                unsafe { translate(area, header.msg_controllen, wanted, clock_offset, &mut writer) };
            (writer.used(), delivery)
        };
        block.fill(length, control, delivery);
        true
    }
}

/// ICMP errors, which the kernel queues apart from datagrams, or answers a call with.
impl LinuxReceiver {
    fn failed(&self, error: &Error) -> Received {
        match error.raw_os_error() {
            Some(libc::EBADF | libc::ENOTSOCK | libc::EFAULT | libc::EINVAL) => Received::Dead,
            Some(libc::EAGAIN) => Received::Quiet,
            Some(libc::ECONNREFUSED) if self.worker == 0 && self.shared.connection.is_made() => {
                self.shared.connection.note_refused();
                Received::Failed
            }
            // An ICMP error of some earlier send, a signal, a moment without memory.
            _ => Received::Failed,
        }
    }

    /// Puts errors into the first slots, and says how many.
    fn receive_errors(&self, slots: usize, wanted: u32) -> usize {
        let blocks = self.blocks.iter().take(slots).map_while(|block| *block);
        let family = self.shared.family;
        blocks.take_while(|block| errors::receive(self.descriptor(), *block, family, wanted)).count()
    }
}

impl Receiver for LinuxReceiver {
    fn attach(&mut self, slot: usize, block: BlockRef) {
        self.blocks[slot] = Some(block);
        self.headers[slot].msg_hdr.msg_name = block.address().as_ptr().cast();
        self.vectors[slot] = [
            iovec { iov_base: block.head().cast(), iov_len: HEAD_BYTES },
            iovec { iov_base: block.tail().cast(), iov_len: TAIL_BYTES },
        ];
    }

    fn receive(&mut self, slots: usize) -> Received {
        let wanted = self.shared.wanted.get();
        let mut flags = libc::MSG_WAITFORONE;
        if wanted & (Wanted::ERRORS_V4 | Wanted::ERRORS_V6) != 0 {
            // A wait that ends for errors too, whoever else hears of them first.
            self.descriptor().wait_readable();
            let errors = self.receive_errors(slots, wanted);
            if errors > 0 {
                return Received::Datagrams(errors);
            }
            flags |= libc::MSG_DONTWAIT;
        }
        let descriptor = self.descriptor().raw();
        let joins = wanted & Wanted::COALESCED != 0;
        let most = slots.min(if joins { self.joined } else { self.headers.len() });
        let count = u32::try_from(most).unwrap_or_default();
        let headers = self.headers.as_mut_ptr();
        // SAFETY: the first `count` headers lead to live memory of the lengths they say.
        let received = unsafe { libc::recvmmsg(descriptor, headers, count, flags, std::ptr::null_mut()) };
        self.emptied = false;
        let Ok(received) = usize::try_from(received) else { return self.failed(&Error::last_os_error()) };
        // Read again: options may have changed while nothing came.
        let wanted = self.shared.wanted.get();
        let clock_offset = if wanted & Wanted::TIMESTAMPS == 0 { 0 } else { clock_offset() };
        let mut datagrams = 0;
        for slot in 0..received {
            // Ends come last, and as many as there are slots left.
            datagrams += usize::from(self.finish(slot, wanted, clock_offset));
            self.reset(slot);
        }
        self.emptied = received < most;
        if joins {
            self.size_joined(datagrams);
        }
        match datagrams {
            0 if received == 0 => Received::Quiet,
            0 => Received::Ended,
            _ => Received::Datagrams(datagrams),
        }
    }

    fn has_emptied(&self) -> bool {
        self.emptied
    }

    fn backlog(&self) -> Option<Backlog> {
        MemInfo::of(self.descriptor()).map(|info| info.backlog())
    }

    fn discard(&mut self) -> u64 {
        let mut discarded = 0;
        loop {
            let mut source = SOCKADDR_INET::UNSPEC;
            let mut header = empty();
            header.msg_name = source.as_mut_ptr().cast();
            header.msg_namelen = ADDRESS_BYTES;
            let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
            // SAFETY: the header leads to the local address and to no memory for payload.
            let received = unsafe { libc::recvmsg(self.descriptor().raw(), &raw mut header, flags) };
            let interrupted = received < 0 && is_passing(&Error::last_os_error());
            if !interrupted && (received < 0 || header.msg_namelen == 0) {
                return discarded;
            }
            discarded += u64::from(!interrupted);
        }
    }
}

/// Whether another call can succeed at once.
fn is_passing(error: &Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(libc::EAGAIN | libc::EBADF | libc::ENOTSOCK | libc::EFAULT | libc::EINVAL)
    )
}

/// What to take off a wall-clock time to have ticks of the performance counter.
fn clock_offset() -> u64 {
    clock::unix_time().wrapping_sub(clock::performance_counter())
}

fn empty() -> msghdr {
    // SAFETY: a msghdr of zeros names no memory.
    unsafe { std::mem::zeroed() }
}
