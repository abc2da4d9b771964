//! Control messages: what travels beside a datagram's bytes.
//!
//! A control area is a run of messages, each a [`CMSGHDR`] and its payload, each starting at a multiple of 8 bytes.
//! A WSK receive indication carries one, and a send may.
//!
//! ```text
//!        0            8           12          16               16 + n     align8
//! area:  | cmsg_len   | cmsg_level| cmsg_type | payload, n bytes | padding | next message
//!          = 16 + n
//! ```
// UNSAFETY: WSA_CMSG_NXTHDR reads the length of the message it is given.
#![expect(unsafe_code, reason = "control areas are walked by address")]

use core::ffi::c_void;
use core::ptr;

use bytemuck::{Pod, Zeroable};

use super::sockaddr::{
    IN_ADDR, IN6_ADDR, IP_ECN, IP_HOPLIMIT, IP_OPTIONS, IP_PKTINFO, IP_RECVERR, IP_TOS, IP_TTL, IPPROTO_IP,
    IPPROTO_IPV6, IPPROTO_UDP, IPV6_ECN, IPV6_HOPLIMIT, IPV6_PKTINFO, IPV6_RECVERR, IPV6_RTHDR, IPV6_TCLASS,
    SO_RECEIVED_HOPLIMIT, SO_RECEIVED_PROCESSOR, SO_TIMESTAMP, SOCKADDR, SOL_SOCKET, UDP_COALESCED_INFO,
    UDP_SEND_MSG_SIZE,
};

/// The header of a control message (`WSACMSGHDR`).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct CMSGHDR {
    /// Bytes of this header and the payload, without the padding behind it.
    pub cmsg_len: usize,
    /// The protocol that defines the type.
    pub cmsg_level: i32,
    /// What the payload is.
    pub cmsg_type: i32,
}
layout!(CMSGHDR { size: 16, align: 8, cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 });

impl CMSGHDR {
    /// The header of a message with `payload` bytes.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn new(message: ControlMessage, payload: usize) -> Self {
        Self { cmsg_len: wsa_cmsg_len(payload), cmsg_level: message.level, cmsg_type: message.cmsg_type }
    }

    /// Which message it is.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn message(&self) -> ControlMessage {
        ControlMessage { level: self.cmsg_level, cmsg_type: self.cmsg_type }
    }
}

/// Level and type together: they name a control message, and can be matched against the constants here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ControlMessage {
    /// The protocol that defines the type.
    pub level: i32,
    /// What the payload is.
    pub cmsg_type: i32,
}

