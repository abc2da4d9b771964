//! One datagram between the list it came in and the handler, and where a round keeps them.

// UNSAFETY: reads the remote address of an indication that is lent.
#![expect(unsafe_code, reason = "an entry's indication is lent until the round ends or the handler keeps it")]

use core::ptr::{NonNull, null_mut};

use arrayvec::ArrayVec;
use skua_record::RecordFlags;

use crate::abi::nt::MDL;
use crate::abi::sockaddr::{AF_INET, AF_INET6, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6};
use crate::abi::wsk::WSK_DATAGRAM_INDICATION;
use crate::address::{Address, Endpoint};
use crate::processor::write_field;
use crate::reason::DropReason;
use crate::receive::coalesced::Split;
use crate::receive::payload::Payload;
use crate::receive::shape::Shape;
use crate::socket::options::Wanted;

/// Datagrams handled together. The masks of [`Marks`](crate::receive::batch::Marks) are one word of this many bits.
pub(crate) const BATCH: usize = 32;

/// One datagram: four words, of which the usual one writes three.
///
/// # Invariants
/// `node` is lent, and its remote address is one that [`remote_is_known`] knows; `first`, `extent` and `rest` lie in what it
/// lends. `rest` means something only where bytes lie beyond the first span.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    node: NonNull<WSK_DATAGRAM_INDICATION>,
    first: NonNull<u8>,
    /// From the low end: 32 bits of bytes in the first span, 16 of bytes beyond it, 16 of [`PART`] or nothing. One word, so
    /// that a datagram in one span takes one store.
    extent: u64,
    rest: *mut MDL,
}

/// Marks an entry that is part of a coalesced buffer.
const PART: u64 = 1 << 48;

// SAFETY: an entry is addresses of lent memory; it is used by the one thread that holds its shard.
unsafe impl Send for Entry {}

impl Entry {
    /// Scratch that holds no datagram yet.
    pub(crate) const VACANT: Self =
        Self { node: NonNull::dangling(), first: NonNull::dangling(), extent: 0, rest: null_mut() };

    /// Makes it a datagram in one span. What another left in `rest` stays: there is nothing beyond the span.
    ///
    /// # Safety
    /// As the type's invariant has it.
    #[inline]
    pub(super) unsafe fn hold(
        &mut self,
        node: NonNull<WSK_DATAGRAM_INDICATION>,
        first: NonNull<u8>,
        length: usize,
    ) {
        self.node = node;
        self.first = first;
        self.extent = length as u64;
    }

    /// Makes an entry that [holds](Self::hold) more bytes than 32 bits can say one without bytes: the number lies in the bits
    /// of everything else.
    pub(super) fn forget_impossible_length(&mut self) {
        // SAFETY: the node is lent.
        let indication = unsafe { self.node.as_ref() };
        if u32::try_from(indication.Buffer.Length).is_err() {
            self.extent = 0;
        }
    }

    /// A datagram as its payload describes it.
    #[inline]
    pub(crate) fn new(node: NonNull<WSK_DATAGRAM_INDICATION>, payload: &Payload<'_>) -> Self {
        let (first, first_length, length, rest) = payload.spans();
        Self { node, first, extent: extent(first_length, length - first_length), rest }
    }

    /// Part of a coalesced buffer: `first_length` bytes at `first`, and `beyond` more behind `rest`.
    #[inline]
    pub(super) fn part(
        node: NonNull<WSK_DATAGRAM_INDICATION>,
        first: NonNull<u8>,
        first_length: u32,
        beyond: u32,
        rest: *mut MDL,
    ) -> Self {
        Self { node, first, extent: extent(first_length, beyond) | PART, rest }
    }

    #[inline]
    pub(crate) fn node(&self) -> NonNull<WSK_DATAGRAM_INDICATION> {
        self.node
    }

    /// Whether it shares its indication with others.
    #[inline]
    pub(crate) fn is_part(&self) -> bool {
        self.extent & PART != 0
    }

