//! The table of sources, page by page.

use bytemuck::{Pod, Zeroable};

use crate::header::{Header, exactly, length_of, take};
use crate::invalid::Invalid;

/// A request for rows of a sink's source table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SourcesRequest {
    /// As every input.
    pub header: Header,
    /// The sink's number.
    pub sink: u64,
    /// Rows to pass over: what [`SourcesReport::next`] said, 0 at first.
    pub first: u64,
}

impl SourcesRequest {
    /// For the rows from `first` on.
    #[must_use]
    pub fn new(sink: u64, first: u64) -> Self {
        Self { header: Header::new(length_of::<Self>()), sink, first }
    }

    /// Checks that `input` is one.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn parse(input: &[u8]) -> Result<Self, Invalid> {
        let (request, rest) = take::<Self>(input, size_of::<Self>())?;
        request.header.check(input.len())?;
        exactly(rest, 0, size_of::<Self>())?;
        Ok(request)
    }
}

/// What is before the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SourcesReport {
    /// [`SourceReport`]s that follow.
    pub count: u32,
    /// Rows that were changing hands while they were read.
    pub unread: u32,
    /// Where the next page begins; 0 when this was the last.
    pub next: u64,
}

/// One row of a processor's source table. A source has a row on each processor that heard it: add them up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SourceReport {
    /// 16 octets in network order, IPv4 as `::ffff:a.b.c.d`; all zero for the row of all sources without one.
    pub address: [u8; 16],
    /// Datagrams that the allow-list let in.
    pub datagrams: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Those that a limit refused.
    pub refused: u64,
    /// 4, 6, or 0 for the row of all sources without one.
    pub family: u32,
    /// Zero.
    pub reserved: u32,
}
