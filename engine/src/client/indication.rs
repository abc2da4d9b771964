//! Data of a connection as it is indicated, and what a handler makes of it.

// UNSAFETY: reads lists that the provider lends, and gives retained ones back.
#![expect(unsafe_code, reason = "a list is lent until the callback returns, or until WskRelease")]

use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::abi::status::{NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_PENDING, STATUS_SUCCESS};
use crate::abi::wsk::WSK_DATA_INDICATION;
use crate::client::base::SocketBase;
use crate::client::inside::Inside;
use crate::kernel::Kernel;
use crate::reason::DropReason;
use crate::receive::payload::Payload;

/// Indications in one list that are looked at: a list beyond it is cut there, which also ends one that runs in a circle.
const INDICATIONS: usize = 4096;

/// Data that has come, lent until the verdict.
///
/// # Invariants
/// Whoever made it is inside `calls` of `base`, and the list is lent for `'a`.
pub struct Indication<'a, K: Kernel> {
    base: &'a SocketBase<K>,
    list: NonNull<WSK_DATA_INDICATION>,
    bytes: usize,
    release_soon: bool,
}

/// What a handler makes of an [`Indication`]; made by its methods only.
#[must_use = "the provider waits for it"]
pub struct Verdict<'a> {
    pub(super) status: NTSTATUS,
    /// What BytesAccepted says.
    pub(super) accepted: usize,
    /// Of this indication, not of another.
    of: PhantomData<fn(&'a ()) -> &'a ()>,
}

fn verdict<'a>(status: NTSTATUS, accepted: usize) -> Verdict<'a> {
    Verdict { status, accepted, of: PhantomData }
}

impl<'a, K: Kernel> Indication<'a, K> {
    pub(super) fn new(
        base: &'a SocketBase<K>,
        list: NonNull<WSK_DATA_INDICATION>,
        bytes: usize,
        release_soon: bool,
    ) -> Self {
        Self { base, list, bytes, release_soon }
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The provider asks that what is retained be given back as soon as can be (WSK_FLAG_RELEASE_ASAP).
    #[must_use]
    pub fn release_soon(&self) -> bool {
        self.release_soon
    }

    /// The pieces, in their order.
    #[must_use]
    pub fn payloads(&self) -> Indications<'_, K> {
        // SAFETY: lent as long as this is borrowed.
        unsafe { Indications::over(&self.base.kernel, self.list) }
    }

    /// Copies what comes after the first `skip` bytes into `to`; how many bytes there were.
    ///
    /// # Errors
    /// [`DropReason::MapFailed`] or [`DropReason::Malformed`] where the data cannot be read: refuse it.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn copy_to(&self, skip: usize, to: &mut [u8]) -> Result<usize, DropReason> {
        copy(self.payloads(), skip, to)
    }

    /// All of it is taken. It goes back when the callback returns.
    pub fn consume(self) -> Verdict<'a> {
        verdict(STATUS_SUCCESS, self.bytes)
    }

    /// The first `bytes` are taken; the rest is indicated again once the connection is [rearmed]. None is a
    /// [refusal](Indication::refuse).
    ///
    /// [rearmed]: crate::ConnectionSocket::rearm
    pub fn consume_part(self, bytes: usize) -> Verdict<'a> {
        if bytes == 0 {
            return self.refuse();
        }
        verdict(STATUS_SUCCESS, bytes.min(self.bytes))
    }

    /// Nothing is taken. It waits below for a receive, or to be indicated again once the connection is [rearmed].
    ///
    /// [rearmed]: crate::ConnectionSocket::rearm
    pub fn refuse(self) -> Verdict<'a> {
        verdict(STATUS_DATA_NOT_ACCEPTED, 0)
    }

    /// All of it is kept beyond the callback, until the value is dropped. Refused when the socket is closing.
    pub fn retain(self) -> (Verdict<'a>, Option<RetainedData<K>>) {
        if !self.base.calls.enter() {
            return (self.refuse(), None);
        }
        let retained = RetainedData { base: NonNull::from(self.base), list: self.list, bytes: self.bytes };
        (verdict(STATUS_PENDING, self.bytes), Some(retained))
    }
}

/// The pieces of an indication.
pub struct Indications<'a, K: Kernel> {
    kernel: &'a K,
    next: *mut WSK_DATA_INDICATION,
    left: usize,
    lent: PhantomData<&'a ()>,
}

impl<'a, K: Kernel> Indications<'a, K> {
    /// # Safety
    /// The list is lent for `'a`.
    unsafe fn over(kernel: &'a K, list: NonNull<WSK_DATA_INDICATION>) -> Self {
        Self { kernel, next: list.as_ptr(), left: INDICATIONS, lent: PhantomData }
    }
}

impl<'a, K: Kernel> Iterator for Indications<'a, K> {
    /// What cannot be read is [`DropReason::MapFailed`] or [`DropReason::Malformed`].
    type Item = Result<Payload<'a>, DropReason>;

    fn next(&mut self) -> Option<Self::Item> {
        let node = NonNull::new(self.next)?;
        self.left = self.left.checked_sub(1)?;
        // SAFETY: a node of the lent list, read once.
        let indication = unsafe { node.read() };
        self.next = indication.Next;
        // SAFETY: its buffer is lent with it.
        Some(unsafe { Payload::of_stream(self.kernel, &indication.Buffer) })
    }
}

fn copy<K: Kernel>(pieces: Indications<'_, K>, skip: usize, to: &mut [u8]) -> Result<usize, DropReason> {
    let mut skip = skip;
    let mut copied = 0;
    for piece in pieces {
        let piece = piece?;
        let Some(room) = to.get_mut(copied..).filter(|room| !room.is_empty()) else { break };
        let from = skip.min(piece.len());
        skip -= from;
        copied += piece.copy_from(from, room);
    }
    Ok(copied)
}

/// Data that a handler keeps beyond its callback. Dropping it is WskRelease.
///
/// It is memory of the stack; a connection whose data is kept is not closed before it came back.
///
/// # Invariants
/// One place inside `calls` of `base` belongs to it, so that the socket outlives it.
pub struct RetainedData<K: Kernel> {
    base: NonNull<SocketBase<K>>,
    list: NonNull<WSK_DATA_INDICATION>,
    bytes: usize,
}

// SAFETY: WskRelease may be called on any thread for any list that was retained.
unsafe impl<K: Kernel> Send for RetainedData<K> {}

impl<K: Kernel> RetainedData<K> {
    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The pieces, in their order.
    #[must_use]
    pub fn payloads(&self) -> Indications<'_, K> {
        let kernel = &self.base().kernel;
        // SAFETY: retained until this is dropped.
        unsafe { Indications::over(kernel, self.list) }
    }

    /// As [`Indication::copy_to`].
    ///
    /// # Errors
    /// As [`Indication::copy_to`].
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn copy_to(&self, skip: usize, to: &mut [u8]) -> Result<usize, DropReason> {
        copy(self.payloads(), skip, to)
    }

    fn base(&self) -> &SocketBase<K> {
        // SAFETY: the place inside `calls` keeps it.
        unsafe { self.base.as_ref() }
    }
}

impl<K: Kernel> Drop for RetainedData<K> {
    fn drop(&mut self) {
        // The place that it entered, left when this is dropped.
        let inside = Inside { base: self.base() };
        if let Some(release) = inside.release() {
            // SAFETY: retained, and given back once. The only failure is INVALID_PARAMETER, for what was not lent.
            let _only_if_not_lent = unsafe { release(inside.socket(), self.list.as_ptr()) };
        }
    }
}
