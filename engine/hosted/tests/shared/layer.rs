//! What the environment wants to stand before the provider in every test: `SKUA_TEST_LAYER`.

use std::sync::Arc;

use skua_hosted::middleware::Middleware;
use skua_hosted::middleware::quirk::Quirk;

/// Lets everything pass.
#[derive(Debug)]
struct Pass;

impl Middleware for Pass {}

/// The middlewares that are asked for: none without the variable, two that do nothing for `pass`, and for the name of a
/// quirk that one.
pub(crate) fn asked_for() -> Vec<Arc<dyn Middleware>> {
    let Some(asked) = std::env::var_os("SKUA_TEST_LAYER") else { return Vec::new() };
    if asked == "pass" {
        return vec![Arc::new(Pass), Arc::new(Pass)];
    }
    let quirk = Quirk::ALL.iter().find(|quirk| asked == *quirk.to_string());
    let names: Vec<String> = Quirk::ALL.iter().map(Quirk::to_string).collect();
    vec![
        quirk
            .unwrap_or_else(|| panic!("SKUA_TEST_LAYER is {asked:?}, not pass or one of {names:?}"))
            .middleware(),
    ]
}
