//! End to end: datagrams from senders that are not Skua, through the sink, to files that other programs read back.
//!
//! 1. The release binary is built, and every external program looked up.
//! 2. Each case ([`case::Case`]) gets a folder of its own and runs the sink as a user would, as a child ([`sink::Sink`]).
//! 3. Senders ([`sender`]) are util-linux `logger`, ncat, and a Python program that writes down every datagram it hands
//!    to its socket.
//! 4. What they sent, what the sink's summary counts ([`summary::Summary`]), and what tshark ([`capture`]) and a JSON
//!    parser ([`ndjson`]) find in the sink's files are compared datagram by datagram ([`datagram`]).
//! 5. Cases of TCP run an example of `skua-hosted`, a client of WSK, against ncat, curl and a Python program ([`stream`]).
//! 6. Children, folders and namespaces ([`namespace`]) go when their owners do, on success, failure and Ctrl-C.

mod capture;
mod case;
mod cases;
mod datagram;
mod metrics;
mod namespace;
mod ndjson;
mod pipe;
mod sender;
pub(crate) mod sink;
mod stream;
pub(crate) mod summary;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::cli::E2eArguments;
use crate::{cargo, interrupt, process, tool};
use case::{Case, Room};

/// Longest that building the release binary may take.
const BUILD: Duration = Duration::from_secs(10 * 60);

/// Runs the cases that the arguments choose; all of them, also after one failed.
pub(crate) fn run(arguments: &E2eArguments) -> Result<()> {
    let chosen: Vec<&Case> = cases::all().filter(|case| case.matches(&arguments.filters)).collect();
    ensure!(!chosen.is_empty(), "no case has a name with {}", arguments.filters.join(" or "));
    if arguments.list {
        for case in &chosen {
            println!("{:24} {}", case.name, case.proves);
        }
        return Ok(());
    }
    ensure!(
        cfg!(target_os = "linux"),
        "the end-to-end cases need Linux: they use its namespaces and signals"
    );
    ensure!(
        rustix::process::geteuid().is_root(),
        "the end-to-end cases need root, for namespaces and mounts"
    );
    tool::require(&[
        tool::TSHARK,
        tool::CAPINFOS,
        tool::NCAT,
        tool::LOGGER,
        tool::PYTHON,
        tool::IP,
        tool::UNSHARE,
        tool::NSENTER,
        tool::SETPRIV,
        tool::MOUNT,
        tool::SCRIPT,
        tool::CURL,
        tool::SHA256SUM,
    ])?;
    let skua = build()?;
    // As `cargo test` has built it already.
    let tcp = build_at(&["--package", "skua-hosted", "--example", "tcp"], "debug/examples/tcp")?;
    let ring = build_at(&["--package", "skua-hosted", "--example", "ring"], "debug/examples/ring")?;

    let mut failed = Vec::new();
    for case in chosen {
        interrupt::check()?;
        let start = Instant::now();
        let outcome = Room::new(skua.clone(), tcp.clone(), ring.clone()).and_then(|room| (case.run)(&room));
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("{:24} ok      {seconds:5.1} s  {}", case.name, case.proves),
            Err(error) => {
                println!("{:24} FAILED  {seconds:5.1} s  {}\n{error:#}", case.name, case.proves);
                failed.push(case.name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("end-to-end cases failed: {}", failed.join(", "));
}

/// The release binary, built.
pub(crate) fn build() -> Result<PathBuf> {
    build_at(&["--release", "--package", "skua-app"], "release/skua")
}

/// Builds what `arguments` say, and returns the path of what is at `place` in the target directory then.
fn build_at(arguments: &[&str], place: &str) -> Result<PathBuf> {
    let mut command = cargo::command();
    process::run_shown(command.arg("build").args(arguments), BUILD)?;
    let built = cargo::target_directory().join(place);
    built.canonicalize().with_context(|| format!("cargo built no {}", built.display()))
}
