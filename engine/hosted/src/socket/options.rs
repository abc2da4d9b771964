//! Socket options whose value is a ULONG, in one table.

use std::sync::atomic::{AtomicU32, Ordering};

use skua_engine::abi::sockaddr::{
    IP_DONTFRAGMENT, IP_ECN, IP_HOPLIMIT, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_PKTINFO, IP_RECVTOS,
    IP_TOS, IP_TTL, IP_UNICAST_IF, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, IPV6_DONTFRAG,
    IPV6_ECN, IPV6_HOPLIMIT, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_PKTINFO, IPV6_RECVTCLASS,
    IPV6_TCLASS, IPV6_UNICAST_IF, IPV6_V6ONLY, SO_BROADCAST, SO_EXCLUSIVEADDRUSE, SO_KEEPALIVE, SO_RCVBUF,
    SO_REUSEADDR, SO_SNDBUF, SOL_SOCKET, UDP_NOCHECKSUM, UDP_SEND_MSG_SIZE,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
};

use crate::os::{Buffer, Family, Setting, StackEndpoint};

/// IPPROTO_IPV6: hop limit of unicast datagrams sent (ws2ipdef.h).
const IPV6_UNICAST_HOPS: u32 = 4;

/// IPPROTO_TCP: segments go out as soon as there is data (ws2def.h).
const TCP_NODELAY: u32 = 1;

/// How many options there are.
const COUNT: usize = 30;

/// What one option does.
struct Row {
    level: u32,
    code: u32,
    when: When,
    /// What WskGetOption answers before anything was set.
    default: u32,
    /// The largest value; switches take any and remember 0 or 1.
    largest: u32,
    /// What to tell the stack; `None` for what is remembered only.
    setting: fn(u32) -> Option<Setting>,
}

/// When an option may be set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    BeforeBind,
}

use Family::{V4, V6};
use When::{Always, BeforeBind};

/// A switch.
const fn switch(level: u32, code: u32, when: When, default: u32, setting: fn(u32) -> Option<Setting>) -> Row {
    Row { level, code, when, default, largest: 1, setting }
}

/// A number.
const fn number(
    level: u32,
    code: u32,
    default: u32,
    largest: u32,
    setting: fn(u32) -> Option<Setting>,
) -> Row {
    Row { level, code, when: Always, default, largest, setting }
}

