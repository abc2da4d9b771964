//! One hostile request: a code and two buffers that nobody would ask for, or almost somebody would.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytemuck::{Zeroable as _, bytes_of};
use fastrand::Rng;
use skua_protocol::{
    AllowedPrefix, ChangeSinkHeader, ControlCode, DEVICE_TYPE, Header, Limits, Listener, SinkRequest,
    SourcesRequest, StartSinkHeader,
};

/// The longest input and output, in bytes: longer than any request and than a page.
const LONGEST: usize = 70_000;
/// How far buffers are off their alignment at the most.
const OFFSETS: usize = 16;
/// Sinks that requests speak of: some that are there, and some that are not.
const SINKS: u64 = 16;

/// A request to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Attempt {
    pub(crate) code: u32,
    /// The input, from its `input_offset` on.
    pub(crate) input: Vec<u8>,
    pub(crate) input_offset: usize,
    /// Bytes of the output.
    pub(crate) output: usize,
    pub(crate) output_offset: usize,
}

impl Attempt {
    /// The next one. Never the one request that ends everything, [`ControlCode::Shutdown`] as it should be.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        loop {
            let code = code(rng);
            let input = input(rng, code);
            if ends_everything(code, &input) {
                continue;
            }
            let front = rng.usize(..OFFSETS);
            let mut bytes = vec![0; front];
            bytes.extend(input);
            let output = length(rng);
            return Self {
                code,
                input: bytes,
                input_offset: front,
                output,
                output_offset: rng.usize(..OFFSETS),
            };
        }
    }
}

/// Mostly a code that the driver has, sometimes one that differs from it in some bits, now and then any.
fn code(rng: &mut Rng) -> u32 {
    let known = ControlCode::ALL[rng.usize(..ControlCode::ALL.len())] as u32;
    match rng.u8(..20) {
        0 => rng.u32(..),
        // Another method or access.
        1 => known ^ rng.u32(1..4),
        2 => known ^ (rng.u32(1..4) << 14),
        // Another function.
        3 => DEVICE_TYPE << 16 | (rng.u32(..) & 0xffff),
        _ => known,
    }
}

