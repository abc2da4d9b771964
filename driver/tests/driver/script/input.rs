//! What programs ask for and what the registry says, out of bytes: right, nearly right, or noise.

use std::net::SocketAddr;

use arbitrary::{Arbitrary as _, Result, Unstructured};
use bytemuck::Zeroable as _;
use skua_driver::{REG_DWORD, REG_MULTI_SZ, REG_QWORD};
use skua_protocol::{
    AllowedPrefix, ChangeSinkHeader, ControlCode, Group, Header, Limits, Listener, ListenerFlags,
    SinkRequest, SourcesRequest, StartSinkHeader,
};

use super::decode::{address, several};
use crate::rig::Start;

/// A code, and an input that is mostly meant for it.
pub(super) fn request(bytes: &mut Unstructured<'_>) -> Result<(u32, Vec<u8>)> {
    let kind = u8::arbitrary(bytes)?;
    let code = match kind {
        // What everything else needs.
        0..60 => ControlCode::StartSink,
        60..70 => ControlCode::AttachReader,
        70..85 => ControlCode::WaitRecords,
        85..120 => ControlCode::ReadRecords,
        120..123 => ControlCode::Shutdown,
        123.. => match *bytes.choose(ControlCode::ALL)? {
            // It leaves little to do.
            ControlCode::Shutdown => ControlCode::QuerySink,
            other => other,
        },
    };
    let mut input = match code {
        ControlCode::StartSink => start(bytes)?.bytes(),
        ControlCode::ChangeSink => change(bytes)?,
        ControlCode::QuerySources => {
            bytemuck::bytes_of(&SourcesRequest::new(sink(bytes)?, small(bytes)?.into())).to_vec()
        }
        ControlCode::Version => Vec::new(),
        ControlCode::QuerySinks | ControlCode::Shutdown | ControlCode::SelfTest => {
            bytemuck::bytes_of(&Header::ALONE).to_vec()
        }
        _ => bytemuck::bytes_of(&SinkRequest::new(sink(bytes)?)).to_vec(),
    };
    if kind >= 230 {
        damage(&mut input, bytes)?;
    }
    // One in some that the driver does not know, or that is meant for another.
    let code = if kind >= 250 { u32::arbitrary(bytes)? } else { code as u32 };
    Ok((code, input))
}

/// Bytes of room for the output.
pub(super) fn room(bytes: &mut Unstructured<'_>) -> Result<usize> {
    Ok(match u8::arbitrary(bytes)? {
        kind @ 0..160 => [1 << 12, 1 << 14][usize::from(kind & 1)],
        // What short records take, or some of them.
        160..230 => 64 + 8 * usize::from(u8::arbitrary(bytes)? % 32),
        230..240 => usize::from(u8::arbitrary(bytes)?),
        240.. => usize::from(u16::arbitrary(bytes)?),
    })
}

/// A sink's number: they count from 1.
pub(super) fn sink(bytes: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u8::arbitrary(bytes)? {
        0..120 => 1,
        120..180 => 2,
        kind @ 180..250 => u64::from(kind % 8),
        250.. => u64::arbitrary(bytes)?,
    })
}

fn damage(input: &mut Vec<u8>, bytes: &mut Unstructured<'_>) -> Result<()> {
    for (place, value) in several(bytes, 3, |bytes| Ok((u16::arbitrary(bytes)?, u8::arbitrary(bytes)?)))? {
        match value {
            // Another length than it says.
            0..16 => input.truncate(usize::from(place)),
            16..32 => input.extend_from_slice(&place.to_le_bytes()),
            _ => {
                if let Some(byte) = input.get_mut(usize::from(place)) {
                    *byte = value.wrapping_sub(32);
                }
            }
        }
    }
    Ok(())
}

/// A request for a sink with any settings.
pub(super) fn start(bytes: &mut Unstructured<'_>) -> Result<Start> {
    let mut start = Start::new();
    let traits = u8::arbitrary(bytes)?;
    start.header = StartSinkHeader {
        ring_bytes: ring_bytes(bytes)?,
        snap_length: u32::from(small(bytes)?),
        flags: u32::from(traits) & 0b110,
        limits: limits(bytes)?,
        ..start.header
    };
    start.header.watermark = start.header.ring_bytes / 2;
    if traits & 8 != 0 {
        start.header.rows = number(bytes)?;
        start.header.allow_capacity = start.header.allow_capacity.saturating_add(number(bytes)?);
        start.header.receive_buffer = number(bytes)?;
        start.header.watermark = u64::from(number(bytes)?);
        start.header.name[0] = u8::arbitrary(bytes)? % 128;
    }
    if traits & 0x10 != 0 {
        start.listeners = several(bytes, 3, listener)?;
    }
    if traits & 0x20 != 0 {
        start.groups = several(bytes, 3, group)?;
    }
    if traits & 0x40 != 0 {
        start.prefixes = several(bytes, 4, prefix)?;
    }
    Ok(start)
}

