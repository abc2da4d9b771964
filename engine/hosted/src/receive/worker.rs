//! A worker: one thread that receives batches into blocks and gives them to the client.
//!
//! ```text
//!   idle --event enabled, request queued--> receiving --datagrams--> delivering --consumed, retained--> receiving
//!    ^                                         |  |                     |  ^
//!    '----------- nothing wanted --------------'  |           refused or off: holds the rest, waits
//!                                                 '--ended--> drained, until the socket closes
//! ```
//!
//! While nothing is wanted, or every block is lent, it makes no system call: the backlog stays in the socket buffer, where
//! the stack counts what does not fit.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use skua_engine::abi::cmsg::MSG_BCAST;
use skua_engine::abi::wsk::WSK_FLAG_AT_DISPATCH_LEVEL;

use super::block::BlockRef;
use super::coalesce;
use super::moderation::Moderation;
use crate::os::{Received, Receiver};
use crate::socket::datagram::DatagramSocket;
use crate::socket::events::Verdict;

/// How long a list that a static event refused rests before it is indicated again.
const REFUSED_REST: Duration = Duration::from_millis(1);
/// How long a worker rests when the stack fails again and again.
const ERROR_REST: Duration = Duration::from_millis(1);
/// So many failures in a row are taken without a rest.
const ERRORS_IN_A_ROW: u32 = 16;

/// Wakes one thread, which waits for conditions that others bring about.
///
/// Both sides write before they read, sequentially consistent: the sleeper says that it sleeps and then looks at the
/// condition, others change the condition and then look whether it sleeps.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    sleeping: AtomicBool,
    /// Set by the thread itself before it first sleeps.
    thread: OnceLock<Thread>,
}

impl Bell {
    /// Waits until `ready`.
    pub(crate) fn wait(&self, ready: impl Fn() -> bool) {
        self.sleep(None, ready);
    }

    /// Waits until `ready`, or about `rest`.
    pub(crate) fn rest(&self, rest: Duration, ready: impl Fn() -> bool) {
        self.sleep(Some(rest), ready);
    }

    /// Wakes the thread if it waits. Comes after whatever it waits for.
    pub(crate) fn ring(&self) {
        if self.sleeping.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    fn sleep(&self, rest: Option<Duration>, ready: impl Fn() -> bool) {
        self.thread.get_or_init(std::thread::current);
        loop {
            self.sleeping.store(true, Ordering::SeqCst);
            if ready() {
                break;
            }
            match rest {
                None => std::thread::park(),
                Some(rest) => {
                    std::thread::park_timeout(rest);
                    break;
                }
            }
        }
        self.sleeping.store(false, Ordering::SeqCst);
    }
}

/// What a worker is made of.
pub(crate) struct WorkerPlan {
    pub(crate) socket: Arc<DatagramSocket>,
    pub(crate) index: u32,
    pub(crate) receiver: Box<dyn Receiver>,
}

/// See the drawing above.
///
/// # Invariants
/// A block is in one place: in `slots`, in `spare`, lent, or on its way back in the arena's free list.
pub(crate) struct Worker {
    socket: Arc<DatagramSocket>,
    index: u32,
    receiver: Box<dyn Receiver>,
    /// The batch. A slot is empty after its block was retained.
    slots: Box<[Option<BlockRef>]>,
    /// Blocks in no slot. Has room for all of this worker's.
    spare: Vec<BlockRef>,
    errors: u32,
    /// None when it is off.
    moderation: Option<Moderation>,
    /// Whether a quiesce was told that this worker's queue is empty.
    drained: bool,
}

impl Worker {
    /// A worker with all its blocks. Everything that receiving needs is taken here.
    pub(crate) fn new(plan: WorkerPlan) -> Self {
        let WorkerPlan { socket, index, receiver } = plan;
        let provider = socket.kernel.provider();
        let mut spare = Vec::with_capacity(provider.blocks as usize);
        if let Some(arena) = socket.arena() {
            spare.extend(arena.share_of(index));
        }
        // The first blocks are taken first.
        spare.reverse();
        let slots = vec![None; provider.batch as usize].into_boxed_slice();
        let moderation = receiver.backlog().and_then(|_| Moderation::new(provider.moderation));
        Self { socket, index, receiver, slots, spare, errors: 0, moderation, drained: false }
    }

    /// Works until the socket closes.
    pub(crate) fn run(mut self) {
        let socket = Arc::clone(&self.socket);
        socket.kernel.bind_thread(self.index);
        while !socket.is_closing() {
            if !socket.wants_datagrams() {
                self.wait(|| socket.wants_datagrams());
                continue;
            }
            if self.receiver.lends() {
                self.take_returned();
            }
            match self.refill() {
                0 => self.wait(|| socket.arena().is_some_and(|arena| arena.has_returned(self.index))),
                ready => self.receive(ready),
            }
        }
        let discarded = self.receiver.discard();
        socket.note_discarded(discarded);
        if !self.drained {
            // A quiesce that waits while the socket closes has nothing more to wait for.
            socket.note_drained();
        }
    }

