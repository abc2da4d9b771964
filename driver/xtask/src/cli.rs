//! The command line of `cargo xtask`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::{
    benches, c, c_header, ci, code, e2e, fuzz, image, instructions, loom, no_std, perf_scripts, wdk, wine,
};

/// What needs more than stable Rust: images for Windows, runs under Wine, end-to-end runs, no_std proofs, loom models,
/// CI.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every bench and the throughput tool just long enough to see that they run.
    BenchSmoke,
    /// Build the engine's libraries for drivers in C, libskua_kernel.a and skua_kernel.lib, on this machine.
    BuildCapi,
    /// Build skua.sys, the example's forward.sys, and skua.exe for Windows, on this machine.
    BuildSys(BuildArguments),
    /// Build the C libraries, and compile and run their tests with gcc and clang.
    C(CArguments),
    /// Write skua.h, the header of the engine for drivers in C, from the crate that has its functions.
    CHeader(HeaderArguments),
    /// Compare what the images import with the lists in this tree, and check what Windows asks of a driver's image.
    CheckImage(ImageArguments),
    /// Find every panic left in the drivers; fail for one that is reached at DISPATCH_LEVEL or that no list allows.
    CheckPanics,
    /// Find the deepest stack below what the drivers have called at DISPATCH_LEVEL; fail where it is too deep.
    CheckStack,
    /// Type-check the driver's `wdk` feature against bindings made from mingw-w64's headers.
    CheckWdk,
    /// Run everything that must hold before a change is merged, and print the minutes each step took.
    Ci,
    /// Run the sink against senders that are not Skua and compare what both sides counted.
    E2e(E2eArguments),
    /// Fuzz what takes bytes from elsewhere: requests, records, rings.
    Fuzz(FuzzArguments),
    /// Count the instructions of the engine's paths, by callgrind.
    Instructions,
    /// Run the loom models of skua-pools.
    Loom,
    /// Build each kernel crate by itself for targets without std.
    NoStd,
    /// Run the scripts of perf-scripts: those for Windows under Wine, those for Linux at a sink.
    PerfScripts,
    /// Run the models of skua-pools, and larger ones, under shuttle.
    Shuttle,
    /// Load skua.sys under Wine and put it through its checks.
    Wine(WineArguments),
}

/// How to build the images.
#[derive(Args, Default)]
pub(crate) struct BuildArguments {
    /// Features of skua (its image) to build skua.sys with.
    #[arg(long, value_delimiter = ',')]
    pub(crate) features: Vec<String>,
}

/// Which programs in C to run.
#[derive(Args, Default)]
pub(crate) struct CArguments {
    /// Run the programs whose name contains one of these; all of them when there is none.
    pub(crate) filters: Vec<String>,
}

/// What to do with the header.
#[derive(Args, Default)]
pub(crate) struct HeaderArguments {
    /// Write nothing; fail where the header is not what would be written.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Which images to check.
#[derive(Args, Default)]
pub(crate) struct ImageArguments {
    /// Images to check; what build-sys made when there is none. The file's name chooses the list.
    pub(crate) paths: Vec<PathBuf>,
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

/// What to fuzz, and for how long.
#[derive(Args)]
pub(crate) struct FuzzArguments {
    /// Seconds for each target; all of them run at the same time.
    #[arg(long, default_value_t = fuzz::SECONDS, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// Targets to fuzz; all of them when there is none.
    #[arg(value_parser = fuzz::TARGETS)]
    pub(crate) targets: Vec<String>,
}

/// What to do under Wine.
#[derive(Args, Default)]
pub(crate) struct WineArguments {
    /// Print the checks and what each proves, and run none.
    #[arg(long)]
    pub(crate) list: bool,
    /// Run the images that are there, and build none.
    #[arg(long, conflicts_with_all = ["list", "remove"])]
    pub(crate) as_built: bool,
    /// Load skua.sys and leave it running, to be used by hand; prints how.
    #[arg(long, conflicts_with_all = ["list", "filters"])]
    pub(crate) keep: bool,
    /// With --keep: another driver to load beside skua.sys. Its imports from ntoskrnl.exe and netio.sys are answered by
    /// what answers those of skua.sys.
    #[arg(long, value_name = "FILE.sys", requires = "keep")]
    pub(crate) load: Vec<PathBuf>,
    /// End what --keep left running, and remove it.
    #[arg(long, conflicts_with_all = ["list", "filters", "keep"])]
    pub(crate) remove: bool,
    /// Run the checks whose name contains one of these; all of them when there is none.
    pub(crate) filters: Vec<String>,
}

impl Arguments {
    /// Runs the chosen task to its end.
    pub(crate) fn run(self) -> Result<()> {
        match self.task {
            Task::BenchSmoke => benches::run(),
            Task::BuildCapi => image::library::run(),
            Task::BuildSys(arguments) => image::build::run(&arguments),
            Task::C(arguments) => c::run(&arguments),
            Task::CHeader(arguments) => c_header::run(&arguments),
            Task::CheckImage(arguments) => image::check::run(&arguments),
            Task::CheckPanics => code::panics::run(),
            Task::CheckStack => code::stack::run(),
            Task::CheckWdk => wdk::run(),
            Task::Ci => ci::run(),
            Task::E2e(arguments) => e2e::run(&arguments),
            Task::Fuzz(arguments) => fuzz::run(&arguments),
            Task::Instructions => instructions::run(),
            Task::Loom => loom::run(),
            Task::NoStd => no_std::run(),
            Task::PerfScripts => perf_scripts::run(),
            Task::Shuttle => loom::run_shuttle(),
            Task::Wine(arguments) => wine::run(&arguments),
        }
    }
}