    /// Payload bytes.
    #[inline]
    pub(crate) fn length(&self) -> u32 {
        self.first_length() + self.beyond()
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    fn first_length(&self) -> u32 {
        self.extent as u32
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the 16 bits above the low half")]
    fn beyond(&self) -> u32 {
        u32::from((self.extent >> 32) as u16)
    }

    /// Its bytes.
    #[inline]
    pub(crate) fn payload(&self) -> Payload<'static> {
        // SAFETY: by the invariant of an entry, whose makers checked the chain.
        unsafe { Payload::from_spans(self.first, self.first_length(), self.length(), self.rest) }
    }

    /// The address of who sent it.
    #[inline]
    pub(crate) fn source(&self) -> Address {
        let at = self.remote_address();
        // SAFETY: by the invariant of an entry.
        match unsafe { family(at) } {
            AF_INET => {
                // SAFETY: a whole address of the family.
                let v4 = unsafe { at.cast::<SOCKADDR_IN>().read_unaligned() };
                Address::from_ipv4_word(v4.sin_addr.S_addr)
            }
            // SAFETY: a whole address of the family.
            AF_INET6 => unsafe { v6_source(at) }.address,
            _ => Address::UNSPECIFIED,
        }
    }

    /// The same in network order as one word, if it is of IPv4 and came that way.
    #[inline]
    pub(crate) fn source_v4(&self) -> Option<u32> {
        let at = self.remote_address();
        // SAFETY: by the invariant of an entry.
        if unsafe { family(at) } == AF_INET {
            // SAFETY: a whole address of the family.
            let v4 = unsafe { at.cast::<SOCKADDR_IN>().read_unaligned() };
            return Some(v4.sin_addr.S_addr);
        }
        None
    }

    /// Who sent it.
    #[inline]
    pub(crate) fn remote(&self) -> Endpoint {
        let at = self.remote_address();
        // SAFETY: by the invariant of an entry.
        match unsafe { family(at) } {
            AF_INET => {
                // SAFETY: a whole address of the family.
                let v4 = unsafe { at.cast::<SOCKADDR_IN>().read_unaligned() };
                let address = Address::from_ipv4_word(v4.sin_addr.S_addr);
                Endpoint { address, scope: 0, port: u16::from_be(v4.sin_port) }
            }
            // SAFETY: a whole address of the family.
            AF_INET6 => unsafe { v6_source(at) },
            _ => Endpoint::default(),
        }
    }

    #[inline]
    fn remote_address(&self) -> *const SOCKADDR {
        // SAFETY: the node is lent.
        unsafe { self.node.as_ref() }.RemoteAddress
    }
}

/// Which of the `entries` this is.
#[inline]
pub(super) fn index_of(entries: &[Entry; BATCH], entry: &Entry) -> usize {
    let from_first = (&raw const *entry).addr().wrapping_sub((&raw const *entries).addr());
    from_first / size_of::<Entry>() % BATCH
}

#[inline]
fn extent(first_length: u32, beyond: u32) -> u64 {
    u64::from(first_length) | u64::from(beyond) << 32
}

/// Whether the remote address of an indication is one that can be read.
///
/// # Safety
/// `address` is null or an address of its family, which is part of a lent indication.
#[inline]
pub(crate) unsafe fn remote_is_known(address: *const SOCKADDR) -> bool {
    // IPv4 is asked for first, which is all that an IPv4 socket hears.
    // SAFETY: the caller's promise; every address begins with its family.
    !address.is_null() && (unsafe { family(address) } == AF_INET || unsafe { is_v6(address) })
}

/// # Safety
/// As for [`family`].
#[inline(never)]
unsafe fn is_v6(address: *const SOCKADDR) -> bool {
    // SAFETY: the caller's promise.
    unsafe { family(address) == AF_INET6 }
}

/// # Safety
/// `address` is readable for two bytes.
#[inline]
unsafe fn family(address: *const SOCKADDR) -> u16 {
    // SAFETY: the caller's promise.
    unsafe { address.cast::<u16>().read_unaligned() }
}

/// # Safety
/// `address` is readable as an IPv6 address.
#[inline]
unsafe fn v6_source(address: *const SOCKADDR) -> Endpoint {
    // SAFETY: the caller's promise.
    let v6 = unsafe { address.cast::<SOCKADDR_IN6>().read_unaligned() };
    Endpoint {
        address: Address::from_octets(bytemuck::must_cast(v6.sin6_addr)),
        scope: v6.sin6_scope_id,
        port: u16::from_be(v6.sin6_port),
    }
}

/// What is known of a datagram besides its bytes and its sender.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    /// Where it was sent to.
    pub local: Address,
    /// The stack's own stamp, in ticks of the performance counter; 0 where the time of the list stands in.
    pub time: u64,
    pub interface: u32,
    pub type_of_service: u8,
    pub hop_limit: u8,
    pub flags: RecordFlags,
}

