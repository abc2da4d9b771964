//! The driver's logic in this process, as the driver's own tests have it.

#![expect(dead_code, reason = "the driver's own tests use the rest")]

#[path = "../../../driver/tests/driver/host/mod.rs"]
pub(crate) mod host;
#[path = "../../../driver/tests/driver/program.rs"]
pub(crate) mod program;
#[path = "../../../driver/tests/driver/rig.rs"]
pub(crate) mod rig;
