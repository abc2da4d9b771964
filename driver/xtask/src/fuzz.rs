//! The fuzz targets: foreign bytes, made up by libFuzzer under AddressSanitizer.
//!
//! The targets are plain functions that `cargo test` drives too. A stable compiler builds them for libFuzzer under the
//! switches that it hides, so that no nightly and no cargo-fuzz is needed; who has those can use them on `driver/fuzz`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::cli::FuzzArguments;
use crate::process::{self, Finished, Process};
use crate::{cargo, tool, toolchain};

/// The targets: what is in driver/fuzz/fuzz_targets.
pub(crate) const TARGETS: [&str; 5] = ["device", "nbl", "packet", "protocol", "ring"];

/// How long each is fuzzed, in seconds, if nothing else is said.
pub(crate) const SECONDS: u32 = 60;

/// Longest that the build may take.
const BUILD_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Longest that a target may take beyond its time, in seconds: reading what it found before, and one slow input.
const GRACE: u32 = 120;

/// One input that takes longer hangs, in seconds.
const INPUT_SECONDS: u32 = 60;

/// The longest input, in bytes.
const LONGEST: u32 = 1024;

/// Lines of a failed run's output that are shown.
const LINES: usize = 80;

/// What cargo-fuzz passes: coverage of every edge in counters, and the operands of comparisons.
const COVERAGE: [&str; 7] = [
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// Builds the targets and fuzzes them, all at the same time.
pub(crate) fn run(arguments: &FuzzArguments) -> Result<()> {
    tool::require(&[tool::CXX])?;
    let targets: Vec<&str> = match &arguments.targets[..] {
        [] => TARGETS.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    let programs = build(&targets)?;
    let mut runs = Vec::new();
    for (target, program) in targets.iter().zip(&programs) {
        runs.push(Run::start(target, program, arguments.seconds)?);
    }
    // All of them to their end: one that fails does not hide the next.
    let failures: Vec<String> = runs
        .into_iter()
        .filter_map(|run| run.finish(arguments.seconds).err())
        .map(|e| format!("{e:#}"))
        .collect();
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Builds `targets` and returns where each program is.
fn build(targets: &[&str]) -> Result<Vec<PathBuf>> {
    let host = toolchain::host()?;
    let mut flags = COVERAGE.join(" ");
    if toolchain::has_address_sanitizer(&host)? {
        flags.push_str(" -Zsanitizer=address");
    } else {
        println!(
            "this toolchain has no AddressSanitizer for {host}: a bad access shows only where it crashes"
        );
    }
    let folder = directory();
    let mut command = cargo::command();
    command
        .args(["build", "--release", "--package", "skua-fuzz", "--target", &host, "--target-dir"])
        // Other flags than the rest of the workspace: in a shared folder each would throw the other's work away.
        .arg(&folder)
        .args(targets.iter().flat_map(|target| ["--bin", target]))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", flags)
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
        .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true");
    process::run_shown(&mut command, BUILD_LIMIT)?;
    Ok(targets.iter().map(|target| folder.join(&host).join("release").join(target)).collect())
}

/// Where programs, inputs and findings are.
fn directory() -> PathBuf {
    cargo::target_directory().join("fuzz")
}

/// A target at work.
struct Run {
    target: String,
    program: PathBuf,
    findings: PathBuf,
    process: Process,
}

impl Run {
    fn start(target: &str, program: &Path, seconds: u32) -> Result<Self> {
        // What one run found interesting is where the next begins.
        let corpus = directory().join("corpus").join(target);
        let findings = directory().join("findings").join(target);
        for folder in [&corpus, &findings] {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let mut command = Command::new(program);
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={INPUT_SECONDS}"))
            // Scripts of a useful length from the start: inputs of the driver's are too slow to grow to it.
            .args([format!("-max_len={LONGEST}"), "-len_control=0".to_owned()])
            .args(["-print_final_stats=1", "-print_funcs=0"])
            // A path and a slash: libFuzzer puts the finding's name behind it as it is.
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .arg(&corpus)
            // Leaks are the accounts' to find: the targets compare them with nothing at the end of every input.
            .env("ASAN_OPTIONS", "detect_leaks=0")
            .stdin(Stdio::null());
        let process = Process::start(&mut command)?;
        Ok(Self { target: target.to_owned(), program: program.to_owned(), findings, process })
    }

    /// Waits for its end and says what it did.
    fn finish(self, seconds: u32) -> Result<()> {
        let limit = Duration::from_secs(u64::from(seconds) + u64::from(GRACE));
        let finished = self.process.wait(limit).with_context(|| format!("fuzzing {}", self.target))?;
        if !finished.status.success() {
            bail!("{}", failure(&self.target, &self.program, &self.findings, &finished));
        }
        let inputs = statistic(&finished.stderr, "number_of_executed_units").unwrap_or(0);
        let each_second = statistic(&finished.stderr, "average_exec_per_sec").unwrap_or(0);
        ensure!(inputs > 0, "{}: nothing was run\n{}", self.target, finished.stderr);
        let edges = edges(&finished.stderr).with_context(|| format!("{}: no coverage", self.target))?;
        println!("{}: {inputs} inputs, {each_second} a second, {edges} edges reached", self.target);
        Ok(())
    }
}

/// What a person needs of a run that found something.
fn failure(target: &str, program: &Path, findings: &Path, finished: &Finished) -> String {
    let lines: Vec<&str> = finished.stderr.lines().collect();
    let said = lines[lines.len().saturating_sub(LINES)..].join("\n");
    match written(&finished.stderr) {
        Some(input) => format!(
            "{said}\n{target}: an input fails: {input}\nto see it again: {} {input}",
            program.display()
        ),
        None => format!("{said}\n{target}: failed ({}), see {}", finished.status, findings.display()),
    }
}

/// Where libFuzzer says that it put the input.
fn written(output: &str) -> Option<&str> {
    output.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path.trim())
}

/// A number of the final statistics.
fn statistic(output: &str, name: &str) -> Option<u64> {
    let number =
        output.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'));
    number?.trim().parse().ok()
}

/// The edges that the last line of progress tells of.
fn edges(output: &str) -> Option<u64> {
    let line = output.lines().rev().find(|line| line.contains(" cov: "))?;
    line.split_once(" cov: ")?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDED: &str = "\
#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 40Mb
#4096\tpulse  cov: 348 ft: 443 corp: 110/13Kb lim: 43 exec/s: 1365 rss: 50Mb
Done 8192 runs in 6 second(s)
stat::number_of_executed_units: 8192
stat::average_exec_per_sec:     1365
";

    #[test]
    fn what_a_run_did_is_read_from_its_output() {
        assert_eq!(statistic(ENDED, "number_of_executed_units"), Some(8192));
        assert_eq!(statistic(ENDED, "average_exec_per_sec"), Some(1365));
        assert_eq!(statistic(ENDED, "slowest_unit"), None);
        assert_eq!(edges(ENDED), Some(348));
        assert_eq!(edges("Done 0 runs"), None);
        assert_eq!(written(ENDED), None);
    }

    #[test]
    fn the_input_that_fails_is_named() {
        let output = "boom\nartifact_prefix='/x/'; Test unit written to /x/crash-0123\nBase64: AA==\n";
        assert_eq!(written(output), Some("/x/crash-0123"));
    }

    #[test]
    fn every_target_is_known_here() {
        let folder = cargo::root().join("driver/fuzz/fuzz_targets");
        let mut there: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        there.sort_unstable();
        assert_eq!(there, TARGETS);
    }
}
