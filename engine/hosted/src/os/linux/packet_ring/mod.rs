//! Datagrams from the ring of a packet socket, lent without a copy.
//!
//! ```text
//!  packet --> AF_PACKET, filter --copy--> ring block --> indications that lead into it --> client
//!     `-----> UDP socket, filter drops it                        block back when all were released
//! ```
//!
//! 1. [`PacketRingSocket`] opens an ordinary socket, whose filter drops everything: it claims the port, so that no other
//!    program has it and nobody is told that it is closed; it joins groups, and it sends.
//! 2. Binding opens a [`ring`] for each worker and family, with a [`filter`] for port and address.
//! 3. A [`receiver`] walks the frames of each block that the kernel hands over ([`wire`]), leaves out what the stack would
//!    not have given to the socket ([`reach`], [`groups`]), and aims blocks of the arena at the payloads.
//! 4. What does not become an indication is counted ([`losses`]).
//! 5. The claiming socket drops, and counts, what has reached the port: at rest that says what was never seen.

mod filter;
mod groups;
mod losses;
mod reach;
mod receiver;
mod ring;
mod socket;
mod wire;

use skua_engine::abi::status::NTSTATUS;

pub(crate) use self::ring::check;
use self::socket::PacketRingSocket;
use super::{Family, Linux, Stack, StackSocket};
use crate::config::PacketRing;

/// The sockets of this host, those over UDP with rings.
pub(in crate::os) struct PacketRings(pub(in crate::os) PacketRing);

impl Stack for PacketRings {
    fn open(&self, family: Family) -> Result<Box<dyn StackSocket>, NTSTATUS> {
        PacketRingSocket::open(family, self.0)
    }

    fn open_raw(&self, family: Family, protocol: u8) -> Result<Box<dyn StackSocket>, NTSTATUS> {
        Linux.open_raw(family, protocol)
    }

    fn has_raw(&self) -> bool {
        true
    }

    fn tells_lost(&self) -> bool {
        true
    }
}
