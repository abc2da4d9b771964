//! One rule, and how it was found.

use serde::Serialize;
use skua_protocol::{SelfTestOutcome, SelfTestResult};

/// A row of the table.
#[derive(Serialize, Debug)]
pub(crate) struct Row {
    pub(crate) rule: String,
    /// What the rule is about.
    pub(crate) group: String,
    pub(crate) outcome: Outcome,
    pub(crate) expected: String,
    /// What was; why, where the rule is not applicable.
    pub(crate) seen: String,
}

/// How a rule was found.
#[derive(Clone, Copy, Serialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Kept,
    Broken,
    NotApplicable,
    Hung,
}

impl Outcome {
    pub(crate) const fn is_failure(self) -> bool {
        matches!(self, Self::Broken | Self::Hung)
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Kept => "ok",
            Self::Broken => "BROKEN",
            Self::NotApplicable => "n/a",
            Self::Hung => "HUNG",
        }
    }
}

impl From<SelfTestOutcome> for Outcome {
    fn from(outcome: SelfTestOutcome) -> Self {
        match outcome {
            SelfTestOutcome::Kept => Self::Kept,
            SelfTestOutcome::Broken => Self::Broken,
            SelfTestOutcome::NotApplicable => Self::NotApplicable,
            SelfTestOutcome::Hung => Self::Hung,
        }
    }
}

impl From<&skua_conformance::Outcome> for Outcome {
    fn from(outcome: &skua_conformance::Outcome) -> Self {
        match outcome {
            skua_conformance::Outcome::Kept(_) => Self::Kept,
            skua_conformance::Outcome::Broken { .. } => Self::Broken,
            skua_conformance::Outcome::NotApplicable { .. } => Self::NotApplicable,
            skua_conformance::Outcome::Hung { .. } => Self::Hung,
        }
    }
}

impl Row {
    /// What the driver says of a rule. An outcome that it does not know is no good one.
    pub(crate) fn of(result: &SelfTestResult) -> Self {
        Self {
            rule: text(&result.name),
            group: text(&result.group),
            outcome: result.outcome().map_or(Outcome::Broken, Outcome::from),
            expected: text(&result.expected),
            seen: text(&result.seen),
        }
    }
}

/// Zero-padded text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}
