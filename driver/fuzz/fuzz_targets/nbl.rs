//! Network buffer lists made of any bytes, received by an engine and sent through it.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../engine/hosted/tests/engine/hostile.rs"]
#[expect(dead_code, reason = "the tests begin with the seeds")]
mod hostile;
#[path = "../../../engine/hosted/tests/engine/packets.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod packets;

fuzz_target!(|bytes: &[u8]| hostile::receive_and_send_any(bytes));
