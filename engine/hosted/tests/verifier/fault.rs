//! Faults that are none of the verifier's end the process as they do without it.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use skua_engine::abi::status::STATUS_SUCCESS;
use skua_hosted::{HostConfig, HostKernel};

use crate::client::Client;
use crate::socket::Socket;

/// The signal, on Linux.
const SIGSEGV: i32 = 11;
/// What the child finds in its environment.
const FAULT: &str = "SKUA_VERIFIER_FAULT";

#[test]
fn fault_of_a_program() {
    if std::env::var(FAULT).is_err() {
        return;
    }
    let kernel = HostKernel::new(HostConfig::loopback(1).recorded());
    let client = Client::new(&kernel);
    // Lends something, for which the handler is installed.
    Socket::open(&client, |_| STATUS_SUCCESS).receive_one();
    let nowhere = std::hint::black_box(std::ptr::without_provenance::<u8>(8));
    // SAFETY: a fault, which is what is tested, in a process of its own.
    let _ = unsafe { nowhere.read_volatile() };
}

#[test]
fn a_fault_elsewhere_ends_the_process_by_the_signal() {
    let program = std::env::current_exe().expect("the path of this program");
    let mut child = Command::new(program);
    child.args(["--exact", "fault::fault_of_a_program", "--nocapture"]).env(FAULT, "1");
    let output = child.output().expect("a process");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGSEGV), "{said}");
    assert!(!said.contains("verifier:"), "{said}");
}
