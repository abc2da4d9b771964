//! What checks inside the kernel found.

use bytemuck::{Pod, Zeroable};

/// Bytes of a check's name, zero-padded.
pub const CHECK_NAME_BYTES: usize = 128;
/// Bytes of the name of a group of checks, zero-padded.
pub const CHECK_GROUP_BYTES: usize = 32;
/// Bytes of what a check expects, and of what was seen, zero-padded.
pub const CHECK_VALUE_BYTES: usize = 96;

/// What is before the results.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SelfTestReport {
    /// [`SelfTestResult`]s that follow.
    pub count: u32,
    /// How many of the checks failed.
    pub failed: u32,
}

/// One check: what its rule says, and what was seen. All text is UTF-8; what is too long is cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SelfTestResult {
    /// The rule.
    pub name: [u8; CHECK_NAME_BYTES],
    /// What it is about.
    pub group: [u8; CHECK_GROUP_BYTES],
    /// What should be.
    pub expected: [u8; CHECK_VALUE_BYTES],
    /// What was; why, where the rule is not applicable.
    pub seen: [u8; CHECK_VALUE_BYTES],
    /// A [`SelfTestOutcome`].
    pub outcome: u32,
    /// 0.
    pub reserved: u32,
}

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum SelfTestOutcome {
    /// The rule is kept.
    Kept = 0,
    /// It is not.
    Broken = 1,
    /// It cannot be looked at here.
    NotApplicable = 2,
    /// Something did not end in time.
    Hung = 3,
}

impl SelfTestResult {
    /// A result of empty texts.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn new(outcome: SelfTestOutcome) -> Self {
        Self { outcome: outcome as u32, ..Self::zeroed() }
    }

    /// How the check ended; `None` for a number that says nothing.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn outcome(&self) -> Option<SelfTestOutcome> {
        Some(match self.outcome {
            0 => SelfTestOutcome::Kept,
            1 => SelfTestOutcome::Broken,
            2 => SelfTestOutcome::NotApplicable,
            3 => SelfTestOutcome::Hung,
            _ => return None,
        })
    }
}

impl SelfTestOutcome {
    /// Whether the check failed.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Broken | Self::Hung)
    }
}
