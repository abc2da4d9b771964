//! How datagrams lie in send contexts, and how many go at a time.

/// Contexts handed over by one call, and so messages in one system call: more of them cost the first-level cache more than
/// they save in calls.
const CONTEXTS: u32 = 32;
/// Datagrams in one context at most, where the stack cuts: UDP_MAX_SEGMENTS of Linux.
const SEGMENTS: u32 = 128;
/// Bytes in one context at most, where the stack cuts: what any IP packet has room for.
const LARGEST_CUT: u32 = 65_000;
/// Contexts of several datagrams handed over by one call, and the bytes in them: what a second-level cache keeps.
const CUT_CONTEXTS: u32 = 8;
const CUT_BYTES: u32 = 128 << 10;

/// What one run's sends look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    /// Bytes of a datagram.
    pub(super) size: u16,
    /// Datagrams in one context, which the stack cuts: 1 where nothing is to be cut.
    pub(super) segments: u32,
    /// Bytes of a context.
    pub(super) slot_bytes: u32,
    /// Contexts handed over by one call at most.
    pub(super) slots_in_turn: u32,
    /// Contexts in all: while the stack has no room for those of one call, another can be filled.
    pub(super) slots: u32,
}

impl Shape {
    /// For datagrams of `size` bytes, by super-buffers where `segmented` and two of them fit one.
    pub(super) fn new(size: u16, segmented: bool) -> Self {
        let fitting = SEGMENTS.min(LARGEST_CUT / u32::from(size).max(1));
        let segments = if segmented { fitting.max(1) } else { 1 };
        let slot_bytes = segments * u32::from(size);
        let cut = CUT_CONTEXTS.min(CUT_BYTES / slot_bytes.max(1)).max(1);
        let slots_in_turn = if segments > 1 { cut } else { CONTEXTS };
        Self { size, segments, slot_bytes, slots_in_turn, slots: 2 * slots_in_turn }
    }

    /// Datagrams of one flow handed over by one call at most.
    pub(super) fn turn(&self) -> u64 {
        u64::from(self.slots_in_turn) * u64::from(self.segments)
    }

    /// Bytes of each datagram, where the stack is to cut.
    pub(super) fn segment(&self) -> Option<u32> {
        (self.segments > 1).then_some(self.size.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_super_buffer_is_no_longer_than_a_packet() {
        for size in [32, 64, 507, 508, 1400, 32_500, 32_501, 65_507] {
            let shape = Shape::new(size, true);
            assert!(shape.slot_bytes <= LARGEST_CUT || shape.segments == 1, "{shape:?}");
            assert_eq!(shape.slot_bytes, shape.segments * u32::from(size));
            assert!(shape.segments <= SEGMENTS);
            assert_eq!(shape.segment().is_some(), shape.segments > 1);
        }
        assert_eq!(Shape::new(64, true).turn(), 8 * 128);
        assert_eq!(Shape::new(1400, true).turn(), 2 * 46);
        assert_eq!(Shape::new(40_000, true), Shape::new(40_000, false));
    }

    #[test]
    fn without_super_buffers_a_context_is_a_datagram() {
        let shape = Shape::new(1400, false);
        assert_eq!((shape.segments, shape.slot_bytes, shape.segment()), (1, 1400, None));
        assert_eq!(shape.turn(), 32);
    }
}