impl Facts {
    /// Of a datagram sent to `local`, with nothing else known.
    pub(crate) fn new(local: Address, flags: RecordFlags) -> Self {
        Self { local, time: 0, interface: 0, type_of_service: 0, hop_limit: 0, flags }
    }
}

/// An indication of the round in progress that no entry gives back.
#[derive(Clone, Copy)]
pub(crate) struct Node(pub NonNull<WSK_DATAGRAM_INDICATION>);

// SAFETY: the address is not used between rounds, so moving the shard moves nothing in use.
unsafe impl Send for Node {}

/// The datagrams of the round in progress, in the shard because kernel stacks are small.
///
/// # Invariants
/// `entries` up to `count` are of this round, and `bytes` is the sum of their lengths. Where `spread` is all ones, `facts` has those of each entry at its index; where
/// it is 0, the first holds for all.
pub(crate) struct Scratch {
    pub entries: [Entry; BATCH],
    pub count: usize,
    /// Payload bytes of the entries.
    pub bytes: u64,
    pub facts: [Facts; BATCH],
    pub spread: usize,
    /// Indications without an entry that would give them back: refused before the handler, or split and at their end. One for
    /// each that was met, and one for each entry that admission takes out.
    pub without: ArrayVec<Node, { 2 * BATCH }>,
    /// Of the datagrams met, by position, those that have no entry; only where positions are of interest.
    pub skipped: u32,
    /// A coalesced buffer whose parts are not all handed on yet.
    pub split: Option<Split>,
    /// The control messages that came last, if they were all that `shape_of` asks for.
    pub shape: Shape,
    pub shape_of: Wanted,
}

impl Scratch {
    /// Makes one in place, because it is too large for a kernel's stack.
    ///
    /// # Safety
    /// `place` has room for one, and is the caller's.
    pub(crate) unsafe fn write_at(place: *mut Self) {
        // SAFETY: a field of the place.
        let entries = unsafe { &raw mut (*place).entries }.cast::<Entry>();
        // SAFETY: as above.
        let facts = unsafe { &raw mut (*place).facts }.cast::<Facts>();
        for index in 0..BATCH {
            // SAFETY: below the array's length.
            unsafe { entries.wrapping_add(index).write(Entry::VACANT) };
            // SAFETY: as above.
            unsafe {
                facts.wrapping_add(index).write(Facts::new(Address::UNSPECIFIED, RecordFlags::empty()))
            };
        }
        write_field!(place.count = 0);
        write_field!(place.bytes = 0);
        write_field!(place.spread = 0);
        write_field!(place.without = ArrayVec::new_const());
        write_field!(place.skipped = 0);
        write_field!(place.split = None);
        write_field!(place.shape = Shape::NONE);
        write_field!(place.shape_of = Wanted::default());
    }

