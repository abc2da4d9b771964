//! From the provider's list to the entries of a round.

// UNSAFETY: follows a list that the provider lends, and what its indications point at.
#![expect(unsafe_code, reason = "the list is lent until the callback returns")]

use core::ptr::NonNull;

use skua_record::RecordFlags;

use crate::abi::wsk::WSK_DATAGRAM_INDICATION;
use crate::engine::tally::Tally;
use crate::kernel::Kernel;
use crate::prefetch::prefetch;
use crate::reason::DropReason;
use crate::receive::ancillary::Ancillary;
use crate::receive::coalesced::Split;
use crate::receive::entry::{Entry, Facts, Scratch, remote_is_known};
use crate::receive::payload::Payload;
use crate::socket::options::{Info, Wanted};

/// What is asked of a list's datagrams besides their bytes.
pub(crate) struct Asked<'a> {
    pub wanted: &'a Wanted,
    /// What is known of all datagrams of the list.
    pub common: Facts,
}

type Node = NonNull<WSK_DATAGRAM_INDICATION>;

/// Fills the scratch from `next` on; where the list goes on. One pass, which asks for each payload as soon as it knows where it
/// lies, so that what the handler reads has come near when it is called.
///
/// # Safety
/// `next` is null or a node of a lent list.
#[inline]
pub(crate) unsafe fn gather<K: Kernel>(
    kernel: &K,
    scratch: &mut Scratch,
    tally: &mut Tally,
    mut next: *mut WSK_DATAGRAM_INDICATION,
) -> *mut WSK_DATAGRAM_INDICATION {
    scratch.clear();
    while let Some(node) = NonNull::new(next) {
        if !scratch.has_room() {
            break;
        }
        // SAFETY: the caller's promise.
        let indication = unsafe { node.as_ref() };
        // SAFETY: the buffer is part of the lent indication.
        let payload = unsafe { Payload::in_one_span(&indication.Buffer) };
        // SAFETY: the address is part of the lent indication.
        let is_known = unsafe { remote_is_known(indication.RemoteAddress) };
        match payload {
            Some(payload) if is_known => {
                prefetch(payload.address());
                scratch.push(Entry::new(node, &payload));
            }
            // SAFETY: the indication is lent.
            _ => unsafe { unusual(kernel, scratch, tally, node) },
        }
        next = indication.Next;
    }
    next
}

/// A datagram in several spans or without a mapping, or one that is no good.
///
/// # Safety
/// The indication is lent.
#[cold]
#[inline(never)]
unsafe fn unusual<K: Kernel>(kernel: &K, scratch: &mut Scratch, tally: &mut Tally, node: Node) {
    // SAFETY: the caller's promise.
    match unsafe { checked(kernel, node) } {
        Ok(payload) => scratch.push(Entry::new(node, &payload)),
        Err(reason) => refuse(scratch, tally, node, reason),
    }
}

/// Checks one indication, whatever its shape, and maps it.
///
/// # Safety
/// The indication is lent.
#[inline]
unsafe fn checked<K: Kernel>(kernel: &K, node: Node) -> Result<Payload<'static>, DropReason> {
    // SAFETY: the caller's promise.
    let indication = unsafe { node.as_ref() };
    // SAFETY: the address is part of the lent indication.
    if !unsafe { remote_is_known(indication.RemoteAddress) } {
        return Err(DropReason::Malformed);
    }
    // SAFETY: the buffer is part of the lent indication.
    unsafe { Payload::of(kernel, &indication.Buffer) }
}

/// Counts an indication that goes no further, as one datagram.
#[cold]
#[inline(never)]
fn refuse(scratch: &mut Scratch, tally: &mut Tally, node: Node, reason: DropReason) {
    tally.indicated += 1;
    tally.refuse(reason);
    scratch.set_aside(node);
}

/// [`gather`] where control messages are asked for: reads them, and takes coalesced buffers apart.
///
/// # Safety
/// As for [`gather`].
#[inline]
pub(crate) unsafe fn gather_with_facts<K: Kernel>(
    kernel: &K,
    asked: &Asked<'_>,
    scratch: &mut Scratch,
    tally: &mut Tally,
    mut next: *mut WSK_DATAGRAM_INDICATION,
) -> *mut WSK_DATAGRAM_INDICATION {
    scratch.clear();
    go_on_splitting(scratch);
    while scratch.split.is_none()
        && let Some(node) = NonNull::new(next)
    {
        if !scratch.has_room() {
            break;
        }
        // SAFETY: the caller's promise.
        let indication = unsafe { node.as_ref() };
        // SAFETY: the caller's promise.
        if let Err(reason) = unsafe { take(kernel, asked, scratch, tally, node) } {
            refuse(scratch, tally, node, reason);
        }
        next = indication.Next;
    }
    next
}

