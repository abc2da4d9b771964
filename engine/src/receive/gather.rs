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
use crate::receive::coalesced::{Split, datagrams, parts};
use crate::receive::entry::{Entry, Facts, Scratch, remote_is_known};
use crate::receive::payload::{Payload, in_one_span};
use crate::receive::shape::Shape;
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
/// By itself, so that its loop has all registers whatever the handler beside it is.
///
/// # Safety
/// `next` is null or a node of a lent list.
#[inline(never)]
pub(crate) unsafe fn gather<K: Kernel>(
    kernel: &K,
    scratch: &mut Scratch,
    tally: &mut Tally,
    mut next: *mut WSK_DATAGRAM_INDICATION,
) -> *mut WSK_DATAGRAM_INDICATION {
    scratch.clear();
    loop {
        // SAFETY: the caller's promise.
        next = unsafe { gather_usual(scratch, tally, next, |_| true) };
        let Some(node) = NonNull::new(next) else { return next };
        if !scratch.has_room() {
            return next;
        }
        // SAFETY: the caller's promise.
        next = unsafe { node.as_ref() }.Next;
        // SAFETY: the indication is lent.
        unsafe { unusual(kernel, scratch, tally, node) };
    }
}

/// Takes usual datagrams until the round is full, the list at its end, or one is not usual or not `alike`; where the list
/// goes on.
///
/// # Safety
/// As for [`gather`].
#[inline(never)]
unsafe fn gather_usual(
    scratch: &mut Scratch,
    tally: &mut Tally,
    next: *mut WSK_DATAGRAM_INDICATION,
    alike: impl Fn(&WSK_DATAGRAM_INDICATION) -> bool,
) -> *mut WSK_DATAGRAM_INDICATION {
    let free = scratch.entries.get_mut(scratch.count..).unwrap_or_default().as_mut_ptr_range();
    let mut place = free.start;
    let (mut sum, mut lengths) = (0_usize, 0_usize);
    let mut at = next;
    while let Some(node) = NonNull::new(at) {
        if place == free.end {
            break;
        }
        // SAFETY: the caller's promise.
        let indication = unsafe { node.as_ref() };
        // SAFETY: the indication is lent.
        let Some((first, length)) = (unsafe { usual(indication) }) else { break };
        if !alike(indication) {
            break;
        }
        prefetch(first.as_ptr());
        // SAFETY: one of the free entries.
        let entry = unsafe { &mut *place };
        // SAFETY: `usual` found these bytes, and knew the address; lengths beyond a datagram's are taken out below.
        unsafe { entry.hold(node, first, length) };
        // SAFETY: at most at the end of the free entries.
        place = unsafe { place.add(1) };
        sum = sum.wrapping_add(length);
        lengths |= length;
        at = indication.Next;
    }
    // SAFETY: both are of the free entries.
    scratch.count += unsafe { place.offset_from_unsigned(free.start) };
    scratch.bytes += sum as u64;
    // All bits of the longest datagram are ones, so that one bit more in any length shows in all of them together.
    if lengths > LONGEST {
        weed(scratch, tally);
    }
    at
}

/// The longest datagram, in bytes.
const LONGEST: usize = u16::MAX as usize;

/// Takes out the entries that are longer than any datagram.
#[cold]
#[inline(never)]
fn weed(scratch: &mut Scratch, tally: &mut Tally) {
    for entry in scratch.entries.iter_mut().take(scratch.count) {
        entry.forget_impossible_length();
    }
    let check = |entry: &Entry| {
        // SAFETY: the node is lent.
        let indication = unsafe { entry.node().as_ref() };
        if indication.Buffer.Length > LONGEST { Err(DropReason::Oversize) } else { Ok(()) }
    };
    scratch.retain(check, |reason| {
        tally.indicated += 1;
        tally.refuse(reason);
    });
    scratch.bytes = scratch.entries().iter().map(|entry| u64::from(entry.length())).sum();
}

