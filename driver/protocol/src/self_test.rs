//! What checks inside the kernel found.

use bytemuck::{Pod, Zeroable};

/// Bytes of a check's name, zero-padded.
pub const CHECK_NAME_BYTES: usize = 64;

/// What is before the results.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SelfTestReport {
    /// [`SelfTestResult`]s that follow.
    pub count: u32,
    /// How many of the checks failed.
    pub failed: u32,
}

/// One check: what its rule says, and what was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SelfTestResult {
    /// The rule, in UTF-8.
    pub name: [u8; CHECK_NAME_BYTES],
    /// What should be.
    pub expected: u64,
    /// What was; the check passed if it is the same.
    pub seen: u64,
}
