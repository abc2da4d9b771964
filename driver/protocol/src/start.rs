//! Starting a sink.

use bytemuck::{Pod, Zeroable};

use crate::header::{Header, exactly, length_of, take};
use crate::invalid::Invalid;
use crate::place::{AllowedPrefix, Group, Listener};
use crate::{MAX_GROUPS, MAX_LISTENERS, MAX_PREFIXES, SINK_NAME_BYTES};

/// The fixed part of a request to start a sink. [`Listener`]s, [`Group`]s and [`AllowedPrefix`]es follow, as many as it
/// says, in this order and without gaps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct StartSinkHeader {
    /// As every input; its `bytes` count what follows too.
    pub header: Header,
    /// Bytes of each processor's ring, a power of two.
    pub ring_bytes: u64,
    /// Unread bytes at which a reader that waits for a full load is woken.
    pub watermark: u64,
    /// Names the machine in the rings' headers.
    pub host_id: [u8; 16],
    /// Names its boot there.
    pub boot_id: [u8; 16],
    /// What the sink is called in lists: UTF-8, zeros up to the end.
    pub name: [u8; SINK_NAME_BYTES],
    /// Who is let in, besides the allow-list.
    pub limits: Limits,
    /// Rows of the source table of each processor.
    pub rows: u32,
    /// Rules that this and every later allow-list may have, at most [`MAX_PREFIXES`].
    pub allow_capacity: u32,
    /// Payload bytes kept of a datagram, at most 65,527.
    pub snap_length: u32,
    /// Receive buffer asked of the stack for each listener, in bytes; 0 for its own choice.
    pub receive_buffer: u32,
    /// Bits of [`StartFlags`].
    pub flags: u32,
    /// Listeners that follow: 1 to [`MAX_LISTENERS`].
    pub listeners: u16,
    /// Groups that follow, at most [`MAX_GROUPS`].
    pub groups: u16,
    /// Rules that follow, at most `allow_capacity`.
    pub prefixes: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

/// The bits of [`StartSinkHeader::flags`].
pub struct StartFlags;

impl StartFlags {
    /// There is an allow-list, perhaps an empty one. Without it everyone is let in.
    pub const ALLOW_LISTED: u32 = 1;
    /// A listener that cannot bind yet is tried again with backoff. Without it the sink does not start then.
    pub const KEEP_TRYING: u32 = 2;
    /// All addresses of an IPv6 /64 are one source.
    pub const FOLD_IPV6: u32 = 4;
    const ALL: u32 = Self::ALLOW_LISTED | Self::KEEP_TRYING | Self::FOLD_IPV6;
}

/// How much is let in. Rates are datagrams a second on each processor; 0 is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Limits {
    /// Of each source.
    pub source_rate: u32,
    /// Datagrams that a source may send at once; 0 stands for those of one second.
    pub source_burst: u32,
    /// Of all sources without a row together; 0 stands for `source_rate`.
    pub other_rate: u32,
    /// Their burst.
    pub other_burst: u32,
    /// Of every so many datagrams one is kept; at least 1.
    pub sample: u32,
    /// Zero.
    pub reserved: u32,
}

impl Limits {
    /// Everything.
    pub const NONE: Self =
        Self { source_rate: 0, source_burst: 0, other_rate: 0, other_burst: 0, sample: 1, reserved: 0 };

    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if self.reserved != 0 {
            return Err(Invalid::Reserved);
        }
        if self.sample == 0 {
            return Err(Invalid::Range("the sampling divisor"));
        }
        let burst_alone = |rate, burst| rate == 0 && burst != 0;
        if burst_alone(self.source_rate, self.source_burst) || burst_alone(self.other_rate, self.other_burst)
        {
            return Err(Invalid::Range("a burst without a rate"));
        }
        Ok(())
    }
}

/// A request to start a sink, checked.
#[derive(Clone, Copy, Debug)]
pub struct StartSink<'a> {
    /// The fixed part.
    pub header: StartSinkHeader,
    listeners: &'a [u8],
    groups: &'a [u8],
    prefixes: &'a [u8],
}

impl<'a> StartSink<'a> {
    /// Checks `input`, which may be anything.
    ///
    /// # Errors
    /// [`Invalid`] says what is wrong with it first.
    pub fn parse(input: &'a [u8]) -> Result<Self, Invalid> {
        let before = size_of::<StartSinkHeader>();
        let (fixed, rest) = take::<StartSinkHeader>(input, before)?;
        fixed.header.check(input.len())?;
        fixed.check()?;
        let count = |count: u16, bytes: usize| usize::from(count).saturating_mul(bytes);
        let listeners = count(fixed.listeners, size_of::<Listener>());
        let groups = count(fixed.groups, size_of::<Group>());
        let prefixes = count(fixed.prefixes, size_of::<AllowedPrefix>());
        exactly(rest, listeners.saturating_add(groups).saturating_add(prefixes), before)?;
        let (listeners, rest) = rest.split_at_checked(listeners).unwrap_or_default();
        let (groups, prefixes) = rest.split_at_checked(groups).unwrap_or_default();
        let start = Self { header: fixed, listeners, groups, prefixes };
        start.listeners().try_for_each(|listener| listener.socket_address().map(drop))?;
        start.groups().try_for_each(|group| group.addresses().map(drop))?;
        start.prefixes().try_for_each(|prefix| prefix.prefix().map(drop))?;
        Ok(start)
    }

