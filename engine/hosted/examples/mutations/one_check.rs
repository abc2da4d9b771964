//! Runs one check over a kernel of its own.

use std::sync::Arc;

use skua_conformance::{Outcome, Surroundings, checks};
use skua_engine::Kernel;
use skua_engine::abi::wsk::{
    WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_INFINITE_WAIT, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_engine::abi::zeroed;
use skua_hosted::middleware::Middleware;
use skua_hosted::{HostConfig, HostKernel, OnFinding, ProviderConfig, VerifierConfig};

/// The version that the client asks for.
static CLIENT_DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: 0x0100, Reserved: 0, WskClientEvent: None };

/// What the checks may rely on: all of it, on the machines where this runs.
const SURROUNDINGS: Surroundings =
    Surroundings { ipv6: true, tcp: true, control_messages: true, patience: 1_000 };

/// How check `index` ends over a provider behind `middleware`. `None` for a check that there is not.
///
/// Nothing is deregistered: a provider that breaks rules may keep things for ever.
pub(crate) fn run(index: usize, middleware: Arc<dyn Middleware>) -> Option<Outcome> {
    let (_, check) = checks::<HostKernel>().nth(index)?;
    let verifier = VerifierConfig { on_finding: OnFinding::Record, ..VerifierConfig::default() };
    let kernel = HostKernel::new(HostConfig {
        processors: 2,
        provider: ProviderConfig { middleware: vec![middleware], ..ProviderConfig::default() },
        verifier: Some(verifier),
        ..HostConfig::default()
    });
    let registration: &mut WSK_REGISTRATION = Box::leak(Box::new(zeroed()));
    let mut client =
        WSK_CLIENT_NPI { ClientContext: std::ptr::null_mut(), Dispatch: &raw const CLIENT_DISPATCH };
    // SAFETY: the block is never freed, and the table is static.
    let registered = unsafe { kernel.wsk_register(&raw mut client, registration) };
    let mut npi: WSK_PROVIDER_NPI = zeroed();
    // SAFETY: registered above.
    let captured = unsafe { kernel.wsk_capture_provider_npi(registration, WSK_INFINITE_WAIT, &raw mut npi) };
    if !registered.is_success() || !captured.is_success() {
        return None;
    }
    // SAFETY: captured, and never released.
    Some(unsafe { check.run(&kernel, npi, SURROUNDINGS) })
}