impl ControlMessage {
    /// Destination address and interface of an IPv4 datagram, [`IN_PKTINFO`]; on a send, source and interface.
    pub const IP_PKTINFO: Self = Self::of(IPPROTO_IP, IP_PKTINFO);
    /// Destination address and interface of an IPv6 datagram, [`IN6_PKTINFO`]; on a send, source and interface.
    pub const IPV6_PKTINFO: Self = Self::of(IPPROTO_IPV6, IPV6_PKTINFO);
    /// Type of service of an IPv4 datagram, `INT`.
    pub const IP_TOS: Self = Self::of(IPPROTO_IP, IP_TOS);
    /// Traffic class of an IPv6 datagram, `INT`.
    pub const IPV6_TCLASS: Self = Self::of(IPPROTO_IPV6, IPV6_TCLASS);
    /// Congestion bits of an IPv4 datagram, `INT` 0 to 3.
    pub const IP_ECN: Self = Self::of(IPPROTO_IP, IP_ECN);
    /// Congestion bits of an IPv6 datagram, `INT` 0 to 3.
    pub const IPV6_ECN: Self = Self::of(IPPROTO_IPV6, IPV6_ECN);
    /// Time to live of an IPv4 datagram, `INT`. What arrives when [`IP_HOPLIMIT`] is enabled.
    pub const IP_TTL: Self = Self::of(IPPROTO_IP, IP_TTL);
    /// Time to live of an IPv4 datagram, `INT`, under the number of the option that enables it.
    pub const IP_HOPLIMIT: Self = Self::of(IPPROTO_IP, IP_HOPLIMIT);
    /// Hop limit of an IPv6 datagram, `INT`.
    pub const IPV6_HOPLIMIT: Self = Self::of(IPPROTO_IPV6, IPV6_HOPLIMIT);
    /// An ICMP error, [`IN_RECVERR`]: the indication carries no data, and names the destination that failed.
    pub const IP_RECVERR: Self = Self::of(IPPROTO_IP, IP_RECVERR);
    /// An ICMPv6 error, [`IN_RECVERR`].
    pub const IPV6_RECVERR: Self = Self::of(IPPROTO_IPV6, IPV6_RECVERR);
    /// On a send: cut the buffer into datagrams of so many bytes, `DWORD`.
    pub const UDP_SEND_MSG_SIZE: Self = Self::of(IPPROTO_UDP, UDP_SEND_MSG_SIZE);
    /// The buffer holds several datagrams of so many bytes, the last one of as many or fewer; `DWORD`.
    pub const UDP_COALESCED_INFO: Self = Self::of(IPPROTO_UDP, UDP_COALESCED_INFO);
    /// No payload. Sent beside a lone [`Self::IP_PKTINFO`], which some systems drop before filters see it (found by
    /// WireGuard-NT).
    pub const IP_OPTIONS: Self = Self::of(IPPROTO_IP, IP_OPTIONS);
    /// No payload. Sent beside a lone [`Self::IPV6_PKTINFO`], as [`Self::IP_OPTIONS`] is.
    pub const IPV6_RTHDR: Self = Self::of(IPPROTO_IPV6, IPV6_RTHDR);
    /// When the datagram arrived, `UINT64`: ticks of the performance counter, or of the adapter's clock where that
    /// stamps. Documented for Winsock ("Winsock timestamping"), not verified through WSK.
    pub const SO_TIMESTAMP: Self = Self::of(SOL_SOCKET, SO_TIMESTAMP);
    /// Hop limit or time to live of the datagram. Format not verified.
    pub const SO_RECEIVED_HOPLIMIT: Self = Self::of(SOL_SOCKET, SO_RECEIVED_HOPLIMIT);
    /// The processor that the datagram was received on. Format not verified.
    pub const SO_RECEIVED_PROCESSOR: Self = Self::of(SOL_SOCKET, SO_RECEIVED_PROCESSOR);

    const fn of(level: u32, option: u32) -> Self {
        Self { level: level.cast_signed(), cmsg_type: option.cast_signed() }
    }
}

/// Payload of [`ControlMessage::IP_PKTINFO`].
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct IN_PKTINFO {
    /// The local address.
    pub ipi_addr: IN_ADDR,
    /// The interface; 0 leaves the choice to the stack.
    pub ipi_ifindex: u32,
}
layout!(IN_PKTINFO { size: 8, align: 4, ipi_addr: 0, ipi_ifindex: 4 });

/// Payload of [`ControlMessage::IPV6_PKTINFO`].
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct IN6_PKTINFO {
    /// The local address.
    pub ipi6_addr: IN6_ADDR,
    /// The interface; 0 leaves the choice to the stack.
    pub ipi6_ifindex: u32,
}
layout!(IN6_PKTINFO { size: 20, align: 4, ipi6_addr: 0, ipi6_ifindex: 16 });

