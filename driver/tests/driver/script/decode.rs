//! Scripts out of bytes: every string of bytes is one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use arbitrary::{Arbitrary, Result, Unstructured};
use skua_engine::abi::nt::{IRP_MJ_CLEANUP, IRP_MJ_CLOSE};
use skua_protocol::{ControlCode, SinkRequest};

use super::{Boot, Control, Cursor, Datagram, Failing, MAX_STEPS, Script, Step, input};

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let traits = u8::arbitrary(bytes)?;
        let boot = if traits & 0x30 == 0x30 { Boot::some(bytes)? } else { Vec::new() };
        let mut script = Self {
            processors: 1 + u32::from(traits & 3).min(2),
            below_dispatch: traits & 4 != 0,
            away: traits >= 0xf0,
            boot,
            steps: vec![Step::Open],
        };
        if traits & 8 == 0 {
            // Most of what happens takes a sink with a reader.
            let request = |code: ControlCode, input| Step::Request {
                program: Some(0),
                code: code as u32,
                input,
                room: 4096,
            };
            script.steps.push(request(ControlCode::StartSink, input::start(bytes)?.bytes()));
            let attach = bytemuck::bytes_of(&SinkRequest::new(1)).to_vec();
            script.steps.push(request(ControlCode::AttachReader, attach));
        }
        while !bytes.is_empty() && script.steps.len() < MAX_STEPS {
            script.steps.push(Step::arbitrary(bytes)?);
        }
        Ok(script)
    }
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u8::arbitrary(bytes)? {
            0..16 => Self::Open,
            16..26 => {
                let majors: [&'static [u8]; 3] =
                    [&[IRP_MJ_CLEANUP, IRP_MJ_CLOSE], &[IRP_MJ_CLOSE], &[IRP_MJ_CLOSE, IRP_MJ_CLEANUP]];
                Self::Close { program: program(bytes)?, majors: bytes.choose(&majors)? }
            }
            26..28 => Self::Other { program: program(bytes)?, major: u8::arbitrary(bytes)? },
            28..150 => {
                let (code, input) = input::request(bytes)?;
                let program = if bool::arbitrary(bytes)? { Some(program(bytes)?) } else { None };
                Self::Request { program, code, input, room: input::room(bytes)? }
            }
            150..162 => Self::Cancel { wait: usize::from(u8::arbitrary(bytes)? % 4) },
            162..218 => Self::Datagrams {
                sink: input::sink(bytes)?,
                listener: usize::from(u8::arbitrary(bytes)? % 4),
                processor: u32::from(u8::arbitrary(bytes)? % 4),
                datagrams: several(bytes, 8, Datagram::arbitrary)?,
            },
            218..238 => Self::Cursor {
                sink: input::sink(bytes)?,
                ring: usize::from(u8::arbitrary(bytes)? % 4),
                cursor: Cursor::arbitrary(bytes)?,
            },
            238..253 => Self::Fail {
                what: *bytes.choose(&[Failing::Allocation, Failing::Mapping, Failing::Section])?,
                nth: u64::from(u8::arbitrary(bytes)? % 32),
            },
            253.. => Self::Away(bool::arbitrary(bytes)?),
        })
    }
}

impl<'a> Arbitrary<'a> for Datagram {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let traits = u8::arbitrary(bytes)?;
        let has = |bit: u8| traits & bit == bit;
        let mut parts = vec![length(bytes)?];
        if has(1) {
            parts.push(length(bytes)?);
        }
        if has(3) {
            parts.push(length(bytes)?);
        }
        if has(0x70) {
            parts.clear();
        }
        Ok(Self {
            source: SocketAddr::new(address(bytes)?, u16::arbitrary(bytes)?),
            parts,
            offset: if has(4) { u32::from(u8::arbitrary(bytes)?) } else { 0 },
            length: if has(0x30) { Some(length(bytes)?) } else { None },
            unmapped: has(8),
            control: match traits >> 6 {
                0 | 1 => Control::Good,
                2 => Control::Missing,
                _ => {
                    let count = usize::from(u8::arbitrary(bytes)? % 96).min(bytes.len());
                    Control::Raw(bytes.bytes(count)?.to_vec())
                }
            },
        })
    }
}

impl<'a> Arbitrary<'a> for Cursor {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let kind = u8::arbitrary(bytes)?;
        if kind < 64 {
            return Ok(Self::Word(u64::arbitrary(bytes)?));
        }
        let behind = if kind < 128 { 8 * u64::from(u8::arbitrary(bytes)?) } else { 0 };
        Ok(Self::Behind { bytes: behind, bits: u64::from(kind & 7) })
    }
}

/// A program's number.
fn program(bytes: &mut Unstructured<'_>) -> Result<usize> {
    Ok(usize::from(u8::arbitrary(bytes)? % 3))
}

/// The length of a datagram or of a part of one: mostly one of a few, so that records of the same size come up again, and
/// short, because time goes into copying long ones.
fn length(bytes: &mut Unstructured<'_>) -> Result<usize> {
    let length = usize::from(u8::arbitrary(bytes)?);
    Ok(match length {
        0..160 => [0, 1, 8, 13, 40, 64, 100, 150][length % 8],
        160..250 => length,
        _ => (length - 249) * 11_000,
    })
}

/// Any address, mostly one that others use too.
pub(super) fn address(bytes: &mut Unstructured<'_>) -> Result<IpAddr> {
    Ok(match u8::arbitrary(bytes)? {
        0..100 => Ipv4Addr::LOCALHOST.into(),
        kind @ 100..200 => {
            let last = u16::from(kind % 4);
            if kind < 150 {
                IpAddr::from([10, 0, 0, kind % 4])
            } else {
                IpAddr::from([0, 0, 0, 0, 0, 0, 0, last])
            }
        }
        200..225 => IpAddr::from(<[u8; 4]>::arbitrary(bytes)?),
        225.. => IpAddr::from(<[u8; 16]>::arbitrary(bytes)?),
    })
}

/// 1 to `most` of something.
pub(super) fn several<'a, T>(
    bytes: &mut Unstructured<'a>,
    most: u8,
    mut one: impl FnMut(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = 1 + u8::arbitrary(bytes)? % most;
    (0..count).map(|_| one(bytes)).collect()
}
