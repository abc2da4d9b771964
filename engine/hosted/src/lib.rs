//! A user-mode kernel and a Winsock Kernel provider: WSK clients run over real sockets, without Windows.
//!
//! The client meets this crate in the C ABI of WSK alone: the same registration, dispatch tables, IRPs and MDL chains as
//! in a Windows driver. What the provider does with them is what the documentation of WSK, and the drivers that live on
//! it, say that WSK does.
//!
//! # Life cycle
//!
//! 1. [`HostKernel::new`] makes a kernel with virtual processors, memory accounts, and a network below it
//!    ([`Transport`]).
//! 2. A client registers and captures the provider through [`Kernel`](skua_engine::Kernel), and creates sockets.
//! 3. Binding takes all memory that receiving and sending need, and starts the socket's threads: workers, each on its
//!    virtual processor, and one for sends that have to wait.
//! 4. Workers receive batches into blocks that were built at bind, and indicate them at DISPATCH_LEVEL. A socket over TCP
//!    has one thread from when it listens or connects, which makes all its callbacks, one after the other.
//! 5. [`HostKernel::quiesce`] ends the intake; closing completes when the last callback has returned.
//! 6. [`HostKernel::outstanding`] is empty when the client has given everything back, which the verifier checks when the
//!    last clone of the kernel goes.
//!
//! # Where it differs from Windows
//!
//! * Sockets of one kernel share addresses as WSK's documentation says; what another program has is in use, whatever both
//!   ask for, unless both set SO_REUSEADDR where the host shares by that. The access that a security descriptor has to
//!   grant is FILE_GENERIC_READ and FILE_GENERIC_WRITE; a descriptor that is none is STATUS_INVALID_SECURITY_DESCR. Neither
//!   is documented.
//! * A process or thread of another kernel ([`Executive`]), where a client runs on one, stands for the system process.
//! * Names are the host's resolver's, whoever asks. What it cannot resolve for now is STATUS_NO_MATCH as what there is not;
//!   AI_NON_AUTHORITATIVE, AI_SECURE, AI_RETURN_PREFERRED_NAMES and AI_FILESERVER change nothing; AI_FQDN is the canonical
//!   name. A name without room is STATUS_BUFFER_TOO_SMALL.
//! * A raw socket takes the privilege that the host asks for (on Linux CAP_NET_RAW), of the thread that calls WskSocket.
//!   Protocol 0 is refused where the host refuses it.
//! * Below DISPATCH_LEVEL nothing preempts: a thread that raises waits until its processor is free.
//! * A socket lets [`ProviderConfig::pending_receives`] calls of WskReceiveFrom wait.
//! * A send over TCP completes when the stack has copied it, not when the other end has acknowledged it; a graceful
//!   disconnect when the stack has been told. The ideal send backlog is the size of the stack's send buffer.
//! * A connection is established when WskInspectEvent is asked about it; refusing resets it.
//! * WskDisconnectEvent for a graceful end comes behind the data before it, so not while nobody takes that. A reset comes
//!   at once, and what was not received then is lost.
//! * Over TCP, sharing an address (SO_REUSEADDR) spreads connections over those who share it, where the host can.
//! * [`Transport::Loopback`] has no raw sockets, and refuses a connect when too many connections wait to be accepted.
//! * SIO_WSK_SET_TCP_SILENT_MODE takes Linux, CAP_NET_ADMIN and, as on Windows, another address than loopback; else it is
//!   STATUS_NOT_SUPPORTED.
//! * What is not provided completes its IRP with STATUS_NOT_SUPPORTED: control messages over TCP, options that the host has
//!   nothing like.
//! * Datagrams are cut and joined (UDP_SEND_MSG_SIZE, UDP_RECV_MAX_COALESCED_SIZE) by the host's stack where it can, else by
//!   the provider: it cuts before it sends, and joins what comes in one batch. A limit below the largest payload is always
//!   the provider's, as Linux has none. So is IP_RECEIVE_BROADCAST.
//! * Hop limits begin as the host has them, which on Linux are 64, not 128.
//! * SIO_ADDRESS_LIST_CHANGE notices a change within a tenth of a second.
//!
//! # The verifier
//!
//! In builds with debug assertions, as tests are, and where [`HostConfig::verified`] or [`HostConfig::recorded`] asks for it, a
//! verifier watches what the client does: who has each IRP, at which level routines are called, what is done with a socket
//! and when, who touches what was lent, what is left behind. [`Rule::ALL`] has all the rules. What it finds ends the
//! process with a report of the rule, the object, where that was made and where the rule was broken; or is
//! recorded: [`HostKernel::findings`], and [`HostKernel::unload`] when the client is gone. [`HostConfig::unverified`] turns it off.
//!
//! # Types
//!
//! * [`HostKernel`], [`HostConfig`], [`ProviderConfig`], [`Transport`]: the kernel and what it is made with.
//! * `PacketRing`, `PacketRingLosses`: on Linux, receiving from a packet socket's ring.
//! * [`ntoskrnl`]: routines for drivers in other languages, which the engine has no use for.
//! * [`Executive`]: routines of another kernel, where clients run on one.
//! * [`Process`], [`Token`], [`Sid`]: on whose behalf sockets are created; [`HostKernel::create_process`],
//!   [`HostKernel::attach_process`] and [`HostKernel::impersonate`] make others than the system.
//! * [`Outstanding`], [`TagUse`]: what leaks and what memory is used for.
//! * [`middleware`]: what can be put between clients and the provider; its [`quirk`](middleware::quirk)s and
//!   [`mutation`](middleware::mutation)s.
//! * [`fault`]: calls that fail once, and the loop that lets each fail in turn.
//! * [`VerifierConfig`], [`OnFinding`], [`Rule`], [`Finding`], [`Watch`]: the verifier, which finds a client's breaches of the rules
//!   of NT and WSK.
//! * [`Injected`], [`Control`], [`Facts`], [`Prepared`], [`Stage`], [`Indicated`]: indications made by hand.

mod addresses;
mod buffer;
mod client;
mod config;
mod create;
pub mod fault;
mod inject;
mod kernel;
mod loopback;
pub mod middleware;
mod names;
mod npi;
pub mod ntoskrnl;
mod os;
mod receive;
mod request;
mod security;
mod send;
mod socket;
mod status;
mod stream;
mod transports;
mod verifier;

pub use config::{HostConfig, ProviderConfig, Transport};
#[cfg(target_os = "linux")]
pub use config::{PacketRing, PacketRingLosses};
pub use inject::{Control, Facts, Indicated, Injected, Prepared, Stage};
pub use kernel::{Attached, Executive, HostKernel, Impersonating, Outstanding, Process, TagUse};
pub use security::{Sid, Token};
pub use verifier::{
    Finding, Frame, LentMemory, Object, ObjectKind, OnFinding, Rule, Stack, VerifierConfig, Watch,
};
