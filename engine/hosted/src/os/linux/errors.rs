//! MSG_ERRQUEUE: ICMP errors, which become datagrams without data.

// UNSAFETY: a header holds addresses of a block and of this function's memory, which the kernel writes to.
#![expect(unsafe_code, reason = "system calls take pointers")]

use bytemuck::{Pod, Zeroable};
use skua_engine::abi::cmsg::IN_RECVERR;
use skua_engine::abi::sockaddr::{IPPROTO_ICMP, IPPROTO_ICMPV6, SOCKADDR_INET};

use super::address::to_windows;
use super::descriptor::Descriptor;
use crate::os::Family;
use crate::os::control::ReceivedControl;
use crate::receive::{BlockRef, Wanted};

/// Room for the error with the address of who sent it, and for all that goes with a datagram.
const CONTROL_WORDS: usize = 48;

/// `struct sock_extended_err` (linux/errqueue.h).
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct SockExtendedErr {
    errno: u32,
    origin: u8,
    r#type: u8,
    code: u8,
    padding: u8,
    info: u32,
    data: u32,
}

/// Puts the oldest error that is `wanted` into `block`: no data, the destination that failed for a source, and an
/// IN_RECVERR. False when there is none. What the stack itself found wrong with a send has failed that send already.
pub(super) fn receive(descriptor: &Descriptor, block: BlockRef, family: Family, wanted: u32) -> bool {
    loop {
        let mut area = [0u64; CONTROL_WORDS];
        // SAFETY: a msghdr of zeros names no memory.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_name = block.address().as_ptr().cast();
        header.msg_namelen = libc::socklen_t::try_from(size_of::<SOCKADDR_INET>()).unwrap_or_default();
        header.msg_control = area.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&area);
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        // SAFETY: the header leads to the local area and to the address of a block that the worker has.
        let received = unsafe { libc::recvmsg(descriptor.raw(), &raw mut header, flags) };
        if received < 0 {
            return false;
        }
        // SAFETY: the kernel wrote so many bytes there.
        let messages = unsafe { ReceivedControl::new(area.as_ptr().cast(), header.msg_controllen) };
        let mut errors = messages.filter(|message| {
            [(libc::IPPROTO_IP, libc::IP_RECVERR), (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)]
                .contains(&(message.level, message.kind))
        });
        let error = errors.next().map(|message| message.read::<SockExtendedErr>());
        let (is_v4, bit, protocol) = match error.map(|error| error.origin) {
            Some(libc::SO_EE_ORIGIN_ICMP) => (true, Wanted::ERRORS_V4, IPPROTO_ICMP),
            Some(libc::SO_EE_ORIGIN_ICMP6) => (false, Wanted::ERRORS_V6, IPPROTO_ICMPV6),
            _ => continue,
        };
        let Some(error) = error.filter(|_| wanted & bit != 0 && header.msg_namelen > 0) else { continue };
        if family == Family::V6 {
            // SAFETY: the worker has the block, and the kernel has just written its address.
            let failed = unsafe { block.address().read() };
            // SAFETY: as above.
            unsafe { block.address().write(to_windows(failed)) };
        }
        let mut writer = block.control_writer();
        writer.error(
            is_v4,
            IN_RECVERR {
                protocol,
                info: error.info,
                r#type: error.r#type,
                code: error.code,
                ..IN_RECVERR::default()
            },
        );
        block.fill(0, writer.used(), 0);
        return true;
    }
}
