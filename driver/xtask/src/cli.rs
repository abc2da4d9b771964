//! The command line of `cargo xtask`.

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::{ci, e2e, loom, no_std};

/// What needs more than stable Rust: end-to-end runs, no_std proofs, loom models, CI.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run everything that must hold before a change is merged, and print the minutes each step took.
    Ci,
    /// Run the sink against senders that are not Skua and compare what both sides counted.
    E2e(E2eArguments),
    /// Run the loom models of skua-pools.
    Loom,
    /// Build each kernel crate by itself for targets without std.
    NoStd,
}

/// Which end-to-end cases to run.
#[derive(Args, Default)]
pub(crate) struct E2eArguments {
    /// Print the cases and what each proves, and run none.
    #[arg(long)]
    pub(crate) list: bool,
    /// Run the cases whose name contains one of these; all of them when there is none.
    pub(crate) filters: Vec<String>,
}

impl Arguments {
    /// Runs the chosen task to its end.
    pub(crate) fn run(self) -> Result<()> {
        match self.task {
            Task::Ci => ci::run(),
            Task::E2e(arguments) => e2e::run(&arguments),
            Task::Loom => loom::run(),
            Task::NoStd => no_std::run(),
        }
    }
}
