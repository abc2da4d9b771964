//! What the environment wants to stand before the provider in every test: `SKUA_TEST_LAYER`.

use std::sync::Arc;

use skua_hosted::middleware::Middleware;

/// Lets everything pass.
#[derive(Debug)]
struct Pass;

impl Middleware for Pass {}

/// The middlewares that are asked for; none without the variable.
pub(crate) fn asked_for() -> Vec<Arc<dyn Middleware>> {
    let Some(asked) = std::env::var_os("SKUA_TEST_LAYER") else { return Vec::new() };
    match asked.to_str() {
        Some("pass") => vec![Arc::new(Pass), Arc::new(Pass)],
        other => panic!("SKUA_TEST_LAYER is {other:?}: it may be pass"),
    }
}
