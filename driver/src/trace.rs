//! Events for ETW: what an operator wants to know without asking the driver.
//!
//! The provider is `Skua`, {57b95522-743e-5505-6f67-b0acca0befeb}, TraceLogging (self-describing), so that a session names it `*Skua` or by its
//! GUID. Keywords choose what is recorded:
//!
//! | keyword | what | level |
//! |---|---|---|
//! | 0x1 | [`LIFECYCLE`]: driver and sinks start and stop, what could not be bound | information, error |
//! | 0x2 | [`DROPS`]: how many datagrams were lost to which reason since the last event | warning |
//! | 0x4 | [`STALL`]: a reader that has not read for longer than its rings can ride out | warning |
//! | 0x8 | [`DATAGRAM`]: every datagram; off unless it is asked for by keyword and level 5 | verbose |
//!
//! An event that nobody records costs a load and a comparison. Off Windows all of this compiles to nothing.

// UNSAFETY: registers the provider, whose guard unregisters it, and the macros that write events.
#![expect(unsafe_code, reason = "a provider must be unregistered before the image goes away")]

use core::net::SocketAddr;

use skua_engine::DropReason;
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6};
use skua_engine::abi::status::NTSTATUS;
use tracelogging::{Level, write_event};

/// Keyword: driver and sinks start and stop, and what could not be bound.
pub const LIFECYCLE: u64 = 0x1;
/// Keyword: datagrams lost, by reason.
pub const DROPS: u64 = 0x2;
/// Keyword: readers that do not read.
pub const STALL: u64 = 0x4;
/// Keyword: every datagram.
pub const DATAGRAM: u64 = 0x8;

tracelogging::define_provider!(PROVIDER, "Skua", id("57b95522-743e-5505-6f67-b0acca0befeb"));

/// The provider's GUID as text, lower case, without braces: what recorders take.
#[must_use]
pub fn guid() -> [u8; 36] {
    PROVIDER.id().to_utf8_bytes()
}

/// The provider's registration. Events are written while it lives, and nobody sees them before or after.
#[derive(Debug)]
pub(crate) struct Trace(());

impl Trace {
    /// Registers the provider. There is one of these at a time. A system that refuses has no events, and the driver does
    /// without them.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn register() -> Self {
        // SAFETY: the provider is a static of this image, and dropping the value unregisters it; the image goes away after
        // that.
        let _refused = unsafe { PROVIDER.register() };
        Self(())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _refused = PROVIDER.unregister();
    }
}

/// The driver is ready; `version` is its own.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub fn driver_started(version: &str) {
    write_event!(
        PROVIDER,
        "DriverStarted",
        level(Informational),
        keyword(LIFECYCLE),
        str8("Version", version),
    );
}

/// The driver could not be loaded.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub fn driver_failed(step: &str, status: NTSTATUS) {
    write_event!(
        PROVIDER,
        "DriverFailed",
        level(Error),
        keyword(LIFECYCLE),
        str8("Step", step),
        win_ntstatus("Status", &status.0),
    );
}

/// The driver goes away. `leaked` is what it did not give back, in bytes of nonpaged pool.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub fn driver_stopped(leaked: u64) {
    write_event!(
        PROVIDER,
        "DriverStopped",
        level(Informational),
        keyword(LIFECYCLE),
        u64("LeakedBytes", &leaked),
    );
}

/// A sink listens. `rings` of `ring_bytes` each.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub fn sink_started(sink: u64, listeners: u32, rings: u32, ring_bytes: u64) {
    write_event!(
        PROVIDER,
        "SinkStarted",
        level(Informational),
        keyword(LIFECYCLE),
        u64("Sink", &sink),
        u32("Listeners", &listeners),
        u32("Rings", &rings),
        u64("RingBytes", &ring_bytes),
    );
}

/// A sink is gone. Counts are datagrams.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub fn sink_stopped(sink: u64, indicated: u64, published: u64, dropped: u64) {
    write_event!(
        PROVIDER,
        "SinkStopped",
        level(Informational),
        keyword(LIFECYCLE),
        u64("Sink", &sink),
        u64("Indicated", &indicated),
        u64("Published", &published),
        u64("Dropped", &dropped),
    );
}