/// Where the bytes of the usual datagram lie, and their number, which may yet be more than a datagram's: in one span that is
/// mapped, from a sender whose address can be read. `None` for any other, also for one that is no good.
///
/// # Safety
/// The indication is lent.
#[inline]
unsafe fn usual(indication: &WSK_DATAGRAM_INDICATION) -> Option<(NonNull<u8>, usize)> {
    // SAFETY: the buffer is part of the lent indication.
    let (first, length) = unsafe { in_one_span(&indication.Buffer) }?;
    // SAFETY: the address is part of the lent indication.
    unsafe { remote_is_known(indication.RemoteAddress) }.then_some((first, length))
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
        Err(reason) => refuse(scratch, tally, node, reason, 1),
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

/// Counts the datagrams of an indication that goes no further.
#[cold]
#[inline(never)]
fn refuse(scratch: &mut Scratch, tally: &mut Tally, node: Node, reason: DropReason, datagrams: u64) {
    tally.indicated += datagrams;
    tally.refuse_many(reason, datagrams);
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
    if scratch.shape_of != *asked.wanted {
        // Learned of a socket that asked for something else.
        (scratch.shape, scratch.shape_of) = (Shape::NONE, *asked.wanted);
    }
    scratch.spread = usize::MAX;
    if scratch.split.is_some() {
        go_on_splitting(scratch);
    } else if let Some(first) = NonNull::new(next) {
        // SAFETY: the caller's promise.
        next = unsafe { gather_alike(asked, scratch, tally, first) };
    }
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
            // SAFETY: the caller's promise.
            refuse(scratch, tally, node, reason, unsafe { lost(indication, reason) });
        }
        next = indication.Next;
    }
    next
}

/// Takes the datagrams at the head of the list whose control data is the same, byte for byte, if it is of the shape known and as
/// long as what is usually asked for: they share facts, which are read once. Where the list goes on.
///
/// # Safety
/// `first` is a node of a lent list.
#[inline]
unsafe fn gather_alike(
    asked: &Asked<'_>,
    scratch: &mut Scratch,
    tally: &mut Tally,
    first: Node,
) -> *mut WSK_DATAGRAM_INDICATION {
    // SAFETY: the caller's promise.
    let length = unsafe { first.as_ref() }.ControlInfoLength;
    // The messages of 4 or 8 bytes of data that are asked for, one to three of them.
    match length {
        // SAFETY: the caller's promise, and the length is that.
        24 => unsafe { gather_same::<3>(asked, scratch, tally, first) },
        // SAFETY: as above.
        48 => unsafe { gather_same::<6>(asked, scratch, tally, first) },
        // SAFETY: as above.
        72 => unsafe { gather_same::<9>(asked, scratch, tally, first) },
        _ => first.as_ptr(),
    }
}

/// [`gather_alike`] where the control data of `first` is `WORDS` long.
///
/// # Safety
/// As for [`gather_alike`], and that is its length.
#[inline(never)]
unsafe fn gather_same<const WORDS: usize>(
    asked: &Asked<'_>,
    scratch: &mut Scratch,
    tally: &mut Tally,
    first: Node,
) -> *mut WSK_DATAGRAM_INDICATION {
    let next = first.as_ptr();
    // SAFETY: the caller's promise.
    let indication = unsafe { first.as_ref() };
    let (control, length) = (indication.ControlInfo, indication.ControlInfoLength);
    if control.is_null() {
        return next;
    }
    // A copy, so that what the facts were read of is what the others are compared with.
    // SAFETY: the control data is part of the lent indication, and so long.
    let said = unsafe { control.cast::<[u64; WORDS]>().read_unaligned() };
    let Scratch { shape, facts: [facts, ..], .. } = &mut *scratch;
    // SAFETY: readable for its length.
    if !unsafe { shape.read(said.as_ptr().cast(), length, &asked.common, facts) } {
        return next;
    }
    scratch.spread = 0;
    let alike = |indication: &WSK_DATAGRAM_INDICATION| {
        let control = indication.ControlInfo.cast::<[u64; WORDS]>();
        if indication.ControlInfoLength != length || control.is_null() {
            return false;
        }
        // SAFETY: the control data is part of the lent indication, and so long.
        let words = unsafe { control.read_unaligned() };
        // All at once, because they are the same.
        words.iter().zip(&said).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
    };
    // SAFETY: the caller's promise.
    let next = unsafe { gather_usual(scratch, tally, next, alike) };
    if !next.is_null() {
        scratch.spread_out();
    }
    next
}

/// How many datagrams went with an indication: one where it contradicts itself.
///
/// # Safety
/// The indication is lent.
#[cold]
unsafe fn lost(indication: &WSK_DATAGRAM_INDICATION, reason: DropReason) -> u64 {
    match reason {
        // SAFETY: the caller's promise.
        DropReason::MissingInfo | DropReason::MapFailed => unsafe { datagrams(indication) },
        _ => 1,
    }
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
    let (control, length) = (indication.ControlInfo, indication.ControlInfoLength);
    let Scratch { shape, facts, count, .. } = &mut *scratch;
    let Some(facts) = facts.get_mut(*count) else { return Ok(()) };
    // SAFETY: the control data is part of the lent indication.
    if !unsafe { shape.read(control, length, &asked.common, facts) } {
        // SAFETY: the caller's promise.
        return unsafe { take_parsed(kernel, asked, scratch, tally, node) };
    }
    // SAFETY: the caller's promise.
    unsafe { take_entry(kernel, scratch, node) }
}

