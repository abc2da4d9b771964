//! Why a datagram went no further, as numbers.

use skua_engine::DropReason;

/// The socket was stopping.
pub const SKUA_DROP_CLOSING: u32 = 0;
/// It was indicated on a processor whose handler was at work further up the same stack.
pub const SKUA_DROP_NESTED: u32 = 1;
/// No prefix of the allow-list holds its source.
pub const SKUA_DROP_NOT_ALLOWED: u32 = 2;
/// Its source's rate, or that of all sources without a row, was exceeded.
pub const SKUA_DROP_RATE_LIMITED: u32 = 3;
/// It was not the one in Sample that is let in.
pub const SKUA_DROP_SAMPLED: u32 = 4;
/// It was to be copied, and every slot was in use.
pub const SKUA_DROP_NO_SLOT: u32 = 5;
/// Its record found no room. Sinks alone have records.
pub const SKUA_DROP_RING_FULL: u32 = 6;
/// It was to be retained beyond the budget.
pub const SKUA_DROP_RETAIN_BUDGET: u32 = 7;
/// Part of its MDL chain could not be mapped.
pub const SKUA_DROP_MAP_FAILED: u32 = 8;
/// Its length, MDL chain, source address or control data contradict each other.
pub const SKUA_DROP_MALFORMED: u32 = 9;
/// A control message that the socket requires was not there.
pub const SKUA_DROP_MISSING_INFO: u32 = 10;
/// It is longer than the slot that was to hold it.
pub const SKUA_DROP_OVERSIZE: u32 = 11;
/// The handler dropped it. What handlers give as their reason, unless another says more.
pub const SKUA_DROP_HANDLER: u32 = 12;
/// How many reasons statistics have room for: more than there are.
pub const SKUA_DROP_REASONS: usize = 16;

const _: () = {
    assert!(DropReason::COUNT <= SKUA_DROP_REASONS);
    assert!(DropReason::Closing as u32 == SKUA_DROP_CLOSING);
    assert!(DropReason::Nested as u32 == SKUA_DROP_NESTED);
    assert!(DropReason::NotAllowed as u32 == SKUA_DROP_NOT_ALLOWED);
    assert!(DropReason::RateLimited as u32 == SKUA_DROP_RATE_LIMITED);
    assert!(DropReason::Sampled as u32 == SKUA_DROP_SAMPLED);
    assert!(DropReason::NoSlot as u32 == SKUA_DROP_NO_SLOT);
    assert!(DropReason::RingFull as u32 == SKUA_DROP_RING_FULL);
    assert!(DropReason::RetainBudget as u32 == SKUA_DROP_RETAIN_BUDGET);
    assert!(DropReason::MapFailed as u32 == SKUA_DROP_MAP_FAILED);
    assert!(DropReason::Malformed as u32 == SKUA_DROP_MALFORMED);
    assert!(DropReason::MissingInfo as u32 == SKUA_DROP_MISSING_INFO);
    assert!(DropReason::Oversize as u32 == SKUA_DROP_OVERSIZE);
    assert!(DropReason::Handler as u32 == SKUA_DROP_HANDLER);
};
