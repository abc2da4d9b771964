//! Any bytes, given to every parser of what crosses between driver and programs.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../protocol/tests/hostile/good.rs"]
mod good;
#[path = "../../protocol/tests/hostile/parsers.rs"]
mod parsers;

fuzz_target!(|bytes: &[u8]| parsers::ask_any(bytes));