/// A listener could not be opened or bound, or joined to a group. The address is recorded as a SOCKADDR, which tools show
/// as text.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub fn bind_failed(sink: u64, address: SocketAddr, status: NTSTATUS) {
    let address = SockAddrBytes::from(address);
    write_event!(
        PROVIDER,
        "BindFailed",
        level(Error),
        keyword(LIFECYCLE),
        u64("Sink", &sink),
        socketaddress("Address", address.as_bytes()),
        win_ntstatus("Status", &status.0),
    );
}

/// `datagrams` were lost for one reason in the last `milliseconds`.
///
/// # IRQL
/// At most DISPATCH_LEVEL.
pub fn drops(sink: u64, reason: DropReason, datagrams: u64, milliseconds: u64) {
    write_event!(
        PROVIDER,
        "Drops",
        level(Warning),
        keyword(DROPS),
        u64("Sink", &sink),
        str8("Reason", reason.key()),
        u64("Datagrams", &datagrams),
        u64("Milliseconds", &milliseconds),
    );
}

/// The reader has not read for `idle` ms, and at the present rate the rings are full in `budget` ms.
///
/// # IRQL
/// At most DISPATCH_LEVEL.
pub fn stall(sink: u64, idle: u64, budget: u64) {
    write_event!(
        PROVIDER,
        "Stall",
        level(Warning),
        keyword(STALL),
        u64("Sink", &sink),
        u64("IdleMilliseconds", &idle),
        u64("BudgetMilliseconds", &budget),
    );
}

/// Whether somebody records every datagram: to be asked once a batch, before [`datagram`] is called at all.
///
/// # IRQL
/// Any.
#[must_use]
#[inline]
pub fn wants_datagrams() -> bool {
    PROVIDER.enabled(Level::Verbose, DATAGRAM)
}

/// One datagram of `bytes` was indicated on `processor`.
///
/// # IRQL
/// At most DISPATCH_LEVEL.
pub fn datagram(sink: u64, processor: u32, bytes: u32) {
    write_event!(
        PROVIDER,
        "Datagram",
        level(Verbose),
        keyword(DATAGRAM),
        u64("Sink", &sink),
        u32("Processor", &processor),
        u32("Bytes", &bytes),
    );
}

/// A SOCKADDR_IN or SOCKADDR_IN6, byte by byte.
struct SockAddrBytes {
    bytes: [u8; 28],
    length: usize,
}

impl SockAddrBytes {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl From<SocketAddr> for SockAddrBytes {
    fn from(address: SocketAddr) -> Self {
        let mut bytes = [0; 28];
        let mut length = 0;
        let mut push = |part: &[u8]| {
            for byte in part {
                if let Some(place) = bytes.get_mut(length) {
                    *place = *byte;
                    length += 1;
                }
            }
        };
        match address {
            SocketAddr::V4(v4) => {
                push(&AF_INET.to_le_bytes());
                push(&v4.port().to_be_bytes());
                push(&v4.ip().octets());
                push(&[0; 8]);
            }
            SocketAddr::V6(v6) => {
                push(&AF_INET6.to_le_bytes());
                push(&v6.port().to_be_bytes());
                push(&v6.flowinfo().to_be_bytes());
                push(&v6.ip().octets());
                push(&v6.scope_id().to_le_bytes());
            }
        }
        Self { bytes, length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tracelogging::Guid;

    #[test]
    fn the_guid_is_the_one_that_tools_make_of_the_name() {
        assert_eq!(*PROVIDER.id(), Guid::from_name("Skua"));
        assert_eq!(PROVIDER.name(), "Skua");
    }

    #[test]
    fn addresses_are_written_as_windows_lays_them_out() {
        let v4 = SockAddrBytes::from(SocketAddr::from(([10, 1, 2, 3], 514)));
        assert_eq!(v4.as_bytes(), [2, 0, 2, 2, 10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
        let v6: SocketAddr = "[fe80::1%7]:514".parse().unwrap();
        let v6 = SockAddrBytes::from(v6);
        assert_eq!(v6.as_bytes().len(), 28);
        assert_eq!(v6.as_bytes()[..10], [23, 0, 2, 2, 0, 0, 0, 0, 0xfe, 0x80]);
        assert_eq!(v6.as_bytes()[23..], [1, 7, 0, 0, 0]);
    }

    #[test]
    fn nothing_is_recorded_where_nobody_asked() {
        let trace = Trace::register();
        assert!(!wants_datagrams());
        driver_started("0");
        bind_failed(1, SocketAddr::from(([127, 0, 0, 1], 1)), NTSTATUS(-1));
        drops(1, DropReason::RingFull, 1, 1000);
        drop(trace);
    }
}