/// Payload of [`ControlMessage::IP_RECVERR`] and [`ControlMessage::IPV6_RECVERR`].
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
pub struct IN_RECVERR {
    /// The protocol that reported the error.
    pub protocol: u32,
    /// Depends on type and code: the path MTU when a datagram was too big.
    pub info: u32,
    /// ICMP type.
    pub r#type: u8,
    /// ICMP code.
    pub code: u8,
    /// Padding that C leaves unnamed.
    pub _padding: [u8; 2],
}
layout!(IN_RECVERR { size: 12, align: 4, protocol: 0, info: 4, r#type: 8, code: 9 });

/// A buffer by address and length, as `WSAMSG` takes it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSABUF {
    /// Bytes.
    pub len: u32,
    /// The first byte.
    pub buf: *mut u8,
}
layout!(WSABUF { size: 16, align: 8, len: 0, buf: 8 });

/// A message as `WSASendMsg` and `WSARecvMsg` take it. WSK passes the control area alone; `WSA_CMSG_` macros are
/// defined on this.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSAMSG {
    /// The remote address.
    pub name: *mut SOCKADDR,
    /// Its length in bytes.
    pub namelen: i32,
    /// The buffers.
    pub lpBuffers: *mut WSABUF,
    /// How many.
    pub dwBufferCount: u32,
    /// The control area.
    pub Control: WSABUF,
    /// `MSG_` flags.
    pub dwFlags: u32,
}
layout!(WSAMSG {
    size: 56,
    align: 8,
    name: 0,
    namelen: 8,
    lpBuffers: 16,
    dwBufferCount: 24,
    Control: 32,
    dwFlags: 48
});

/// Flag of a received datagram or message: broadcast.
pub const MSG_BCAST: u32 = 0x400;
/// Flag of a received datagram or message: multicast.
pub const MSG_MCAST: u32 = 0x800;
/// Flag of a received datagram or message: cut off.
pub const MSG_TRUNC: u32 = 0x100;
/// Flag of a received datagram or message: control messages are missing.
pub const MSG_CTRUNC: u32 = 0x200;

/// `WSA_CMSG_LEN`: what [`CMSGHDR::cmsg_len`] is for `length` bytes of payload.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn wsa_cmsg_len(length: usize) -> usize {
    size_of::<CMSGHDR>().saturating_add(length)
}

/// `WSA_CMSG_SPACE`: bytes that a message with `length` bytes of payload takes in a control area, padding included.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn wsa_cmsg_space(length: usize) -> usize {
    wsa_cmsg_len(wsa_cmsg_align(length))
}

/// `WSA_CMSGHDR_ALIGN`: the next multiple of 8; the largest one when there is none.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn wsa_cmsg_align(length: usize) -> usize {
    length.saturating_add(ALIGNMENT - 1) & !(ALIGNMENT - 1)
}

const ALIGNMENT: usize = align_of::<CMSGHDR>();

/// `WSA_CMSG_DATA`: where the payload begins.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub const fn wsa_cmsg_data(message: *mut CMSGHDR) -> *mut c_void {
    message.wrapping_add(1).cast()
}

/// `WSA_CMSG_FIRSTHDR`: the first message of a control area, null when it has no room for one.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub const fn wsa_cmsg_firsthdr(control: *mut CMSGHDR, control_length: usize) -> *mut CMSGHDR {
    if control_length < size_of::<CMSGHDR>() { ptr::null_mut() } else { control }
}

/// `WSA_CMSG_NXTHDR`: the message behind `message`, null when there is none.
///
/// Unlike the macro, it returns null for a message that claims to be shorter than its header, so that a walk always
/// ends. A message that claims to be longer than the area ends the walk too.
///
/// # Safety
/// `message` came from this function or [`wsa_cmsg_firsthdr`], with the same area of `control_length` readable bytes,
/// and is not null.
///
/// # IRQL
/// Any.
#[inline]
#[must_use]
pub unsafe fn wsa_cmsg_nxthdr(
    control: *mut CMSGHDR,
    control_length: usize,
    message: *const CMSGHDR,
) -> *mut CMSGHDR {
    let at = message.addr().wrapping_sub(control.addr());
    // SAFETY: the caller promises a message that lies in the area, as far as its header goes; it begins with its length.
    let length = unsafe { ptr::read_unaligned(message.cast::<usize>()) };
    if length < size_of::<CMSGHDR>() {
        return ptr::null_mut();
    }
    let next = at.saturating_add(wsa_cmsg_align(length));
    match next.checked_add(size_of::<CMSGHDR>()) {
        Some(end) if end <= control_length => control.wrapping_byte_add(next),
        _ => ptr::null_mut(),
    }
}
