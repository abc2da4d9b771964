//! Socket options whose value is a ULONG, in one table, and what each socket has set them to.

mod rows;

use std::sync::atomic::{AtomicU32, Ordering};

use skua_engine::abi::sockaddr::{
    IPPROTO_IPV6, IPPROTO_TCP, IPV6_V6ONLY, SO_EXCLUSIVEADDRUSE, SO_KEEPALIVE, SO_REUSEADDR, SOL_SOCKET,
    TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
};

use self::rows::{Access, Effect, ROWS, Row, When};
use super::scope::Scope;
use crate::addresses::Sharing;
use crate::os::{Setting, StackEndpoint};

/// The values that were set on one socket, and what the provider itself does because of them.
pub(crate) struct Options {
    values: [AtomicU32; ROWS.len()],
    /// UDP_SEND_MSG_SIZE; 0 is off.
    segment: AtomicU32,
    /// UDP_RECV_MAX_COALESCED_SIZE where the provider joins datagrams itself; 0 is off.
    coalesce: AtomicU32,
    /// IP_RECEIVE_BROADCAST is off.
    refuses_broadcast: AtomicU32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            values: std::array::from_fn(|row| AtomicU32::new(ROWS[row].default)),
            segment: AtomicU32::new(0),
            coalesce: AtomicU32::new(0),
            refuses_broadcast: AtomicU32::new(0),
        }
    }
}

impl Options {
    /// Sets an option to the value that `value` reads.
    ///
    /// STATUS_NOT_SUPPORTED for one that is not known, that sockets of this scope do not have, that can only be got, or
    /// that the stack below has not; STATUS_INVALID_DEVICE_STATE when it comes too late; STATUS_INVALID_PARAMETER for a
    /// value out of its range.
    pub(crate) fn set(
        &self,
        wire: &(impl StackEndpoint + ?Sized),
        scope: &Scope,
        (level, code): (u32, u32),
        value: impl FnOnce() -> Result<u32, NTSTATUS>,
        is_bound: bool,
    ) -> Result<(), NTSTATUS> {
        let (row, stored) = find(&self.values, scope, level, code)?;
        let Access::Both(effect) = row.access else { return Err(STATUS_NOT_SUPPORTED) };
        let value = value()?;
        if row.when == When::BeforeBind && is_bound {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let value = if row.is_switch() { u32::from(value != 0) } else { value };
        if value > row.largest || value < row.smallest || self.excludes(level, code, value) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        self.take_effect(wire, effect(value))?;
        stored.store(value, Ordering::Relaxed);
        if (level, code, value) == (SOL_SOCKET, SO_KEEPALIVE, 1) {
            self.time_probes(wire);
        }
        Ok(())
    }

    /// What an option is set to.
    pub(crate) fn get(
        &self,
        wire: &(impl StackEndpoint + ?Sized),
        scope: &Scope,
        (level, code): (u32, u32),
    ) -> Result<u32, NTSTATUS> {
        let (row, stored) = find(&self.values, scope, level, code)?;
        match row.query {
            Some(query) => wire.query(query),
            None => Ok(stored.load(Ordering::Relaxed)),
        }
    }

    /// An option that every socket over the transport has, as it was set.
    pub(crate) fn value(&self, level: u32, code: u32) -> u32 {
        let mut rows = ROWS.iter().zip(&self.values);
        let found = rows.find(|(row, _)| (row.level, row.code) == (level, code));
        found.map_or(0, |(_, value)| value.load(Ordering::Relaxed))
    }

    /// What the options say of sharing the address.
    pub(crate) fn sharing(&self) -> Sharing {
        if self.value(SOL_SOCKET, SO_EXCLUSIVEADDRUSE) != 0 {
            Sharing::Exclusive
        } else if self.value(SOL_SOCKET, SO_REUSEADDR) != 0 {
            Sharing::Reuse
        } else {
            Sharing::Default
        }
    }

    /// Whether IPV6_V6ONLY was switched off.
    pub(crate) fn serves_both(&self) -> bool {
        self.value(IPPROTO_IPV6, IPV6_V6ONLY) == 0
    }

    /// Datagrams that every send is to be cut into have so many bytes.
    pub(crate) fn segment(&self) -> Option<u16> {
        u16::try_from(self.segment.load(Ordering::Relaxed)).ok().filter(|segment| *segment > 0)
    }

    /// The most that the provider may join of what it receives; 0 is nothing.
    pub(crate) fn coalesce(&self) -> usize {
        self.coalesce.load(Ordering::Relaxed) as usize
    }

    /// Whether broadcasts are not wanted.
    pub(crate) fn refuses_broadcast(&self) -> bool {
        self.refuses_broadcast.load(Ordering::Relaxed) != 0
    }

    /// What a connection begins with that a listening socket with `options` has accepted: on Windows, as on every host, the
    /// values of the listening socket.
    pub(crate) fn inherit(&self, options: &Self) {
        for (own, theirs) in self.values.iter().zip(&options.values) {
            own.store(theirs.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn take_effect(&self, wire: &(impl StackEndpoint + ?Sized), effect: Effect) -> Result<(), NTSTATUS> {
        match effect {
            Effect::Remembered => {}
            Effect::Stack(setting) => wire.set(&setting)?,
            Effect::Segment(bytes) => self.segment.store(bytes, Ordering::Relaxed),
            Effect::RefuseBroadcast(refuses) => {
                self.refuses_broadcast.store(u32::from(refuses), Ordering::Relaxed);
            }
            Effect::Coalesce(limit) => {
                // The stack has no limit of its own to set.
                let by_stack = limit >= LARGEST_COALESCED;
                let done = wire.set(&Setting::Coalesce(by_stack));
                let by_provider = if by_stack && done.is_ok() { 0 } else { limit };
                self.coalesce.store(by_provider, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Windows' times of keep-alive probes, or those that were set, in place of the host's. A host that has no such setting
    /// keeps its own.
    fn time_probes(&self, wire: &(impl StackEndpoint + ?Sized)) {
        for (code, setting) in [
            (TCP_KEEPIDLE, Setting::KeepAliveIdle as fn(u32) -> Setting),
            (TCP_KEEPINTVL, Setting::KeepAliveInterval),
            (TCP_KEEPCNT, Setting::KeepAliveCount),
        ] {
            let _ = wire.set(&setting(self.value(IPPROTO_TCP, code)));
        }
    }

    /// SO_REUSEADDR and SO_EXCLUSIVEADDRUSE contradict each other.
    fn excludes(&self, level: u32, code: u32, value: u32) -> bool {
        let other = match (level, code) {
            (SOL_SOCKET, SO_REUSEADDR) => SO_EXCLUSIVEADDRUSE,
            (SOL_SOCKET, SO_EXCLUSIVEADDRUSE) => SO_REUSEADDR,
            _ => return false,
        };
        value != 0 && self.value(SOL_SOCKET, other) != 0
    }
}

/// The largest UDP payload (65,535 less the header): a limit that limits nothing.
const LARGEST_COALESCED: u32 = 65_527;

fn find<'a>(
    values: &'a [AtomicU32; ROWS.len()],
    scope: &Scope,
    level: u32,
    code: u32,
) -> Result<(&'static Row, &'a AtomicU32), NTSTATUS> {
    let mut rows = ROWS.iter().zip(values);
    rows.find(|(row, _)| (row.level, row.code) == (level, code) && scope.is(row.of) && scope.has_level(level))
        .ok_or(STATUS_NOT_SUPPORTED)
}
