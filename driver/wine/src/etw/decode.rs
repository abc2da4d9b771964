//! TraceLogging events as lines of JSON: provider, name and fields are described in the event itself
//! (TraceLoggingProvider.h).

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use skua_engine::abi::nt::GUID;

/// EVENT_DESCRIPTOR.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventDescriptor {
    /// 0 in TraceLogging.
    pub(crate) id: u16,
    /// 0 in TraceLogging.
    pub(crate) version: u8,
    /// 11 in TraceLogging.
    pub(crate) channel: u8,
    /// 1 critical, 2 error, 3 warning, 4 information, 5 verbose.
    pub(crate) level: u8,
    /// 0, or 1 and 2 for the start and the stop of an activity.
    pub(crate) opcode: u8,
    /// Provider-defined.
    pub(crate) task: u16,
    /// Provider-defined bits.
    pub(crate) keyword: u64,
}

/// One EVENT_DATA_DESCRIPTOR and the memory it leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// In the low byte, [`EVENT_METADATA`], [`PROVIDER_METADATA`], or 0 for payload.
    pub(crate) kind: u32,
    pub(crate) bytes: &'a [u8],
}

/// Name and fields of the event.
const EVENT_METADATA: u32 = 1;
/// Name of the provider.
const PROVIDER_METADATA: u32 = 2;

/// A bit of a field's type and of each octet of its tags: one more octet follows.
const MORE: u8 = 0x80;
/// Bits of a field's type that say that it is an array.
const ARRAY: u8 = 0x60;

