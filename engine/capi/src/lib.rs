//! The engine for drivers in C: the functions and types that `include/skua.h` declares.
//!
//! The header is made from this crate by `cargo xtask c-header`; what is said of a function here is what it says there. The crate
//! has no kernel of its own: every engine runs on the table of services ([`SKUA_KERNEL`]) that it is opened with. The kernel library
//! (`image`) and the user-mode library (`user`) each bring one, under the name `SkuaKernel`.
//!
//! # Life cycle
//!
//! 1. [`SkuaOpen`] takes all memory, registers with WSK and fixes the handler. [`SKUA_ENGINE`] is the caller's memory.
//! 2. [`SkuaCaptureProvider`] waits for WSK's provider, for as long as it is told.
//! 3. [`SkuaOpenSocket`] opens sockets, [`SkuaOpenSource`] sources for a filter's lists. Datagrams reach the handler in batches.
//! 4. In the handler: [`SkuaNextDatagram`], what may be asked of a datagram, and its verdict: consumed, or [`SkuaDrop`], or
//!    [`SkuaRetain`]. A datagram that was retained goes back by [`SkuaRelease`], or by [`SkuaSendRetained`].
//! 5. [`SkuaSend`], [`SkuaSendMessages`], [`SkuaSendMdl`], [`SkuaSendNbl`] send.
//! 6. [`SkuaCloseSocket`]; [`SkuaClose`] closes what is left, and gives everything back, or says what it waits for.
//!
//! # Wrong use
//!
//! Sockets, retained datagrams and sources are numbers: each names a place in a table of the engine's and the generation of what lies
//! there, so that one which was given back names nothing any more, and neither does another engine's. Generations begin anywhere
//! and are 32 bits long: after 4,294,967,296 uses of one place a number returns, and another engine's is taken for one's own with
//! that probability. [`SKUA_ENGINE`] outlives its engine, so that a use after the close is noticed. What cannot be noticed:
//! memory that is not what the header says it is.
//!
//! # Types
//!
//! * [`SKUA_ENGINE`], [`SKUA_SOCKET`], [`SKUA_RETAINED`], [`SKUA_SOURCE`]: what functions are asked about.
//! * [`SKUA_ENGINE_CONFIG`], [`SKUA_SOCKET_CONFIG`], [`SKUA_LIMITS`]: what is opened, and what changes later.
//! * [`SKUA_BATCH`], [`SKUA_DATAGRAM`], [`SKUA_DATAGRAM_INFO`]: what a handler sees.
//! * [`SKUA_KERNEL`], [`TableKernel`]: a kernel as a table in C, and that table as a [`Kernel`](skua_engine::Kernel).
//! * [`SKUA_STATISTICS`], [`SKUA_OUTSTANDING`]: what there was, and what there still is.
#![no_std]
#![expect(non_camel_case_types, non_snake_case, reason = "C's names, in NT's manner")]

#[cfg(test)]
extern crate std;

mod admission;
mod close;
mod config;
mod datagram;
mod endpoint;
mod engine;
mod handler;
mod instance;
mod kernel;
mod nbl;
mod open;
mod reason;
mod retained;
mod send;
mod services;
mod socket;
mod statistics;
mod table;

pub use admission::{
    SKUA_LIMITS, SKUA_PREFIX, SKUA_RATE, SkuaQueryLimits, SkuaReplaceAllowList, SkuaSetLimits,
};
pub use close::{SKUA_OUTSTANDING, SkuaClose};
pub use config::{
    SKUA_ALLOW_LISTED, SKUA_COPY_BEYOND_BUDGET, SKUA_DYNAMIC_EVENTS, SKUA_ENGINE_CONFIG, SKUA_FOLD_IPV6,
    SKUA_RECEIVE, SKUA_SEND_LENT,
};
pub use datagram::{
    SKUA_DATAGRAM, SKUA_DATAGRAM_BROADCAST, SKUA_DATAGRAM_COALESCED, SKUA_DATAGRAM_INFO, SKUA_DATAGRAM_LENT,
    SKUA_DATAGRAM_MULTICAST, SkuaDatagramBuffer, SkuaDatagramData, SkuaDatagramLength, SkuaDescribeDatagram,
    SkuaDrop, SkuaGatherDatagram, SkuaRetain,
};
pub use endpoint::{SKUA_ENDPOINT, SKUA_IPV4, SKUA_IPV6};
pub use engine::SKUA_ENGINE;
pub use handler::{
    SKUA_BATCH, SkuaBatchLength, SkuaBatchLocalPort, SkuaBatchMemory, SkuaBatchProcessor, SkuaBatchSocket,
    SkuaNextDatagram,
};
pub use kernel::TableKernel;
pub use nbl::{
    SKUA_MINIPORT_RESERVED, SKUA_NBL_INFO, SKUA_PROTOCOL_RESERVED, SKUA_REFUSED, SKUA_SOURCE,
    SkuaDrainSource, SkuaOpenSource, SkuaReceiveNbl, SkuaSendNbl, SkuaStopSource,
};
pub use open::{SkuaCaptureProvider, SkuaEngineBytes, SkuaOpen};
pub use reason::*;
pub use retained::{SKUA_RETAINED, SkuaCopyRetained, SkuaDescribeRetained, SkuaRelease};
pub use send::{
    SKUA_BUFFER, SKUA_SEND_HOP_LIMIT, SKUA_SEND_OPTIONS, SKUA_SEND_SEGMENT, SKUA_SEND_SOURCE,
    SKUA_SEND_TYPE_OF_SERVICE, SKUA_SENT, SkuaSend, SkuaSendMdl, SkuaSendMessages, SkuaSendRetained,
};
pub use services::SKUA_KERNEL;
pub use socket::{
    SKUA_BROADCAST, SKUA_GROUP, SKUA_INFO_OFF, SKUA_INFO_REQUIRED, SKUA_INFO_WANTED, SKUA_ONLY_IPV6,
    SKUA_SHARE_DEFAULT, SKUA_SHARE_EXCLUSIVE, SKUA_SHARE_REUSE, SKUA_SOCKET, SKUA_SOCKET_CONFIG,
    SKUA_SOCKET_STATE, SkuaCloseSocket, SkuaJoinGroup, SkuaLeaveGroup, SkuaOpenSocket, SkuaQuerySocket,
    SkuaStopSocket,
};
pub use statistics::{SKUA_STATISTICS, SkuaQueryStatistics};
