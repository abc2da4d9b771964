//! Data on its way: buffers, lists of them, and indications.

use bytemuck::Zeroable;

use crate::abi::cmsg::CMSGHDR;
use crate::abi::nt::MDL;
use crate::abi::sockaddr::SOCKADDR;

/// Data in a chain of MDLs.
///
/// It begins `Offset` bytes into what the first MDL describes and may run on into the following ones. `Offset` lies
/// within the first MDL; the chain may describe more than `Length` bytes. `Mdl` may be null only if `Length` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_BUF {
    /// The first MDL, of locked pages or nonpaged pool.
    pub Mdl: *mut MDL,
    /// Where in it the data begins.
    pub Offset: u32,
    /// Bytes of data.
    pub Length: usize,
}
layout!(WSK_BUF { size: 24, align: 8, Mdl: 0, Offset: 8, Length: 16 });

/// Buffers to be sent by one `WskSendMessages`, each one datagram.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_BUF_LIST {
    /// The next one, or null.
    pub Next: *mut WSK_BUF_LIST,
    /// The datagram.
    pub Buffer: WSK_BUF,
}
layout!(WSK_BUF_LIST { size: 32, align: 8, Next: 0, Buffer: 8 });

/// One received datagram, lent to the client until the callback returns or, if retained, `WskRelease`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_DATAGRAM_INDICATION {
    /// The next one, or null.
    pub Next: *mut WSK_DATAGRAM_INDICATION,
    /// The datagram. Its MDLs need not be mapped.
    pub Buffer: WSK_BUF,
    /// What else is known of it, or null.
    pub ControlInfo: *mut CMSGHDR,
    /// Bytes of that.
    pub ControlInfoLength: u32,
    /// Where it came from, of the socket's family.
    pub RemoteAddress: *mut SOCKADDR,
}
layout!(WSK_DATAGRAM_INDICATION {
    size: 56,
    align: 8,
    Next: 0,
    Buffer: 8,
    ControlInfo: 32,
    ControlInfoLength: 40,
    RemoteAddress: 48,
});

/// One received piece of a stream, lent to the client until the callback returns or, if retained, `WskRelease`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_DATA_INDICATION {
    /// The next one, or null.
    pub Next: *mut WSK_DATA_INDICATION,
    /// The piece. Its MDLs need not be mapped.
    pub Buffer: WSK_BUF,
}
layout!(WSK_DATA_INDICATION { size: 32, align: 8, Next: 0, Buffer: 8 });
