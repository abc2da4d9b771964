//! Several datagrams in one system call.

// UNSAFETY: message headers hold addresses of payloads and control areas.
#![expect(unsafe_code, reason = "system calls take pointers")]

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

/// What Linux sends at most by one UDP_SEGMENT.
const MOST_BYTES: usize = 65_507;
const MOST_SEGMENTS: usize = 64;

/// Begins every payload: what syslog daemons take for a message. After it come `x`.
const MESSAGE: &[u8] = b"<13>Jan  1 00:00:00 host bench: ";

/// Equal datagrams, sent by one `sendmsg` with UDP_SEGMENT where the system can, and otherwise by one `sendmmsg`.
pub(super) struct Burst<'a> {
    socket: &'a UdpSocket,
    size: usize,
    payload: Vec<u8>,
    segmented: bool,
    // One for sendmsg; one a datagram for sendmmsg.
    parts: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
    control: Box<[u64; 4]>,
}

impl<'a> Burst<'a> {
    /// `count` datagrams of `size` bytes, or as many as go into one send.
    pub(super) fn new(socket: &'a UdpSocket, size: u16, count: u16, segmented: bool) -> io::Result<Self> {
        let size = usize::from(size);
        let most = (MOST_BYTES / size.max(1)).clamp(1, MOST_SEGMENTS);
        let count = usize::from(count).clamp(1, most);
        let mut datagram = MESSAGE.to_vec();
        datagram.resize(size.max(MESSAGE.len()), b'x');
        datagram.truncate(size);
        let mut burst = Self {
            socket,
            size,
            payload: datagram.repeat(count),
            segmented: segmented && count > 1 && size > 0,
            parts: Vec::new(),
            messages: Vec::new(),
            control: Box::new([0; 4]),
        };
        burst.prepare();
        Ok(burst)
    }

    /// Datagrams in one send.
    pub(super) fn datagrams(&self) -> u64 {
        self.payload.len().checked_div(self.size).unwrap_or(1) as u64
    }

    /// Puts the time at which they are due into all of them, as ns.
    pub(super) fn stamp(&mut self, due: Duration) {
        let nanoseconds = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
        for datagram in self.payload.chunks_exact_mut(self.size) {
            datagram[..8].copy_from_slice(&nanoseconds.to_ne_bytes());
        }
    }

    /// Sends all of them, and says how many that were.
    pub(super) fn send(&mut self) -> io::Result<u64> {
        let mut first = 0;
        while first < self.messages.len() {
            let left = &mut self.messages[first..];
            let count = u32::try_from(left.len()).unwrap_or(u32::MAX);
            // SAFETY: the headers lead to this value's parts, payload and control area, which live as long.
            let sent = unsafe { libc::sendmmsg(self.socket.as_raw_fd(), left.as_mut_ptr(), count, 0) };
            match usize::try_from(sent) {
                Ok(sent) => first += sent,
                Err(_) => {
                    let error = io::Error::last_os_error();
                    match error.raw_os_error() {
                        // The queue of an interface is full, or an earlier datagram met a closed port.
                        Some(libc::ENOBUFS | libc::ECONNREFUSED | libc::EINTR | libc::EAGAIN) => {}
                        // No UDP_SEGMENT here; EIO: nor a checksum to do it with.
                        Some(libc::EINVAL | libc::EIO | libc::ENOPROTOOPT) if self.segmented => {
                            self.segmented = false;
                            self.prepare();
                        }
                        _ => return Err(error),
                    }
                }
            }
        }
        Ok(self.datagrams())
    }

    /// Builds the headers, which point into this value's own memory on the heap.
    fn prepare(&mut self) {
        let length = if self.segmented { self.payload.len() } else { self.size };
        let start = self.payload.as_mut_ptr();
        let count = self.payload.len().checked_div(length).unwrap_or(1);
        self.parts = (0..count)
            .map(|number| libc::iovec {
                iov_base: start.wrapping_add(number * length).cast(),
                iov_len: length,
            })
            .collect();
        self.messages = self
            .parts
            .iter_mut()
            .map(|part| {
                // SAFETY: a header of zeros names no memory.
                let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
                message.msg_hdr.msg_iov = part;
                message.msg_hdr.msg_iovlen = 1;
                message
            })
            .collect();
        if self.segmented
            && let Some(message) = self.messages.first_mut()
        {
            // A cmsghdr (a word of length, two halves of level and kind), then the size.
            let level = u64::from(libc::SOL_UDP.cast_unsigned());
            let kind = u64::from(libc::UDP_SEGMENT.cast_unsigned());
            self.control[0] = 16 + 2;
            self.control[1] = u64::from_ne_bytes(halves(level, kind));
            self.control[2] = u64::from_ne_bytes(halves(self.size as u64, 0));
            message.msg_hdr.msg_control = self.control.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = 24;
        }
    }
}

/// Two words of 32 bits in memory, one after the other.
fn halves(first: u64, second: u64) -> [u8; 8] {
    let mut bytes = [0; 8];
    let low = |word: u64| u32::try_from(word).unwrap_or(u32::MAX).to_ne_bytes();
    bytes[..4].copy_from_slice(&low(first));
    bytes[4..].copy_from_slice(&low(second));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_be_sent_arrives_one_by_one() {
        for (size, count, segmented) in
            [(64, 8, true), (64, 8, false), (1400, 64, true), (40, 1, true), (1, 3, true)]
        {
            let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            sender.connect(receiver.local_addr().unwrap()).unwrap();
            let mut burst = Burst::new(&sender, size, count, segmented).unwrap();
            let sent = burst.send().unwrap();
            assert_eq!(sent, u64::from(count).min(65_507 / u64::from(size)));
            let mut buffer = [0; 2048];
            for _ in 0..sent {
                let length = receiver.recv(&mut buffer).unwrap();
                assert_eq!(length, usize::from(size));
                assert_eq!(buffer[0], b'<');
            }
            receiver.set_nonblocking(true).unwrap();
            assert!(receiver.recv(&mut buffer).is_err(), "nothing more");
        }
    }

    #[test]
    fn stamps_are_in_every_datagram() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut burst = Burst::new(&socket, 64, 4, true).unwrap();
        burst.stamp(Duration::from_nanos(77));
        assert!(burst.payload.chunks(64).all(|datagram| datagram[..8] == 77u64.to_ne_bytes()));
    }
}
