//! The conformance suite over the WSK provider of the kernel that the driver is loaded into.

// UNSAFETY: registers a client of its own, and hands its NPI to the checks.
#![expect(unsafe_code, reason = "registration takes raw pointers, and the table behind an NPI is believed")]

use core::ptr::{self, NonNull};

use skua_conformance::Outcome;
use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_PROVIDER_NPI, WSK_REGISTRATION};
use skua_engine::abi::zeroed;
use skua_protocol::SelfTestOutcome;

use super::TAG;
use super::rows::Rows;
use crate::executive::Executive;

/// The table of a client of version 1.0 without events.
static DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: 0x0100, Reserved: 0, WskClientEvent: None };

/// Longest that the provider is waited for, in milliseconds.
const PATIENCE: u32 = 10_000;

/// Runs every check, each a row. One row says so if there is no provider to check.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub(super) fn run<E: Executive>(executive: &E, rows: &mut Rows) {
    let client = match Client::register(executive) {
        Ok(client) => client,
        Err(status) => {
            let (name, broken) = ("the provider is there", SelfTestOutcome::Broken);
            return rows.push("registration", name, broken, &STATUS_SUCCESS, &status);
        }
    };
    // SAFETY: captured, and released below unless something hung.
    let surroundings = unsafe { skua_conformance::survey(executive, client.npi) };
    let mut hung = false;
    for (category, check) in skua_conformance::checks::<E>() {
        // SAFETY: as above.
        let outcome = unsafe { check.run(executive, client.npi, surroundings) };
        let word = match outcome {
            Outcome::Kept(_) => SelfTestOutcome::Kept,
            Outcome::Broken { .. } => SelfTestOutcome::Broken,
            Outcome::NotApplicable { .. } => SelfTestOutcome::NotApplicable,
            Outcome::Hung { .. } => SelfTestOutcome::Hung,
        };
        hung |= matches!(outcome, Outcome::Hung { .. });
        rows.push(category.name(), check.name, word, &outcome.expected(), &outcome.seen());
    }
    if !hung {
        client.end();
    }
    // Otherwise the registration stays as it is: ending it would wait for what hung, and that may still use it.
}

/// A client of the suite's own.
struct Client<'e, E: Executive> {
    executive: &'e E,
    registration: NonNull<WSK_REGISTRATION>,
    npi: WSK_PROVIDER_NPI,
}

impl<'e, E: Executive> Client<'e, E> {
    fn register(executive: &'e E) -> Result<Self, NTSTATUS> {
        let block = executive.allocate(size_of::<WSK_REGISTRATION>(), TAG);
        let registration = block.ok_or(STATUS_INSUFFICIENT_RESOURCES)?.cast::<WSK_REGISTRATION>();
        let client = Self { executive, registration, npi: zeroed() };
        let mut npi = WSK_CLIENT_NPI { ClientContext: ptr::null_mut(), Dispatch: &raw const DISPATCH };
        // SAFETY: the block stays at its address until it is deregistered; the table is static.
        let status = unsafe { executive.wsk_register(&raw mut npi, registration.as_ptr()) };
        if status != STATUS_SUCCESS {
            client.free();
            return Err(status);
        }
        let mut npi = zeroed();
        // SAFETY: registered.
        let status =
            unsafe { executive.wsk_capture_provider_npi(registration.as_ptr(), PATIENCE, &raw mut npi) };
        if status != STATUS_SUCCESS {
            client.deregister();
            return Err(status);
        }
        Ok(Self { npi, ..client })
    }

    /// Releases the provider and deregisters.
    fn end(self) {
        // SAFETY: pays for the capture.
        unsafe { self.executive.wsk_release_provider_npi(self.registration.as_ptr()) };
        self.deregister();
    }

    fn deregister(self) {
        // SAFETY: registered, and every capture is released.
        unsafe { self.executive.wsk_deregister(self.registration.as_ptr()) };
        self.free();
    }

    fn free(self) {
        // SAFETY: allocated with these numbers, and registered no more.
        unsafe { self.executive.free(self.registration.cast(), size_of::<WSK_REGISTRATION>(), TAG) };
    }
}
