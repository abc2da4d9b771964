//! How every request begins.

use bytemuck::{AnyBitPattern, Pod, Zeroable};

use crate::{Invalid, PROTOCOL_VERSION};

/// The first bytes of every input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// [`PROTOCOL_VERSION`] of the sender.
    pub version: u16,
    /// Zero.
    pub reserved: u16,
    /// Bytes of the whole input.
    pub bytes: u32,
}

impl Header {
    /// A whole input: of requests that say nothing else.
    pub const ALONE: Self = Self::new(length_of::<Self>());

    /// For an input of `bytes` bytes.
    #[must_use]
    pub const fn new(bytes: u32) -> Self {
        Self { version: PROTOCOL_VERSION, reserved: 0, bytes }
    }

    /// Checks that `input` is nothing but a header.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn parse(input: &[u8]) -> Result<Self, Invalid> {
        let (header, rest) = take::<Self>(input, size_of::<Self>())?;
        header.check(input.len())?;
        exactly(rest, 0, size_of::<Self>())?;
        Ok(header)
    }

    /// Checks version, reserved field and length.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), Invalid> {
        if self.version != PROTOCOL_VERSION {
            return Err(Invalid::Version(self.version));
        }
        if self.reserved != 0 {
            return Err(Invalid::Reserved);
        }
        let said = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        if said == bytes { Ok(()) } else { Err(Invalid::Length { bytes, needed: said }) }
    }
}

/// A request about one sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SinkRequest {
    /// As every input.
    pub header: Header,
    /// The sink, by the number that [`StartedSink`](crate::StartedSink) gave it. A number is never used again.
    pub sink: u64,
}

impl SinkRequest {
    /// About this sink.
    #[must_use]
    pub fn new(sink: u64) -> Self {
        Self { header: Header::new(length_of::<Self>()), sink }
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

/// Bytes of a structure as a header counts them.
pub(crate) const fn length_of<T>() -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "no structure of the protocol is that long")]
    let length = size_of::<T>() as u32;
    length
}

/// Takes a structure off the front. `needed` is what the input must have at least, for the error.
pub(crate) fn take<T: AnyBitPattern>(input: &[u8], needed: usize) -> Result<(T, &[u8]), Invalid> {
    let short = Invalid::Short { bytes: input.len(), needed };
    let (front, rest) = input.split_at_checked(size_of::<T>()).ok_or(short)?;
    // Copied: the bytes may lie at any address.
    let value = bytemuck::try_pod_read_unaligned(front).map_err(|_| short)?;
    Ok((value, rest))
}

/// Checks that `rest` has exactly `needed` bytes after the `before` that were taken off the front.
pub(crate) fn exactly(rest: &[u8], needed: usize, before: usize) -> Result<(), Invalid> {
    let (bytes, needed) = (before.saturating_add(rest.len()), before.saturating_add(needed));
    match rest.len().saturating_add(before).cmp(&needed) {
        core::cmp::Ordering::Less => Err(Invalid::Short { bytes, needed }),
        core::cmp::Ordering::Equal => Ok(()),
        core::cmp::Ordering::Greater => Err(Invalid::Length { bytes, needed }),
    }
}
