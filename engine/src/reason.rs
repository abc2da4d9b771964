//! Why a datagram went no further.

/// The reason a datagram that was indicated reached no handler's shelf. Each has one counter in every shard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum DropReason {
    /// The socket was stopping when the datagram was indicated.
    Closing,
    /// It was indicated on a processor whose shard was already at work further up the same stack.
    Nested,
    /// No prefix of the allow-list holds its source.
    NotAllowed,
    /// Its source's token bucket, or the one that sources beyond the table share, was empty.
    RateLimited,
    /// It was not the one in N that is kept.
    Sampled,
    /// It was to be copied, and every slot was in use.
    NoSlot,
    /// The shard's ring had no room for its record.
    RingFull,
    /// It was to be retained beyond the budget.
    RetainBudget,
    /// Part of its MDL chain could not be mapped.
    MapFailed,
    /// Its length, MDL chain, source address or control data contradict each other.
    Malformed,
    /// A control message that the socket asked for was not there.
    MissingInfo,
    /// It is longer than the record or slot that was to hold it may be.
    Oversize,
    /// The handler refused it.
    Handler,
}

impl DropReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 13] = [
        Self::Closing,
        Self::Nested,
        Self::NotAllowed,
        Self::RateLimited,
        Self::Sampled,
        Self::NoSlot,
        Self::RingFull,
        Self::RetainBudget,
        Self::MapFailed,
        Self::Malformed,
        Self::MissingInfo,
        Self::Oversize,
        Self::Handler,
    ];

    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The key under which reports show the reason.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Closing => "closing",
            Self::Nested => "nested",
            Self::NotAllowed => "not_allowed",
            Self::RateLimited => "rate_limited",
            Self::Sampled => "sampled",
            Self::NoSlot => "no_slot",
            Self::RingFull => "ring_full",
            Self::RetainBudget => "retain_budget",
            Self::MapFailed => "map_failed",
            Self::Malformed => "malformed",
            Self::MissingInfo => "missing_info",
            Self::Oversize => "oversize",
            Self::Handler => "handler",
        }
    }
}