/// Takes one indication: one entry, or as many of its parts as there is room for.
///
/// # Safety
/// The indication is lent.
#[inline]
unsafe fn take<K: Kernel>(
    kernel: &K,
    asked: &Asked<'_>,
    scratch: &mut Scratch,
    tally: &mut Tally,
    node: Node,
) -> Result<(), DropReason> {
    // SAFETY: the caller's promise.
    let indication = unsafe { node.as_ref() };
    // SAFETY: the control data is part of the lent indication.
    let said = unsafe { Ancillary::read(indication.ControlInfo, indication.ControlInfoLength) };
    let said = said.map_err(|_| DropReason::Malformed)?;
    let facts = describe(&asked.common, &said, asked.wanted, tally)?;
    if let Some(size) = said.coalesced
        && (size as usize) < indication.Buffer.Length
    {
        // SAFETY: the caller's promise.
        return unsafe { split(kernel, scratch, node, size, &facts) };
    }
    // SAFETY: the address is part of the lent indication.
    let is_known = unsafe { remote_is_known(indication.RemoteAddress) };
    // SAFETY: the buffer is part of the lent indication.
    let payload = match unsafe { Payload::in_one_span(&indication.Buffer) } {
        Some(payload) if is_known => payload,
        // SAFETY: the caller's promise.
        _ => unsafe { checked(kernel, node) }?,
    };
    prefetch(payload.address());
    scratch.push_with(Entry::new(node, &payload), &facts);
    Ok(())
}

/// Begins to take a coalesced buffer apart.
///
/// # Safety
/// The indication is lent.
#[inline(never)]
unsafe fn split<K: Kernel>(
    kernel: &K,
    scratch: &mut Scratch,
    node: Node,
    size: u32,
    facts: &Facts,
) -> Result<(), DropReason> {
    // SAFETY: the caller's promise.
    let indication = unsafe { node.as_ref() };
    // SAFETY: the address is part of the lent indication.
    if size == 0 || !unsafe { remote_is_known(indication.RemoteAddress) } {
        return Err(DropReason::Malformed);
    }
    // SAFETY: the buffer is part of the lent indication.
    let payload = unsafe { Payload::of_coalesced(kernel, &indication.Buffer) }?;
    let facts = Facts { flags: facts.flags | RecordFlags::COALESCED, ..*facts };
    scratch.split = Some(Split::new(node, &payload, size, facts));
    go_on_splitting(scratch);
    Ok(())
}

/// Adds parts of the buffer that is being taken apart, until the round is full or it is at its end.
#[inline]
fn go_on_splitting(scratch: &mut Scratch) {
    let Some(mut split) = scratch.split.take() else { return };
    loop {
        if !scratch.has_room() {
            scratch.split = Some(split);
            return;
        }
        match split.next() {
            Some(part) => scratch.push_with(part, &split.facts),
            None => break,
        }
    }
    scratch.set_aside(split.node());
}

/// Takes over what the control messages said, and notices what they did not.
#[inline]
fn describe(
    common: &Facts,
    said: &Ancillary,
    wanted: &Wanted,
    tally: &mut Tally,
) -> Result<Facts, DropReason> {
    let missing = [
        (wanted.packet_info, said.destination.is_none()),
        (wanted.type_of_service, said.type_of_service.is_none()),
        (wanted.hop_limit, said.hop_limit.is_none()),
        (wanted.timestamp, said.time.is_none()),
    ];
    if missing.contains(&(Info::Required, true)) {
        return Err(DropReason::MissingInfo);
    }
    if missing.contains(&(Info::Wanted, true)) {
        tally.miss_info();
    }
    let (local, interface) = said.destination.unwrap_or((common.local, common.interface));
    Ok(Facts {
        local,
        time: said.time.unwrap_or_default(),
        interface,
        type_of_service: said.type_of_service.unwrap_or_default(),
        hop_limit: said.hop_limit.unwrap_or_default(),
        flags: common.flags,
    })
}
