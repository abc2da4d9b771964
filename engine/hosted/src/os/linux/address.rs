//! Socket addresses as Linux has them: those of Windows, except for the number of the IPv6 family.

use std::net::SocketAddr;

use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, SOCKADDR_INET};

const _: () = assert!(AF_INET as i32 == libc::AF_INET);

/// The family of `sockaddr_in6`, where Windows has [`AF_INET6`].
const LINUX_INET6: u16 = 10;
const _: () = assert!(LINUX_INET6 as i32 == libc::AF_INET6);

/// A `sockaddr_in` or `sockaddr_in6`.
#[derive(Clone, Copy)]
pub(super) struct RawAddress {
    bytes: [u32; 7],
    length: usize,
}

impl RawAddress {
    pub(super) fn of(address: &SocketAddr) -> Self {
        let inet = SOCKADDR_INET::from(*address);
        let mut bytes: [u32; 7] = bytemuck::must_cast(inet);
        if address.is_ipv6() {
            bytes[0] = exchange_family(bytes[0], LINUX_INET6);
        }
        Self { bytes, length: inet.len() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        let (used, _) = bytemuck::must_cast_slice::<u32, u8>(&self.bytes).split_at(self.length);
        used
    }
}

/// Turns an address that the kernel wrote into Windows' form.
pub(super) fn to_windows(address: SOCKADDR_INET) -> SOCKADDR_INET {
    if address.family() == LINUX_INET6 {
        let mut words: [u32; 7] = bytemuck::must_cast(address);
        words[0] = exchange_family(words[0], AF_INET6);
        return bytemuck::must_cast(words);
    }
    address
}

/// The family is the first two bytes; the port follows.
fn exchange_family(word: u32, family: u16) -> u32 {
    let [_, _, port_high, port_low] = word.to_ne_bytes();
    let [low, high] = family.to_ne_bytes();
    u32::from_ne_bytes([low, high, port_high, port_low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went() {
        for text in ["192.0.2.1:9", "[fe80::1%3]:9125", "[::ffff:192.0.2.1]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            let raw = RawAddress::of(&address);
            let mut storage = [0u8; size_of::<SOCKADDR_INET>()];
            storage[..raw.bytes().len()].copy_from_slice(raw.bytes());
            let received: SOCKADDR_INET = bytemuck::must_cast(storage);
            assert_eq!(to_windows(received).to_socket_addr(), Some(address));
        }
    }
}
