//! What the kernel tells of one socket's memory: SO_MEMINFO, since Linux 4.12.

use super::descriptor::Descriptor;
use crate::os::Backlog;

/// `SK_MEMINFO_VARS` (linux/sock_diag.h): how many words there are.
const WORDS: usize = 9;
/// `SK_MEMINFO_RMEM_ALLOC`: bytes that datagrams in the receive buffer take.
const QUEUED: usize = 0;
/// `SK_MEMINFO_RCVBUF`: how many they may take.
const LIMIT: usize = 1;
/// `SK_MEMINFO_DROPS`: datagrams that reached the socket and were dropped, because its buffer was full, a filter refused
/// them, or their checksum was wrong.
const DROPS: usize = 8;

/// One sample.
pub(super) struct MemInfo([u32; WORDS]);

impl MemInfo {
    /// `None` when there is none: older kernels have no SO_MEMINFO, and others of the same interface need not have all its
    /// words.
    pub(super) fn of(descriptor: &Descriptor) -> Option<Self> {
        descriptor.words(libc::SOL_SOCKET, libc::SO_MEMINFO).map(Self).ok()
    }

    /// What was dropped, modulo 2^32.
    pub(super) fn drops(&self) -> u32 {
        self.0[DROPS]
    }

    /// How full the receive buffer is.
    pub(super) fn backlog(&self) -> Backlog {
        Backlog { queued: self.0[QUEUED], limit: self.0[LIMIT] }
    }
}
