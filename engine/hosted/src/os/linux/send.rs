//! sendmsg and sendmmsg: the client's pieces of memory go into the vectors as they are.

// UNSAFETY: headers hold addresses of the client's buffers, which the kernel reads.
#![expect(unsafe_code, reason = "system calls take pointers")]

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;

use arrayvec::ArrayVec;
use bytemuck::NoUninit;
use libc::{mmsghdr, msghdr};

use super::Shared;
use super::address::RawAddress;
use crate::os::connection::is_answer;
use crate::os::control::SentControl;
use crate::os::{Message, SendBatch, SendControl, Sent, Stopped};
use crate::receive::{Wanted, mapped, unmapped};
use crate::status;

/// Headers in one call at most: as many as a batch has messages.
const HEADERS: usize = 64;

/// Never waits for room.
const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// Sends as much of `batch` as the kernel takes.
///
/// A socket that hears of errors is told of one by the next call too, which has nothing to do with it: that call is made
/// once more. So is a connected socket told that nobody listened for an earlier datagram, by each call anew; behind the
/// first message of several the kernel keeps such an answer to itself, so while answers come messages go one by one.
pub(super) fn send(shared: &Shared, batch: &SendBatch<'_>) -> Sent {
    let descriptor = &shared.first;
    let is_connected = shared.connection.leads_to(&batch.remote);
    let remote = (!is_connected).then(|| RawAddress::of(&batch.remote));
    let control = control_of(batch.control, &batch.remote);
    let header = |message: &Message| header(batch, message, remote.as_ref(), &control);
    let mut sent = Sent { messages: 0, stopped: None };
    let mut may_be_told = shared.wanted.get() & (Wanted::ERRORS_V4 | Wanted::ERRORS_V6) != 0;
    let came = is_connected && shared.answers_come.load(Ordering::Relaxed);
    let mut come = false;
    while let Some(messages) = batch.messages.get(sent.messages..).filter(|left| !left.is_empty()) {
        let result = match messages {
            [message, rest @ ..] if rest.is_empty() || came || come => {
                let header = header(message);
                // SAFETY: the header leads to live memory of the lengths it says.
                let result = unsafe { libc::sendmsg(descriptor.raw(), &raw const header, FLAGS) };
                if result < 0 { -1 } else { 1 }
            }
            _ => {
                let mut headers: ArrayVec<mmsghdr, HEADERS> = messages
                    .iter()
                    .take(HEADERS)
                    .map(|message| mmsghdr { msg_hdr: header(message), msg_len: 0 })
                    .collect();
                let count = u32::try_from(headers.len()).unwrap_or_default();
                // SAFETY: `count` headers lead to live memory of the lengths they say.
                unsafe { libc::sendmmsg(descriptor.raw(), headers.as_mut_ptr(), count, FLAGS) }
            }
        };
        match usize::try_from(result) {
            Ok(taken) => sent.messages += taken,
            Err(_) => {
                let error = Error::last_os_error();
                let is_answer = is_connected && is_answer(&error);
                if is_answer {
                    come = true;
                    shared.connection.note_refused();
                }
                let is_told = error.kind() != ErrorKind::WouldBlock && std::mem::take(&mut may_be_told);
                if error.kind() != ErrorKind::Interrupted && !is_told && !is_answer {
                    sent.stopped = Some(stopped(&error));
                    break;
                }
            }
        }
    }
    if come != came {
        shared.answers_come.store(come, Ordering::Relaxed);
    }
    sent
}

fn stopped(error: &Error) -> Stopped {
    if error.kind() == ErrorKind::WouldBlock { Stopped::Full } else { Stopped::Failed(status::of(error)) }
}

/// Without a `remote` it goes where the socket is connected to: only then the kernel uses the route that it knows.
fn header(
    batch: &SendBatch<'_>,
    message: &Message,
    remote: Option<&RawAddress>,
    control: &SentControl,
) -> msghdr {
    let parts = batch.parts_of(message);
    // SAFETY: a msghdr of zeros names no memory.
    let mut header: msghdr = unsafe { std::mem::zeroed() };
    if let Some(remote) = remote {
        header.msg_name = remote.bytes().as_ptr().cast_mut().cast();
        header.msg_namelen = u32::try_from(remote.bytes().len()).unwrap_or_default();
    }
    // IoSlice has the layout of iovec (std's documentation).
    header.msg_iov = parts.as_ptr().cast_mut().cast();
    header.msg_iovlen = parts.len();
    if control.used() > 0 {
        header.msg_control = control.area().cast();
        header.msg_controllen = control.used();
    }
    header
}

/// `struct in_pktinfo`.
#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct InPktinfo {
    interface: u32,
    source: [u8; 4],
    destination: [u8; 4],
}

/// `struct in6_pktinfo`.
#[repr(C)]
#[derive(Clone, Copy, NoUninit)]
struct In6Pktinfo {
    source: [u8; 16],
    interface: u32,
}

/// What `control` asks for, at the level of the destination's family: a mapped address is one of IPv4.
fn control_of(control: &SendControl, remote: &SocketAddr) -> SentControl {
    let mut area = SentControl::default();
    if *control == SendControl::default() {
        return area;
    }
    let is_v4 = unmapped(remote.ip()).is_ipv4();
    if let Some((source, interface)) = control.source {
        push_source(&mut area, is_v4, source, interface);
    }
    if let Some(octet) = control.type_of_service {
        let (level, kind) =
            if is_v4 { (libc::IPPROTO_IP, libc::IP_TOS) } else { (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) };
        area.push(level, kind, i32::from(octet));
    }
    if let Some(limit) = control.hop_limit {
        let (level, kind) =
            if is_v4 { (libc::IPPROTO_IP, libc::IP_TTL) } else { (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) };
        area.push(level, kind, i32::from(limit));
    }
    if let Some(segment) = control.segment {
        area.push(libc::SOL_UDP, libc::UDP_SEGMENT, segment);
    }
    area
}

fn push_source(area: &mut SentControl, is_v4: bool, source: IpAddr, interface: u32) {
    if is_v4 {
        let source = match unmapped(source) {
            IpAddr::V4(source) => source,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        let info = InPktinfo { interface, source: source.octets(), destination: [0; 4] };
        area.push(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
    } else {
        let info = In6Pktinfo { source: mapped(source).octets(), interface };
        area.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
    }
}
