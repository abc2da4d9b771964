//! Sending over a connected socket on the loopback interface, to one whose buffer is full: most of a row is the kernel's
//! own work, and what is there twice is thrown away.
//!
//! `send/sockets`: `sendmmsg` is the bare call over buffers that were filled once, `send` std's call for each datagram,
//! `engine` the engine over the hosted provider, which fills its contexts each time. `send/cut`: one buffer of `n` datagrams
//! that the kernel cuts (UDP_SEGMENT). Rows are `contestant/bytes x datagrams`.

// UNSAFETY: system calls over vectors of this file's own buffers.
#![expect(unsafe_code, reason = "system calls take pointers")]

use std::hint::black_box;
use std::io::{Error, IoSlice};
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use criterion::{BenchmarkId, Criterion, Throughput};
use skua_benches::Sender;

use crate::measure::{ThreadTime, group};
use crate::{BATCHES, SIZES};

/// Datagrams in a buffer that is cut, at most: UDP_MAX_SEGMENTS of every kernel.
const SEGMENTS: usize = 64;

/// Bytes in it at most.
const LARGEST_CUT: usize = 65_000;

/// A socket that nobody reads, and its address.
fn unread() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("a bound socket");
    (socket, address)
}

fn connected(remote: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.connect(remote).expect("loopback");
    socket
}

pub(crate) fn one_by_one(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "send/sockets");
    let (_receiver, remote) = unread();
    for bytes in SIZES {
        let payload = vec![0x5c; bytes];
        let socket = connected(remote);
        let sender = Sender::over_sockets(1472, remote);
        for batch in BATCHES {
            let name = format!("{bytes}x{batch}");
            group.throughput(Throughput::Elements(batch as u64));
            let buffers = vec![payload.clone(); batch];
            group.bench_function(BenchmarkId::new("sendmmsg", &name), |bencher| {
                bencher.iter(|| sendmmsg(&socket, black_box(&buffers)));
            });
            group.bench_function(BenchmarkId::new("send", &name), |bencher| {
                bencher.iter(|| {
                    for buffer in &buffers {
                        let _ = black_box(socket.send(buffer));
                    }
                });
            });
            group.bench_function(BenchmarkId::new("engine", &name), |bencher| {
                bencher.iter(|| sender.send(black_box(&payload), batch, None));
            });
        }
        assert_eq!(sender.stats().sends_failed, 0);
    }
}

pub(crate) fn cut(criterion: &mut Criterion<ThreadTime>) {
    let mut group = group(criterion, "send/cut");
    let (_receiver, remote) = unread();
    for bytes in SIZES {
        let count = SEGMENTS.min(LARGEST_CUT / bytes);
        let payload = vec![0x5c; bytes * count];
        let segment = u16::try_from(bytes).expect("a datagram's size");
        let socket = connected(remote);
        let sender = Sender::over_sockets(65_535, remote);
        let name = format!("{bytes}x{count}");
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("sendmsg", &name), |bencher| {
            bencher.iter(|| sendmsg_cut(&socket, black_box(&payload), segment));
        });
        group.bench_function(BenchmarkId::new("engine", &name), |bencher| {
            bencher.iter(|| sender.send(black_box(&payload), 1, Some(segment.into())));
        });
        assert_eq!(sender.stats().sends_failed, 0);
    }
}

/// One call for all `buffers`.
fn sendmmsg(socket: &UdpSocket, buffers: &[Vec<u8>]) {
    let vectors: Vec<IoSlice<'_>> = buffers.iter().map(|buffer| IoSlice::new(buffer)).collect();
    let mut headers: Vec<libc::mmsghdr> = vectors
        .iter()
        .map(|vector| {
            // SAFETY: a header of zeros names no memory.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            // IoSlice has the layout of iovec (std's documentation).
            header.msg_hdr.msg_iov = std::ptr::from_ref(vector).cast_mut().cast();
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect();
    let count = u32::try_from(headers.len()).unwrap_or_default();
    // SAFETY: `count` headers lead to live memory.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    assert!(usize::try_from(sent) == Ok(buffers.len()), "{}", Error::last_os_error());
}

/// One call for a buffer that the kernel cuts into datagrams of `segment` bytes.
fn sendmsg_cut(socket: &UdpSocket, buffer: &[u8], segment: u16) {
    let vector = IoSlice::new(buffer);
    let mut control =
        Cut { length: CUT_BYTES, level: libc::SOL_UDP, kind: libc::UDP_SEGMENT, segment, _rest: [0; 3] };
    // SAFETY: a header of zeros names no memory.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = (&raw const vector).cast_mut().cast();
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<Cut>();
    // SAFETY: the header leads to live memory.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, 0) };
    assert!(usize::try_from(sent) == Ok(buffer.len()), "{}", Error::last_os_error());
}

/// The control message that asks for a cut: `struct cmsghdr`, and a size padded to 8 bytes.
#[repr(C)]
struct Cut {
    length: usize,
    level: i32,
    kind: i32,
    segment: u16,
    _rest: [u16; 3],
}

/// Of the header and the size.
const CUT_BYTES: usize = 18;