    /// Begins a round.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.bytes = 0;
        self.without.clear();
        self.skipped = 0;
    }

    /// The same facts hold for every entry.
    #[inline]
    pub(crate) fn share(&mut self, common: Facts) {
        let [first, ..] = &mut self.facts;
        *first = common;
        self.spread = 0;
    }

    /// From here on each entry has facts of its own, those that there are the shared ones.
    #[cold]
    #[inline(never)]
    pub(super) fn spread_out(&mut self) {
        let [first, rest @ ..] = &mut self.facts;
        for facts in rest.iter_mut().take(self.count.saturating_sub(1)) {
            *facts = *first;
        }
        self.spread = usize::MAX;
    }

    /// The entries of the round.
    #[inline]
    pub(crate) fn entries(&self) -> &[Entry] {
        self.entries.get(..self.count).unwrap_or_default()
    }

    /// Whether another datagram fits in the round.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.count < BATCH && self.without.len() < BATCH
    }

    /// Adds an entry. There is room, as the caller has seen.
    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) {
        if let Some(place) = self.entries.get_mut(self.count) {
            *place = entry;
            self.count += 1;
            self.bytes += u64::from(entry.length());
        }
    }

    /// Adds an entry with facts of its own.
    #[inline]
    pub(crate) fn push_with(&mut self, entry: Entry, facts: &Facts) {
        if let Some(place) = self.facts.get_mut(self.count) {
            *place = *facts;
        }
        self.push(entry);
    }

    /// Remembers an indication that no entry gives back. There is room, as the caller has seen.
    #[cold]
    pub(crate) fn set_aside(&mut self, node: NonNull<WSK_DATAGRAM_INDICATION>) {
        let _room = self.without.try_push(Node(node));
    }

    /// Leaves in the round only the entries that `admit` lets in, and tells `refused` the reason of each other.
    #[inline]
    pub(crate) fn retain(
        &mut self,
        mut admit: impl FnMut(&Entry) -> Result<(), DropReason>,
        mut refused: impl FnMut(DropReason),
    ) {
        let mut out = 0_u32;
        // One place that admits, so that its code stands here and not behind a call.
        for entry in self.entries() {
            if let Err(reason) = admit(entry) {
                out |= 1 << index_of(&self.entries, entry);
                refused(reason);
            }
        }
        if out != 0 {
            self.leave_out(out);
        }
    }

    /// Takes out the entries whose bits are set.
    #[cold]
    #[inline(never)]
    fn leave_out(&mut self, out: u32) {
        let before = self.skipped;
        let mut kept = 0;
        for index in 0..self.count.min(BATCH) {
            if out & 1 << index != 0 {
                self.take_out(index, before);
                continue;
            }
            if kept != index {
                self.move_down(index, kept);
            }
            kept += 1;
        }
        self.count = kept;
    }

    /// Notes that the entry with this index goes no further; `before` is `skipped` when the indices were right.
    fn take_out(&mut self, index: usize, before: u32) {
        let Some(entry) = self.entries.get(index).copied() else { return };
        self.bytes = self.bytes.wrapping_sub(u64::from(entry.length()));
        self.skipped |= position(before, index);
        if !entry.is_part() {
            self.set_aside(entry.node);
        }
    }

    /// The positions, among all datagrams of the round, of those entries whose bits are set and of those without an entry.
    pub(crate) fn by_position(&self, mut entries: u32) -> u32 {
        let (mut free, mut positions) = (!self.skipped, self.skipped);
        while entries != 0 {
            let lowest = free & free.wrapping_neg();
            if entries & 1 != 0 {
                positions |= lowest;
            }
            free &= !lowest;
            entries >>= 1;
        }
        positions
    }

    fn move_down(&mut self, from: usize, to: usize) {
        if let Some(entry) = self.entries.get(from).copied()
            && let Some(place) = self.entries.get_mut(to)
        {
            *place = entry;
        }
        if self.spread != 0
            && let Some(facts) = self.facts.get(from).copied()
            && let Some(place) = self.facts.get_mut(to)
        {
            *place = facts;
        }
    }
}

/// The bit of the entry with this index among datagrams of which `skipped` have no entry.
fn position(skipped: u32, index: usize) -> u32 {
    let mut free = !skipped;
    for _ in 0..index {
        free &= free.wrapping_sub(1);
    }
    free & free.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;

    use super::*;

    #[test]
    fn positions_count_the_datagrams_without_an_entry() {
        assert_eq!(position(0, 5), 1 << 5);
        assert_eq!(position(0b0001_0110, 0), 1);
        assert_eq!(position(0b0001_0110, 1), 1 << 3);
        assert_eq!(position(0b0001_0110, 2), 1 << 5);
        let mut scratch = MaybeUninit::uninit();
        // SAFETY: room for one.
        unsafe { Scratch::write_at(scratch.as_mut_ptr()) };
        // SAFETY: made just now.
        let mut scratch = unsafe { scratch.assume_init() };
        scratch.skipped = 0b0001_0110;
        assert_eq!(scratch.by_position(0b101), 0b0001_0110 | 1 | 1 << 5);
    }
}
