//! The layout of Skua's records and rings: all that a reader needs.
//!
//! A sink writes one record for each datagram it keeps, into one ring per processor. The rings lie in memory that the
//! sink shares with exactly one reader process, which need not be Skua: this crate is `no_std`, allocates nothing and
//! depends on nothing of the engine. The layout is version 1; a reader refuses every other.
//!
//! # What is mapped
//!
//! Each ring has two regions. The reader maps the first without write access and the second with it, so that the only
//! word a reader can damage is its own position, which the writer checks before it believes it.
//!
//! ```text
//!  data region: the writer writes, the reader reads
//!  0            128     136                         4096                                   4096 + data bytes
//!  +------------+-------+---------------------------+-----------------------------------------------+
//!  | RingHeader | head  | zero                      | frame | frame | frame | ...                   |
//!  +------------+-------+---------------------------+-----------------------------------------------+
//!                  `- bytes published since open, released by the writer once a batch
//!
//!  cursor region: the reader writes, the writer reads
//!  0        8                                       4096
//!  +--------+---------------------------------------+
//!  | cursor | zero                                  |
//!  +--------+---------------------------------------+
//!       `- bytes given back since open
//!
//!  one frame, 8-aligned (the ring algorithm is skua_pools::ring)
//!  0         8                                  72                       72 + captured
//!  +---------+----------------------------------+------------------------+-----+
//!  | length  | RecordHeader                     | captured bytes         | pad |
//!  +---------+----------------------------------+------------------------+-----+
//! ```
//!
//! # Reading
//!
//! 1. Map both regions of every ring and open a [`RingReader`] on each: it checks the [`RingHeader`] and keeps its
//!    [`Geometry`].
//! 2. [`RingReader::read`] hands out the records published so far, each checked on its own ([`Record::parse`]), and
//!    then gives their bytes back to the writer.
//! 3. [`Sequence`] extends each record's 32-bit number to 64 bits and counts what is missing; a reader whose
//!    [`Continuity::missing`] is 0 has proved that it saw every record from its first one on.
//! 4. [`Geometry::clock`] turns a record's ticks into Unix time.
//! 5. [`merge()`] hands out the records of several rings in the order of their time, within a stated window.
//!
//! A reader that cannot map has somebody who can copy the records into its buffer ([`PackedReader`]), and takes them out
//! there ([`PackedRecords`]).
//!
//! # Types
//!
//! | type | what it is |
//! |---|---|
//! | [`RecordHeader`] | the 64 bytes before the captured ones |
//! | [`Record`] | a header and its captured bytes, checked |
//! | [`RingHeader`] | the first 128 bytes of a data region |
//! | [`Geometry`] | a ring header that was checked |
//! | [`Clock`] | how performance-counter ticks relate to Unix time |
//! | [`RingReader`] | the reading end of one ring |
//! | [`PackedReader`], [`PackedRecords`] | records side by side in a buffer |
//! | [`Sequence`] | the proof that nothing is missing |
//! | [`Lane`] | one ring's part in a [`merge()`] |

#![no_std]
#![warn(missing_docs)]

mod clock;
mod header;
mod merge;
mod packed;
mod reader;
mod record;
mod ring_header;
mod sequence;

pub use clock::Clock;
pub use header::{Family, RecordFlags, RecordHeader};
pub use merge::{Lane, merge};
pub use packed::{PackedProgress, PackedReader, PackedRecords};
pub use reader::{Damage, OpenError, Progress, RingReader};
pub use record::{Record, RecordError};
pub use ring_header::{CURSOR_BYTES, Geometry, RingError, RingHeader};
pub use sequence::{Continuity, Sequence};
