//! What a JSON parser finds in the sink's NDJSON.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::datagram::Datagram;

/// One line, as its documentation describes it.
#[derive(Deserialize)]
struct Line {
    source: String,
    destination: String,
    length: usize,
    payload: String,
    text: Option<String>,
}

/// Reads one datagram a line, and fails where the line contradicts itself.
pub(super) fn read(text: &str) -> Result<Vec<Datagram>> {
    text.lines().map(|line| datagram(line).with_context(|| format!("NDJSON: {line:.200}"))).collect()
}

fn datagram(line: &str) -> Result<Datagram> {
    let line: Line = serde_json::from_str(line)?;
    let payload = STANDARD.decode(&line.payload)?;
    ensure!(payload.len() == line.length, "length {} for {} bytes of payload", line.length, payload.len());
    let utf8 = std::str::from_utf8(&payload).ok();
    ensure!(line.text.as_deref() == utf8, "text differs from the payload");
    Ok(Datagram { source: line.source.parse()?, destination: line.destination.parse()?, payload })
}
