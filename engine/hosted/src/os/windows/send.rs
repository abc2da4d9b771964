//! WSASendTo, and WSASendMsg for sends with control messages: the client's pieces of memory go to Winsock as they are.

// UNSAFETY: lends the client's buffers to Winsock by address.
#![expect(unsafe_code, reason = "Winsock takes pointers")]

use std::io::{Error, ErrorKind, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::slice;

use skua_engine::abi::cmsg::{ControlMessage, IN_PKTINFO, IN6_PKTINFO};
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::STATUS_NOT_SUPPORTED;
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{WSABUF, WSAMSG};

use super::wine::is_wine;
use super::winsock;
use crate::os::connection::Connection;
use crate::os::control::SentControl;
use crate::os::{SendBatch, SendControl, Sent, Stopped};
use crate::receive::{mapped, unmapped};
use crate::status;

const _: () = assert!(size_of::<IoSlice<'_>>() == size_of::<WSABUF>());

/// Sends as much of `batch` as Winsock takes. What a `connection` is told of an earlier datagram makes it send once more.
pub(super) fn send(socket: &Socket, batch: &SendBatch<'_>, connection: &Connection) -> Sent {
    let has_control = *batch.control != SendControl::default();
    if has_control && is_wine() {
        return Sent { messages: 0, stopped: Some(Stopped::Failed(STATUS_NOT_SUPPORTED)) };
    }
    let remote = SOCKADDR_INET::from(batch.remote);
    let control = control_of(batch.control, &batch.remote);
    let mut sent = 0;
    for message in batch.messages {
        let parts = batch.parts_of(message);
        let send = || {
            if has_control {
                send_with(socket, buffers(parts), &remote, &control)
            } else {
                winsock::send_to(socket, buffers(parts), address(&remote))
            }
        };
        match connection.send(&batch.remote, send) {
            Ok(()) => sent += 1,
            Err(error) => return Sent { messages: sent, stopped: Some(stopped(&error)) },
        }
    }
    Sent { messages: sent, stopped: None }
}

/// Sends one message with control messages.
fn send_with(
    socket: &Socket,
    buffers: &[WSABUF],
    remote: &SOCKADDR_INET,
    control: &SentControl,
) -> std::io::Result<()> {
    let to = address(remote);
    let message = WSAMSG {
        name: to.as_ptr().cast_mut().cast(),
        namelen: i32::try_from(to.len()).unwrap_or_default(),
        lpBuffers: buffers.as_ptr().cast_mut(),
        dwBufferCount: u32::try_from(buffers.len()).unwrap_or_default(),
        Control: WSABUF { len: u32::try_from(control.used()).unwrap_or_default(), buf: control.area() },
        dwFlags: 0,
    };
    // SAFETY: leads to what was borrowed above, which Winsock only reads.
    unsafe { winsock::send_message(socket, &message) }
}

/// Winsock wants a buffer even for an empty datagram.
fn buffers<'a>(parts: &'a [IoSlice<'a>]) -> &'a [WSABUF] {
    const NOTHING: &[WSABUF] = &[WSABUF { len: 0, buf: std::ptr::dangling_mut() }];
    if parts.is_empty() {
        return NOTHING;
    }
    // SAFETY: IoSlice has the layout of WSABUF (std's documentation).
    unsafe { slice::from_raw_parts(parts.as_ptr().cast(), parts.len()) }
}

fn address(remote: &SOCKADDR_INET) -> &[u8] {
    let (used, _) = bytemuck::bytes_of(remote).split_at(remote.len());
    used
}

fn stopped(error: &Error) -> Stopped {
    if error.kind() == ErrorKind::WouldBlock { Stopped::Full } else { Stopped::Failed(status::of(error)) }
}

/// What `control` asks for, at the level of the destination's family: a mapped address is one of IPv4. Winsock's payloads
/// are WSK's.
fn control_of(control: &SendControl, remote: &SocketAddr) -> SentControl {
    let mut area = SentControl::default();
    let is_v4 = unmapped(remote.ip()).is_ipv4();
    let mut push = |of_v4: ControlMessage, of_v6: ControlMessage, value: i32| {
        let message = if is_v4 { of_v4 } else { of_v6 };
        area.push(message.level, message.cmsg_type, value);
    };
    if let Some(octet) = control.type_of_service {
        push(ControlMessage::IP_TOS, ControlMessage::IPV6_TCLASS, i32::from(octet));
    }
    if let Some(limit) = control.hop_limit {
        push(ControlMessage::IP_TTL, ControlMessage::IPV6_HOPLIMIT, i32::from(limit));
    }
    if let Some(segment) = control.segment {
        let message = ControlMessage::UDP_SEND_MSG_SIZE;
        push(message, message, i32::from(segment));
    }
    if let Some((source, interface)) = control.source {
        push_source(&mut area, is_v4, source, interface);
    }
    area
}

/// Adds the source address and interface of a send.
fn push_source(area: &mut SentControl, is_v4: bool, source: IpAddr, interface: u32) {
    if is_v4 {
        let source = match unmapped(source) {
            IpAddr::V4(source) => source,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        let info = IN_PKTINFO { ipi_addr: source.into(), ipi_ifindex: interface };
        area.push(ControlMessage::IP_PKTINFO.level, ControlMessage::IP_PKTINFO.cmsg_type, info);
    } else {
        let info = IN6_PKTINFO { ipi6_addr: mapped(source).into(), ipi6_ifindex: interface };
        area.push(ControlMessage::IPV6_PKTINFO.level, ControlMessage::IPV6_PKTINFO.cmsg_type, info);
    }
}
