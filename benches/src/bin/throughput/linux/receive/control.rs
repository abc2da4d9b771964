//! Control messages of a received datagram.

// UNSAFETY: an option is handed over by address.
#![expect(unsafe_code, reason = "options are set by address")]

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

/// Room for all control messages that are asked for here, as words.
pub(super) const AREA_WORDS: usize = 32;

/// Which control messages a receiver asks for, apart from UDP_GRO's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Control {
    None,
    /// What `skua sink` asks for: where to, type of service, hop limit, time.
    Sink,
}

impl Control {
    /// Asks for them.
    pub(super) fn ask(self, socket: &UdpSocket) -> io::Result<()> {
        if self == Self::None {
            return Ok(());
        }
        set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        let options = if socket.local_addr()?.is_ipv4() {
            [
                (libc::IPPROTO_IP, libc::IP_PKTINFO),
                (libc::IPPROTO_IP, libc::IP_RECVTOS),
                (libc::IPPROTO_IP, libc::IP_RECVTTL),
            ]
        } else {
            [
                (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
                (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
                (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
            ]
        };
        options.into_iter().try_for_each(|(level, option)| set(socket, level, option, 1))
    }
}

/// Has the system coalesce what it can, or not.
pub(super) fn coalesce(socket: &UdpSocket, on: bool) -> io::Result<()> {
    set(socket, libc::SOL_UDP, libc::UDP_GRO, on.into())
}

fn set(socket: &UdpSocket, level: i32, option: i32, value: i32) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or_default();
    // SAFETY: the value is readable for its length.
    let status =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The length of a segment, if an area of control messages says that the payload has several.
///
/// A message is a header of 16 bytes (length with the header, level, kind), then data; the next begins at a multiple of 8.
pub(super) fn segment(mut area: &[u8]) -> Option<usize> {
    while let Some((header, _)) = area.split_first_chunk::<16>() {
        let word = |at: usize| Some(i32::from_ne_bytes(*header.get(at..)?.first_chunk()?));
        let length = usize::try_from(u64::from_ne_bytes(*header.first_chunk()?)).ok()?;
        if (word(8)?, word(12)?) == (libc::SOL_UDP, libc::UDP_GRO) {
            let data = area.get(16..length)?.first_chunk()?;
            return usize::try_from(i32::from_ne_bytes(*data)).ok();
        }
        area = area.get(length.max(16).next_multiple_of(8)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + data.len() as u64).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn the_segment_length_is_found_among_others() {
        let gro = message(libc::SOL_UDP, libc::UDP_GRO, &512i32.to_ne_bytes());
        let other = message(libc::IPPROTO_IP, libc::IP_TOS, &[3]);
        assert_eq!(segment(&gro), Some(512));
        assert_eq!(segment(&[other.clone(), gro].concat()), Some(512));
        assert_eq!(segment(&other), None);
        assert_eq!(segment(&[]), None);
    }

    #[test]
    fn an_area_that_was_cut_short_says_nothing() {
        let gro = message(libc::SOL_UDP, libc::UDP_GRO, &512i32.to_ne_bytes());
        for length in 0..20 {
            assert_eq!(segment(&gro[..length]), None);
        }
        let mut long = gro;
        long[..8].copy_from_slice(&u64::MAX.to_ne_bytes());
        assert_eq!(segment(&long), None);
    }
}
