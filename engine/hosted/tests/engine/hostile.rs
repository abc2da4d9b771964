//! Network buffer lists made of any bytes, received and sent. The tests beside this make the bytes up; so does a fuzzer.

// UNSAFETY: lends lists that this file built.
#![expect(unsafe_code, reason = "lists are lent by address")]

use std::ffi::c_void;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use skua_engine::abi::status::NTSTATUS;
use skua_engine::nbl::{NblFacts, NblList, Reserved};
use skua_engine::{
    Batch, BeyondBudget, Config, DatagramSocket, DropReason, Engine, Events, Handler, Kernel, Passive,
    Registration, Retention, SendError, SendOptions, SocketOptions,
};
use skua_hosted::{HostConfig, HostKernel};

use crate::packets::{Packet, Packets};

/// How long what must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes that reach each part of what is checked.
pub(crate) const SEEDS: [&[u8]; 6] = [
    b"",
    // One buffer of four bytes, whole; then with a header of its length, and one more.
    b"\0\0\x04\0\0datadata",
    b"\x04\0\x04\0\0datadata",
    b"\x05\0\x04\0\0datadata",
    // Cut twice, with another length and another offset.
    b"\x02\0\x3f\x0a\x05\x03\x07\xff\xff\x01\xf0\xff\xff\xffabcdefghijklmnopqrstuvwxyz",
    // Cut 16 times behind the header, and refused by the handler; then another that is kept.
    b"\0\x01\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\0\x01\0\x02\0\0hi",
];

/// Takes numbers and bytes off a text; zeros behind its end.
struct Bytes<'b>(&'b [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }
}

/// Keeps some datagrams, refuses some, and takes note of the bytes of all.
#[derive(Default)]
struct Reader(Mutex<Vec<Vec<u8>>>);

impl<K: Kernel> Handler<K> for Reader {
    type Shard = ();

