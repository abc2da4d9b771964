//! Changing a sink while it runs.

use bytemuck::{Pod, Zeroable};

use crate::MAX_PREFIXES;
use crate::header::{Header, exactly, length_of, take};
use crate::invalid::Invalid;
use crate::place::AllowedPrefix;
use crate::start::{Limits, elements};

/// The fixed part of a request to change a sink. [`AllowedPrefix`]es follow, as many as it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct ChangeSinkHeader {
    /// As every input; its `bytes` count what follows too.
    pub header: Header,
    /// The sink's number.
    pub sink: u64,
    /// The limits, if [`ChangeSinkHeader::LIMITS`].
    pub limits: Limits,
    /// What is changed: bits of [`ChangeSinkHeader::ALLOW`], [`ChangeSinkHeader::EVERYONE`] and
    /// [`ChangeSinkHeader::LIMITS`].
    pub flags: u32,
    /// Rules that follow.
    pub prefixes: u16,
    /// Zero.
    pub reserved: u16,
}

impl ChangeSinkHeader {
    /// The allow-list becomes the rules that follow.
    pub const ALLOW: u32 = 1;
    /// The allow-list goes: everyone is let in.
    pub const EVERYONE: u32 = 2;
    /// The limits change.
    pub const LIMITS: u32 = 4;
    const ALL: u32 = Self::ALLOW | Self::EVERYONE | Self::LIMITS;

    /// Bytes of a request with so many rules; what its header says.
    #[must_use]
    pub fn request_bytes(prefixes: u16) -> u32 {
        length_of::<Self>() + u32::from(prefixes) * length_of::<AllowedPrefix>()
    }
}

/// A request to change a sink, checked.
#[derive(Clone, Copy, Debug)]
pub struct ChangeSink<'a> {
    /// The fixed part.
    pub header: ChangeSinkHeader,
    prefixes: &'a [u8],
}

impl<'a> ChangeSink<'a> {
    /// Checks `input`, which may be anything.
    ///
    /// # Errors
    /// [`Invalid`] says what is wrong with it first.
    pub fn parse(input: &'a [u8]) -> Result<Self, Invalid> {
        let before = size_of::<ChangeSinkHeader>();
        let (fixed, prefixes) = take::<ChangeSinkHeader>(input, before)?;
        fixed.header.check(input.len())?;
        if fixed.reserved != 0 || fixed.flags & !ChangeSinkHeader::ALL != 0 {
            return Err(Invalid::Reserved);
        }
        let has = |flag| fixed.flags & flag != 0;
        if has(ChangeSinkHeader::ALLOW) && has(ChangeSinkHeader::EVERYONE) {
            return Err(Invalid::Range("a list and none"));
        }
        if !has(ChangeSinkHeader::ALLOW) && fixed.prefixes != 0 {
            return Err(Invalid::Range("an allow-list without its flag"));
        }
        let count = usize::from(fixed.prefixes);
        if count > MAX_PREFIXES {
            return Err(Invalid::TooMany { what: "prefixes", count, most: MAX_PREFIXES });
        }
        exactly(prefixes, count.saturating_mul(size_of::<AllowedPrefix>()), before)?;
        if has(ChangeSinkHeader::LIMITS) {
            fixed.limits.check()?;
        } else if fixed.limits != Limits::zeroed() {
            return Err(Invalid::Reserved);
        }
        let change = Self { header: fixed, prefixes };
        change.prefixes().try_for_each(|prefix| prefix.prefix().map(drop))?;
        Ok(change)
    }

    /// The rules, if [`ChangeSinkHeader::ALLOW`].
    pub fn prefixes(&self) -> impl Iterator<Item = AllowedPrefix> + use<'a> {
        elements(self.prefixes)
    }
}
