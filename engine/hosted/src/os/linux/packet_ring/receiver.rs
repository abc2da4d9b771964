//! The receiver of one worker: walks the blocks of its rings, and aims the arena's blocks at what it finds.

// UNSAFETY: has indications lead into the ring.
#![expect(unsafe_code, reason = "payload is lent where the kernel put it")]

use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::groups::Groups;
use super::losses::Losses;
use super::reach::Reach;
use super::ring::Ring;
use super::socket::{Shared, is_passing};
use super::wire::{Datagram, Kind, Walk};
use crate::kernel::clock;
use crate::os::linux::errors;
use crate::os::{Family, Received, Receiver};
use crate::receive::{Arrival, BlockRef, Wanted, mapped};

/// How long a worker rests, in ms, that has nothing to receive because blocks are held.
const HELD_REST: i64 = 1;
/// How much longer than its time-out a block may take, in ms: ticks of the kernel's timer, and of a busy machine.
const LATE: i64 = 40;

/// So many bytes before a frame is walked it is fetched: the kernel wrote it on another processor.
const AHEAD: usize = 1536;
/// About what a frame has besides its packet.
const FRAME_OVERHEAD: usize = 112;

/// See the module.
pub(super) struct RingReceiver {
    shared: Arc<Shared>,
    family: Family,
    port: u16,
    lanes: Box<[Lane]>,
    /// The lane to look at first.
    turn: usize,
    slots: Box<[Option<BlockRef>]>,
    reach: Reach,
    groups: Groups,
    groups_version: u32,
    /// What to take off a wall-clock time to have ticks of the performance counter.
    clock_offset: u64,
    has_ended: bool,
}

/// A ring, and how far it was read.
///
/// # Invariants
/// `held[b]` is the number of indications that lead into block `b`, and one more for the block that is walked.
struct Lane {
    ring: Arc<Ring>,
    /// The block that comes next, or is walked.
    block: usize,
    walk: Option<Walk>,
    /// What is left of a frame of several datagrams.
    rest: Option<Rest>,
    held: Box<[u32]>,
    /// Blocks besides the one that is walked that indications lead into.
    blocks_held: usize,
}

/// Datagrams of one frame that were not lent yet.
struct Rest {
    datagram: Datagram,
    interface: u32,
    time: u64,
    delivery: u32,
    /// Where in the block the next one begins, and where the last one ends.
    next: usize,
    end: usize,
    size: usize,
}

/// What all datagrams of one batch have in common.
struct Batch {
    family: Family,
    wanted: u32,
    clock_offset: u64,
}

impl RingReceiver {
    pub(super) fn new(shared: Arc<Shared>, worker: u32, slots: usize) -> Self {
        let lanes = shared.rings(worker).iter().map(|ring| Lane::new(Arc::clone(ring))).collect();
        Self {
            family: shared.claim().family,
            port: shared.port(),
            lanes,
            turn: 0,
            slots: vec![None; slots].into(),
            reach: shared.reach(),
            groups: Groups::default(),
            groups_version: 0,
            clock_offset: 0,
            has_ended: false,
            shared,
        }
    }

    /// Aims the first of `0..slots` at what there is in the rings, and says how many.
    fn take(&mut self, slots: usize) -> usize {
        if let Some(groups) = self.shared.groups_since(&mut self.groups_version) {
            self.groups = groups;
        }
        if self.lanes.iter().any(|lane| lane.walk.is_none()) {
            // Once a block is often enough to follow the wall's clock.
            self.clock_offset = clock::unix_time().wrapping_sub(clock::performance_counter());
        }
        let batch = Batch {
            family: self.family,
            wanted: self.shared.claim().wanted.get(),
            clock_offset: self.clock_offset,
        };
        let mut taken = 0;
        for _ in 0..self.lanes.len() {
            let lane = self.turn % self.lanes.len();
            while taken < slots
                && let Some(block) = self.slots[taken]
                && self.take_one(lane, block, &batch)
            {
                taken += 1;
            }
            if taken == slots {
                break;
            }
            self.turn += 1;
        }
        self.shared.losses.took(taken);
        taken
    }

    /// Aims `block` at the next datagram of a lane; false when there is none.
    fn take_one(&mut self, lane: usize, block: BlockRef, batch: &Batch) -> bool {
        let Self { lanes, reach, groups, shared, port, .. } = self;
        let lane = &mut lanes[lane];
        (lane.rest.is_some() || lane.find(*port, reach, groups, &shared.losses)) && lane.lend(block, batch)
    }

    /// Waits until there may be something to receive.
    fn wait(&mut self) -> Received {
        let is_held = self.lanes.iter().any(|lane| lane.blocks_held > 0);
        let is_ending = self.shared.is_ending();
        let block = i64::from(self.shared.timeout());
        // What is held may come back any time, and nothing else says so.
        let timeout = if is_ending { Some(block + LATE) } else { is_held.then_some(block) };
        if let Err(received) = self.poll(true, !is_ending, timeout) {
            return received;
        }
        if self.lanes.iter().any(Lane::is_ready) {
            return Received::Quiet;
        }
        if is_ending && !is_held {
            self.has_ended = true;
            self.shared.note_drained();
            return Received::Ended;
        }
        if is_held {
            // The kernel says that there is something as long as the block before its own is held.
            let _ = self.poll(false, !is_ending, Some(HELD_REST));
        }
        Received::Quiet
    }

