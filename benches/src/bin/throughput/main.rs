//! `throughput`: what receiving a datagram costs, Skua beside everything a user would pick instead.
//!
//! 1. `run` takes every receiver through every case (path, size, rate), in interleaved rounds, and prints a table;
//!    `--json FILE` keeps what was measured.
//! 2. `latency` measures how long a datagram takes from the time it was due to be sent until its reader has it.
//! 3. `show`, `compare` and `plot` read what was kept.
//! 4. `list` says which receivers there are, and which of them this machine lacks.
//!
//! Each receiver is a process of its own on a core of its own, and so is the sender. Skua's own are this program, started
//! anew as `receive` and `send`; `skua` and foreign programs are started as their users would. What a receiver costs is its
//! process's processor time, asked of the kernel from outside in the same way for all of them.
//!
//! How each figure is obtained and what it leaves out is said in `benches/README.md`.

#![cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "much of it is for measuring, which takes Linux")
)]

mod case;
mod cli;
mod compare;
#[cfg(target_os = "linux")]
mod linux;
mod machine;
mod plot;
mod report;
mod statistics;
mod table;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("throughput: {error:#}");
            ExitCode::FAILURE
        }
    }
}
