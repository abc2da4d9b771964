//! The suite over the provider in this program.

// UNSAFETY: registers a client of its own, and hands its NPI to the checks.
#![expect(unsafe_code, reason = "registration takes raw pointers, and the table behind an NPI is believed")]

use std::ptr;

use skua_conformance::{checks, survey};
use skua_engine::Kernel;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_INFINITE_WAIT, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_engine::abi::zeroed;
use skua_hosted::{HostConfig, HostKernel};

use super::SelfTestError;
use super::row::{Outcome, Row};

static DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: 0x0100, Reserved: 0, WskClientEvent: None };

/// Runs every check, over the sockets of this host.
///
/// # Errors
/// [`SelfTestError::Provider`].
pub(super) fn run() -> Result<Vec<Row>, SelfTestError> {
    let kernel = HostKernel::new(HostConfig::default());
    let mut registration: Box<WSK_REGISTRATION> = Box::new(zeroed());
    let mut client = WSK_CLIENT_NPI { ClientContext: ptr::null_mut(), Dispatch: &raw const DISPATCH };
    // SAFETY: the block is boxed and the table static.
    succeeds(unsafe { kernel.wsk_register(&raw mut client, &raw mut *registration) })?;
    let mut npi: WSK_PROVIDER_NPI = zeroed();
    // SAFETY: registered.
    let captured =
        unsafe { kernel.wsk_capture_provider_npi(&raw mut *registration, WSK_INFINITE_WAIT, &raw mut npi) };
    succeeds(captured)?;
    // SAFETY: captured, and released below unless something hung.
    let surroundings = unsafe { survey(&kernel, npi) };
    let rows: Vec<Row> = checks::<HostKernel>()
        .map(|(category, check)| {
            // SAFETY: as above.
            let outcome = unsafe { check.run(&kernel, npi, surroundings) };
            Row {
                rule: check.name.to_owned(),
                group: category.name().to_owned(),
                outcome: (&outcome).into(),
                expected: outcome.expected().to_string(),
                seen: outcome.seen().to_string(),
            }
        })
        .collect();
    if rows.iter().any(|row| row.outcome == Outcome::Hung) {
        // What hung may still use the registration, and deregistering would wait for it.
        Box::leak(registration);
        return Ok(rows);
    }
    // SAFETY: pays for the capture.
    unsafe { kernel.wsk_release_provider_npi(&raw mut *registration) };
    // SAFETY: registered, and every capture is released.
    unsafe { kernel.wsk_deregister(&raw mut *registration) };
    Ok(rows)
}

fn succeeds(status: NTSTATUS) -> Result<(), SelfTestError> {
    if status == STATUS_SUCCESS { Ok(()) } else { Err(SelfTestError::Provider(status)) }
}
