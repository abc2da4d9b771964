//! What netio.sys exports of WSK: the way to skua-hosted's provider.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "registration blocks are reached by address")]

use skua_engine::Kernel;
use skua_engine::abi::nt::PASSIVE_LEVEL;
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};

use crate::host::kernel;
use crate::level;

/// WskRegister.
///
/// # Safety
/// As for [`Kernel::wsk_register`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn WskRegister(
    npi: *mut WSK_CLIENT_NPI,
    registration: *mut WSK_REGISTRATION,
) -> NTSTATUS {
    level::require("WskRegister", PASSIVE_LEVEL);
    // SAFETY: the same contract.
    unsafe { kernel().wsk_register(npi, registration) }
}

/// WskDeregister.
///
/// # Safety
/// As for [`Kernel::wsk_deregister`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn WskDeregister(registration: *mut WSK_REGISTRATION) {
    level::require("WskDeregister", PASSIVE_LEVEL);
    // SAFETY: the same contract.
    unsafe { kernel().wsk_deregister(registration) };
}

/// WskCaptureProviderNPI.
///
/// # Safety
/// As for [`Kernel::wsk_capture_provider_npi`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn WskCaptureProviderNPI(
    registration: *mut WSK_REGISTRATION,
    wait_timeout: u32,
    npi: *mut WSK_PROVIDER_NPI,
) -> NTSTATUS {
    // SAFETY: the same contract.
    unsafe { kernel().wsk_capture_provider_npi(registration, wait_timeout, npi) }
}

/// WskReleaseProviderNPI.
///
/// # Safety
/// As for [`Kernel::wsk_release_provider_npi`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn WskReleaseProviderNPI(registration: *mut WSK_REGISTRATION) {
    // SAFETY: the same contract.
    unsafe { kernel().wsk_release_provider_npi(registration) };
}

/// WskQueryProviderCharacteristics.
///
/// # Safety
/// As for [`Kernel::wsk_query_provider_characteristics`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn WskQueryProviderCharacteristics(
    registration: *mut WSK_REGISTRATION,
    characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
) -> NTSTATUS {
    // SAFETY: the same contract.
    unsafe { kernel().wsk_query_provider_characteristics(registration, characteristics) }
}
