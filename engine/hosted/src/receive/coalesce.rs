//! UDP_RECV_MAX_COALESCED_SIZE where the stack does not join datagrams, or not with the client's limit.
//!
//! What comes in one batch is joined when nothing but its bytes differs: source, delivery, control messages. All parts are
//! as long as the first; a shorter one is the last.

use super::block::BlockRef;

/// Joins neighbours in `slots` up to `limit` bytes. Blocks that are left over go to `spare`, and leave their slots empty.
pub(super) fn join(slots: &mut [Option<BlockRef>], spare: &mut Vec<BlockRef>, limit: usize) {
    let mut growing: Option<Joined> = None;
    for slot in slots {
        let Some(block) = *slot else { continue };
        if let Some(joined) = &mut growing
            && joined.take(block, limit)
        {
            spare.extend(slot.take());
            continue;
        }
        if let Some(joined) = growing.replace(Joined::of(block)) {
            joined.finish();
        }
    }
    if let Some(joined) = growing {
        joined.finish();
    }
}

/// A datagram, and those that were joined to it.
struct Joined {
    first: BlockRef,
    /// Bytes of each part but the last.
    size: usize,
    total: usize,
}

impl Joined {
    fn of(first: BlockRef) -> Self {
        let size = first.filled().Buffer.Length;
        Self { first, size, total: size }
    }

    /// Takes the datagram in `block` in, if it belongs to this one.
    fn take(&mut self, block: BlockRef, limit: usize) -> bool {
        let bytes = block.filled().Buffer.Length;
        let has_room = self.total + bytes <= limit;
        // A part that is shorter was the last.
        let goes_on = self.size > 0 && self.total.is_multiple_of(self.size);
        if bytes == 0 || bytes > self.size || !has_room || !goes_on || !self.first.goes_with(block) {
            return false;
        }
        self.first.append(self.total, block, bytes);
        self.total += bytes;
        true
    }

    fn finish(self) {
        if self.total > self.size {
            self.first.fill_joined(self.total, self.size);
        }
    }
}
