//! The verifier: for each rule a program that breaks it and gets exactly that finding, recorded in this process, and as
//! the end of a process of its own.

#![expect(unsafe_code, reason = "rules are broken through the C ABI")]

mod buffers;
mod client;
#[cfg(target_os = "linux")]
mod fault;
mod front;
mod hook;
mod irps;
mod lent;
mod levels;
mod memory;
mod npis;
mod ntoskrnl;
mod registration;
mod socket;
mod sockets;

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use skua_hosted::{HostConfig, HostKernel, OnFinding, Rule, VerifierConfig};

use crate::hook::Hook;

/// A program that breaks one rule, once.
pub(crate) struct Case {
    /// Its name, which is that of a function.
    pub(crate) name: &'static str,
    pub(crate) rule: Rule,
    pub(crate) program: fn(&HostKernel),
}

/// A case of `rule` by the name of its program.
macro_rules! cases {
    ($($rule:ident: $($program:ident),+;)+) => {
        pub(crate) const CASES: &[crate::Case] = &[
            $($(crate::Case {
                name: concat!(module_path!(), "::", stringify!($program)),
                rule: skua_hosted::Rule::$rule,
                program: $program,
            },)+)+
        ];
    };
}
pub(crate) use cases;

const ALL: &[&[Case]] = &[
    buffers::CASES,
    irps::CASES,
    lent::CASES,
    levels::CASES,
    memory::CASES,
    npis::CASES,
    ntoskrnl::CASES,
    registration::CASES,
    sockets::CASES,
];

fn all() -> impl Iterator<Item = &'static Case> {
    ALL.iter().flat_map(|cases| cases.iter())
}

fn kernel(on_finding: OnFinding) -> HostKernel {
    let verifier =
        VerifierConfig { on_finding, blocked_after: Duration::from_millis(200), ..VerifierConfig::default() };
    let hook = Arc::new(Hook::default());
    let mut config = HostConfig { verifier: Some(verifier), ..HostConfig::loopback(2) };
    config.provider.middleware.push(hook.clone());
    let kernel = HostKernel::new(config);
    hook.belongs_to(&kernel);
    kernel
}

#[test]
fn each_program_gets_exactly_the_finding_of_the_rule_that_it_breaks() {
    for case in all() {
        let kernel = kernel(OnFinding::Record);
        (case.program)(&kernel);
        let found: Vec<Rule> = kernel.clone().unload().iter().map(|finding| finding.rule).collect();
        assert_eq!(found, [case.rule], "{}", case.name);
    }
}

#[test]
fn every_rule_has_a_program_that_breaks_it() {
    for rule in Rule::ALL {
        assert!(all().any(|case| case.rule == *rule), "{rule}");
    }
}

/// What a child runs: the case that its environment names.
const CASE: &str = "SKUA_VERIFIER_CASE";
/// What the child's kernel does with findings.
const MODE: &str = "SKUA_VERIFIER_MODE";

#[test]
fn child() {
    let Ok(name) = std::env::var(CASE) else { return };
    let case = all().find(|case| case.name == name).expect("a case of this name");
    let abort = std::env::var(MODE).is_ok_and(|mode| mode == "abort");
    let kernel = kernel(if abort { OnFinding::Abort } else { OnFinding::Panic });
    (case.program)(&kernel);
    drop(kernel);
    // Where a thread of the provider, or one of the program's own, ended it.
    println!("survived");
}

fn run(case: &Case, mode: &str) -> Output {
    let program = std::env::current_exe().expect("the path of this program");
    let mut child = Command::new(program);
    child.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(CASE, case.name).env(MODE, mode);
    child.output().expect("a process")
}

#[test]
fn each_program_ends_with_a_report_of_the_rule_and_where_it_was_broken() {
    for (index, case) in all().enumerate() {
        // By turns, as it takes a process each.
        let mode = ["abort", "panic"][index % 2];
        let output = run(case, mode);
        let said = String::from_utf8_lossy(&output.stderr);
        let name = case.name;
        assert!(!output.status.success(), "{name} in mode {mode}: {said}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("survived"), "{name} in mode {mode}");
        let begin = format!("verifier: {}: ", case.rule.id());
        assert!(said.contains(&begin), "{name} in mode {mode}: {said}");
        assert!(said.contains(case.rule.advice()), "{name} in mode {mode}: {said}");
        // Of the program's own functions, with their lines; nothing of the provider's.
        let (_, report) = said.split_once(&begin).expect("a report");
        let report = report.split("\nthread '").next().unwrap_or_default();
        assert!(report.contains("tests/verifier/") && report.contains(".rs:"), "{name}: {report}");
        assert!(!report.contains("hosted/src/"), "{name}: {report}");
    }
}

#[test]
fn without_verifier_there_are_no_findings() {
    let kernel = HostKernel::new(HostConfig::loopback(1).unverified());
    assert!(!kernel.is_verified());
    // What would not corrupt this process passes.
    levels::wait_at_dispatch_level(&kernel);
    assert!(kernel.findings().is_empty());
    assert!(kernel.unload().is_empty());
}

#[test]
fn tests_are_verified_by_default() {
    assert!(HostKernel::new(HostConfig::default()).is_verified());
    assert!(HostKernel::new(HostConfig::default().unverified().verified()).is_verified());
}
