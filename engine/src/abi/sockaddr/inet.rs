//! An address that is IPv4 or IPv6.
// UNSAFETY: a foreign address is read as far as its family says.
#![expect(unsafe_code, reason = "addresses arrive by pointer, their length given by their family")]

use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use core::ptr;

use bytemuck::{Pod, Zeroable};

use super::{ADDRESS_FAMILY, AF_INET, AF_INET6, AF_UNSPEC, PSOCKADDR, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6};

/// An IPv4 or IPv6 socket address in 28 bytes, `union SOCKADDR_INET` in C.
///
/// What an IPv4 address leaves over of the 28 bytes, and its `sin_zero`, take no part in comparisons: a provider that
/// writes an IPv4 address leaves whatever was there.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct SOCKADDR_INET {
    words: [u32; 7],
}
layout!(SOCKADDR_INET { size: 28, align: 4 });

impl SOCKADDR_INET {
    /// No address: family [`AF_UNSPEC`], all bytes zero. Room for one that a function returns.
    pub const UNSPEC: Self = Self { words: [0; 7] };

    /// Which address it is: [`AF_INET`], [`AF_INET6`], or neither.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn family(&self) -> ADDRESS_FAMILY {
        let [low, high, ..] = bytemuck::must_cast::<[u32; 7], [u8; 28]>(self.words);
        ADDRESS_FAMILY::from_ne_bytes([low, high])
    }

    /// The IPv4 address, if it is one.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn ipv4(&self) -> Option<SOCKADDR_IN> {
        let [first, second, third, fourth, ..] = self.words;
        (self.family() == AF_INET).then(|| bytemuck::must_cast([first, second, third, fourth]))
    }

    /// The IPv6 address, if it is one.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn ipv6(&self) -> Option<SOCKADDR_IN6> {
        (self.family() == AF_INET6).then(|| bytemuck::must_cast(self.words))
    }

    /// Bytes of the address: 16, 28, or 0 if it is neither.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the length of a socket address, which has no elements")]
    pub fn len(&self) -> usize {
        match self.family() {
            AF_INET => size_of::<SOCKADDR_IN>(),
            AF_INET6 => size_of::<SOCKADDR_IN6>(),
            _ => 0,
        }
    }

    /// The same address in Rust's type, if it is one. An IPv4-mapped IPv6 address stays an IPv6 address.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn to_socket_addr(&self) -> Option<SocketAddr> {
        if let Some(v4) = self.ipv4() {
            return Some(SocketAddrV4::new(v4.sin_addr.into(), u16::from_be(v4.sin_port)).into());
        }
        let v6 = self.ipv6()?;
        let (port, flow) = (u16::from_be(v6.sin6_port), u32::from_be(v6.sin6_flowinfo));
        Some(SocketAddrV6::new(v6.sin6_addr.into(), port, flow, v6.sin6_scope_id).into())
    }

    /// Copies an address that is given by pointer, as WSK gives the remote address of an indication.
    ///
    /// The family is read once and decides how much is read. Nothing for null and for other families.
    ///
    /// # Safety
    /// `address` is null or readable for as many bytes as an address of its family has: 2, and 16 or 28 if that is
    /// [`AF_INET`] or [`AF_INET6`]. It need not be aligned.
    ///
    /// # IRQL
    /// That of the memory: nonpaged memory can be read at any.
    #[must_use]
    pub unsafe fn read(address: *const SOCKADDR) -> Option<Self> {
        if address.is_null() {
            return None;
        }
        // SAFETY: not null, so the caller promises the two bytes of the family, which every address begins with.
        match unsafe { ptr::read_unaligned(address.cast::<ADDRESS_FAMILY>()) } {
            AF_INET => {
                // SAFETY: the caller promises a whole address of the family.
                let v4 = unsafe { ptr::read_unaligned(address.cast::<SOCKADDR_IN>()) };
                Some(SOCKADDR_IN { sin_family: AF_INET, ..v4 }.into())
            }
            AF_INET6 => {
                // SAFETY: the caller promises a whole address of the family.
                let v6 = unsafe { ptr::read_unaligned(address.cast::<SOCKADDR_IN6>()) };
                Some(SOCKADDR_IN6 { sin6_family: AF_INET6, ..v6 }.into())
            }
            _ => None,
        }
    }

    /// The address as WSK's functions take it, for reading.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn as_ptr(&self) -> *const SOCKADDR {
        ptr::from_ref(self).cast()
    }

    /// The address as WSK's functions take it, for reading and writing.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn as_mut_ptr(&mut self) -> PSOCKADDR {
        ptr::from_mut(self).cast()
    }

    /// The words with zeros wherever an IPv4 address has no say.
    fn significant(&self) -> [u32; 7] {
        let mut words = self.words;
        if self.family() == AF_INET
            && let [_, _, rest @ ..] = &mut words
        {
            rest.fill(0);
        }
        words
    }
}

impl PartialEq for SOCKADDR_INET {
    fn eq(&self, other: &Self) -> bool {
        self.significant() == other.significant()
    }
}

impl Eq for SOCKADDR_INET {}

impl core::hash::Hash for SOCKADDR_INET {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.significant().hash(state);
    }
}

impl Default for SOCKADDR_INET {
    fn default() -> Self {
        Self::UNSPEC
    }
}

impl core::fmt::Debug for SOCKADDR_INET {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.to_socket_addr() {
            Some(address) => core::fmt::Display::fmt(&address, f),
            None if self.family() == AF_UNSPEC => f.write_str("AF_UNSPEC"),
            None => write!(f, "address family {}", self.family()),
        }
    }
}

impl From<SOCKADDR_IN> for SOCKADDR_INET {
    fn from(address: SOCKADDR_IN) -> Self {
        let [first, second, third, fourth] = bytemuck::must_cast(address);
        Self { words: [first, second, third, fourth, 0, 0, 0] }
    }
}

impl From<SOCKADDR_IN6> for SOCKADDR_INET {
    fn from(address: SOCKADDR_IN6) -> Self {
        Self { words: bytemuck::must_cast(address) }
    }
}

impl From<SocketAddr> for SOCKADDR_INET {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => v4.into(),
            SocketAddr::V6(v6) => v6.into(),
        }
    }
}

impl From<SocketAddrV4> for SOCKADDR_INET {
    fn from(address: SocketAddrV4) -> Self {
        SOCKADDR_IN {
            sin_family: AF_INET,
            sin_port: address.port().to_be(),
            sin_addr: (*address.ip()).into(),
            sin_zero: [0; 8],
        }
        .into()
    }
}

impl From<SocketAddrV6> for SOCKADDR_INET {
    fn from(address: SocketAddrV6) -> Self {
        SOCKADDR_IN6 {
            sin6_family: AF_INET6,
            sin6_port: address.port().to_be(),
            sin6_flowinfo: address.flowinfo().to_be(),
            sin6_addr: (*address.ip()).into(),
            sin6_scope_id: address.scope_id(),
        }
        .into()
    }
}