    fn shard(&self, _processor: u32, _passive: &Passive<'_>) {}

    fn receive(&self, (): &mut (), batch: &mut Batch<'_, K>) {
        while let Some(datagram) = batch.next_datagram() {
            let mut bytes = vec![0; datagram.payload().len()];
            assert_eq!(datagram.payload().copy_to(&mut bytes), bytes.len());
            match bytes.first() {
                Some(1) => datagram.refuse(DropReason::Handler),
                Some(2) => drop(datagram.retain()),
                _ => {}
            }
            self.0.lock().unwrap().push(bytes);
        }
    }
}

/// A buffer as `bytes` say: how much data, how it is cut, and which of its numbers are lies.
fn packet(bytes: &mut Bytes<'_>) -> Packet {
    let shape = bytes.byte();
    let length = usize::from(shape & 0x3f);
    let mut cuts: Vec<usize> =
        (0..bytes.byte() & 0x1f).map(|_| usize::from(bytes.byte()) % (length + 1)).collect();
    cuts.sort_unstable();
    let before = usize::from(bytes.byte() & 0x3f);
    let claims = (shape & 0x40 != 0).then(|| match bytes.byte() {
        255 => usize::MAX - usize::from(bytes.byte()),
        254 => 65_536,
        claims => usize::from(claims),
    });
    let offset =
        (shape & 0x80 != 0).then(|| if bytes.byte() & 1 == 0 { bytes.u32() } else { bytes.byte().into() });
    let data = (0..length).map(|_| bytes.byte()).collect();
    Packet { before, data, cuts, claims, offset, unmapped: length % 5 == 4 }
}

/// The bytes of `packet` behind a header; `None` if it does not have what it claims.
fn expected(packet: &Packet, header: u32) -> Option<Vec<u8>> {
    let length = packet.claims.unwrap_or(packet.data.len()).checked_sub(header as usize)?;
    let start = packet.offset.unwrap_or(u32::try_from(packet.before).unwrap()).checked_add(header)? as usize;
    let all = [vec![0xee; packet.before], packet.data.clone()].concat();
    if length == 0 { Some(Vec::new()) } else { Some(all.get(start..start.checked_add(length)?)?.to_vec()) }
}

/// MDLs that the header fills, and what lies before it. They may be 16, and no more.
fn headers(packet: &Packet, header: u32) -> usize {
    let start =
        packet.offset.unwrap_or(u32::try_from(packet.before).unwrap()).saturating_add(header) as usize;
    let ends = packet.cuts.iter().map(|cut| packet.before + cut);
    // The one in which the payload begins is looked at, too.
    ends.filter(|end| *end <= start).count() + 1
}

unsafe extern "C" fn sent(_context: *mut c_void, _status: NTSTATUS) {}

/// Receives and sends lists, as `bytes` say: the header's length, then for each buffer whether it begins another list, and
/// what it is.
pub(crate) fn receive_and_send_any(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let header_bytes = match bytes.byte() {
        255 => bytes.u32(),
        header => header.into(),
    };
    let mut lists: Vec<Vec<Packet>> = Vec::new();
    while !bytes.0.is_empty() {
        if lists.is_empty() || bytes.byte() & 1 == 1 {
            lists.push(Vec::new());
        }
        if let Some(list) = lists.last_mut() {
            list.push(packet(&mut bytes));
        }
    }
    // The verifier would stop at the first chain that is shorter than it claims.
    let kernel = HostKernel::new(HostConfig::loopback(1).unverified());
    let passive = Passive::acquire(&kernel).unwrap();
    let registration = Registration::register(kernel.clone(), Events::Static, &passive).unwrap();
    let provider = registration.capture(PATIENCE, &passive).unwrap();
    let retention =
        Retention { beyond: BeyondBudget::Copy, copy_slots: 2, copy_bytes: 32, ..Retention::default() };
    let config = Config { retention, send_slots: 1, send_bytes: 16, ..Config::default() };
    let engine = Engine::open(kernel.clone(), Reader::default(), &config, &passive).unwrap();
    let source = engine.open_nbl_source(1, &passive).unwrap();

    let mut packets = Packets::new(&kernel, &lists);
    let mut refused = Vec::new();
    let first = packets.first();
    let facts = NblFacts { header_bytes, ..NblFacts::default() };
    // SAFETY: the lists are this function's, over memory that is never paged here.
    let count = unsafe { source.receive(first, &facts, |_, buffer| refused.push(buffer)) };
    let refused: Vec<usize> = refused.iter().map(|buffer| packets.position(buffer.as_ptr())).collect();
    let all: Vec<&Packet> = lists.iter().flatten().collect();
    assert_eq!(count, all.len() as u64);
    let mut read = std::mem::take(&mut *engine.handler().0.lock().unwrap()).into_iter();
    let mut all_are_whole = !all.is_empty();
    for (position, packet) in all.iter().enumerate() {
        match expected(packet, header_bytes) {
            Some(payload) if payload.is_empty() || headers(packet, header_bytes) <= 16 => {
                assert_eq!(read.next().as_ref(), Some(&payload), "{packet:?}");
                assert!(!refused.contains(&position) || matches!(payload.first(), Some(1 | 2)), "{packet:?}");
            }
            _ => {
                assert!(refused.contains(&position), "{packet:?}");
                all_are_whole = false;
            }
        }
    }
    assert_eq!(read.next(), None);
    let stats = engine.stats();
    assert!(stats.balances() && stats.retained() == 0, "{stats:?}");
    assert!(source.stop().wait(PATIENCE, &passive).is_ok());

    let options = SocketOptions::new("127.0.0.1:0".parse().unwrap());
    let socket = engine.open_socket(&provider, &options, &passive).unwrap();
    let list = NblList { list: packets.first(), header_bytes, reserved: Reserved::Miniport };
    send(&engine, &socket, &list, all_are_whole.then_some(all.len()));
    socket.close(PATIENCE, &passive).unwrap();
    drop(packets);
    drop((provider, engine));
    registration.close(PATIENCE, &passive).unwrap();
    assert!(kernel.outstanding().is_empty());
}

/// Sends the list to nobody, and waits until it is back. Where all its buffers are whole, all are sent.
fn send(
    engine: &Engine<HostKernel, Reader>,
    socket: &DatagramSocket<HostKernel, Reader>,
    list: &NblList,
    whole: Option<usize>,
) {
    let to: SocketAddr = "127.0.0.1:9".parse().unwrap();
    // SAFETY: the lists are there until the send is over, which is waited for.
    let outcome = unsafe { socket.send_nbl(to, &SendOptions::default(), list, sent, std::ptr::null_mut()) };
    match whole {
        Some(count) => assert_eq!(outcome, Ok(count)),
        // A provider finds by itself that a chain is shorter than it claims.
        None => assert!(
            matches!(
                outcome,
                Ok(_) | Err(SendError::Malformed | SendError::Oversize { .. } | SendError::Refused(_))
            ),
            "{outcome:?}"
        ),
    }
    let until = Instant::now() + PATIENCE;
    while engine.stats().sends_outstanding() != 0 {
        assert!(Instant::now() < until, "the send does not end");
        std::thread::yield_now();
    }
}
