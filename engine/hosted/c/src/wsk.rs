//! What netio.sys exports of WSK.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "registration blocks are reached by address")]

use skua_engine::Kernel;
use skua_engine::abi::nt::{APC_LEVEL, GUID, PASSIVE_LEVEL};
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_NO_WAIT, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};

use crate::host::kernel;

/// What uuid.lib defines on Windows.
#[unsafe(no_mangle)]
pub(crate) static NPI_WSK_INTERFACE_ID: GUID = GUID {
    Data1: 0x2227_E803,
    Data2: 0x8D8B,
    Data3: 0x11D4,
    Data4: [0xAB, 0xAD, 0x00, 0x90, 0x27, 0x71, 0x9E, 0x09],
};

routines! {
    /// WskRegister.
    contract fn WskRegister(npi: *mut WSK_CLIENT_NPI, registration: *mut WSK_REGISTRATION) -> NTSTATUS {
        require_passive("WskRegister");
        kernel().wsk_register(npi, registration)
    }

    /// WskDeregister.
    contract fn WskDeregister(registration: *mut WSK_REGISTRATION) {
        require_passive("WskDeregister");
        kernel().wsk_deregister(registration)
    }

    /// WskCaptureProviderNPI.
    contract fn WskCaptureProviderNPI(
        registration: *mut WSK_REGISTRATION,
        wait_timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        if wait_timeout != WSK_NO_WAIT {
            require_passive("WskCaptureProviderNPI with a wait");
        }
        kernel().wsk_capture_provider_npi(registration, wait_timeout, npi)
    }

    /// WskReleaseProviderNPI.
    contract fn WskReleaseProviderNPI(registration: *mut WSK_REGISTRATION) {
        kernel().wsk_release_provider_npi(registration)
    }

    /// WskQueryProviderCharacteristics.
    contract fn WskQueryProviderCharacteristics(
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS {
        kernel().wsk_query_provider_characteristics(registration, characteristics)
    }
}

/// Reports a call at APC_LEVEL, which the kernel knows nothing of; it reports one at DISPATCH_LEVEL itself.
fn require_passive(routine: &str) {
    if kernel().ke_get_current_irql_of_any_height() == APC_LEVEL {
        kernel().require_at_most(routine, PASSIVE_LEVEL);
    }
}
