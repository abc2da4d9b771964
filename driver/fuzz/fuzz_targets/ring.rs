//! Rings made of any bytes, read by everything that reads rings.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../engine/record/tests/reading/mod.rs"]
mod reading;
#[path = "../../../engine/record/tests/region/mod.rs"]
mod region;

fuzz_target!(|bytes: &[u8]| reading::read_any(bytes));
