//! `cargo xtask`: whatever needs more than stable Rust and an unprivileged user.
//!
//! `cargo build`, `cargo run` and `cargo test` never come here. What needs an external program, a privilege, another
//! target or another set of compiler flags does, one subcommand each, so that a machine in CI and a person at a desk run
//! the same thing:
//!
//! | subcommand | what it proves | what it needs |
//! |---|---|---|
//! | `bench-smoke` | the benches and the throughput tool run | network namespaces, iproute2 |
//! | `build-capi` | the engine's libraries for drivers in C can be built on Linux and linked | clang, lld, LLVM's ar, MinGW, and Rust's sources or rustup's Windows targets |
//! | `build-sys` | skua.sys and skua.exe can be built on Linux | lld, MinGW, and Rust's sources or rustup's Windows targets |
//! | `c` | C clients of WSK and of the engine compile with gcc, clang and MinGW, and run over the C libraries | gcc, g++, clang, MinGW |
//! | `c-header` | skua.h says what the crate behind it does | nothing more |
//! | `check-image` | the images import what their lists say, and are what Windows loads as drivers | what `build-sys` made |
//! | `check-stack` | the drivers stay within their stack at DISPATCH_LEVEL, and nothing there is recursive | what `build-sys` and `build-capi` made |
//! | `check-panics` | no panic is reached at DISPATCH_LEVEL, and every other one is listed | the same |
//! | `check-wdk` | the driver's `wdk` feature type-checks | libclang, the headers of mingw-w64 |
//! | `ci` | everything here, and formatting, lints, docs, tests | all of it |
//! | `e2e` | the sink accounts for every datagram that senders other than Skua send | Linux, root, tshark, ncat, Python |
//! | `fuzz` | foreign bytes harm neither the driver nor a reader of its rings | a C++ compiler |
//! | `loom` | the lock-free algorithms hold under every interleaving within the bounds stated beside each model | nothing more |
//! | `no-std` | the kernel crates build, one by one, where there is no std | two bare-metal targets, or Rust's sources |
//! | `perf-scripts` | the scripts that measure Skua measure it | Wine, perf, curl |
//! | `shuttle` | the same in thousands of random interleavings, with more threads and steps | nothing more |
//! | `wine` | skua.sys holds what it promises when it is run, and a crash of it is noticed | Wine, tshark, what `build-sys` needs |
//!
//! A program that is missing is a failure, never a skip: it names the program and the command that installs it.

mod benches;
mod c;
mod c_engine;
mod c_header;
mod cargo;
mod ci;
mod cli;
mod code;
mod e2e;
mod fuzz;
mod image;
mod instructions;
mod interrupt;
mod loom;
mod no_std;
mod perf_scripts;
mod process;
mod steps;
mod tool;
mod toolchain;
mod wdk;
mod wine;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match interrupt::install().and_then(|()| arguments.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
