//! Sockets that nobody holds any more and that have not finished closing.

// UNSAFETY: an intrusive list of blocks that own themselves while they are on it.
#![expect(unsafe_code, reason = "a link lies in a block that stays alive until its own `advance` frees it")]

use core::cell::UnsafeCell;
use core::fmt;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::deadline::Deadline;
use crate::kernel::Kernel;
use crate::processor::Passive;

/// What a close still waits for. Numbers are of the moment they were read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outstanding {
    /// Callbacks and send calls that have not returned, and datagrams that the handler retains.
    pub inside: u64,
    /// Send calls of this socket whose IRP has not completed; a batch is one.
    pub sends: u64,
    /// WskCloseSocket was called and its IRP has not completed.
    pub closing: bool,
    /// A request of opening or of a membership was given up and has not ended.
    pub request: bool,
}

impl fmt::Display for Outstanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inside, sends, closing, request } = self;
        let stage = if *closing { "WskCloseSocket is pending" } else { "WskCloseSocket waits for them" };
        write!(f, "{inside} callbacks, calls or retained datagrams, {sends} sends, {stage}")?;
        if *request { f.write_str(", a control request is pending") } else { Ok(()) }
    }
}

/// Takes one more step of closing the block that `link` lies in: waits at most until `deadline`, and frees the block and
/// returns `None` when it is closed.
///
/// # Safety
/// `link` was taken from the list it was pushed on, and is not used again after `None`.
pub(crate) type Advance =
    unsafe fn(link: NonNull<ClosingLink>, deadline: Deadline, passive: &Passive<'_>) -> Option<Outstanding>;

/// What a block carries so that it can wait on a [`ClosingList`].
pub(crate) struct ClosingLink {
    /// Written by whoever pushes or takes the link, who owns it at that moment.
    next: UnsafeCell<*mut ClosingLink>,
    advance: Advance,
}

impl ClosingLink {
    pub(crate) const fn new(advance: Advance) -> Self {
        Self { next: UnsafeCell::new(null_mut()), advance }
    }
}

// SAFETY: `next` has one owner at a time, see its field.
unsafe impl Send for ClosingLink {}
// SAFETY: as for Send.
unsafe impl Sync for ClosingLink {}

/// A stack of links: pushed from any level, taken whole at PASSIVE_LEVEL. Taking all at once leaves no ABA to guard.
pub(crate) struct ClosingList {
    head: AtomicPtr<ClosingLink>,
}

impl ClosingList {
    pub(crate) const fn new() -> Self {
        Self { head: AtomicPtr::new(null_mut()) }
    }

    /// Adds a link. A retry means that another push or take has completed.
    ///
    /// # Safety
    /// The block of `link` stays alive until its `advance` returns `None`, and is on no list.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) unsafe fn push(&self, link: NonNull<ClosingLink>) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the pusher owns the link until the exchange below succeeds.
            let next = unsafe { link.as_ref() }.next.get();
            // SAFETY: as above.
            unsafe { next.write(head) };
            match self.head.compare_exchange(head, link.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Lets every block on the list finish, waiting for them until `deadline`; what the first of those left waits for.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn reap<K: Kernel>(
        &self,
        kernel: &K,
        deadline: Deadline,
        passive: &Passive<'_>,
    ) -> Option<Outstanding> {
        let mut left = None;
        let mut next = self.head.swap(null_mut(), Ordering::Acquire);
        while let Some(link) = NonNull::new(next) {
            // SAFETY: the whole list was taken, so its links are owned here.
            let block = unsafe { link.as_ref() };
            // SAFETY: as above.
            next = unsafe { *block.next.get() };
            let advance = block.advance;
            // Once one block has used the time up, the others are only looked at.
            let until = if left.is_some() { Deadline::now(kernel) } else { deadline };
            // SAFETY: taken from the list, and pushed back only if it is not finished.
            if let Some(outstanding) = unsafe { advance(link, until, passive) } {
                left.get_or_insert(outstanding);
                // SAFETY: not finished, hence alive, and on no list.
                unsafe { self.push(link) };
            }
        }
        left
    }
}