/// One line for one event, with its line feed. What cannot be decoded is there as `payload`, in hexadecimal.
pub(crate) fn line(id: &GUID, event: &EventDescriptor, parts: &[Part<'_>]) -> String {
    let part = |kind| parts.iter().find(|part| part.kind & 0xFF == kind).map(|part| part.bytes);
    let payload: Vec<u8> =
        parts.iter().filter(|part| part.kind & 0xFF == 0).flat_map(|part| part.bytes).copied().collect();
    let provider = part(PROVIDER_METADATA).and_then(|bytes| Reader(bytes.get(2..)?).name());
    let decoded = part(EVENT_METADATA).and_then(|bytes| decode(bytes, &payload));
    let mut said = Map::new();
    said.insert("provider".into(), json!(provider.unwrap_or_else(|| guid(id))));
    said.insert("level".into(), json!(event.level));
    said.insert("keyword".into(), json!(event.keyword));
    match decoded {
        Some((name, fields)) => {
            said.insert("event".into(), json!(name));
            said.insert("fields".into(), Value::Object(fields));
        }
        None => {
            said.insert("event".into(), json!(event.id));
            said.insert("payload".into(), json!(hexadecimal(&payload)));
        }
    }
    Value::Object(said).to_string() + "\n"
}

/// Name and fields; `None` for a field whose type is not known here, or when metadata and payload do not agree.
fn decode(metadata: &[u8], payload: &[u8]) -> Option<(String, Map<String, Value>)> {
    let mut metadata = Reader(metadata.get(2..)?);
    metadata.skip_tags()?;
    let name = metadata.name()?;
    let mut payload = Reader(payload);
    let mut fields = Map::new();
    while !metadata.0.is_empty() {
        let field = metadata.name()?;
        let [kind] = metadata.take::<1>()?;
        let mut format = 0;
        if kind & MORE != 0 {
            [format] = metadata.take::<1>()?;
            if format & MORE != 0 {
                metadata.skip_tags()?;
            }
        }
        if kind & ARRAY != 0 {
            return None;
        }
        fields.insert(field, payload.value(kind & !MORE, format & !MORE)?);
    }
    payload.0.is_empty().then_some((name, fields))
}

/// Bytes that are left.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A string with its terminating zero.
    fn name(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let name = String::from_utf8_lossy(self.bytes(end)?).into_owned();
        self.bytes(1)?;
        Some(name)
    }

    fn skip_tags(&mut self) -> Option<()> {
        loop {
            let [tag] = self.take::<1>()?;
            if tag & MORE == 0 {
                return Some(());
            }
        }
    }

    /// A value of the type `kind` (`TlgIn`), to be shown as `format` (`TlgOut`).
    fn value(&mut self, kind: u8, format: u8) -> Option<Value> {
        const BOOLEAN_FORMAT: u8 = 3;
        Some(match kind {
            2 => json!(self.name()?),
            3 => json!(i8::from_le_bytes(self.take()?)),
            4 if format == BOOLEAN_FORMAT => json!(self.take::<1>()? != [0]),
            4 => json!(u8::from_le_bytes(self.take()?)),
            5 => json!(i16::from_le_bytes(self.take()?)),
            6 => json!(u16::from_le_bytes(self.take()?)),
            7 => json!(i32::from_le_bytes(self.take()?)),
            8 => json!(u32::from_le_bytes(self.take()?)),
            9 => json!(i64::from_le_bytes(self.take()?)),
            10 | 17 => json!(u64::from_le_bytes(self.take()?)),
            13 => json!(i32::from_le_bytes(self.take()?) != 0),
            14 | 25 => {
                let count = u16::from_le_bytes(self.take()?);
                json!(hexadecimal(self.bytes(count.into())?))
            }
            15 => json!(guid_of(self.take()?)),
            20 => json!(format!("{:#x}", u32::from_le_bytes(self.take()?))),
            21 => json!(format!("{:#x}", u64::from_le_bytes(self.take()?))),
            22 => {
                let count = u16::from_le_bytes(self.take()?);
                let units = self.bytes(count.into())?.chunks_exact(2);
                let units: Vec<u16> = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
                json!(String::from_utf16_lossy(&units))
            }
            23 => {
                let count = u16::from_le_bytes(self.take()?);
                json!(String::from_utf8_lossy(self.bytes(count.into())?))
            }
            _ => return None,
        })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn guid(id: &GUID) -> String {
    let [a, b, c, d, e, f, g, h] = id.Data4;
    format!(
        "{:08x}-{:04x}-{:04x}-{a:02x}{b:02x}-{c:02x}{d:02x}{e:02x}{f:02x}{g:02x}{h:02x}",
        id.Data1, id.Data2, id.Data3
    )
}

fn guid_of(bytes: [u8; 16]) -> String {
    let mut rest = Reader(&bytes);
    let id = GUID {
        Data1: u32::from_le_bytes(rest.take().unwrap_or_default()),
        Data2: u16::from_le_bytes(rest.take().unwrap_or_default()),
        Data3: u16::from_le_bytes(rest.take().unwrap_or_default()),
        Data4: rest.take().unwrap_or_default(),
    };
    guid(&id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: GUID =
        GUID { Data1: 0x57b9_5522, Data2: 0x743e, Data3: 0x5505, Data4: [1, 2, 3, 4, 5, 6, 7, 8] };

    fn with_size(bytes: &[u8]) -> Vec<u8> {
        let size = u16::try_from(bytes.len() + 2).unwrap();
        [&size.to_le_bytes()[..], bytes].concat()
    }

    fn written(metadata: &[u8], payload: &[u8]) -> Value {
        let (provider, metadata) = (with_size(b"Skua\0"), with_size(metadata));
        let parts = [
            Part { kind: PROVIDER_METADATA, bytes: &provider },
            Part { kind: EVENT_METADATA, bytes: &metadata },
            Part { kind: 0, bytes: payload },
        ];
        let event = EventDescriptor { level: 4, keyword: 2, ..EventDescriptor::default() };
        let line = line(&ID, &event, &parts);
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn fields_have_their_names_and_values() {
        // No tags; a UINT32, a UINT8 as BOOLEAN, a counted string, a HEXINT32.
        let metadata = b"\0started\0port\0\x08on\0\x84\x03what\0\x17status\0\x14";
        let payload =
            [&9125u32.to_le_bytes()[..], &[1], &[3, 0], b"udp", &0xC000_000Du32.to_le_bytes()].concat();
        let said = written(metadata, &payload);
        let fields = json!({ "port": 9125, "on": true, "what": "udp", "status": "0xc000000d" });
        assert_eq!(
            said,
            json!({ "provider": "Skua", "level": 4, "keyword": 2, "event": "started", "fields": fields })
        );
    }

    #[test]
    fn tags_of_the_event_and_of_a_field_are_passed_over() {
        let said = written(b"\x81\x01tagged\0n\0\x88\x80\x05", &7u32.to_le_bytes());
        assert_eq!(said["fields"], json!({ "n": 7 }));
    }

    #[test]
    fn what_is_not_understood_is_kept_in_hexadecimal() {
        for (metadata, payload) in
            [(&b"\0array\0n\0\x48"[..], &[1, 0, 7, 0, 0, 0][..]), (b"\0short\0n\0\x08", &[7])]
        {
            let said = written(metadata, payload);
            assert_eq!(said["payload"], json!(hexadecimal(payload)), "{said}");
        }
        let line = line(&ID, &EventDescriptor::default(), &[]);
        assert!(line.contains("57b95522-743e-5505-0102-030405060708"), "{line}");
    }
}
