//! The totals of a run.

use std::fmt;
use std::net::SocketAddr;

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};
use skua_engine::DropReason;

use crate::cli::Size;
use crate::snapshot::Snapshot;

/// Everything a run counted, as one JSON object or as text.
pub(crate) struct Summary<'a> {
    /// The counts, taken when everything was at rest.
    pub(crate) totals: &'a Snapshot,
}

impl Serialize for Summary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let totals = self.totals;
        let optional = [totals.verdict.is_some(), !totals.lost_by.is_empty()];
        let fields = 13 + optional.into_iter().map(usize::from).sum::<usize>();
        let mut object = serializer.serialize_struct("Summary", fields)?;
        object.serialize_field("seconds", &totals.at.as_secs_f64())?;
        object.serialize_field("sockets", &Sockets(&totals.sockets))?;
        object.serialize_field("workers", &totals.workers)?;
        object.serialize_field("ring", &totals.rings.first().map_or(0, |ring| ring.capacity))?;
        object.serialize_field("indicated", &totals.indicated)?;
        object.serialize_field("delivered", &totals.delivered)?;
        object.serialize_field("published", &totals.published)?;
        object.serialize_field("written", &totals.written)?;
        object.serialize_field("bytes", &totals.bytes)?;
        object.serialize_field("retained", &totals.retained)?;
        object.serialize_field("drops", &Drops(totals))?;
        object.serialize_field("lost_below", &totals.lost_below)?;
        if !totals.lost_by.is_empty() {
            object.serialize_field("lost_by", &Reasons(&totals.lost_by))?;
        }
        object.serialize_field("sources", &totals.sources)?;
        if let Some(verdict) = &totals.verdict {
            object.serialize_field("verify", verdict)?;
        }
        object.end()
    }
}

struct Sockets<'a>(&'a [SocketAddr]);

impl Serialize for Sockets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Socket {
            local: SocketAddr,
        }
        serializer.collect_seq(self.0.iter().map(|&local| Socket { local }))
    }
}

/// Counts by reason.
struct Reasons<'a>(&'a [(&'static str, u64)]);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// What was dropped, each reason always there.
pub(crate) struct Drops<'a>(pub(crate) &'a Snapshot);

impl Serialize for Drops<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(DropReason::COUNT))?;
        for (reason, count) in self.0.by_reason() {
            object.serialize_entry(reason.key(), &count)?;
        }
        object.end()
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = self.totals;
        write!(
            f,
            "{:.1} s: indicated {}, delivered {}, published {}, written {}, {} bytes, {} sources",
            totals.at.as_secs_f64(),
            totals.indicated,
            totals.delivered,
            totals.published,
            totals.written,
            totals.bytes,
            totals.sources,
        )?;
        write!(f, "; {}; lost below us {}", DropLine(totals), LostBelow(totals.lost_below))?;
        let mut separator = " (";
        for (reason, count) in totals.lost_by.iter().filter(|(_, count)| *count > 0) {
            write!(f, "{separator}{reason} {count}")?;
            separator = ", ";
        }
        if separator == ", " {
            f.write_str(")")?;
        }
        if let Some(ring) = totals.rings.first() {
            let capacity = Size(usize::try_from(ring.capacity).unwrap_or(usize::MAX));
            write!(f, "; {} worker(s), ring {capacity} each", totals.workers)?;
        }
        if let Some(verdict) = &totals.verdict {
            write!(f, "\nverify: {verdict}")?;
        }
        Ok(())
    }
}

/// What was dropped and why, reasons with a count of 0 left out.
pub(crate) struct DropLine<'a>(pub(crate) &'a Snapshot);

impl fmt::Display for DropLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dropped {}", self.0.dropped())?;
        let mut separator = " (";
        for (reason, count) in self.0.by_reason().filter(|(_, count)| *count > 0) {
            write!(f, "{separator}{} {count}", reason.key())?;
            separator = ", ";
        }
        if separator == ", " { f.write_str(")") } else { Ok(()) }
    }
}

/// What the stack below dropped, if the host can tell.
pub(crate) struct LostBelow(pub(crate) Option<u64>);

impl fmt::Display for LostBelow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => write!(f, "{count}"),
            None => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sink::verify::Verdict;
    use crate::snapshot::RingFill;

    fn totals() -> Snapshot {
        let mut totals = Snapshot {
            at: Duration::from_millis(2500),
            sockets: vec!["127.0.0.1:9125".parse().unwrap(), "[::1]:9125".parse().unwrap()],
            workers: 1,
            indicated: 10,
            delivered: 8,
            published: 8,
            written: 8,
            bytes: 80,
            sources: 2,
            rings: vec![RingFill { capacity: 8 << 20, ..RingFill::default() }],
            ..Snapshot::default()
        };
        totals.drops[6] = 2;
        totals
    }

    #[test]
    fn the_object_has_every_key_in_order() {
        let text = serde_json::to_string(&Summary { totals: &totals() }).unwrap();
        assert_eq!(
            text,
            r#"{"seconds":2.5,"sockets":[{"local":"127.0.0.1:9125"},{"local":"[::1]:9125"}],"workers":1,"ring":8388608,"#
                .to_owned()
                + r#""indicated":10,"delivered":8,"published":8,"written":8,"bytes":80,"retained":0,"drops":{"closing":0,"#
                + r#""nested":0,"not_allowed":0,"rate_limited":0,"sampled":0,"no_slot":0,"ring_full":2,"retain_budget":0,"#
                + r#""map_failed":0,"malformed":0,"missing_info":0,"oversize":0,"handler":0},"lost_below":null,"sources":2}"#
        );
    }

    #[test]
    fn what_is_known_below_and_what_verify_found_are_there() {
        let totals = Snapshot { lost_below: Some(3), verdict: Some(Verdict::default()), ..totals() };
        let value = serde_json::to_value(Summary { totals: &totals }).unwrap();
        assert_eq!(value["lost_below"], 3);
        assert_eq!(value["verify"]["lost"], 0);
    }

    #[test]
    fn why_it_was_lost_below_is_there_where_it_is_known() {
        let lost_by = vec![("ring_full", 2), ("fragmented", 0), ("bad_checksum", 1)];
        let totals = Snapshot { lost_below: Some(3), lost_by, ..totals() };
        let summary = Summary { totals: &totals };
        assert!(summary.to_string().contains("lost below us 3 (ring_full 2, bad_checksum 1); "), "{summary}");
        let value = serde_json::to_value(summary).unwrap();
        assert_eq!(value["lost_by"]["ring_full"], 2);
        assert_eq!(value["lost_by"]["fragmented"], 0);
    }

    #[test]
    fn the_text_names_only_the_reasons_that_happened() {
        let text = Summary { totals: &totals() }.to_string();
        assert!(text.contains("dropped 2 (ring_full 2)"), "{text}");
        assert!(text.contains("ring 8M") && text.contains("lost below us unknown"), "{text}");
    }
}
