//! Behaviour that is legal, or was observed, and that a client must survive.
//!
//! A quirk is put before the provider with [`Quirk::middleware`]. Several together work, each on what the one nearer to the
//! provider passes up.

mod chain;
mod death;
mod indications;
mod node;
mod packets;

use std::fmt;
use std::sync::Arc;

use super::{Function, Middleware};
use death::Dying;
use indications::Changed;
use packets::{Deferred, Inline, PendingAfterInline, Unsupported};

/// A way to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quirk {
    /// Packets of what ends by itself are completed inside the call, where its caller can be kept waiting: at
    /// PASSIVE_LEVEL, for a fifth of a second. The documentation of every function that takes a packet allows it; WSK over
    /// loopback does it.
    InlineCompletion,
    /// Packets are never completed inside the call, and by another thread, at DISPATCH_LEVEL. The documentation allows it;
    /// what the transport cannot do at once ends so.
    DeferredCompletion,
    /// STATUS_PENDING is returned also for what was completed inside the call, and packets are never marked. Wine's netio.sys
    /// does so; virtio-win's viosock does not mark.
    PendingAfterInline,
    /// A function answers STATUS_NOT_SUPPORTED and does not complete the packet. usbip-win2 says so of WSK; Wine's netio.sys
    /// does it with STATUS_NOT_IMPLEMENTED.
    Unsupported(Function),
    /// Received datagrams have no control messages, although they were asked for. msquic has seen it under memory pressure.
    MissingControl,
    /// The chains of received data are of several MDLs, cut as said. NDIS and what lies below it cut where they like, and
    /// may leave MDLs of no bytes in a chain.
    SplitChains(Split),
    /// The MDLs of received data are locked pages without a system address: they have to be mapped. msquic does so for MDLs
    /// that are not mapped.
    UnmappedMdls,
    /// A datagram without bytes has no MDL. msquic tests for it.
    NullMdlForEmpty,
    /// Each indication comes in a callback of its own. How many a list has is the transport's business.
    OneByOne,
    /// Lists come in another order than the datagrams. UDP promises none, and wireguard-nt releases in any.
    Reversed,
    /// A socket dies after so many callbacks: the next has no indication, and from then on every call but the close answers
    /// STATUS_FILE_FORCED_CLOSED. The documentation of every event says that it may.
    Dying {
        /// Callbacks before the last one.
        after: u32,
    },
}

/// Where [`Quirk::SplitChains`] cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// In two, before the byte at this place, counted around the end where the data is shorter; with an MDL of no bytes
    /// between the two.
    At(usize),
    /// At places that follow from the number, with MDLs of no bytes here and there, and bytes before and behind the data.
    Seeded(u64),
    /// In the middle of each datagram of a coalesced buffer, and between every two bytes of any other, up to 64.
    AcrossParts,
}

impl Quirk {
    /// One of each, with the values that tests use where they have no reason for others.
    pub const ALL: &[Self] = &[
        Self::InlineCompletion,
        Self::DeferredCompletion,
        Self::PendingAfterInline,
        Self::Unsupported(Function::SendMessages),
        Self::MissingControl,
        Self::SplitChains(Split::At(1)),
        Self::SplitChains(Split::Seeded(1)),
        Self::SplitChains(Split::AcrossParts),
        Self::UnmappedMdls,
        Self::NullMdlForEmpty,
        Self::OneByOne,
        Self::Reversed,
        Self::Dying { after: 2 },
    ];

    /// Whether the documentation allows it, and so every rule of WSK is kept.
    #[must_use]
    pub const fn is_documented(self) -> bool {
        !matches!(self, Self::PendingAfterInline | Self::Unsupported(_))
    }

    /// A middleware that behaves so.
    #[must_use]
    pub fn middleware(self) -> Arc<dyn Middleware> {
        match self {
            Self::InlineCompletion => Arc::new(Inline::default()),
            Self::DeferredCompletion => Arc::new(Deferred::new()),
            Self::PendingAfterInline => Arc::new(PendingAfterInline),
            Self::Unsupported(function) => Arc::new(Unsupported(function)),
            Self::Dying { after } => Arc::new(Dying::new(after)),
            _ => Arc::new(Changed::new(self)),
        }
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InlineCompletion => f.write_str("inline completion"),
            Self::DeferredCompletion => f.write_str("deferred completion"),
            Self::PendingAfterInline => f.write_str("PENDING after inline completion"),
            Self::Unsupported(function) => write!(f, "{function} is not supported"),
            Self::MissingControl => f.write_str("missing control messages"),
            Self::SplitChains(Split::At(place)) => write!(f, "MDL chains cut at {place}"),
            Self::SplitChains(Split::Seeded(seed)) => write!(f, "MDL chains cut by {seed}"),
            Self::SplitChains(Split::AcrossParts) => f.write_str("MDL chains cut across parts"),
            Self::UnmappedMdls => f.write_str("unmapped MDLs"),
            Self::NullMdlForEmpty => f.write_str("no MDL for empty datagrams"),
            Self::OneByOne => f.write_str("one indication a callback"),
            Self::Reversed => f.write_str("reversed lists"),
            Self::Dying { after } => write!(f, "sockets that die after {after} callbacks"),
        }
    }
}
