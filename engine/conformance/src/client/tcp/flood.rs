//! More than the way to the other end takes.

// UNSAFETY: builds MDLs over memory of its own.
#![expect(unsafe_code, reason = "MDLs are reached by address")]

use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{MDL, mdl_size_for_any_address, mm_initialize_mdl};
use skua_engine::abi::wsk::WSK_BUF;

use super::super::buffer::{digest, pattern};
use super::super::memory::Owned;
use super::super::request::Request;
use super::socket::StreamSocket;
use crate::outcome::{Outcome, expect_at};

/// Bytes of one part.
const PART: usize = 1 << 20;
/// Parts of the chain: what lies under way and at both ends is less on any system, as the other end receives nothing.
const PARTS: usize = 32;
/// Of so many bytes of the stream one goes into the digest.
pub(crate) const STRIDE: usize = 61;

/// One send of 32 MiB, which waits until the other end receives. The parts of its chain are the same memory.
pub(crate) struct Flood<'c, K: Kernel> {
    // First: dropping it cancels and waits, and the buffer is used until then.
    pub(crate) request: Request<'c, K>,
    _mdls: Owned<'c, u64, K>,
    data: Owned<'c, u8, K>,
}

impl<'c, K: Kernel> Flood<'c, K> {
    /// Sends. The check is not applicable where everything is taken at once.
    pub(crate) fn of(socket: &StreamSocket<'c, K>) -> Result<Self, Outcome> {
        let bench = socket.bench();
        let words = mdl_size_for_any_address(PART).unwrap_or(usize::MAX).div_ceil(8);
        let mdls = Owned::<u64, K>::run(bench, words.saturating_mul(PARTS))?;
        let mut data = Owned::<u8, K>::run(bench, PART)?;
        for (index, byte) in data.bytes_mut().iter_mut().enumerate() {
            *byte = pattern(9, index);
        }
        let mut next = ptr::null_mut::<MDL>();
        for part in (0..PARTS).rev() {
            let mdl = mdls.as_ptr().wrapping_add(part * words).cast::<MDL>();
            // SAFETY: room for the header and the pages of so many bytes anywhere.
            unsafe { mm_initialize_mdl(mdl, data.as_ptr().cast(), u32::try_from(PART).unwrap_or_default()) };
            // SAFETY: nonpaged memory, described above.
            unsafe { bench.kernel().mm_build_mdl_for_non_paged_pool(mdl) };
            // SAFETY: described above.
            unsafe { (*mdl).Next = next };
            next = mdl;
        }
        let flood = Self { request: Request::new(bench)?, _mdls: mdls, data };
        let header = WSK_BUF { Mdl: next, Offset: 0, Length: flood.bytes() };
        let _returned = socket.start_send(&flood.request, header, 0);
        if flood.request.stays_pending() {
            return Ok(flood);
        }
        flood.ends_whole()?;
        Err(Outcome::NotApplicable { why: "the way to the other end takes everything" })
    }

    /// Bytes of the send.
    #[expect(clippy::unused_self, reason = "they are the send's")]
    pub(crate) const fn bytes(&self) -> usize {
        PART * PARTS
    }

    /// The digest of every [`STRIDE`]th byte.
    pub(crate) fn digest(&self) -> u64 {
        let data = self.data.bytes();
        digest((0..PART * PARTS).step_by(STRIDE).filter_map(|at| data.get(at % PART)).copied())
    }

    /// Waits for the send, which succeeds whole.
    pub(crate) fn ends_whole(&self) -> Result<(), Outcome> {
        let done = self.request.wait("a WskSend that waited")?.succeeds("a WskSend that waited")?;
        expect_at("its IoStatus.Information", self.bytes(), done.information).map(drop)
    }
}
