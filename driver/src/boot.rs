//! The sink that starts with the driver, as the registry asks for it.
//!
//! Values of the driver's `Parameters` key; without `Listen` there is no such sink:
//!
//! | value | type | meaning |
//! |---|---|---|
//! | `Listen` | REG_MULTI_SZ | addresses to listen at: `0.0.0.0:514`, `[::]:514` |
//! | `Groups` | REG_MULTI_SZ | groups to join: `239.1.2.3`, or `239.1.2.3@4` on the interface with index 4 |
//! | `Allow` | REG_MULTI_SZ | prefixes to let in: `10.0.0.0/8`; without it everyone |
//! | `SourceRate` | REG_DWORD | datagrams a second of each source and processor |
//! | `Sample` | REG_DWORD | one datagram in so many is kept |
//! | `SnapLength` | REG_DWORD | bytes kept of each payload |
//! | `RingBytes` | REG_DWORD, REG_QWORD | bytes of each processor's ring, a power of two; 16 MiB without it |
//! | `Rows` | REG_DWORD | rows of each processor's source table; 1024 without it |
//! | `ReceiveBuffer` | REG_DWORD | bytes that the stack may hold for each listener |
//!
//! They become an ordinary [`StartSink`] request, checked like any other. Its listeners are tried again until they can be
//! bound, because the driver may start before the network.

use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;

use arrayvec::{ArrayString, ArrayVec};
use bytemuck::{NoUninit, Zeroable};
use skua_pools::{Slab, Tag};
use skua_protocol::{
    AllowedPrefix, Group, Header, Limits, Listener, ListenerFlags, MAX_GROUPS, MAX_LISTENERS, StartFlags,
    StartSink, StartSinkHeader,
};
use skua_record::RecordHeader;

use crate::executive::Executive;
use crate::sink::StartFailure;

const TAG: Tag = Tag::new(b"SkBo");

/// Rules that the registry may give.
const MAX_RULES: usize = 256;
/// Bytes of the longest request there can be.
const REQUEST_BYTES: usize = size_of::<StartSinkHeader>()
    + MAX_LISTENERS * size_of::<Listener>()
    + MAX_GROUPS * size_of::<Group>()
    + MAX_RULES * size_of::<AllowedPrefix>();
/// 32-bit words that one value of the registry may take: 16 KiB.
const VALUE_WORDS: usize = 4096;
/// Characters of one address, group or prefix.
const TEXT: usize = 64;
/// UTF-16 units of a value's name.
const NAME: usize = 24;

const RING_BYTES: u64 = 16 << 20;
const ROWS: u32 = 1024;

/// A request to start the sink, until it was served.
pub(crate) struct BootSink<E: Executive> {
    request: Slab<u8, E>,
    bytes: usize,
}

