//! The handler: asks the rules, and sends what may pass on from inside the callback.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;
use skua_engine::{Batch, DropReason, Handler, Kernel, Outlet, Passive, Retained, SendOptions};
use skua_pools::{OutOfMemory, Slab, Tag};

use crate::rule::{Action, Rule, Side, first};

const TAG: Tag = Tag::new(b"FwRu");

/// The most rules of a relay.
pub const MOST_RULES: usize = 16;

/// Forwards what its rules let through.
///
/// The engine is given a handler by value and moves it to where it stays, so what is large is not in the handler itself: kernel
/// stacks are small.
pub struct Relay<K: Kernel> {
    lines: Slab<Line, K>,
    /// The socket of each side, to send by. Put in and taken out by the [`Forwarder`](crate::Forwarder).
    pub(crate) outlets: [Outlet<K, Self>; 2],
    /// Datagrams handed to the other side's socket.
    pub(crate) forwarded: AtomicU64,
    /// Datagrams kept to be sent that could not be: no send context, or the socket is closing.
    pub(crate) not_sent: AtomicU64,
}

/// A rule, and how many datagrams it decided about.
struct Line {
    rule: Rule,
    hits: AtomicU64,
}

/// What belongs to one processor.
pub struct Shard<K: Kernel> {
    /// Datagrams that pass. Empty between batches: nobody would give them back once their socket has stopped.
    passing: ArrayVec<Passing<K>, ROUND>,
    /// What is counted within a batch, added up at its end.
    hits: [u32; MOST_RULES],
    forwarded: u32,
    not_sent: u32,
}

/// A datagram that passes.
struct Passing<K: Kernel> {
    to: SocketAddr,
    /// `None` once it is on its way.
    kept: Option<Retained<K>>,
}

/// Datagrams that are judged before they are sent.
const ROUND: usize = 2;

impl<K: Kernel> Relay<K> {
    /// A relay whose outlets are empty. Rules beyond [`MOST_RULES`] are not counted.
    ///
    /// # Errors
    /// Nonpaged pool is exhausted.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn new(kernel: &K, rules: &[Rule], passive: &Passive<'_>) -> Result<Self, OutOfMemory> {
        let line = |index: usize| Line {
            // There are as many lines as rules.
            rule: rules.get(index).copied().unwrap_or(Rule::DROP),
            hits: AtomicU64::new(0),
        };
        Ok(Self {
            lines: Slab::new(kernel.clone(), TAG, rules.len(), line)?,
            outlets: [Outlet::new(kernel, passive)?, Outlet::new(kernel, passive)?],
            forwarded: AtomicU64::new(0),
            not_sent: AtomicU64::new(0),
        })
    }

    /// Datagrams that the `index`th rule decided about; `None` behind the last.
    pub(crate) fn hits(&self, index: usize) -> Option<u64> {
        self.lines.get(index).map(|line| line.hits.load(Ordering::Relaxed))
    }

    /// The outlet of `side`.
    pub(crate) fn outlet(&self, side: Side) -> &Outlet<K, Self> {
        let [outer, inner] = &self.outlets;
        match side {
            Side::Outer => outer,
            Side::Inner => inner,
        }
    }

    /// Judges the next datagrams. One that passes stays in the memory that it came in. What the rules drop is counted as
    /// `handler`, what no rule is about as `not_allowed`, what would go beyond the retention budget as `retain_budget`.
    // Frames of their own, here and below, one after the other and not one in the other: kernel stacks are small.
    #[inline(never)]
    fn judge(&self, side: Side, shard: &mut Shard<K>, batch: &mut Batch<'_, K>) {
        while !shard.passing.is_full() {
            let Some(datagram) = batch.next_datagram() else { return };
            let rules = self.lines.iter().map(|line| &line.rule);
            let Some((rule, action)) = first(rules, side, &datagram.remote()) else {
                datagram.refuse(DropReason::NotAllowed);
                continue;
            };
            if let Some(hits) = shard.hits.get_mut(rule) {
                *hits += 1;
            }
            match action {
                Action::Drop => datagram.refuse(DropReason::Handler),
                // A refusal is counted by the engine, and there is room for what is kept.
                Action::Forward(to) => {
                    if let Ok(kept) = datagram.retain() {
                        drop(shard.passing.try_push(Passing { to, kept: Some(kept) }));
                    }
                }
            }
        }
    }

    /// Sends what passes. Neighbours with one destination go out by one call.
    #[inline(never)]
    fn send(&self, side: Side, shard: &mut Shard<K>) {
        let outlet = self.outlet(side);
        let mut passing = shard.passing.iter_mut().peekable();
        while let Some(&mut &mut Passing { to, .. }) = passing.peek_mut() {
            let (mut pushed, mut refused) = (0, 0);
            let sent = outlet.with(|socket| {
                socket.send_batch(to, &SendOptions::default(), |out| {
                    while let Some(next) = passing.next_if(|next| next.to == to) {
                        // Its memory goes back when the send completes, or at once if there is no context for it.
                        match next.kept.take().map(|kept| out.push_retained(kept)) {
                            Some(Ok(())) => pushed += 1,
                            _ => refused += 1,
                        }
                    }
                })
            });
            if pushed + refused == 0 {
                // The socket is closing, or cannot send there. This one goes back with the rest of the round.
                refused = 1;
                passing.next();
            }
            let total = if matches!(sent, Some(Ok(_))) { &mut shard.forwarded } else { &mut shard.not_sent };
            *total += pushed;
            shard.not_sent += refused;
        }
        shard.passing.clear();
    }

    fn add_up(&self, shard: &mut Shard<K>) {
        let add = |total: &AtomicU64, count: &mut u32| {
            if *count != 0 {
                total.fetch_add((*count).into(), Ordering::Relaxed);
                *count = 0;
            }
        };
        for (line, count) in self.lines.iter().zip(&mut shard.hits) {
            add(&line.hits, count);
        }
        add(&self.forwarded, &mut shard.forwarded);
        add(&self.not_sent, &mut shard.not_sent);
    }
}

impl<K: Kernel> Handler<K> for Relay<K> {
    type Shard = Shard<K>;

    fn shard(&self, _processor: u32, _passive: &Passive<'_>) -> Shard<K> {
        Shard { passing: ArrayVec::new(), hits: [0; MOST_RULES], forwarded: 0, not_sent: 0 }
    }

    fn receive(&self, shard: &mut Shard<K>, batch: &mut Batch<'_, K>) {
        let side = Side::of_id(batch.socket());
        while !batch.is_empty() {
            self.judge(side, shard, batch);
            self.send(side.other(), shard);
        }
        self.add_up(shard);
    }
}
