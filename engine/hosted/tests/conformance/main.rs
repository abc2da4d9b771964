//! The conformance suite over the hosted provider: every transport, one worker and several.

#![expect(unsafe_code, reason = "registers, captures and hands the NPI over by hand")]

#[path = "../shared/layer.rs"]
mod layer;
mod misuse;
mod table;

use skua_conformance::{Outcome, Surroundings};
use skua_hosted::middleware::Function;
use skua_hosted::middleware::quirk::Quirk;
use skua_hosted::{HostConfig, HostKernel, ProviderConfig, Transport};

use crate::table::{Row, Table};

/// A kernel whose sockets have as many workers as there are processors.
fn kernel(transport: Transport, workers: u32) -> HostKernel {
    let middleware = layer::asked_for();
    let provider = ProviderConfig { transport, workers, middleware, ..ProviderConfig::default() };
    let config = HostConfig { processors: workers.max(2), provider, ..HostConfig::default() };
    HostKernel::new(config.recorded())
}

#[test]
fn sockets_of_the_host_keep_every_rule() {
    Table::of(&kernel(Transport::Os, 1)).keeps_every_rule();
}

#[test]
fn sockets_with_several_workers_keep_every_rule() {
    Table::of(&kernel(Transport::Os, 3)).keeps_every_rule();
}

#[test]
fn portable_sockets_keep_every_rule() {
    Table::of(&kernel(Transport::Portable, 1)).keeps_every_rule();
}

#[test]
fn the_loopback_keeps_every_rule() {
    let known = [
        ("an address that is not this machine's is refused", "a network in memory has every address"),
        (
            "a broadcast that is received is flagged MSG_BCAST",
            "in memory 127.255.255.255 is an address like others",
        ),
    ];
    Table::of(&kernel(Transport::Loopback, 1)).keeps_every_rule_but(&known);
}

#[test]
fn every_rule_is_kept_by_what_the_documentation_allows() {
    // All at once: most of the time is spent waiting for what must not come.
    std::thread::scope(|scope| {
        for quirk in Quirk::ALL.iter().filter(|quirk| quirk.is_documented() && !misleads(**quirk)) {
            let look = || Table::of(&behind(*quirk)).keeps_every_rule();
            std::thread::Builder::new().name(quirk.to_string()).spawn_scoped(scope, look).unwrap();
        }
    });
}

/// What keeps the rules too, but has checks see something else: they need sockets that live, and look at the order of what
/// was sent by the order of what comes.
const fn misleads(quirk: Quirk) -> bool {
    matches!(quirk, Quirk::Dying { .. } | Quirk::Reversed)
}

fn behind(quirk: Quirk) -> HostKernel {
    let provider = ProviderConfig { middleware: vec![quirk.middleware()], ..ProviderConfig::default() };
    HostKernel::new(HostConfig { processors: 2, provider, ..HostConfig::default() })
}

#[test]
fn a_provider_that_does_not_mark_breaks_the_rules_about_that_and_no_other() {
    let table = Table::of(&behind(Quirk::PendingAfterInline));
    let broken: Vec<_> = table.rows.iter().filter(|row| row.outcome.is_failure()).collect();
    assert!(!broken.is_empty());
    for row in broken {
        assert!(row.check.name.contains("marked pending"), "{}", row.check.name);
    }
}

#[test]
fn a_function_that_is_not_supported_breaks_the_rules_about_it_and_hangs_nothing() {
    let table = Table::of(&behind(Quirk::Unsupported(Function::SendMessages)));
    let broken: Vec<_> = table.rows.iter().filter(|row| row.outcome.is_failure()).collect();
    assert!(!broken.is_empty());
    for Row { check, outcome, .. } in broken {
        assert!(!matches!(outcome, Outcome::Hung { .. }), "{}", check.name);
        assert!(check.citation.contains("WskSendMessages"), "{}", check.name);
    }
}

#[test]
fn sockets_that_die_hang_no_check() {
    // Much does not come any more, and is not waited for long.
    let hasty = |found| Surroundings { patience: 1_000, ..found };
    let table = Table::with(&behind(Quirk::Dying { after: 2 }), hasty);
    for Row { check, outcome, .. } in &table.rows {
        assert!(!matches!(outcome, Outcome::Hung { .. }), "{}", check.name);
    }
}

#[test]
fn names_are_told_apart_and_every_rule_says_where_it_is_written() {
    let mut names = std::collections::HashSet::new();
    for (_, check) in skua_conformance::checks::<HostKernel>() {
        assert!(names.insert(check.name), "two checks are called {:?}", check.name);
        assert!(!check.citation.is_empty(), "{:?} cites nothing", check.name);
    }
}