impl<E: Executive> BootSink<E> {
    /// What `key` asks for; `None` if that is nothing, or nonsense, which the debugger is told of.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn read(executive: &E, key: &[u16]) -> Option<Self> {
        let buffer = Slab::new(executive.clone(), TAG, VALUE_WORDS, |_| 0_u32).ok()?;
        let request = Slab::new(executive.clone(), TAG, REQUEST_BYTES, |_| 0_u8).ok()?;
        let mut settings = Settings { executive, key, buffer };
        let mut boot = Self { request, bytes: size_of::<StartSinkHeader>() };
        match boot.fill(&mut settings) {
            Ok(listeners) => (listeners > 0).then_some(boot),
            Err(Unreadable { value, text }) => {
                let mut line = ArrayString::<160>::new();
                // A line that is cut still names the value.
                let _cut = write!(line, "skua: no boot sink: {value}: not understood: {text}");
                executive.dbg_print(&line);
                None
            }
        }
    }

    /// The request.
    pub(crate) fn request(&self) -> Option<StartSink<'_>> {
        StartSink::parse(self.request.get(..self.bytes)?).ok()
    }

    /// Says why it did not start.
    pub(crate) fn complain(&self, executive: &E, failure: &StartFailure) {
        let mut line = ArrayString::<160>::new();
        // A line that is cut still says that it did not start.
        let _cut = write!(line, "skua: the boot sink did not start: {failure}");
        executive.dbg_print(&line);
    }

    /// Writes the request; how many listeners it has.
    fn fill(&mut self, settings: &mut Settings<'_, E>) -> Result<u16, Unreadable> {
        let mut v4_ports = ArrayVec::<u16, MAX_LISTENERS>::new();
        let listeners = settings.each("Listen", MAX_LISTENERS, |text| {
            let address = SocketAddr::from_str(text).ok()?;
            // Beside a socket for IPv4 on the same port, one for IPv6 must leave IPv4 to it.
            let beside = v4_ports.contains(&address.port());
            if address.is_ipv4() {
                v4_ports.try_push(address.port()).ok()?;
            }
            let flags = if address.is_ipv6() && beside { ListenerFlags::ONLY_V6 } else { 0 };
            self.push(&Listener::new(address, flags))
        })?;
        let groups = settings.each("Groups", MAX_GROUPS, |text| {
            let (group, interface) = text.split_once('@').unwrap_or((text, "0"));
            let group = IpAddr::from_str(group).ok().filter(IpAddr::is_multicast)?;
            self.push(&Group::new(group, None, u32::from_str(interface).ok()?))
        })?;
        let prefixes = settings.each("Allow", MAX_RULES, |text| {
            let (address, bits) = text.split_once('/')?;
            let prefix = AllowedPrefix::new(IpAddr::from_str(address).ok()?, u8::from_str(bits).ok()?);
            prefix.prefix().ok()?;
            self.push(&prefix)
        })?;
        let mut number = |name, otherwise| settings.number(name).unwrap_or(otherwise);
        let ring_bytes = number("RingBytes", RING_BYTES);
        let mut small =
            |name, otherwise: u32| u32::try_from(number(name, u64::from(otherwise))).unwrap_or(u32::MAX);
        let header = StartSinkHeader {
            header: Header::new(u32::try_from(self.bytes).unwrap_or(u32::MAX)),
            ring_bytes,
            watermark: ring_bytes / 2,
            limits: Limits {
                source_rate: small("SourceRate", 0),
                sample: small("Sample", 1),
                ..Limits::NONE
            },
            rows: small("Rows", ROWS),
            allow_capacity: u32::from(prefixes).max(64),
            snap_length: small("SnapLength", u32::from(RecordHeader::LONGEST_PAYLOAD)),
            receive_buffer: small("ReceiveBuffer", 0),
            flags: StartFlags::KEEP_TRYING | if prefixes > 0 { StartFlags::ALLOW_LISTED } else { 0 },
            listeners,
            groups,
            prefixes,
            name: name(),
            boot_id: settings.executive.unguessable_128().to_ne_bytes(),
            ..StartSinkHeader::zeroed()
        };
        for (place, byte) in self.request.iter_mut().zip(bytemuck::bytes_of(&header)) {
            *place = *byte;
        }
        if listeners > 0 && self.request().is_none() {
            return Err(Unreadable::new("Parameters", "a number is out of range"));
        }
        Ok(listeners)
    }

    /// Adds an element to the request; `None` if there is no room.
    fn push<T: NoUninit>(&mut self, element: &T) -> Option<()> {
        let bytes = bytemuck::bytes_of(element);
        let end = self.bytes.checked_add(bytes.len())?;
        let place = self.request.get_mut(self.bytes..end)?;
        for (place, byte) in place.iter_mut().zip(bytes) {
            *place = *byte;
        }
        self.bytes = end;
        Some(())
    }
}

/// A value that says nothing sensible.
struct Unreadable {
    value: &'static str,
    text: ArrayString<TEXT>,
}

impl Unreadable {
    fn new(value: &'static str, text: &str) -> Self {
        let mut cut = ArrayString::new();
        text.chars().take_while(|character| cut.try_push(*character).is_ok()).for_each(drop);
        Self { value, text: cut }
    }
}

/// The values of a key.
struct Settings<'k, E: Executive> {
    executive: &'k E,
    key: &'k [u16],
    buffer: Slab<u32, E>,
}

impl<E: Executive> Settings<'_, E> {
    /// The number in a value, if it is there and is one.
    fn number(&mut self, value: &str) -> Option<u64> {
        let name: ArrayVec<u16, NAME> = value.encode_utf16().take(NAME).collect();
        self.executive.zw_query_value_key(self.key, &name, &mut self.buffer).ok()?.qword()
    }

    /// Gives each string of a value to `take`, and says how many there were: none if the value is not there.
    fn each(
        &mut self,
        value: &'static str,
        most: usize,
        mut take: impl FnMut(&str) -> Option<()>,
    ) -> Result<u16, Unreadable> {
        let name: ArrayVec<u16, NAME> = value.encode_utf16().take(NAME).collect();
        let Ok(found) = self.executive.zw_query_value_key(self.key, &name, &mut self.buffer) else {
            return Ok(0);
        };
        let strings = found.strings().ok_or_else(|| Unreadable::new(value, "not a REG_MULTI_SZ"))?;
        let mut count = 0;
        for units in strings {
            let mut text = ArrayString::<TEXT>::new();
            for character in char::decode_utf16(units) {
                let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
                text.try_push(character).map_err(|_| Unreadable::new(value, &text))?;
            }
            if usize::from(count) == most || take(&text).is_none() {
                return Err(Unreadable::new(value, &text));
            }
            count += 1;
        }
        Ok(count)
    }
}

/// What the sink is called in lists.
fn name() -> [u8; skua_protocol::SINK_NAME_BYTES] {
    let mut name = [0; skua_protocol::SINK_NAME_BYTES];
    for (place, byte) in name.iter_mut().zip(*b"boot") {
        *place = byte;
    }
    name
}