fn change(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let sink = sink(bytes)?;
    let flags = u32::from(u8::arbitrary(bytes)? & 7);
    let has = |flag| flags & flag != 0;
    let prefixes = if has(ChangeSinkHeader::ALLOW) { several(bytes, 20, prefix)? } else { Vec::new() };
    let limits = if has(ChangeSinkHeader::LIMITS) { limits(bytes)? } else { Limits::zeroed() };
    let count = u16::try_from(prefixes.len()).unwrap();
    let header = Header::new(ChangeSinkHeader::request_bytes(count));
    let change = ChangeSinkHeader { header, sink, limits, flags, prefixes: count, reserved: 0 };
    Ok([bytemuck::bytes_of(&change), bytemuck::cast_slice(&prefixes)].concat())
}

fn limits(bytes: &mut Unstructured<'_>) -> Result<Limits> {
    if u8::arbitrary(bytes)? < 200 {
        return Ok(Limits::NONE);
    }
    Ok(Limits {
        source_rate: number(bytes)?,
        source_burst: number(bytes)?,
        other_rate: number(bytes)?,
        other_burst: number(bytes)?,
        sample: number(bytes)?,
        reserved: 0,
    })
}

fn listener(bytes: &mut Unstructured<'_>) -> Result<Listener> {
    let port = if bool::arbitrary(bytes)? { 0 } else { 9 };
    let address = address(bytes)?;
    let flags = if address.is_ipv6() { ListenerFlags::ONLY_V6 } else { 0 } | ListenerFlags::SHARED;
    Ok(Listener::new(SocketAddr::new(address, port), u8::arbitrary(bytes)? & flags))
}

fn group(bytes: &mut Unstructured<'_>) -> Result<Group> {
    Ok(match u8::arbitrary(bytes)? {
        last @ 0..180 => Group::new([239, 0, 0, last].into(), None, 0),
        last @ 180..220 => Group::new([0xff02, 0, 0, 0, 0, 0, 0, last.into()].into(), None, 1),
        220.. => Group::new(address(bytes)?, Some(address(bytes)?), number(bytes)?),
    })
}

fn prefix(bytes: &mut Unstructured<'_>) -> Result<AllowedPrefix> {
    let bits = u8::arbitrary(bytes)?;
    Ok(AllowedPrefix::new(address(bytes)?, if bits < 240 { bits % 33 } else { bits }))
}

fn ring_bytes(bytes: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u8::arbitrary(bytes)? {
        kind @ 0..240 => 1 << (12 + kind % 6),
        240.. => u64::arbitrary(bytes)?,
    })
}

/// A number below 256, or another.
fn small(bytes: &mut Unstructured<'_>) -> Result<u16> {
    Ok(match u8::arbitrary(bytes)? {
        255 => u16::arbitrary(bytes)?,
        kind => kind.into(),
    })
}

/// A number: few of them are large.
fn number(bytes: &mut Unstructured<'_>) -> Result<u32> {
    Ok(match u8::arbitrary(bytes)? {
        255 => u32::arbitrary(bytes)?,
        254 => u16::arbitrary(bytes)?.into(),
        kind => kind.into(),
    })
}

/// One value of the driver's key.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    pub(super) name: &'static str,
    pub(super) kind: u32,
    pub(super) data: Vec<u8>,
}

const NAMES: [&str; 9] =
    ["Listen", "Groups", "Allow", "SourceRate", "Sample", "SnapLength", "RingBytes", "Rows", "ReceiveBuffer"];

const TEXTS: [&str; 12] = [
    "127.0.0.1:0",
    "[::1]:0",
    "[::]:9",
    "0.0.0.0:9",
    "239.1.2.3",
    "ff02::5@1",
    "10.0.0.0/8",
    "::/0",
    "127.0.0.0/255",
    "localhost:9",
    "",
    "[0000:0000:0000:0000:0000:0000:0000:0000%0]:65536 and more than there is room for",
];

impl Boot {
    /// A few values, the first of which makes a sink start.
    pub(super) fn some(bytes: &mut Unstructured<'_>) -> Result<Vec<Self>> {
        let listen = Self { name: "Listen", kind: REG_MULTI_SZ, data: text("127.0.0.1:0\0\0") };
        // The registry's own default of 16 MiB takes its time.
        let ring = Self { name: "RingBytes", kind: REG_DWORD, data: (1_u32 << 19).to_le_bytes().to_vec() };
        let mut values = vec![listen, ring];
        values.extend(several(bytes, 3, Self::one)?);
        Ok(values)
    }

    fn one(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let name = *bytes.choose(&NAMES)?;
        let traits = u8::arbitrary(bytes)?;
        let texts = NAMES.iter().position(|known| *known == name) < Some(3);
        let (kind, data) = match (traits, texts) {
            (0..200, true) => {
                let texts = several(bytes, 4, |bytes| Ok(*bytes.choose(&TEXTS)?))?;
                (REG_MULTI_SZ, text(&(texts.join("\0") + "\0\0")))
            }
            (0..200, false) => (REG_DWORD, number(bytes)?.to_le_bytes().to_vec()),
            _ => {
                let kinds = [REG_MULTI_SZ, REG_DWORD, REG_QWORD, u32::from(traits)];
                let count = usize::from(u8::arbitrary(bytes)?).min(bytes.len());
                (*bytes.choose(&kinds)?, bytes.bytes(count)?.to_vec())
            }
        };
        Ok(Self { name, kind, data })
    }
}

fn text(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
