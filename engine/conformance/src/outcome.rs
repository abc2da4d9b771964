//! How a check ends.

use core::fmt;

use crate::value::Value;

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider keeps the rule.
    Kept(Pair),
    /// It does not.
    Broken {
        /// Which step of the check; empty where there is one only.
        step: &'static str,
        /// What the rule says, and what was.
        pair: Pair,
    },
    /// The rule cannot be looked at here.
    NotApplicable {
        /// What is missing.
        why: &'static str,
    },
    /// Something did not end in time. What it uses is left allocated, for it may still end.
    Hung {
        /// What was waited for.
        step: &'static str,
    },
}

/// What a rule says, and what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What should be.
    pub expected: Value,
    /// What was.
    pub seen: Value,
}

/// What the body of a check returns: the last comparison, or what ended it before.
pub(crate) type Verdict = Result<Pair, Outcome>;

impl Outcome {
    /// Whether the provider broke the rule, or hung.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Hung { .. })
    }

    /// One word for a table.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Kept(_) => "ok",
            Self::Broken { .. } => "BROKEN",
            Self::NotApplicable { .. } => "n/a",
            Self::Hung { .. } => "HUNG",
        }
    }

    /// The column `expected` of a table.
    #[must_use]
    pub fn expected(&self) -> impl fmt::Display {
        Column { outcome: *self, seen: false }
    }

    /// The column `seen` of a table; why, where a rule is not applicable.
    #[must_use]
    pub fn seen(&self) -> impl fmt::Display {
        Column { outcome: *self, seen: true }
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        verdict.map_or_else(|outcome| outcome, Self::Kept)
    }
}

/// One column of the table.
struct Column {
    outcome: Outcome,
    seen: bool,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.outcome, self.seen) {
            (Outcome::Kept(pair), false) => pair.expected.fmt(f),
            (Outcome::Kept(pair), true) => pair.seen.fmt(f),
            (Outcome::Broken { step: "", pair }, false) => pair.expected.fmt(f),
            (Outcome::Broken { step, pair }, false) => write!(f, "{step}: {}", pair.expected),
            (Outcome::Broken { pair, .. }, true) => pair.seen.fmt(f),
            (Outcome::NotApplicable { .. }, false) => f.write_str("-"),
            (Outcome::NotApplicable { why }, true) => f.write_str(why),
            (Outcome::Hung { step }, false) => write!(f, "{step} in time"),
            (Outcome::Hung { .. }, true) => f.write_str("nothing"),
        }
    }
}

/// Compares; ends the check (by `?`) where `seen` is not what is `expected`.
///
/// # Errors
/// [`Outcome::Broken`].
pub(crate) fn expect(expected: impl Into<Value>, seen: impl Into<Value>) -> Verdict {
    expect_at("", expected, seen)
}

/// As [`expect`], for one of several steps of a check: `step` says which.
///
/// # Errors
/// [`Outcome::Broken`].
pub(crate) fn expect_at(step: &'static str, expected: impl Into<Value>, seen: impl Into<Value>) -> Verdict {
    let pair = Pair { expected: expected.into(), seen: seen.into() };
    if !pair.expected.admits(&pair.seen) {
        return Err(Outcome::Broken { step, pair });
    }
    // Ports differ from run to run, and tables of different runs are compared.
    if let Value::Address(_) = pair.seen {
        let same = Value::Words("the same address");
        return Ok(Pair { expected: same, seen: same });
    }
    Ok(pair)
}
