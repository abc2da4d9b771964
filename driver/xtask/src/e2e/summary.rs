//! The object that `--summary json` ends standard output with, and the sums that must hold in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// Every reason for which the sink drops a datagram. The summary has them all, zero or not.
const REASONS: [&str; 13] = [
    "closing",
    "nested",
    "not_allowed",
    "rate_limited",
    "sampled",
    "no_slot",
    "ring_full",
    "retain_budget",
    "map_failed",
    "malformed",
    "missing_info",
    "oversize",
    "handler",
];

/// The summary, as its documentation describes it. Counts are datagrams unless they say otherwise.
#[derive(Deserialize, Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) seconds: f64,
    pub(crate) sockets: Vec<Socket>,
    pub(crate) workers: u32,
    pub(crate) indicated: u64,
    pub(crate) delivered: u64,
    pub(crate) published: u64,
    pub(crate) written: u64,
    /// Payload bytes of what was delivered.
    pub(crate) bytes: u64,
    pub(crate) retained: u64,
    pub(crate) drops: BTreeMap<String, u64>,
    pub(crate) lost_below: Option<u64>,
    /// Why, where the sink can tell.
    #[serde(default)]
    pub(crate) lost_by: BTreeMap<String, u64>,
    pub(crate) sources: u64,
}

/// A socket of the summary.
#[derive(Deserialize, Debug, Clone)]
pub(crate) struct Socket {
    pub(crate) local: SocketAddr,
}

impl Summary {
    /// Takes the summary off the end of standard output, and fails where it does not add up.
    pub(crate) fn read(stdout: &str) -> Result<Self> {
        let line = stdout.lines().next_back().context("nothing on standard output")?;
        let summary: Self = serde_json::from_str(line).with_context(|| format!("no summary: {line:.300}"))?;
        let mut expected = REASONS.to_vec();
        expected.sort_unstable();
        let found: Vec<&str> = summary.drops.keys().map(String::as_str).collect();
        ensure!(found == expected, "the summary's drops are {found:?}");
        let accounted = summary.delivered + summary.retained + summary.dropped();
        ensure!(
            summary.indicated == accounted,
            "indicated {} is not delivered + retained + drops = {accounted}: {summary:?}",
            summary.indicated
        );
        ensure!(summary.retained == 0, "{} datagrams retained after the end", summary.retained);
        Ok(summary)
    }

    /// The sum of all drops.
    pub(crate) fn dropped(&self) -> u64 {
        self.drops.values().sum()
    }

    /// The drops for one reason.
    pub(crate) fn drops(&self, reason: &str) -> u64 {
        self.drops.get(reason).copied().unwrap_or_default()
    }

    /// Fails unless all of `sent` were indicated, delivered, published and written, and nothing was lost anywhere.
    pub(crate) fn lossless(&self, sent: usize) -> Result<()> {
        self.complete(sent)?;
        ensure!(self.lost_below == Some(0), "the stack lost some: {self:?}");
        Ok(())
    }

    /// Fails unless all of `sent` were indicated, delivered, published and written.
    pub(crate) fn complete(&self, sent: usize) -> Result<()> {
        let sent = u64::try_from(sent)?;
        for (name, count) in [
            ("indicated", self.indicated),
            ("delivered", self.delivered),
            ("published", self.published),
            ("written", self.written),
        ] {
            ensure!(count == sent, "{sent} sent, {count} {name}: {self:?}");
        }
        Ok(())
    }

    /// Fails unless every one of `sent` is accounted for: indicated, or counted by the stack as lost before.
    pub(crate) fn accounts_for(&self, sent: usize) -> Result<()> {
        let sent = u64::try_from(sent)?;
        let below = self.lost_below.context("on Linux the stack's losses are known")?;
        ensure!(
            self.indicated + below == sent,
            "{sent} sent, {} indicated + {below} lost below = {}: {self:?}",
            self.indicated,
            self.indicated + below
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object() -> Value {
        let drops: serde_json::Map<String, Value> =
            REASONS.iter().map(|reason| ((*reason).to_owned(), json!(0))).collect();
        json!({
            "seconds": 1.0, "sockets": [{"local": "127.0.0.1:9"}], "workers": 1, "indicated": 10, "delivered": 10,
            "published": 10, "written": 10, "bytes": 100, "retained": 0, "drops": drops, "lost_below": 0, "sources": 1,
        })
    }

    #[test]
    fn a_summary_has_to_add_up() {
        let summary = Summary::read(&format!("{{}}\n{}\n", object())).unwrap();
        summary.lossless(10).unwrap();
        summary.lossless(11).unwrap_err();
        summary.accounts_for(9).unwrap_err();
        for (key, value) in [("indicated", json!(11)), ("delivered", json!(9)), ("retained", json!(1))] {
            let mut wrong = object();
            wrong[key] = value;
            Summary::read(&wrong.to_string()).unwrap_err();
        }
    }

    #[test]
    fn a_summary_has_every_reason_and_no_other() {
        let mut wrong = object();
        wrong["drops"]["bored"] = json!(0);
        Summary::read(&wrong.to_string()).unwrap_err();
        let mut wrong = object();
        wrong["drops"].as_object_mut().unwrap().remove("nested");
        Summary::read(&wrong.to_string()).unwrap_err();
    }

    #[test]
    fn what_was_lost_below_is_told_apart() {
        let mut overloaded = object();
        overloaded["lost_below"] = json!(5);
        let summary = Summary::read(&overloaded.to_string()).unwrap();
        summary.accounts_for(15).unwrap();
        summary.lossless(10).unwrap_err();
        overloaded["lost_below"] = Value::Null;
        Summary::read(&overloaded.to_string()).unwrap().accounts_for(10).unwrap_err();
    }
}
