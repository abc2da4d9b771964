//! What crosses between Skua's driver and the programs that use it, over the device `\\.\Skua`.
//!
//! Every request is one DeviceIoControl: a [`ControlCode`], an input that begins with a [`Header`], and an output. All
//! structures are fixed-width, laid out without padding, and little-endian; counts say how many elements follow one
//! another after a structure. Either side checks every length, count, version and reserved field before it believes the
//! rest: a parser of this crate returns [`Invalid`] or a value whose every field was looked at, whatever the bytes are.
//!
//! # Life cycle of a reader
//!
//! 1. [`ControlCode::Version`]: both sides speak [`PROTOCOL_VERSION`].
//! 2. [`ControlCode::StartSink`] with a [`StartSink`], or [`ControlCode::QuerySinks`] to find one that runs.
//! 3. [`ControlCode::AttachReader`]: one reader a sink; the answer names the sections of every ring ([`section_name`]),
//!    which the reader maps. One that cannot map takes packed records by [`ControlCode::ReadRecords`].
//! 4. When every ring is empty, [`ControlCode::WaitRecords`] is pended until there is something to read.
//! 5. [`ControlCode::DetachReader`], or closing the handle. The sink and its rings stay; the next reader goes on where this
//!    one's cursors stand.
//! 6. [`ControlCode::StopSink`] ends it; [`ControlCode::Shutdown`] readies the driver for being unloaded.
//!
//! # Types
//!
//! | type | what it is |
//! |---|---|
//! | [`ControlCode`] | the requests and the access each asks for |
//! | [`Header`], [`SinkRequest`] | how every input begins, and all that many consist of |
//! | [`StartSink`], [`Listener`], [`Group`], [`AllowedPrefix`], [`Limits`] | what a sink is started with |
//! | [`ChangeSink`] | filters and limits of a running sink |
//! | [`SinkReport`], [`ListenerReport`] | a snapshot of a sink's counts |
//! | [`SourcesRequest`], [`SourceReport`] | the table of sources, page by page |
//! | [`ReaderAttached`], [`section_name`] | where a reader finds the rings |
//! | [`SelfTestReport`], [`SelfTestResult`] | what checks inside the kernel found |
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod change;
mod code;
mod header;
mod invalid;
mod place;
mod reader;
mod report;
mod self_test;
mod sources;
mod start;
mod version;

pub use change::{ChangeSink, ChangeSinkHeader};
pub use code::{Access, ControlCode, DEVICE_TYPE, Method};
pub use header::{Header, SinkRequest};
pub use invalid::Invalid;
pub use place::{AllowedPrefix, Group, Listener, ListenerFlags};
pub use reader::{ReaderAttached, Region, SECTION_NAME_UNITS, section_name};
pub use report::{ListenerReport, ListenerState, SinkReport, SinkState, SinksReport};
pub use self_test::{
    CHECK_GROUP_BYTES, CHECK_NAME_BYTES, CHECK_VALUE_BYTES, SelfTestOutcome, SelfTestReport, SelfTestResult,
};
pub use sources::{SourceReport, SourcesReport, SourcesRequest};
pub use start::{Limits, StartFlags, StartSink, StartSinkHeader, StartStep, StartedSink};
pub use version::{PROTOCOL_VERSION, Version};

/// The device's name in the NT namespace.
pub const DEVICE_NAME: &str = r"\Device\Skua";
/// The name that programs open it by, in the NT namespace: `\DosDevices` is every session's where drivers are loaded, in the
/// system process.
pub const LINK_NAME: &str = r"\DosDevices\Skua";
/// The name that programs open it by.
pub const WIN32_NAME: &str = r"\\.\Skua";

/// Sinks that run at once at the most.
pub const MAX_SINKS: usize = 8;
/// Listeners of one sink at the most.
pub const MAX_LISTENERS: usize = 16;
/// Multicast groups of one sink at the most.
pub const MAX_GROUPS: usize = 64;
/// Rules that an allow-list may have.
pub const MAX_PREFIXES: usize = 4096;
/// Bytes of a sink's name, zero-padded.
pub const SINK_NAME_BYTES: usize = 32;