/// [`take`] of an indication whose control data is not of the shape that the last one's was.
///
/// # Safety
/// The indication is lent.
#[inline(never)]
unsafe fn take_parsed<K: Kernel>(
    kernel: &K,
    asked: &Asked<'_>,
    scratch: &mut Scratch,
    tally: &mut Tally,
    node: Node,
) -> Result<(), DropReason> {
    // SAFETY: the caller's promise.
    let indication = unsafe { node.as_ref() };
    let (control, length) = (indication.ControlInfo, indication.ControlInfoLength);
    // SAFETY: the control data is part of the lent indication.
    let said = unsafe { Ancillary::read(control, length) };
    let said = said.map_err(|_| DropReason::Malformed)?;
    let (facts, is_whole) = describe(asked, &said, indication.Buffer.Length, tally)?;
    if let Some(size) = said.coalesced
        && (size as usize) < indication.Buffer.Length
    {
        // SAFETY: the caller's promise.
        return unsafe { split(kernel, scratch, node, size, &facts) };
    }
    if is_whole {
        // SAFETY: the control data is part of the lent indication.
        scratch.shape = unsafe { Shape::of(control, length) }.unwrap_or(Shape::NONE);
    }
    if let Some(place) = scratch.facts.get_mut(scratch.count) {
        *place = facts;
    }
    // SAFETY: the caller's promise.
    unsafe { take_entry(kernel, scratch, node) }
}

/// Adds the entry of an indication whose facts are in their place.
///
/// # Safety
/// The indication is lent.
#[inline(always)]
unsafe fn take_entry<K: Kernel>(kernel: &K, scratch: &mut Scratch, node: Node) -> Result<(), DropReason> {
    // SAFETY: the caller's promise.
    let indication = unsafe { node.as_ref() };
    // SAFETY: the caller's promise.
    if let Some((first, length)) = unsafe { usual(indication) }
        && length <= LONGEST
        && let Some(place) = scratch.entries.get_mut(scratch.count)
    {
        prefetch(first.as_ptr());
        // SAFETY: `usual` found these bytes, and knew the address.
        unsafe { place.hold(node, first, length) };
        scratch.count += 1;
        scratch.bytes += length as u64;
        return Ok(());
    }
    // SAFETY: the caller's promise.
    unsafe { take_unusual(kernel, scratch, node) }
}

/// The same of a datagram in several spans or without a mapping, or one that is no good.
///
/// # Safety
/// The indication is lent.
#[cold]
#[inline(never)]
unsafe fn take_unusual<K: Kernel>(kernel: &K, scratch: &mut Scratch, node: Node) -> Result<(), DropReason> {
    // SAFETY: the caller's promise.
    let payload = unsafe { checked(kernel, node) }?;
    scratch.push(Entry::new(node, &payload));
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

/// Takes over what the control messages said, and notices what they did not; whether they said all that was asked for.
#[inline]
fn describe(
    asked: &Asked<'_>,
    said: &Ancillary,
    length: usize,
    tally: &mut Tally,
) -> Result<(Facts, bool), DropReason> {
    let Asked { wanted, common } = asked;
    let missing = [
        (wanted.packet_info, said.destination.is_none()),
        (wanted.type_of_service, said.type_of_service.is_none()),
        (wanted.hop_limit, said.hop_limit.is_none()),
        (wanted.timestamp, said.time.is_none()),
    ];
    if missing.contains(&(Info::Required, true)) {
        return Err(DropReason::MissingInfo);
    }
    let is_whole = !missing.contains(&(Info::Wanted, true));
    if !is_whole {
        tally.miss_info(parts(length, said.coalesced));
    }
    let (local, interface) = said.destination.unwrap_or((common.local, common.interface));
    let facts = Facts {
        local,
        time: said.time.unwrap_or_default(),
        interface,
        type_of_service: said.type_of_service.unwrap_or_default(),
        hop_limit: said.hop_limit.unwrap_or_default(),
        flags: common.flags,
    };
    Ok((facts, is_whole))
}
