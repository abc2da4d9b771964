//! One JSON object a datagram, a line each.
//!
//! ```text
//! {"time":"2026-03-01T12:00:00.123456789Z","source":"192.0.2.1:40000","destination":"192.0.2.2:9125","length":5,
//!  "payload":"aGVsbG8=","text":"hello"}
//! ```
//!
//! `time` is RFC 3339 with nanoseconds, UTC: a string, because a JSON number of nanoseconds loses its last digits in
//! readers that keep numbers as doubles. `length` is the datagram's, also where fewer bytes were captured; then
//! `truncated` is true. `text` is there when the captured bytes are UTF-8.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use base64::display::Base64Display;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use serde::{Serialize, Serializer};
use skua_record::Record;

use super::output::Output;
use super::unit_file::UnitFile;
use crate::snapshot::Snapshot;

/// Writes lines to a file, or to standard output.
#[derive(Debug)]
pub(crate) struct Ndjson {
    name: String,
    file: UnitFile,
}

impl Ndjson {
    /// Writes to `file`; messages call it `name`.
    pub(crate) fn new(name: String, file: UnitFile) -> Self {
        Self { name, file }
    }
}

impl Output for Ndjson {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn write(&mut self, record: &Record<'_>, time: u64, _lost: u64) -> io::Result<()> {
        let line = Line {
            time: Rfc3339(time),
            source: record.header().source(),
            destination: record.header().destination(),
            length: record.header().original,
            truncated: record.is_truncated(),
            payload: Base64Display::new(record.payload(), &STANDARD),
            text: std::str::from_utf8(record.payload()).ok(),
        };
        let unit = self.file.unit();
        serde_json::to_writer(&mut *unit, &line)?;
        unit.push(b'\n');
        self.file.end_datagram()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn finish(&mut self, _time: u64, _totals: &Snapshot) -> io::Result<()> {
        self.file.flush()
    }

    fn written(&self) -> u64 {
        self.file.written()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    time: Rfc3339,
    source: SocketAddr,
    destination: SocketAddr,
    length: u16,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(serialize_with = "as_display")]
    payload: Base64Display<'a, 'static, GeneralPurpose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

/// ns since 1970-01-01 UTC, written as a date.
struct Rfc3339(u64);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // In two parts: not every system's time has room for nanoseconds.
        let (seconds, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let date = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let date = date.to_string();
        serializer.collect_str(&format_args!("{}.{rest:09}Z", date.trim_end_matches('Z')))
    }
}

fn as_display<S: Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use base64::Engine;
    use skua_record::Family;

    use super::*;
    use crate::sink::specimen;

    fn lines(payloads: &[(&[u8], usize)]) -> Vec<serde_json::Value> {
        let mut file = tempfile::tempfile().unwrap();
        let mut output = Ndjson::new("-".into(), UnitFile::stream(file.try_clone().unwrap()));
        for (payload, original) in payloads {
            let frame = specimen::frame(specimen::header(0), Family::V4, payload, *original);
            output.write(&Record::parse(&frame).unwrap(), 1_772_366_400_123_456_789, 0).unwrap();
        }
        output.finish(0, &Snapshot::default()).unwrap();
        assert_eq!(output.written(), payloads.len() as u64);
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_says_all_of_a_datagram() {
        assert_eq!(
            lines(&[(b"hello", 5)])[0],
            serde_json::json!({
                "time": "2026-03-01T12:00:00.123456789Z",
                "source": "192.0.2.1:40000",
                "destination": "192.0.2.2:9125",
                "length": 5,
                "payload": "aGVsbG8=",
                "text": "hello",
            })
        );
    }

    #[test]
    fn bytes_that_are_no_text_come_as_base64_alone() {
        let binary: Vec<u8> = (0..=255).collect();
        let lines = lines(&[(&binary, 256), (b"", 0), (b"a\n\"\0", 4), (b"ab", 9)]);
        assert_eq!(STANDARD.decode(lines[0]["payload"].as_str().unwrap()).unwrap(), binary);
        assert!(lines[0].get("text").is_none());
        assert_eq!((lines[1]["payload"].as_str(), lines[1]["text"].as_str()), (Some(""), Some("")));
        assert_eq!(lines[2]["text"], "a\n\"\0");
        assert_eq!((lines[3]["length"].as_u64(), lines[3]["truncated"].as_bool()), (Some(9), Some(true)));
    }
}
