//! The handler: asks the rules, and sends what may pass on from inside the callback.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};

use skua_engine::{Batch, DropReason, Handler, Kernel, Outlet, Passive, Retained, SendBatch, SendOptions};
use skua_pools::OutOfMemory;

use crate::rule::{Action, MOST_RULES, Rules, Side};

/// Forwards what its rules let through.
pub struct Relay<K: Kernel> {
    rules: Rules,
    /// The socket of each side, to send by. Put in and taken out by the [`Forwarder`](crate::Forwarder).
    pub(crate) outlets: [Outlet<K, Self>; 2],
    /// Datagrams that each rule decided about.
    pub(crate) hits: [AtomicU64; MOST_RULES],
    /// Datagrams handed to the other side's socket.
    pub(crate) forwarded: AtomicU64,
    /// Datagrams kept to be sent that could not be: no send context, or the socket is closing.
    pub(crate) not_sent: AtomicU64,
}

/// What one processor counts within a batch, added up at its end.
#[derive(Default)]
pub struct Counts {
    hits: [u32; MOST_RULES],
    forwarded: u32,
    not_sent: u32,
}

/// A datagram on its way, and where to.
type Passing<K> = (SocketAddr, Retained<K>);

impl<K: Kernel> Relay<K> {
    /// A relay whose outlets are empty.
    ///
    /// # Errors
    /// Nonpaged pool is exhausted.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn new(kernel: &K, rules: Rules, passive: &Passive<'_>) -> Result<Self, OutOfMemory> {
        Ok(Self {
            rules,
            outlets: [Outlet::new(kernel, passive)?, Outlet::new(kernel, passive)?],
            hits: Default::default(),
            forwarded: AtomicU64::new(0),
            not_sent: AtomicU64::new(0),
        })
    }

    /// The outlet of `side`.
    pub(crate) fn outlet(&self, side: Side) -> &Outlet<K, Self> {
        let [outer, inner] = &self.outlets;
        match side {
            Side::Outer => outer,
            Side::Inner => inner,
        }
    }

    /// Judges datagrams up to one that passes, which stays in the memory that it came in. What the rules drop is counted as
    /// `handler`, what no rule is about as `not_allowed`, what would go beyond the retention budget as `retain_budget`.
    fn next_passing(&self, side: Side, counts: &mut Counts, batch: &mut Batch<'_, K>) -> Option<Passing<K>> {
        while let Some(datagram) = batch.next_datagram() {
            let Some((rule, action)) = self.rules.find(side, &datagram.remote()) else {
                datagram.refuse(DropReason::NotAllowed);
                continue;
            };
            if let Some(hits) = counts.hits.get_mut(rule) {
                *hits += 1;
            }
            match action {
                Action::Drop => datagram.refuse(DropReason::Handler),
                Action::Forward(to) => {
                    // A refusal is counted by the engine.
                    if let Ok(kept) = datagram.retain() {
                        return Some((to, kept));
                    }
                }
            }
        }
        None
    }

    /// Adds a datagram to what goes out next. Its memory goes back when the send completes, or at once if there is no context
    /// for it.
    fn push(out: &mut SendBatch<'_, K, Self>, kept: Retained<K>, counts: &mut Counts) {
        match out.push_retained(kept) {
            Ok(()) => counts.forwarded += 1,
            Err(_) => counts.not_sent += 1,
        }
    }

    fn add_up(&self, counts: &mut Counts) {
        let add = |total: &AtomicU64, count: u32| {
            if count != 0 {
                total.fetch_add(count.into(), Ordering::Relaxed);
            }
        };
        for (total, count) in self.hits.iter().zip(counts.hits) {
            add(total, count);
        }
        add(&self.forwarded, counts.forwarded);
        add(&self.not_sent, counts.not_sent);
        *counts = Counts::default();
    }
}

impl<K: Kernel> Handler<K> for Relay<K> {
    type Shard = Counts;

    fn shard(&self, _processor: u32, _passive: &Passive<'_>) -> Counts {
        Counts::default()
    }

    fn receive(&self, counts: &mut Counts, batch: &mut Batch<'_, K>) {
        let side = Side::of_id(batch.socket());
        let outlet = self.outlet(side.other());
        // Neighbours with one destination go out by one call; the first with another waits here.
        let mut waiting = None;
        while let Some((to, first)) = waiting.take().or_else(|| self.next_passing(side, counts, batch)) {
            let before = counts.forwarded;
            let sent = outlet.with(|socket| {
                socket.send_batch(to, &SendOptions::default(), |out| {
                    Self::push(out, first, counts);
                    while let Some((next_to, next)) = self.next_passing(side, counts, batch) {
                        if next_to != to {
                            waiting = Some((next_to, next));
                            break;
                        }
                        Self::push(out, next, counts);
                    }
                })
            });
            if !matches!(sent, Some(Ok(_))) {
                // What was pushed was not taken; what was not even pushed is `first`, which has gone back.
                let pushed = counts.forwarded - before;
                counts.forwarded = before;
                counts.not_sent += pushed.max(1);
            }
        }
        self.add_up(counts);
    }
}