fn input(rng: &mut Rng, code: u32) -> Vec<u8> {
    let mut input = match rng.u8(..8) {
        0 => Vec::new(),
        1 => noise(rng),
        2 => {
            // A header that is right above what is not.
            let mut bytes = noise(rng);
            let header = Header::new(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            let length = bytes.len().min(size_of::<Header>());
            bytes[..length].copy_from_slice(&bytes_of(&header)[..length]);
            return bytes;
        }
        _ => right(rng, code),
    };
    match rng.u8(..6) {
        0 => input.truncate(rng.usize(..=input.len())),
        1 => input.extend((0..rng.usize(1..64)).map(|_| 0)),
        2 | 3 => {
            for _ in 0..rng.usize(1..4) {
                if !input.is_empty() {
                    let at = rng.usize(..input.len());
                    input[at] ^= 1 << rng.u8(..8);
                }
            }
        }
        _ => {}
    }
    input
}

/// What the driver would take, except that the sink may not be there.
fn right(rng: &mut Rng, code: u32) -> Vec<u8> {
    let sink = rng.u64(..SINKS);
    match ControlCode::from_code(code) {
        Some(ControlCode::StartSink) => start(rng),
        Some(ControlCode::ChangeSink) => change(rng, sink),
        Some(ControlCode::QuerySources) => bytes_of(&SourcesRequest::new(sink, rng.u64(..4))).to_vec(),
        Some(ControlCode::QuerySinks | ControlCode::Shutdown) => {
            bytes_of(&Header::new(header_bytes())).to_vec()
        }
        Some(ControlCode::Version) | None => noise(rng),
        Some(_) => bytes_of(&SinkRequest::new(sink)).to_vec(),
    }
}

/// A sink on this machine alone, with a ring of 1 MiB or of a size that does not do.
fn start(rng: &mut Rng) -> Vec<u8> {
    let listeners = rng.u16(1..4);
    let mut header = StartSinkHeader::zeroed();
    header.header = Header::new(StartSinkHeader::request_bytes(listeners, 0, 0));
    header.ring_bytes = if rng.u8(..4) == 0 { rng.u64(..) } else { 1 << 20 };
    header.watermark = 1 << 16;
    header.limits = Limits::NONE;
    header.rows = 64;
    header.allow_capacity = 16;
    header.snap_length = 2048;
    header.listeners = listeners;
    let mut bytes = bytes_of(&header).to_vec();
    for _ in 0..listeners {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        bytes.extend(bytes_of(&Listener::new(address, 0)));
    }
    bytes
}

fn change(rng: &mut Rng, sink: u64) -> Vec<u8> {
    let prefixes = rng.u16(..4);
    let mut header = ChangeSinkHeader::zeroed();
    header.header = Header::new(ChangeSinkHeader::request_bytes(prefixes));
    header.sink = sink;
    header.flags = ChangeSinkHeader::ALLOW;
    header.prefixes = prefixes;
    let mut bytes = bytes_of(&header).to_vec();
    for host in 0..prefixes {
        let address = IpAddr::from([10, 0, 0, host.to_be_bytes()[1]]);
        bytes.extend(bytes_of(&AllowedPrefix::new(address, 32)));
    }
    bytes
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    let length = length(rng);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}

/// Mostly short, sometimes long.
fn length(rng: &mut Rng) -> usize {
    match rng.u8(..8) {
        0 => 0,
        1 => rng.usize(..LONGEST),
        2 | 3 => rng.usize(..4096),
        _ => rng.usize(..128),
    }
}

fn ends_everything(code: u32, input: &[u8]) -> bool {
    code == ControlCode::Shutdown as u32 && Header::parse(input).is_ok()
}

fn header_bytes() -> u32 {
    u32::try_from(size_of::<Header>()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts() -> impl Iterator<Item = Attempt> {
        let mut rng = Rng::with_seed(7);
        std::iter::repeat_with(move || Attempt::random(&mut rng)).take(5_000)
    }

    #[test]
    fn the_same_seed_does_the_same() {
        assert!(attempts().eq(attempts()));
    }

    #[test]
    fn every_code_is_tried_with_what_is_right_and_what_is_not() {
        let attempts: Vec<Attempt> = attempts().collect();
        for code in ControlCode::ALL {
            let sent: Vec<&Attempt> =
                attempts.iter().filter(|attempt| attempt.code == *code as u32).collect();
            let input = |attempt: &&Attempt| attempt.input[attempt.input_offset..].to_vec();
            assert!(sent.iter().any(|attempt| input(attempt).is_empty()), "{code:?}");
            assert!(sent.iter().any(|attempt| input(attempt).len() > 4096), "{code:?}");
            assert!(sent.iter().any(|attempt| attempt.input_offset % 8 != 0), "{code:?}");
            assert!(sent.iter().any(|attempt| attempt.output == 0), "{code:?}");
            let accepted = |input: &[u8]| match code {
                ControlCode::Version => true,
                ControlCode::StartSink => skua_protocol::StartSink::parse(input).is_ok(),
                ControlCode::ChangeSink => skua_protocol::ChangeSink::parse(input).is_ok(),
                ControlCode::QuerySources => SourcesRequest::parse(input).is_ok(),
                ControlCode::QuerySinks => Header::parse(input).is_ok(),
                ControlCode::Shutdown => false,
                _ => SinkRequest::parse(input).is_ok(),
            };
            let right = sent.iter().filter(|attempt| accepted(&input(attempt))).count();
            assert_eq!(right > 0, *code != ControlCode::Shutdown, "{code:?}");
            assert!(*code == ControlCode::Version || right < sent.len(), "{code:?}");
        }
    }

    #[test]
    fn a_shutdown_is_never_asked_for() {
        assert!(!attempts().any(|one| ends_everything(one.code, &one.input[one.input_offset..])));
    }
}
