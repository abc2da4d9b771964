//! Rules of captured NPIs: their functions are called between a capture and its release.

use std::collections::HashMap;
use std::sync::Mutex;

use skua_engine::abi::wsk::WSK_REGISTRATION;

use super::{Finding, Object, ObjectKind, Rule, Stack, Verifier};
use crate::kernel::lock::hold;

/// The NPIs that were captured from one verified kernel, by the address of their WSK_CLIENT.
#[derive(Default)]
pub(crate) struct Npis {
    known: Mutex<HashMap<usize, Npi>>,
}

struct Npi {
    registration: usize,
    captures: u32,
    /// Where it was last captured.
    captured: Stack,
    /// Where the last capture was released.
    released: Option<Stack>,
    /// Calls of the client-level table that have not returned.
    inside: u32,
}

/// A client-level call that has not returned.
pub(crate) struct NpiCall<'v> {
    npis: &'v Npis,
    client: usize,
}

impl Drop for NpiCall<'_> {
    fn drop(&mut self) {
        if let Some(npi) = hold(&self.npis.known).get_mut(&self.client) {
            npi.inside -= 1;
        }
    }
}

impl Verifier {
    /// A capture has succeeded and gave out `client`.
    #[cold]
    pub(crate) fn npi_captured(&self, registration: *const WSK_REGISTRATION, client: usize) {
        let captured = Stack::capture();
        let mut known = hold(&self.npis.known);
        let npi = known.entry(client).or_insert_with(|| Npi {
            registration: registration.addr(),
            captures: 0,
            captured: captured.clone(),
            released: None,
            inside: 0,
        });
        npi.captures += 1;
        npi.captured = captured;
    }

    /// A capture of a registration was released.
    #[cold]
    pub(crate) fn npi_released(&self, registration: *const WSK_REGISTRATION) {
        let mut known = hold(&self.npis.known);
        let of_registration =
            |(_, npi): &(&usize, &mut Npi)| npi.registration == registration.addr() && npi.captures > 0;
        let Some((client, npi)) = known.iter_mut().find(of_registration) else { return };
        npi.captures -= 1;
        if npi.captures > 0 {
            return;
        }
        let here = Stack::capture();
        npi.released = Some(here);
        let (inside, captured) = (npi.inside, npi.captured.clone());
        let object = Object { kind: ObjectKind::ProviderNpi, address: *client };
        drop(known);
        if inside > 0 {
            let message = format!(
                "WskReleaseProviderNPI released the last capture while {inside} calls are inside functions of the NPI"
            );
            self.find(Rule::NpiReleasedInUse, object, Some(captured), message);
        }
    }

    /// `function` of the client-level table is called. `Err` when it must not be passed on; `Ok(None)` for an NPI that was
    /// not captured from this kernel.
    pub(crate) fn enter_npi(&self, client: usize, function: &str) -> Result<Option<NpiCall<'_>>, ()> {
        let mut known = hold(&self.npis.known);
        let Some(npi) = known.get_mut(&client) else { return Ok(None) };
        if npi.captures > 0 {
            npi.inside += 1;
            return Ok(Some(NpiCall { npis: &self.npis, client }));
        }
        let message = format!("{function} was called through an NPI whose last capture is released");
        let object = Object { kind: ObjectKind::ProviderNpi, address: client };
        let finding = Finding::new(Rule::NpiUsedAfterRelease, object, message)
            .here()
            .created(Some(npi.captured.clone()))
            .related("released", npi.released.as_ref());
        drop(known);
        self.report(vec![finding]);
        Err(())
    }
}
