//! `hammer`: what a program that means the driver harm can do through `\\.\Skua` and the sections it maps.
//!
//! * `hammer requests` sends requests of every code with buffers that are short, long, misaligned, random, or right but
//!   for some bits, through handles of every access, and cancels what pends.
//! * `hammer cursors` becomes a sink's reader and writes nonsense into its cursors.
//!
//! Each ends with status 0 if the driver behaved, and says on standard output what it did. The same seed does the same.

#[cfg(any(windows, test))]
mod attempt;
#[cfg(windows)]
mod cursors;
#[cfg(windows)]
mod device;
#[cfg(windows)]
mod requests;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sends Skua's driver what it must survive.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Send hostile requests.
    Requests {
        /// How many.
        #[arg(long, default_value_t = 100_000)]
        tries: u64,
        /// Where the random numbers begin.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Become a sink's reader, and write nonsense into its cursors.
    Cursors {
        /// The sink's number.
        #[arg(long)]
        sink: u64,
        /// For how long, in seconds.
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        /// Where the random numbers begin.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    match run(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hammer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(windows)]
fn run(task: &Task) -> anyhow::Result<()> {
    match *task {
        Task::Requests { tries, seed } => requests::run(tries, seed),
        Task::Cursors { sink, seconds, seed } => {
            cursors::run(sink, std::time::Duration::from_secs(seconds), seed)
        }
    }
}

#[cfg(not(windows))]
fn run(task: &Task) -> anyhow::Result<()> {
    let name = match task {
        Task::Requests { .. } => "requests",
        Task::Cursors { .. } => "cursors",
    };
    anyhow::bail!("{name} needs Windows or Wine, where the driver is")
}
