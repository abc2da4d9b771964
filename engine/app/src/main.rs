//! `skua`: a UDP telemetry sink that accounts for every datagram, and the tools around it.
//!
//! | command | what it does |
//! |---|---|
//! | `skua sink` | receives datagrams through the engine and writes them where it is told |
//! | `skua send` | sends numbered datagrams at a steady rate, for `sink --verify` to recognise |
//! | `skua plan` | computes settings from a load, and the memory they take |
//! | `skua capture` | reads a sink that runs in the driver |
//! | `skua stats`, `top`, `change`, `stop` | show and change the sinks that run in the driver |
//! | `skua selftest` | checks that a WSK provider keeps the documented rules |
//! | `skua driver` | installs, starts, stops and removes the driver |
//!
//! Mistakes are one line on standard error: what, where, and what to do. The exit status is 0, 1 for an error, or 2 for
//! a command line that was not understood.

mod cli;
mod driver;
mod numbered;
mod plan;
#[cfg(all(test, target_os = "linux"))]
mod rigged;
mod self_test;
mod send;
mod shared;
mod signals;
mod sink;
mod snapshot;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use cli::{Cli, Command};
#[cfg(all(test, target_os = "linux"))]
use rigged::{host, program, rig};

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(status) => return ExitCode::from(status),
    };
    match &cli.command {
        Command::Sink(args) => finish(sink::run(args)),
        Command::Send(args) => finish(send::run(args)),
        Command::Plan(args) => finish(plan::run(args)),
        Command::Capture(args) => finish(sink::capture(args)),
        Command::Stats(args) => finish(driver::stats::run(args)),
        Command::Top(args) => finish(driver::top::run(args)),
        Command::Change(args) => finish(driver::change(args)),
        Command::Stop(args) => finish(driver::stop(args)),
        Command::Selftest(args) => finish(self_test::run(args)),
        Command::Driver(args) => finish(driver::manage(&args.command)),
    }
}

/// Prints a line on standard output. Whoever closed it does not want it.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn finish<E: Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("skua: {error}");
            ExitCode::FAILURE
        }
    }
}