/// IPV6_V6ONLY is 1 on a new socket, as Windows has it. IP_UNICAST_IF is in network byte order.
static ROWS: [Row; COUNT] = [
    switch(SOL_SOCKET, SO_REUSEADDR, BeforeBind, 0, |on| Some(Setting::ReuseAddress(on != 0))),
    // No socket of another process shares an address here unless both ask to: the default is exclusive already.
    switch(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, BeforeBind, 0, |_| None),
    switch(SOL_SOCKET, SO_BROADCAST, Always, 0, |on| Some(Setting::Broadcast(on != 0))),
    number(SOL_SOCKET, SO_RCVBUF, 0, u32::MAX, |bytes| Some(Setting::Buffer(Buffer::Receive, bytes))),
    number(SOL_SOCKET, SO_SNDBUF, 0, u32::MAX, |bytes| Some(Setting::Buffer(Buffer::Send, bytes))),
    switch(SOL_SOCKET, SO_KEEPALIVE, Always, 0, |on| Some(Setting::KeepAlive(on != 0))),
    switch(IPPROTO_TCP, TCP_NODELAY, Always, 0, |on| Some(Setting::NoDelay(on != 0))),
    switch(IPPROTO_IPV6, IPV6_V6ONLY, BeforeBind, 1, |on| Some(Setting::OnlyV6(on != 0))),
    switch(IPPROTO_IP, IP_PKTINFO, Always, 0, |on| Some(Setting::PacketInfo(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_PKTINFO, Always, 0, |on| Some(Setting::PacketInfo(V6, on != 0))),
    switch(IPPROTO_IP, IP_RECVTOS, Always, 0, |on| Some(Setting::TypeOfServiceInfo(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_RECVTCLASS, Always, 0, |on| Some(Setting::TypeOfServiceInfo(V6, on != 0))),
    switch(IPPROTO_IP, IP_ECN, Always, 0, |on| Some(Setting::EcnInfo(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_ECN, Always, 0, |on| Some(Setting::EcnInfo(V6, on != 0))),
    switch(IPPROTO_IP, IP_HOPLIMIT, Always, 0, |on| Some(Setting::HopLimitInfo(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_HOPLIMIT, Always, 0, |on| Some(Setting::HopLimitInfo(V6, on != 0))),
    number(IPPROTO_IP, IP_TOS, 0, 255, |octet| Some(Setting::TypeOfService(V4, octet))),
    number(IPPROTO_IPV6, IPV6_TCLASS, 0, 255, |octet| Some(Setting::TypeOfService(V6, octet))),
    number(IPPROTO_IP, IP_TTL, 64, 255, |hops| Some(Setting::HopLimit(V4, hops))),
    number(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, 255, |hops| Some(Setting::HopLimit(V6, hops))),
    switch(IPPROTO_IP, IP_DONTFRAGMENT, Always, 0, |on| Some(Setting::DontFragment(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_DONTFRAG, Always, 0, |on| Some(Setting::DontFragment(V6, on != 0))),
    number(IPPROTO_IP, IP_UNICAST_IF, 0, u32::MAX, |index| {
        Some(Setting::UnicastInterface(V4, u32::from_be(index)))
    }),
    number(IPPROTO_IPV6, IPV6_UNICAST_IF, 0, u32::MAX, |index| Some(Setting::UnicastInterface(V6, index))),
    number(IPPROTO_IP, IP_MULTICAST_TTL, 1, 255, |hops| Some(Setting::MulticastHops(V4, hops))),
    number(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, 255, |hops| Some(Setting::MulticastHops(V6, hops))),
    switch(IPPROTO_IP, IP_MULTICAST_LOOP, Always, 1, |on| Some(Setting::MulticastLoop(V4, on != 0))),
    switch(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, Always, 1, |on| Some(Setting::MulticastLoop(V6, on != 0))),
    switch(IPPROTO_UDP, UDP_NOCHECKSUM, Always, 0, |on| Some(Setting::NoChecksum(on != 0))),
    number(IPPROTO_UDP, UDP_SEND_MSG_SIZE, 0, 65_535, |bytes| Some(Setting::Segment(bytes))),
];

/// The values that were set on one socket.
pub(crate) struct Options {
    values: [AtomicU32; COUNT],
}

impl Default for Options {
    fn default() -> Self {
        Self { values: std::array::from_fn(|row| AtomicU32::new(ROWS[row].default)) }
    }
}

impl Options {
    /// Sets an option; STATUS_NOT_SUPPORTED for one that is not known.
    pub(crate) fn set(
        &self,
        wire: &(impl StackEndpoint + ?Sized),
        level: u32,
        code: u32,
        value: u32,
        is_bound: bool,
    ) -> Result<(), NTSTATUS> {
        let (row, stored) = self.find(level, code)?;
        if row.when == BeforeBind && is_bound {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let value = if row.largest == 1 { u32::from(value != 0) } else { value };
        if value > row.largest || self.excludes(code, level, value) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        if let Some(setting) = (row.setting)(value) {
            wire.set(&setting)?;
        }
        stored.store(value, Ordering::Relaxed);
        Ok(())
    }

    /// What an option is set to.
    pub(crate) fn get(
        &self,
        wire: &(impl StackEndpoint + ?Sized),
        level: u32,
        code: u32,
    ) -> Result<u32, NTSTATUS> {
        match (level, code) {
            (SOL_SOCKET, SO_RCVBUF) => wire.buffer(Buffer::Receive),
            (SOL_SOCKET, SO_SNDBUF) => wire.buffer(Buffer::Send),
            // That it can be read says that the stack can segment.
            (IPPROTO_UDP, UDP_SEND_MSG_SIZE) if !wire.segments() => Err(STATUS_NOT_SUPPORTED),
            _ => self.find(level, code).map(|(_, value)| value.load(Ordering::Relaxed)),
        }
    }

    /// SO_REUSEADDR and SO_EXCLUSIVEADDRUSE contradict each other.
    fn excludes(&self, code: u32, level: u32, value: u32) -> bool {
        let other = match (level, code) {
            (SOL_SOCKET, SO_REUSEADDR) => SO_EXCLUSIVEADDRUSE,
            (SOL_SOCKET, SO_EXCLUSIVEADDRUSE) => SO_REUSEADDR,
            _ => return false,
        };
        value != 0 && self.find(SOL_SOCKET, other).is_ok_and(|(_, value)| value.load(Ordering::Relaxed) != 0)
    }

    fn find(&self, level: u32, code: u32) -> Result<(&'static Row, &AtomicU32), NTSTATUS> {
        let mut rows = ROWS.iter().zip(&self.values);
        rows.find(|(row, _)| (row.level, row.code) == (level, code)).ok_or(STATUS_NOT_SUPPORTED)
    }
}
