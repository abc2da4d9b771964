//! How many datagrams the kernel cuts one message into: UDP_MAX_SEGMENTS, which no call tells.

// UNSAFETY: passes a control message to a system call by address.
#![expect(unsafe_code, reason = "system calls take pointers")]

use std::io::{IoSlice, Result};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

use crate::os::control::SentControl;

/// UDP_MAX_SEGMENTS of every kernel that cuts at all.
const FEW: usize = 64;
/// What it was raised to.
const MANY: usize = 128;

/// Found out once in a process, by a message of so many datagrams of one byte over the loopback interface.
pub(super) fn most() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| match can_cut_into(MANY) {
        Ok(true) => MANY,
        _ => FEW,
    })
}

fn can_cut_into(segments: usize) -> Result<bool> {
    let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    from.connect(to.local_addr()?)?;
    let mut control = SentControl::default();
    control.push(libc::SOL_UDP, libc::UDP_SEGMENT, 1_u16);
    let bytes = vec![0; segments];
    let part = IoSlice::new(&bytes);
    // SAFETY: a msghdr of zeros names no memory.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    // IoSlice has the layout of iovec (std's documentation).
    header.msg_iov = (&raw const part).cast_mut().cast();
    header.msg_iovlen = 1;
    header.msg_control = control.area().cast();
    header.msg_controllen = control.used();
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the header leads to live memory of the lengths it says.
    let sent = unsafe { libc::sendmsg(from.as_raw_fd(), &raw const header, flags) };
    Ok(usize::try_from(sent) == Ok(segments))
}
