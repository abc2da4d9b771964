//! What a client must not do: the verifier finds exactly that.

use skua_conformance::{Outcome, survey};
use skua_engine::Kernel;
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::abi::wsk::{WSK_CLIENT_NPI, WSK_INFINITE_WAIT, WSK_PROVIDER_NPI, WSK_REGISTRATION};
use skua_engine::abi::zeroed;
use skua_hosted::Transport;

use crate::kernel;
use crate::table::CLIENT_DISPATCH;

#[test]
fn each_misuse_is_found_as_what_it_is() {
    let mut wrong = Vec::new();
    for check in skua_conformance::misuse().iter().flat_map(|group| group.checks) {
        // Of its own: what is broken stays so.
        let kernel = kernel(Transport::Os, 1);
        let registration: &mut WSK_REGISTRATION = Box::leak(Box::new(zeroed()));
        let mut client =
            WSK_CLIENT_NPI { ClientContext: std::ptr::null_mut(), Dispatch: &raw const CLIENT_DISPATCH };
        // SAFETY: the block is never freed, and the table is static.
        assert_eq!(unsafe { kernel.wsk_register(&raw mut client, registration) }, STATUS_SUCCESS);
        let mut npi: WSK_PROVIDER_NPI = zeroed();
        // SAFETY: registered above.
        let status =
            unsafe { kernel.wsk_capture_provider_npi(registration, WSK_INFINITE_WAIT, &raw mut npi) };
        assert_eq!(status, STATUS_SUCCESS);
        // SAFETY: captured, and never released.
        let surroundings = unsafe { survey(&kernel, npi) };
        assert!(kernel.take_findings().is_empty(), "before {}", check.name);
        // SAFETY: as above.
        let outcome = unsafe { check.run(&kernel, npi, surroundings) };
        // What was broken is broken: nothing is given back.
        std::mem::forget(kernel.clone());
        let found: Vec<&str> = kernel.take_findings().iter().map(|finding| finding.rule.id()).collect();
        println!("{} {:35} {}  {found:?}", outcome.word(), check.finding.unwrap(), check.name);
        if found != [check.finding.unwrap()] || !matches!(outcome, Outcome::Kept(_)) {
            wrong.push(format!("{}: {found:?}, {} | {}", check.name, outcome.expected(), outcome.seen()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
