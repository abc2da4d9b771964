//! Addresses that a name resolves to.

use core::ffi::c_void;

use bytemuck::Zeroable;

use crate::abi::nt::GUID;
use crate::abi::sockaddr::SOCKADDR;

/// One address of a name, or the hints for a query.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct ADDRINFOEXW {
    /// `AI_` flags.
    pub ai_flags: i32,
    /// `AF_` family.
    pub ai_family: i32,
    /// `SOCK_` type.
    pub ai_socktype: i32,
    /// `IPPROTO_` protocol.
    pub ai_protocol: i32,
    /// Bytes of the address.
    pub ai_addrlen: usize,
    /// The canonical name, in the first result if asked for; UTF-16 ending in zero.
    pub ai_canonname: *mut u16,
    /// The address.
    pub ai_addr: *mut SOCKADDR,
    /// What the name space adds.
    pub ai_blob: *mut c_void,
    /// Bytes of that.
    pub ai_bloblen: usize,
    /// The name space provider.
    pub ai_provider: *mut GUID,
    /// The next address, or null.
    pub ai_next: *mut ADDRINFOEXW,
}
layout!(ADDRINFOEXW {
    size: 72,
    align: 8,
    ai_flags: 0,
    ai_family: 4,
    ai_socktype: 8,
    ai_protocol: 12,
    ai_addrlen: 16,
    ai_canonname: 24,
    ai_addr: 32,
    ai_blob: 40,
    ai_bloblen: 48,
    ai_provider: 56,
    ai_next: 64,
});

/// [`ADDRINFOEXW::ai_flags`]: the address is to be bound.
pub const AI_PASSIVE: i32 = 0x1;
/// [`ADDRINFOEXW::ai_flags`]: the canonical name is wanted.
pub const AI_CANONNAME: i32 = 0x2;
/// [`ADDRINFOEXW::ai_flags`]: the host is an address, nothing is to be asked.
pub const AI_NUMERICHOST: i32 = 0x4;
/// [`ADDRINFOEXW::ai_flags`]: the service is a port number.
pub const AI_NUMERICSERV: i32 = 0x8;
/// [`ADDRINFOEXW::ai_flags`]: with [`AI_V4MAPPED`], mapped addresses besides those of IPv6.
pub const AI_ALL: i32 = 0x100;
/// [`ADDRINFOEXW::ai_flags`]: addresses of families that the machine has itself.
pub const AI_ADDRCONFIG: i32 = 0x400;
/// [`ADDRINFOEXW::ai_flags`]: mapped addresses where a name has none of IPv6.
pub const AI_V4MAPPED: i32 = 0x800;
/// [`ADDRINFOEXW::ai_flags`]: an answer need not be authoritative.
pub const AI_NON_AUTHORITATIVE: i32 = 0x4000;
/// [`ADDRINFOEXW::ai_flags`]: an answer is to come over a secure channel.
pub const AI_SECURE: i32 = 0x8000;
/// [`ADDRINFOEXW::ai_flags`]: the names that are preferred for publication.
pub const AI_RETURN_PREFERRED_NAMES: i32 = 0x1_0000;
/// [`ADDRINFOEXW::ai_flags`]: the fully qualified name, in place of the canonical one.
pub const AI_FQDN: i32 = 0x2_0000;
/// [`ADDRINFOEXW::ai_flags`]: the name is that of a file server.
pub const AI_FILESERVER: i32 = 0x4_0000;
/// [`ADDRINFOEXW::ai_flags`]: names that are not ASCII are looked up as they are.
pub const AI_DISABLE_IDN_ENCODING: i32 = 0x8_0000;

/// `WskGetNameInfo`: the host alone for local hosts.
pub const NI_NOFQDN: u32 = 0x01;
/// `WskGetNameInfo`: the address instead of the host's name.
pub const NI_NUMERICHOST: u32 = 0x02;
/// `WskGetNameInfo`: fail if the host has no name.
pub const NI_NAMEREQD: u32 = 0x04;
/// `WskGetNameInfo`: the port instead of the service's name.
pub const NI_NUMERICSERV: u32 = 0x08;
/// `WskGetNameInfo`: the service is one of datagrams.
pub const NI_DGRAM: u32 = 0x10;

/// `WskGetAddressInfo`: every name space.
pub const NS_ALL: u32 = 0;
/// `WskGetAddressInfo`: the domain name system.
pub const NS_DNS: u32 = 12;
