//! Everything that must hold before a change is merged.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::cli::{CArguments, E2eArguments, FuzzArguments, HeaderArguments, ImageArguments, WineArguments};
use crate::steps::Steps;
use crate::{
    benches, c, c_header, cargo, code, e2e, fuzz, image, loom, no_std, perf_scripts, process, wdk, wine,
};

/// The test command, as the README gives it.
const TEST: &str = "cargo test";

/// What is no default member and still runs on this machine: what the end-to-end cases compare with, what reads the driver's
/// events under Wine, what makes hostile requests up, and the C libraries.
const TOOLS: [&str; 10] = [
    "--package",
    "xtask",
    "--package",
    "skua-wine",
    "--package",
    "skua-hammer",
    "--package",
    "skua-wsk",
    "--package",
    "skua-user",
];

/// Longest that one cargo call may take.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Runs all steps, whether or not one fails, and prints what each took.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::default();
    steps.run("fmt", || cargo(&["fmt", "--all", "--check"]));
    steps.run("test", test);
    steps.run("layer", layer);
    steps.run("mutations", mutations);
    steps.run("e2e", || e2e::run(&E2eArguments::default()));
    steps.run("clippy", || {
        cargo(&["clippy", "--all-targets", "--", "-D", "warnings"])?;
        cargo(&[&["clippy"][..], &TOOLS, &["--all-targets", "--", "-D", "warnings"]].concat())
    });
    steps.run("c-header", || c_header::run(&HeaderArguments { check: true }));
    steps.run("c", || c::run(&CArguments::default()));
    steps.run("docs", docs);
    steps.run("fuzz", || fuzz::run(&FuzzArguments { seconds: 30, targets: Vec::new() }));
    steps.run("no-std", no_std::run);
    // All images at once: what they share is compiled once then.
    steps.run("build-sys", image::build::run_for_wine);
    steps.run("build-capi", image::library::run);
    steps.run("check-image", || image::check::run(&ImageArguments::default()));
    steps.run("check-stack", code::stack::run);
    steps.run("check-panics", code::panics::run);
    steps.run("wine", || wine::run(&WineArguments { as_built: true, ..WineArguments::default() }));
    steps.run("perf-scripts", perf_scripts::run);
    steps.run("check-wdk", wdk::run);
    steps.run("loom", loom::run);
    steps.run("shuttle", loom::run_shuttle);
    steps.run("bench-smoke", benches::run);
    steps.finish()
}

fn cargo(arguments: &[&str]) -> Result<()> {
    process::run_shown(cargo::command().args(arguments), LIMIT)
}

/// The README's command itself, so that what a newcomer is told is what is proved.
fn test() -> Result<()> {
    let readme = fs::read_to_string(cargo::root().join("README.md")).context("cannot read README.md")?;
    ensure!(readme.lines().any(|line| line.trim() == TEST), "README.md does not give the command `{TEST}`");
    let arguments: Vec<&str> = TEST.split_whitespace().skip(1).collect();
    cargo(&arguments)?;
    cargo(&[&["test"][..], &TOOLS].concat())
}

/// Every rule of the provider and every test of the engine once more, behind a layer that does nothing.
fn layer() -> Result<()> {
    let mut command = cargo::command();
    command.args([
        "test",
        "--package",
        "skua-hosted",
        "--test",
        "wsk",
        "--test",
        "engine",
        "--test",
        "conformance",
    ]);
    process::run_shown(command.env("SKUA_TEST_LAYER", "pass"), LIMIT)
}

/// Each check of the conformance suite notices a mutation of the provider.
fn mutations() -> Result<()> {
    cargo(&["run", "--quiet", "--package", "skua-hosted", "--example", "mutations", "--", "--first"])
}

fn docs() -> Result<()> {
    for packages in [&[][..], &TOOLS[..]] {
        let mut command = cargo::command();
        command.args(["doc", "--no-deps"]).args(packages).env("RUSTDOCFLAGS", "-D warnings");
        process::run_shown(&mut command, LIMIT)?;
    }
    Ok(())
}
