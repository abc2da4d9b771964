//! What has been sent to one socket and not been received.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER};

use crate::kernel::lock::hold;
use crate::os::{Family, Membership};
use crate::receive::{Arrival, BlockRef, Wanted};

/// What a datagram is charged besides its payload, in bytes of the buffer.
const OVERHEAD: usize = 64;

/// The most that a socket buffers: its memory is taken at once. Who asks for more gets this, as on any host.
const LARGEST: usize = 64 << 20;

/// A datagram without its bytes.
#[derive(Clone, Copy)]
pub(super) struct Parcel {
    pub(super) source: SocketAddr,
    pub(super) arrival: Arrival,
    /// Bytes of payload.
    pub(super) length: usize,
    /// Where in the parts of the send they begin.
    pub(super) skip: usize,
}

/// The queue of one socket. Its memory is taken when the buffer is sized.
pub(super) struct Mailbox {
    pub(super) family: Family,
    pub(super) only_v6: AtomicBool,
    pub(super) wanted: Wanted,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

struct Queue {
    parcels: VecDeque<Parcel>,
    /// The payloads, one after the other.
    bytes: VecDeque<u8>,
    /// What parcels and payloads may take together.
    capacity: usize,
    /// By group, source or any.
    memberships: Vec<(IpAddr, Option<IpAddr>)>,
    /// By group and source.
    blocked: Vec<(IpAddr, IpAddr)>,
    dropped: u64,
    ended: bool,
}

/// The payload of the parcel that is being taken.
pub(super) struct Payload<'a>([&'a [u8]; 2]);

impl Payload<'_> {
    /// Copies it into a block.
    pub(super) fn copy_to(&self, block: BlockRef) {
        block.write_pieces(self.0);
    }
}

impl Mailbox {
    pub(super) fn new(family: Family, capacity: u32) -> Self {
        let mut queue = Queue {
            parcels: VecDeque::new(),
            bytes: VecDeque::new(),
            capacity: 0,
            memberships: Vec::new(),
            blocked: Vec::new(),
            dropped: 0,
            ended: false,
        };
        queue.resize(capacity as usize);
        Self {
            family,
            only_v6: AtomicBool::new(true),
            wanted: Wanted::default(),
            queue: Mutex::new(queue),
            arrived: Condvar::new(),
        }
    }

    pub(super) fn capacity(&self) -> u32 {
        u32::try_from(hold(&self.queue).capacity).unwrap_or(u32::MAX)
    }

    pub(super) fn resize(&self, capacity: u32) {
        hold(&self.queue).resize(capacity as usize);
    }

    pub(super) fn dropped(&self) -> u64 {
        hold(&self.queue).dropped
    }

    pub(super) fn join(&self, membership: Membership) -> Result<(), NTSTATUS> {
        let mut queue = hold(&self.queue);
        let entry = (membership.group, membership.source);
        if queue.memberships.contains(&entry) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        queue.memberships.push(entry);
        Ok(())
    }

    pub(super) fn leave(&self, membership: Membership) -> Result<(), NTSTATUS> {
        let mut queue = hold(&self.queue);
        let entry = (membership.group, membership.source);
        let position =
            queue.memberships.iter().position(|known| *known == entry).ok_or(STATUS_INVALID_PARAMETER)?;
        queue.memberships.swap_remove(position);
        if membership.source.is_none() {
            queue.blocked.retain(|(group, _)| *group != membership.group);
        }
        Ok(())
    }

    /// Refuses a source of a group that was joined for all.
    pub(super) fn block(&self, membership: Membership) -> Result<(), NTSTATUS> {
        let mut queue = hold(&self.queue);
        let entry = (membership.group, membership.source.ok_or(STATUS_INVALID_PARAMETER)?);
        if !queue.memberships.contains(&(membership.group, None)) || queue.blocked.contains(&entry) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        queue.blocked.push(entry);
        Ok(())
    }

    pub(super) fn unblock(&self, membership: Membership) -> Result<(), NTSTATUS> {
        let mut queue = hold(&self.queue);
        let entry = (membership.group, membership.source.ok_or(STATUS_INVALID_PARAMETER)?);
        let position =
            queue.blocked.iter().position(|known| *known == entry).ok_or(STATUS_INVALID_PARAMETER)?;
        queue.blocked.swap_remove(position);
        Ok(())
    }

    /// Whether a datagram of `source` to `group` is for this socket.
    pub(super) fn is_member(&self, group: IpAddr, source: IpAddr) -> bool {
        let queue = hold(&self.queue);
        if queue.blocked.contains(&(group, source)) {
            return false;
        }
        queue.memberships.iter().any(|(known, of)| *known == group && of.is_none_or(|of| of == source))
    }

    /// Queues a datagram, or drops and counts it when there is no room.
    pub(super) fn put(&self, parcel: &Parcel, parts: &[IoSlice<'_>]) {
        let mut queue = hold(&self.queue);
        let taken = queue.bytes.len() + queue.parcels.len() * OVERHEAD;
        if queue.ended || taken + parcel.length + OVERHEAD > queue.capacity {
            queue.dropped += 1;
            return;
        }
        let (mut skip, mut left) = (parcel.skip, parcel.length);
        for part in parts {
            let (skipped, part) = part.split_at(skip.min(part.len()));
            skip -= skipped.len();
            let part = &part[..part.len().min(left)];
            left -= part.len();
            queue.bytes.extend(part);
        }
        queue.parcels.push_back(*parcel);
        drop(queue);
        self.arrived.notify_one();
    }

    /// Waits for datagrams and takes up to `most`; 0 when it has ended.
    pub(super) fn take(&self, most: usize, mut each: impl FnMut(usize, &Parcel, Payload<'_>)) -> usize {
        let mut queue = hold(&self.queue);
        while queue.parcels.is_empty() && !queue.ended {
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let count = most.min(queue.parcels.len());
        for slot in 0..count {
            let Some(parcel) = queue.parcels.pop_front() else { return slot };
            each(slot, &parcel, queue.front(parcel.length));
            queue.bytes.drain(..parcel.length);
        }
        count
    }

    /// Takes no more, and lets receivers see that.
    pub(super) fn end(&self) {
        hold(&self.queue).ended = true;
        self.arrived.notify_all();
    }

    /// Forgets what is queued; how many datagrams that was.
    pub(super) fn clear(&self) -> u64 {
        let mut queue = hold(&self.queue);
        let count = queue.parcels.len() as u64;
        queue.parcels.clear();
        queue.bytes.clear();
        count
    }

    /// Whether datagrams of `family` can come here.
    pub(super) fn takes(&self, is_v4: bool) -> bool {
        match self.family {
            Family::V4 => is_v4,
            Family::V6 => !is_v4 || !self.only_v6.load(Ordering::Relaxed),
        }
    }
}

impl Queue {
    fn resize(&mut self, capacity: usize) {
        let capacity = capacity.clamp(OVERHEAD, LARGEST);
        self.capacity = capacity;
        self.bytes.reserve_exact(capacity.saturating_sub(self.bytes.len()));
        self.parcels.reserve_exact((capacity / OVERHEAD).saturating_sub(self.parcels.len()));
    }

    fn front(&self, length: usize) -> Payload<'_> {
        let (first, second) = self.bytes.as_slices();
        let of_first = &first[..length.min(first.len())];
        Payload([of_first, &second[..length - of_first.len()]])
    }
}
