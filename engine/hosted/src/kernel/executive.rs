//! The kernel whose I/O manager the packets belong to, where that is not this one.

use skua_engine::abi::nt::{IRP, KIRQL};

use crate::verifier::Rule;

/// Routines of another kernel that clients get their packets from, and cancel them with. Where
/// [`HostConfig::executive`](crate::HostConfig::executive) names them, the provider calls them instead of its own.
///
/// What else the provider does with a packet is what NT's macros do, to the packet alone.
///
/// # Invariants
/// The routines behave as NT's documentation says, outlive the kernel that was made with them, and may be called from any
/// thread. A completion routine may keep the packet or let the other kernel end it. Whether a thread that has raised in
/// this kernel counts as raised in the other one is the other one's business, as is the level that
/// `io_acquire_cancel_spin_lock` raises to.
#[derive(Clone, Copy, Debug)]
pub struct Executive {
    /// IofCompleteRequest.
    pub iof_complete_request: unsafe extern "C" fn(irp: *mut IRP, priority_boost: i8),
    /// IoAcquireCancelSpinLock.
    pub io_acquire_cancel_spin_lock: unsafe extern "C" fn(irql: *mut KIRQL),
    /// IoReleaseCancelSpinLock.
    pub io_release_cancel_spin_lock: unsafe extern "C" fn(irql: KIRQL),
    /// Is told of each breach of a rule where no verifier is, instead of a panic; what broke the rule has no effect then.
    pub breach: fn(rule: Rule, message: &str),
}
