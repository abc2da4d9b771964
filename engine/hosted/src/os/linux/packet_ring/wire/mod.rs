//! What lies in a block of the ring, as plain functions over its bytes: frames, the headers in them, checksums.
//!
//! Everything but the kernel's own headers was written by whoever sent the frame: each length is checked against what is
//! there, and nothing is reached that does not lie in the block.

mod checksum;
mod datagram;
mod frame;
#[cfg(test)]
pub(crate) mod specimen;

pub(crate) use datagram::{Datagram, Fault, Version};
pub(crate) use frame::{CHECKSUM_NOT_READY, CHECKSUM_VALID, Kind, Walk};