    /// Waits for the rings or for the claiming socket, up to so many ms.
    fn poll(&self, rings: bool, claim: bool, timeout: Option<i64>) -> Result<(), Received> {
        let timeout = timeout.map(|ms| Timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 });
        let mut entries: arrayvec::ArrayVec<PollFd<'_>, 3> = arrayvec::ArrayVec::new();
        if rings {
            entries.extend(
                self.lanes.iter().map(|lane| PollFd::from_borrowed_fd(lane.ring.as_fd(), PollFlags::IN)),
            );
        }
        let first = &self.shared.claim().first;
        if claim {
            // The end of receiving, and errors.
            entries.push(PollFd::from_borrowed_fd(first.as_fd(), PollFlags::RDHUP));
        }
        match poll(&mut entries, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return Err(Received::Failed),
        }
        let is_broken = |entry: &PollFd<'_>| entry.revents().intersects(PollFlags::ERR | PollFlags::NVAL);
        if !entries.iter().any(is_broken) {
            return Ok(());
        }
        if claim && entries.last().is_some_and(is_broken) {
            // What is not asked for as errors of the network is nobody's.
            let _ = first.sock().take_error();
        }
        for lane in &self.lanes {
            match lane.ring.sock().take_error() {
                Ok(None) => {}
                Ok(Some(error)) if is_passing(&error) => {}
                Ok(Some(_)) | Err(_) => return Err(Received::Failed),
            }
        }
        Err(Received::Quiet)
    }

    /// ICMP errors, which the claiming socket hears of; how many were put into the first slots.
    fn receive_errors(&self, slots: usize) -> usize {
        let wanted = self.shared.claim().wanted.get();
        if wanted & (Wanted::ERRORS_V4 | Wanted::ERRORS_V6) == 0 {
            return 0;
        }
        let blocks = self.slots.iter().take(slots).map_while(|block| *block);
        let first = &self.shared.claim().first;
        let receive = |block: &BlockRef| {
            block.restore();
            errors::receive(first, *block, self.family, wanted)
        };
        blocks.take_while(receive).count()
    }
}

impl Receiver for RingReceiver {
    fn attach(&mut self, slot: usize, block: BlockRef) {
        self.slots[slot] = Some(block);
    }

    fn receive(&mut self, slots: usize) -> Received {
        let slots = slots.min(self.slots.len());
        if self.has_ended {
            return Received::Ended;
        }
        let errors = self.receive_errors(slots);
        if errors > 0 {
            return Received::Datagrams(errors);
        }
        match self.take(slots) {
            0 => self.wait(),
            taken => Received::Datagrams(taken),
        }
    }

    fn lends(&self) -> bool {
        true
    }

    fn take_back(&mut self, blocks: &[Option<BlockRef>]) {
        for block in blocks.iter().flatten() {
            let Some(at) = block.aimed() else { continue };
            block.let_go();
            for lane in &mut self.lanes {
                if let Some(number) = lane.ring.find(at) {
                    lane.release(number);
                    break;
                }
            }
        }
    }

    fn discard(&mut self) -> u64 {
        let Self { lanes, reach, groups, shared, port, .. } = self;
        let mut discarded = 0;
        for lane in lanes {
            while lane.rest.is_some() || lane.find(*port, reach, groups, &shared.losses) {
                discarded += lane.rest.take().map_or(0, |rest| rest.datagrams());
            }
        }
        shared.losses.took(usize::try_from(discarded).unwrap_or(usize::MAX));
        discarded
    }
}

impl Lane {
    fn new(ring: Arc<Ring>) -> Self {
        let held = vec![0; ring.blocks()].into();
        Self { ring, block: 0, walk: None, rest: None, held, blocks_held: 0 }
    }

    /// Whether there is something to walk.
    fn is_ready(&self) -> bool {
        self.walk.is_some()
            || self.rest.is_some()
            || (self.held[self.block] == 0 && self.ring.is_ours(self.block))
    }

    /// Begins with the next block; false when the kernel still has it, or indications do.
    fn begin(&mut self) -> bool {
        if self.held[self.block] > 0 || !self.ring.is_ours(self.block) {
            return false;
        }
        self.held[self.block] = 1;
        self.ring.prefetch(self.block, 0, AHEAD);
        self.walk = Some(Walk::of(self.ring.block(self.block)));
        true
    }

    /// The block that was walked is at its end.
    fn finish(&mut self) {
        self.walk = None;
        let block = self.block;
        self.block = (block + 1) % self.ring.blocks();
        self.held[block] -= 1;
        if self.held[block] == 0 {
            self.ring.give_back(block);
        } else {
            self.blocks_held += 1;
        }
    }

