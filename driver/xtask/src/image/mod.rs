//! The images for Windows: built on this machine ([`build`]), then checked byte by byte ([`check`]).
//!
//! 1. `cargo xtask build-sys` makes skua.sys for MSVC's target and skua.exe for MinGW's, and puts both into one folder.
//!    `cargo xtask build-capi` makes the libraries for drivers in C ([`library`]).
//! 2. `cargo xtask check-image` compares what an image imports with a list in this tree ([`imports`]), and checks what
//!    Windows asks of a driver before it loads one ([`pe`]).

pub(crate) mod build;
pub(crate) mod check;
mod imports;
pub(crate) mod library;
pub(crate) mod pe;
#[cfg(test)]
pub(crate) mod sample;

use std::path::PathBuf;

use crate::cargo;

/// Where the images and what belongs to them are put.
pub(crate) fn folder() -> PathBuf {
    cargo::target_directory().join("driver")
}
