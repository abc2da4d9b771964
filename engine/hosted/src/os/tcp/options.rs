//! Settings of connections that socket2 has no calls for, by host.

#[cfg(not(any(target_os = "linux", windows)))]
use std::io::ErrorKind;
use std::io::Result;

use socket2::Socket;

use crate::os::{Family, Query, Setting};

/// Applies a setting; an error of kind Unsupported for one that the host has not.
#[cfg(target_os = "linux")]
pub(super) fn apply(socket: &Socket, setting: &Setting) -> Result<()> {
    use std::os::fd::AsFd;

    use crate::os::linux::options;
    use crate::os::linux::sockopt::set;

    let socket = socket.as_fd();
    let set = |option, value: u32| set(socket, libc::IPPROTO_TCP, option, value);
    match *setting {
        Setting::KeepAliveIdle(seconds) => set(libc::TCP_KEEPIDLE, seconds),
        Setting::KeepAliveInterval(seconds) => set(libc::TCP_KEEPINTVL, seconds),
        Setting::KeepAliveCount(probes) => set(libc::TCP_KEEPCNT, probes),
        // In milliseconds, as a signed number.
        Setting::RetransmitFor(seconds) => {
            set(libc::TCP_USER_TIMEOUT, seconds.saturating_mul(1000).min(i32::MAX.cast_unsigned()))
        }
        // How many may wait for the end of their handshake.
        Setting::FastOpen(on) => set(libc::TCP_FASTOPEN, u32::from(on) * super::BACKLOG.cast_unsigned()),
        _ => options::apply(socket, setting, 0),
    }
}

/// The same of Winsock, whose numbers are WSK's.
#[cfg(windows)]
pub(super) fn apply(socket: &Socket, setting: &Setting) -> Result<()> {
    use skua_engine::abi::sockaddr::{
        IPPROTO_TCP, TCP_FASTOPEN, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_MAXRT,
    };

    use crate::os::windows::{options, winsock};

    let set = |option, value: u32| winsock::set(socket, IPPROTO_TCP, option, value);
    match *setting {
        Setting::KeepAliveIdle(seconds) => set(TCP_KEEPIDLE, seconds),
        Setting::KeepAliveInterval(seconds) => set(TCP_KEEPINTVL, seconds),
        Setting::KeepAliveCount(probes) => set(TCP_KEEPCNT, probes),
        Setting::RetransmitFor(seconds) => set(TCP_MAXRT, seconds),
        Setting::FastOpen(on) => set(TCP_FASTOPEN, u32::from(on)),
        _ => options::apply(socket, setting, 0),
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
pub(super) fn apply(socket: &Socket, setting: &Setting) -> Result<()> {
    crate::os::settings::apply(socket2::SockRef::from(socket), setting)
}

/// Answers a question; an error of kind Unsupported where the host has no answer.
#[cfg(target_os = "linux")]
pub(super) fn answer(socket: &Socket, query: Query) -> Result<u32> {
    use std::os::fd::AsFd;

    use crate::os::linux::sockopt::words;

    let (level, option) = match query {
        Query::PathMtu(Family::V4) => (libc::IPPROTO_IP, libc::IP_MTU),
        Query::PathMtu(Family::V6) => (libc::IPPROTO_IPV6, libc::IPV6_MTU),
        Query::SegmentSize => (libc::IPPROTO_TCP, libc::TCP_MAXSEG),
        Query::Buffer(which) => return crate::os::settings::buffer(socket2::SockRef::from(socket), which),
    };
    words::<1>(socket.as_fd(), level, option).map(|[word]| word)
}

#[cfg(windows)]
pub(super) fn answer(socket: &Socket, query: Query) -> Result<u32> {
    use skua_engine::abi::sockaddr::{IP_MTU, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPV6_MTU, TCP_MAXSEG};

    use crate::os::windows::winsock;

    let (level, option) = match query {
        Query::PathMtu(Family::V4) => (IPPROTO_IP, IP_MTU),
        Query::PathMtu(Family::V6) => (IPPROTO_IPV6, IPV6_MTU),
        Query::SegmentSize => (IPPROTO_TCP, TCP_MAXSEG),
        Query::Buffer(which) => return crate::os::settings::buffer(socket2::SockRef::from(socket), which),
    };
    winsock::get(socket, level, option)
}

#[cfg(not(any(target_os = "linux", windows)))]
pub(super) fn answer(socket: &Socket, query: Query) -> Result<u32> {
    match query {
        Query::Buffer(which) => crate::os::settings::buffer(socket2::SockRef::from(socket), which),
        _ => Err(ErrorKind::Unsupported.into()),
    }
}