    fn receive(&mut self, ready: usize) {
        match self.receiver.receive(self.socket.wanted_of(ready)) {
            Received::Datagrams(count) => {
                self.errors = 0;
                let limit = self.socket.controls.options().coalesce();
                // What is lent cannot be written behind.
                if limit > 0 && !self.receiver.lends() {
                    coalesce::join(&mut self.slots[..count], &mut self.spare, limit);
                }
                self.deliver(count);
                if self.receiver.lends() {
                    self.receiver.take_back(&self.slots[..count]);
                }
                self.moderate(count);
            }
            Received::Quiet => self.errors = 0,
            Received::Failed => {
                self.errors = self.errors.saturating_add(1);
                if self.errors > ERRORS_IN_A_ROW {
                    self.socket.bell(self.index).rest(ERROR_REST, || self.socket.is_closing());
                }
            }
            Received::Ended => {
                self.drained = true;
                self.socket.note_drained();
                self.wait(|| false);
            }
            Received::Dead => {
                self.socket.die(self.index);
                self.wait(|| false);
            }
        }
    }

    /// Rests where that pays, after a receive of `count` datagrams.
    fn moderate(&mut self, count: usize) {
        let Some(moderation) = &mut self.moderation else { return };
        moderation.take(count);
        if !self.receiver.has_emptied() {
            return;
        }
        let now = Instant::now();
        let Some(rest) = moderation.rest(now) else { return };
        self.socket.bell(self.index).rest(rest, || !self.socket.wants_delivery() || self.socket.is_ending());
        if let Some(backlog) = self.receiver.backlog() {
            moderation.learn(now.elapsed(), backlog);
        }
    }

    /// Waits until `ready`, or the socket closes.
    fn wait(&self, ready: impl Fn() -> bool) {
        self.socket.bell(self.index).wait(|| self.socket.is_closing() || ready());
    }

    /// Takes the blocks that clients gave back.
    fn take_returned(&mut self) {
        let Some(arena) = self.socket.arena() else { return };
        let (spare, receiver) = (&mut self.spare, &mut self.receiver);
        arena.take_returned(self.index, |block| {
            receiver.take_back(&[Some(block)]);
            spare.push(block);
        });
    }

    /// Fills the slots from the front with what blocks there are, and says how many have one.
    fn refill(&mut self) -> usize {
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_some() {
                continue;
            }
            if self.spare.is_empty() {
                self.take_returned();
            }
            let block =
                self.spare.pop().or_else(|| self.slots[slot + 1..].iter_mut().rev().find_map(Option::take));
            let Some(block) = block else { return slot };
            self.receiver.attach(slot, block);
            self.slots[slot] = Some(block);
        }
        self.slots.len()
    }

    /// Gives the datagrams in the first `count` slots to whoever wants them, however long that takes. What is left when
    /// the socket closes is counted as discarded.
    fn deliver(&mut self, count: usize) {
        let mut next = 0;
        while next < count {
            if self.socket.is_closing() {
                self.socket.note_discarded((count - next) as u64);
                return;
            }
            let Some(block) = self.slots[next] else {
                next += 1;
                continue;
            };
            if self.is_copy(block) {
                next += 1;
                continue;
            }
            if self.socket.is_filtered(block) {
                self.socket.note_filtered();
                next += 1;
                continue;
            }
            if self.socket.serve_receive(block) {
                next += 1;
                continue;
            }
            let run = next..self.run_of(next, count);
            next = match self.indicate(run.clone(), block) {
                Verdict::Consumed | Verdict::Retained => run.end,
                Verdict::Refused => {
                    self.socket.bell(self.index).rest(REFUSED_REST, || self.socket.is_closing());
                    next
                }
                Verdict::Off => {
                    self.wait(|| self.socket.wants_delivery());
                    next
                }
            };
        }
    }

    /// A host gives each worker of a socket a broadcast; the first one's counts.
    fn is_copy(&self, block: BlockRef) -> bool {
        self.index > 0 && block.delivery() & MSG_BCAST != 0 && !self.receiver.lends()
    }

    /// Where the run of slots that can be indicated as one list with `first` ends: the flags concern a whole list.
    fn run_of(&self, first: usize, count: usize) -> usize {
        let delivery = self.slots[first].map_or(0, BlockRef::delivery);
        let fits = |slot: &Option<BlockRef>| {
            slot.is_some_and(|block| block.delivery() == delivery && !self.socket.is_filtered(block))
        };
        // `first` was found to be wanted. It is not asked about again: the filter may change meanwhile, and a run without
        // a block would hand out one that is not marked as lent.
        first + 1 + self.slots[first + 1..count].iter().take_while(|slot| fits(slot)).count()
    }

    fn indicate(&mut self, run: Range<usize>, first: BlockRef) -> Verdict {
        let mut behind = None;
        for block in self.slots[run.clone()].iter().rev().flatten() {
            block.link(behind);
            // Before the callback: a client may release inside it.
            block.lend();
            behind = Some(*block);
        }
        let lent = &self.socket.kernel.ledger().indications;
        lent.add(run.len());
        let verdict = self.call(first);
        let mut returned = 0;
        for slot in &mut self.slots[run] {
            if verdict != Verdict::Retained && slot.is_some_and(BlockRef::take_back) {
                returned += 1;
            } else {
                *slot = None;
            }
        }
        lent.remove(returned);
        verdict
    }

    fn call(&self, first: BlockRef) -> Verdict {
        let kernel = &self.socket.kernel;
        let (list, flags) = (first.indication(), first.delivery());
        if kernel.provider().indicate_below_dispatch {
            return self.socket.event.indicate(kernel, self.index, flags, list);
        }
        let raised = kernel.raise();
        let verdict =
            self.socket.event.indicate(kernel, self.index, flags | WSK_FLAG_AT_DISPATCH_LEVEL, list);
        drop(raised);
        verdict
    }
}