    /// An indication that led into a block does no longer.
    fn release(&mut self, block: usize) {
        let Some(held) = self.held.get_mut(block).filter(|held| **held > 0) else { return };
        *held -= 1;
        if *held == 0 {
            self.blocks_held -= 1;
            self.ring.give_back(block);
        }
    }

    /// Finds the next frame with a datagram that reaches the socket, and makes it what is left to lend; false when there is
    /// none. What reaches the socket and cannot be lent is counted.
    fn find(&mut self, port: u16, reach: &mut Reach, groups: &Groups, losses: &Losses) -> bool {
        loop {
            let Some(walk) = &mut self.walk else {
                if !self.begin() {
                    return false;
                }
                reach.refresh();
                continue;
            };
            let block = self.ring.block(self.block);
            let frame = match walk.next(block, self.ring.has_offload()) {
                Some(Ok(frame)) => frame,
                Some(Err(broken)) => {
                    losses.note_unreadable(broken.0);
                    continue;
                }
                None => {
                    self.finish();
                    continue;
                }
            };
            self.ring.prefetch(self.block, frame.packet.start + AHEAD, frame.packet.len() + FRAME_OVERHEAD);
            if frame.kind == Kind::Elsewhere {
                continue;
            }
            let packet = block.get(frame.packet.clone()).unwrap_or_default();
            let Some(datagram) = Datagram::read(self.ring.version(), packet, frame.length, port) else {
                continue;
            };
            let (source, destination) = (datagram.source.ip(), datagram.destination);
            let Some(delivery) = reach.delivery(groups, frame.interface, source, destination) else {
                continue;
            };
            match datagram.checked(packet, frame.is_checked || frame.joined.is_some()) {
                Ok(payload) => {
                    let (next, end) = (frame.packet.start + payload.start, frame.packet.start + payload.end);
                    let size = frame.joined.map(usize::from).filter(|size| *size < end - next);
                    self.rest = Some(Rest {
                        datagram,
                        interface: frame.interface,
                        time: frame.time,
                        delivery,
                        next,
                        end,
                        size: size.unwrap_or_default(),
                    });
                    return true;
                }
                Err(fault) => losses.note(fault),
            }
        }
    }

    /// Has `block` lead to the next datagram that is left to lend; false when there is none.
    fn lend(&mut self, block: BlockRef, batch: &Batch) -> bool {
        let Some(rest) = &mut self.rest else { return false };
        let left = rest.end - rest.next;
        let is_joined = rest.size > 0;
        let bytes = if is_joined && !batch.takes_joined() { left.min(rest.size) } else { left };
        let control = batch.describe(block, rest, is_joined && bytes > rest.size);
        let at = self.ring.at(self.block, rest.next);
        // While many are held, others are copied: the ring must not fill with what clients keep.
        if self.blocks_held * 2 >= self.ring.blocks() {
            let payload = self.ring.block(self.block).get(rest.next..rest.next + bytes).unwrap_or_default();
            block.restore();
            block.write_pieces([payload, &[]]);
            block.fill(payload.len(), control, rest.delivery);
        } else {
            // SAFETY: the ring's block is counted as held until this one comes back, and its bytes stay as they are.
            unsafe { block.aim(at, bytes, control, rest.delivery) };
            self.held[self.block] += 1;
        }
        rest.next += bytes;
        if rest.next >= rest.end {
            self.rest = None;
        }
        true
    }
}

impl Rest {
    fn datagrams(&self) -> u64 {
        parts(self.end - self.next, self.size)
    }
}

/// Datagrams in a payload of `bytes` that was joined from those of `size`, or not when that is 0.
fn parts(bytes: usize, size: usize) -> u64 {
    if size == 0 { 1 } else { bytes.div_ceil(size).max(1) as u64 }
}

impl Batch {
    /// Whether the client takes several datagrams as one.
    fn takes_joined(&self) -> bool {
        self.wanted & Wanted::COALESCED != 0
    }

    /// Writes source and control messages, and returns how long those are.
    fn describe(&self, block: BlockRef, rest: &Rest, is_joined: bool) -> usize {
        let datagram = &rest.datagram;
        block.set_source(match self.family {
            Family::V4 => datagram.source,
            Family::V6 => Self::source_v6(rest),
        });
        let arrival = Arrival {
            destination: Some((datagram.destination, rest.interface)),
            type_of_service: Some(datagram.type_of_service),
            hop_limit: Some(datagram.hop_limit),
            time: Some(rest.time.wrapping_sub(self.clock_offset)),
            error: None,
        };
        let mut writer = block.control_writer();
        arrival.write(self.wanted, datagram.destination.is_ipv4(), &mut writer);
        if is_joined {
            writer.coalesced(u32::try_from(rest.size).unwrap_or_default());
        }
        writer.used()
    }

    /// A link-local sender is told by its interface, as the stack does.
    fn source_v6(rest: &Rest) -> SocketAddr {
        let source = rest.datagram.source;
        let mut source = SocketAddrV6::new(mapped(source.ip()), source.port(), 0, 0);
        if source.ip().is_unicast_link_local() {
            source.set_scope_id(rest.interface);
        }
        source.into()
    }
}
