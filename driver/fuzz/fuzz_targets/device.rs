//! Programs, senders and faults, made of any bytes, against a whole driver over the user-mode kernel.
//!
//! An input that fails is shown step by step with `RUST_LIBFUZZER_DEBUG_PATH=FILE device INPUT`, which writes it to FILE.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/driver/host/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod host;
#[path = "../../tests/driver/program.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod program;
#[path = "../../tests/driver/rig.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod rig;
#[path = "../../tests/driver/script/mod.rs"]
mod script;

fuzz_target!(|script: script::Script| script.play());