    /// Where to listen.
    pub fn listeners(&self) -> impl Iterator<Item = Listener> + use<'a> {
        elements(self.listeners)
    }

    /// What to join.
    pub fn groups(&self) -> impl Iterator<Item = Group> + use<'a> {
        elements(self.groups)
    }

    /// Whom to let in, if [`StartFlags::ALLOW_LISTED`].
    pub fn prefixes(&self) -> impl Iterator<Item = AllowedPrefix> + use<'a> {
        elements(self.prefixes)
    }

    /// The sink's name, up to the first zero.
    #[must_use]
    pub fn name(&self) -> &str {
        name(&self.header.name).unwrap_or_default()
    }
}

impl StartSinkHeader {
    /// Bytes of a request with these many elements; what its header says.
    #[must_use]
    pub fn request_bytes(listeners: u16, groups: u16, prefixes: u16) -> u32 {
        length_of::<Self>()
            + u32::from(listeners) * length_of::<Listener>()
            + u32::from(groups) * length_of::<Group>()
            + u32::from(prefixes) * length_of::<AllowedPrefix>()
    }

    fn check(&self) -> Result<(), Invalid> {
        if self.reserved != [0; 3] || self.flags & !StartFlags::ALL != 0 {
            return Err(Invalid::Reserved);
        }
        if self.flags & StartFlags::ALLOW_LISTED == 0 && self.prefixes != 0 {
            return Err(Invalid::Range("an allow-list without its flag"));
        }
        if self.listeners == 0 {
            return Err(Invalid::NoListener);
        }
        at_most("listeners", self.listeners, MAX_LISTENERS)?;
        at_most("groups", self.groups, MAX_GROUPS)?;
        if usize::try_from(self.allow_capacity).is_ok_and(|capacity| capacity > MAX_PREFIXES) {
            return Err(Invalid::Range("the capacity of the allow-list"));
        }
        at_most("prefixes", self.prefixes, usize::try_from(self.allow_capacity).unwrap_or(0))?;
        if self.snap_length > u32::from(skua_record::RecordHeader::LONGEST_PAYLOAD) {
            return Err(Invalid::Range("the snap length"));
        }
        name(&self.name)?;
        self.limits.check()
    }
}

/// What became of a request to start a sink: the request itself succeeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct StartedSink {
    /// The sink's number; 0 if it did not start.
    pub sink: u64,
    /// The NTSTATUS of what failed, or 0.
    pub status: i32,
    /// What failed: a [`StartStep`].
    pub step: u32,
    /// Which listener, group or number it failed at, or what was needed, as the step says.
    pub detail: u64,
}

/// How far a start came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[non_exhaustive]
pub enum StartStep {
    /// It runs.
    Started = 0,
    /// [`MAX_SINKS`](crate::MAX_SINKS) run already.
    TooMany = 1,
    /// The Winsock Kernel provider is not there yet.
    Provider = 2,
    /// The rings cannot be had; `detail` is the smallest ring if that is why, or 0.
    Rings = 3,
    /// The engine's memory cannot be had, or the settings contradict each other.
    Engine = 4,
    /// Listener number `detail` cannot be opened.
    Listener = 5,
    /// Group number `detail` cannot be joined, or no listener is of its family.
    Group = 6,
}

impl StartStep {
    /// The step with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Started,
            1 => Self::TooMany,
            2 => Self::Provider,
            3 => Self::Rings,
            4 => Self::Engine,
            5 => Self::Listener,
            6 => Self::Group,
            _ => return None,
        })
    }
}

/// The text of a zero-padded name.
pub(crate) fn name(bytes: &[u8; SINK_NAME_BYTES]) -> Result<&str, Invalid> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, padding) = bytes.split_at_checked(end).unwrap_or_default();
    if padding.iter().any(|byte| *byte != 0) {
        return Err(Invalid::Name);
    }
    core::str::from_utf8(text).map_err(|_| Invalid::Name)
}

fn at_most(what: &'static str, count: u16, most: usize) -> Result<(), Invalid> {
    let count = usize::from(count);
    if count > most { Err(Invalid::TooMany { what, count, most }) } else { Ok(()) }
}

/// The structures in `bytes`, which is a whole number of them.
pub(crate) fn elements<'a, T: Pod>(bytes: &'a [u8]) -> impl Iterator<Item = T> + use<'a, T> {
    bytes.chunks_exact(size_of::<T>().max(1)).filter_map(|chunk| bytemuck::try_pod_read_unaligned(chunk).ok())
}
