//! `layout.c` has an assertion of each entry of the fact sheet.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Where the headers do not follow the sheet's number, which `skua_engine`'s test of the sheet explains.
const EXCEPTIONS: [(&str, &str, u64); 2] = [("DEVICE_OBJECT", "size", 336), ("DEVICE_OBJECT", "align", 16)];

fn sheet() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/wsk-abi.json");
    serde_json::from_str(&fs::read_to_string(path).expect("the fact sheet")).expect("JSON")
}

/// The assertions, without spaces and suffixes of numbers.
fn assertions() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.c");
    let text = fs::read_to_string(path).expect("layout.c");
    text.lines().map(|line| line.replace(' ', "").replace("u);", ");")).collect()
}

fn entries<'a>(sheet: &'a Value, section: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    sheet[section].as_object().expect("a section with named entries").iter()
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[track_caller]
fn require(assertions: &BTreeSet<String>, wanted: impl IntoIterator<Item = String>) {
    let wanted: Vec<String> = wanted.into_iter().collect();
    assert!(!wanted.is_empty());
    let missing: Vec<&String> = wanted.iter().filter(|line| !assertions.contains(*line)).collect();
    assert!(missing.is_empty(), "not in layout.c: {missing:#?}");
}

#[test]
fn every_structure_is_pinned() {
    let (sheet, assertions) = (sheet(), assertions());
    let mut wanted = Vec::new();
    for (name, entry) in entries(&sheet, "structs") {
        for what in ["size", "align"] {
            let exception = EXCEPTIONS.iter().find(|exception| exception.0 == name && exception.1 == what);
            let value = exception.map_or_else(|| number(&entry[what]), |exception| exception.2);
            wanted.push(format!("{}({name},{value});", what.to_uppercase()));
        }
        for field in entry["fields"].as_array().expect("fields") {
            let path = text(&field["name"]);
            wanted.push(format!("OFFSET({name},{path},{});", number(&field["offset"])));
            if let Some(size) = field.get("size") {
                wanted.push(format!("FIELD({name},{path},{});", number(size)));
            }
        }
    }
    require(&assertions, wanted);
}

#[test]
fn every_constant_is_pinned() {
    let (sheet, assertions) = (sheet(), assertions());
    let constants = entries(&sheet, "constants");
    let constants = constants.map(|(name, entry)| format!("VALUE({name},{});", text(&entry["hex"])));
    require(&assertions, constants.map(|line| line.replace(' ', "")));
}

#[test]
fn every_status_is_pinned() {
    let (sheet, assertions) = (sheet(), assertions());
    let statuses = entries(&sheet, "ntstatus");
    require(&assertions, statuses.map(|(name, entry)| format!("STATUS({name},{});", text(&entry["hex"]))));
}

#[test]
fn every_function_is_pinned() {
    let (sheet, assertions) = (sheet(), assertions());
    for (name, entry) in entries(&sheet, "functions") {
        let name = name.as_str();
        let pointer = match name {
            "WskRelease (datagram)" => "PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST".to_owned(),
            "WskRelease (data)" => "PFN_WSK_RELEASE_DATA_INDICATION_LIST".to_owned(),
            _ if text(&entry["table"]).starts_with("import") => format!("__typeof__(&{name})"),
            _ => {
                let words = name.chars().enumerate().map(|(at, c)| match c.is_uppercase() && at > 0 {
                    true => format!("_{c}"),
                    false => c.to_uppercase().to_string(),
                });
                format!("PFN_{}", words.collect::<String>())
            }
        };
        let begin = format!("PROTOTYPE({pointer},");
        let line = assertions.iter().find(|line| line.starts_with(&begin));
        let line = line.unwrap_or_else(|| panic!("{begin}...) is not in layout.c"));
        // What is returned, and one type for each parameter.
        let parameters = entry["params"].as_array().expect("parameters").len();
        assert_eq!(line.matches(',').count(), 1 + parameters, "{line}");
    }
}
