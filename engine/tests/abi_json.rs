//! The declared ABI against the fact sheet in `data/wsk-abi.json`, whose numbers were read off several sources of
//! the headers.
//!
//! Nothing may be left out: an entry of the sheet without a counterpart here fails, and so does a counterpart
//! without an entry, and an exception that is not needed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use skua_engine::abi::cmsg::{
    ControlMessage, IN_PKTINFO, IN_RECVERR, IN6_PKTINFO, wsa_cmsg_len, wsa_cmsg_space,
};
use skua_engine::abi::nt::{EmbeddedIrp, GUID, MDL, PFN_NUMBER, io_size_of_irp, mdl_size_for_any_address};
use skua_engine::abi::sockaddr::{IOC_IN, IOC_OUT, IOC_VOID};
use skua_engine::abi::status::{NTSTATUS, NTSTATUS_NAMES};
use skua_engine::abi::wsk::{
    IOC_WSK, NPI_WSK_INTERFACE_ID, make_wsk_version, wsk_major_version, wsk_minor_version,
};

#[path = "abi_json/constants.rs"]
mod constants;
#[path = "abi_json/functions.rs"]
mod functions;
#[path = "abi_json/structs.rs"]
mod structs;

/// Where the crate does not follow the sheet's number: structure, what, the crate's number, why.
const EXCEPTIONS: &[(&str, &str, u64, &str)] = &[
    (
        "DEVICE_OBJECT",
        "align",
        16,
        "DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) in wdm.h; three of the sources drop it",
    ),
    ("DEVICE_OBJECT", "size", 336, "328 bytes rounded up to that alignment, as in published kernel layouts"),
];

fn sheet(section: &str) -> Value {
    let mut sheet: Value =
        serde_json::from_str(include_str!("data/wsk-abi.json")).expect("the fact sheet is JSON");
    sheet[section].take()
}

fn entries(section: &Value) -> &Map<String, Value> {
    section.as_object().expect("a section with named entries")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// What differs between the names of the sheet and those declared.
fn unmatched<'a>(
    sheet: impl IntoIterator<Item = &'a str>,
    declared: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let (sheet, declared): (BTreeSet<_>, BTreeSet<_>) =
        (sheet.into_iter().collect(), declared.into_iter().collect());
    let missing = sheet.difference(&declared).map(|name| format!("{name}: in the sheet, not declared"));
    let extra = declared.difference(&sheet).map(|name| format!("{name}: declared, not in the sheet"));
    missing.chain(extra).collect()
}

#[track_caller]
fn assert_none(differences: Vec<String>) {
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn structs_have_the_sheets_sizes_alignments_and_offsets() {
    let sheet = sheet("structs");
    let declared = structs::structs();
    let mut differences =
        unmatched(entries(&sheet).keys().map(String::as_str), declared.iter().map(|s| s.name));
    let mut needed = BTreeSet::new();
    for declared in &declared {
        let Some(entry) = entries(&sheet).get(declared.name) else { continue };
        for (what, ours) in [("size", declared.size), ("align", declared.align)] {
            let (ours, theirs) = (ours as u64, number(&entry[what]));
            let excepted = EXCEPTIONS.iter().any(|e| (e.0, e.1, e.2) == (declared.name, what, ours));
            match ours == theirs {
                true => {}
                false if excepted => drop(needed.insert((declared.name, what))),
                false => differences.push(format!("{} {what}: {ours}, in the sheet {theirs}", declared.name)),
            }
        }
        let fields = entry["fields"].as_array().expect("a list of fields");
        let names = unmatched(
            fields.iter().map(|f| text(&f["name"])),
            declared.fields.iter().map(|f| f.name.as_str()),
        );
        differences.extend(names.into_iter().map(|difference| format!("{}.{difference}", declared.name)));
        for field in fields {
            let Some(ours) = declared.fields.iter().find(|f| f.name == text(&field["name"])) else {
                continue;
            };
            let place = (ours.offset as u64, field.get("size").map(|_| ours.size as u64));
            let expected = (number(&field["offset"]), field.get("size").map(number));
            if place != expected {
                differences
                    .push(format!("{}.{}: {place:?}, in the sheet {expected:?}", declared.name, ours.name));
            }
        }
    }
    for (name, what, ..) in EXCEPTIONS.iter().filter(|e| !needed.contains(&(e.0, e.1))) {
        differences.push(format!("{name} {what}: an exception that is not needed"));
    }
    assert_none(differences);
}

#[test]
fn constants_have_the_sheets_values() {
    let sheet = sheet("constants");
    let declared: BTreeMap<_, _> = constants::constants().into_iter().collect();
    let mut differences = unmatched(entries(&sheet).keys().map(String::as_str), declared.keys().copied());
    for (name, entry) in entries(&sheet) {
        match declared.get(name.as_str()) {
            Some(&value) if value != number(&entry["value"]) => {
                differences.push(format!("{name}: {value:#x}, in the sheet {}", entry["hex"]));
            }
            _ => {}
        }
    }
    assert_none(differences);
}

#[test]
fn functions_have_the_sheets_prototypes() {
    let sheet = sheet("functions");
    let declared = functions::functions();
    let mut differences =
        unmatched(entries(&sheet).keys().map(String::as_str), declared.iter().map(|f| f.name));
    for declared in &declared {
        let Some(entry) = entries(&sheet).get(declared.name) else { continue };
        let parameters = entry["params"].as_array().expect("a list of parameters");
        let expected: Vec<_> =
            parameters.iter().map(|parameter| bytes_of_parameter(text(parameter))).collect();
        if declared.parameters != expected || declared.returns != text(&entry["returns"]) {
            differences.push(format!("{}: {:?} -> {}", declared.name, declared.parameters, declared.returns));
        }
    }
    assert_none(differences);
}

/// Bytes of a parameter that the sheet writes as `u32 Flags(0)` or `WSK_CLIENT*`.
fn bytes_of_parameter(parameter: &str) -> usize {
    let declaration = parameter.split('(').next().unwrap_or_default();
    let ty = declaration.split_whitespace().find(|word| *word != "const").unwrap_or_default();
    match ty {
        _ if declaration.contains('*') => 8,
        "PEPROCESS" | "PETHREAD" | "usize" => 8,
        "u32" | "WSK_CONTROL_SOCKET_TYPE" | "WSK_INSPECT_ACTION" => 4,
        "u16" => 2,
        other => panic!("a type this test does not know: {other}"),
    }
}

#[test]
fn statuses_have_the_sheets_values() {
    let declared: BTreeMap<_, _> = NTSTATUS_NAMES.iter().map(|(status, name)| (*name, *status)).collect();
    let mut differences = Vec::new();
    for (name, entry) in entries(&sheet("ntstatus")) {
        let expected = (number(&entry["value"]), entry["nt_success"].as_bool().expect("true or false"));
        match declared.get(name.as_str()).map(|status| (u64::from(status.to_bits()), status.is_success())) {
            Some(ours) if ours == expected => {}
            ours => differences.push(format!("{name}: {ours:x?}, in the sheet {expected:x?}")),
        }
    }
    assert_none(differences);
}

#[test]
fn the_interface_has_the_sheets_identifier() {
    let sheet = sheet("guids");
    assert_none(unmatched(entries(&sheet).keys().map(String::as_str), ["NPI_WSK_INTERFACE_ID"]));
    let GUID { Data1, Data2, Data3, Data4 } = NPI_WSK_INTERFACE_ID;
    let bytes = [&Data1.to_le_bytes()[..], &Data2.to_le_bytes(), &Data3.to_le_bytes(), &Data4].concat();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, text(&sheet["NPI_WSK_INTERFACE_ID"]["bytes_le_hex"]));
}

#[test]
fn derived_sizes_are_the_sheets() {
    let mdl = |size| mdl_size_for_any_address(size).expect("a size that fits");
    let formula = |formula: &str| Value::from(formula);
    let declared = [
        ("IoSizeOfIrp(1)", io_size_of_irp(1).into()),
        ("IoSizeOfIrp(2)", io_size_of_irp(2).into()),
        ("embedded IRP + 1 stack location, 16-byte aligned", size_of::<EmbeddedIrp>().into()),
        ("WSA_CMSG_LEN(n)", formula(&format!("{} + n", wsa_cmsg_len(0)))),
        ("WSA_CMSG_SPACE(0)", wsa_cmsg_space(0).into()),
        ("WSA_CMSG_SPACE(4)", wsa_cmsg_space(4).into()),
        ("WSA_CMSG_SPACE(8)", wsa_cmsg_space(8).into()),
        ("WSA_CMSG_SPACE(20)", wsa_cmsg_space(20).into()),
        (
            "MDL bytes for a buffer",
            formula(&format!(
                "{} + {} * ADDRESS_AND_SIZE_TO_SPAN_PAGES(va, len)",
                size_of::<MDL>(),
                size_of::<PFN_NUMBER>()
            )),
        ),
        ("MDL for one 1500-byte datagram (<=2 pages)", mdl(1500).into()),
        ("MDL for 64 KiB (<=17 pages)", mdl(65536).into()),
    ];
    let declared: Map<String, Value> =
        declared.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    assert_eq!(Value::Object(declared), sheet("derived_sizes"));
}

#[test]
fn macros_compute_what_the_sheet_says() {
    let declared = [
        "MAKE_WSK_VERSION(major,minor)",
        "WSK_MAJOR_VERSION(v)",
        "WSK_MINOR_VERSION(v)",
        "ioctl WSK",
        "NT_SUCCESS(s)",
    ];
    assert_none(unmatched(entries(&sheet("macros")).keys().map(String::as_str), declared));
    for version in 0..=u16::MAX {
        let (major, minor) = (version >> 8, version & 0xFF);
        assert_eq!((wsk_major_version(version).into(), wsk_minor_version(version).into()), (major, minor));
        assert_eq!(make_wsk_version(wsk_major_version(version), wsk_minor_version(version)), version);
    }
    for value in [0, 1, 0x3FFF_FFFF, 0x4000_0000, 0x7FFF_FFFF, 0x8000_0000, 0xC000_0001, u32::MAX] {
        assert_eq!(NTSTATUS::from_bits(value).is_success(), value.cast_signed() >= 0);
    }
    let directions = [IOC_IN, IOC_OUT, IOC_IN | IOC_OUT, IOC_VOID];
    for (name, code) in constants::constants().into_iter().filter(|(name, _)| name.starts_with("SIO_WSK_")) {
        let code = u32::try_from(code).expect("control codes are 32 bits wide");
        let direction = code & 0xF000_0000;
        assert!(directions.contains(&direction) && code & 0x0F00_0000 == IOC_WSK, "{name}: {code:#x}");
    }
}

#[test]
fn controls_have_the_sheets_codes_and_arguments() {
    let constants: BTreeMap<_, _> = constants::constants().into_iter().collect();
    let structs: BTreeMap<_, _> = structs::structs().into_iter().map(|s| (s.name, s.size)).collect();
    let mut differences = Vec::new();
    for section in ["client_controls", "socket_controls"] {
        for control in sheet(section).as_array().expect("a list of controls") {
            let listed = text(&control["name"]);
            for name in listed.split(" (").next().unwrap_or_default().split(" / ") {
                if constants.get(name).copied() != control["code"].as_u64() {
                    differences.push(format!("{name}: {:?}", constants.get(name)));
                }
            }
            for word in [&control["request"], &control["level"]].into_iter().filter_map(Value::as_str) {
                if word != "Set/Get" && !constants.contains_key(word) {
                    differences.push(format!("{listed}: {word} is not declared"));
                }
            }
            for argument in [&control["in"], &control["out"]].into_iter().filter_map(Value::as_str) {
                let Some((name, size)) = argument.split_once(" (") else { continue };
                let size = size.split(')').next().and_then(|size| size.parse().ok());
                if size.is_some() && name.contains('_') && structs.get(name).copied() != size {
                    differences.push(format!("{listed}: {argument} but {:?}", structs.get(name)));
                }
            }
        }
    }
    assert_none(differences);
}

#[test]
fn events_have_the_sheets_flags() {
    let constants: BTreeMap<_, _> = constants::constants().into_iter().collect();
    let functions: BTreeSet<_> = functions::functions().into_iter().map(|function| function.name).collect();
    let mut differences = Vec::new();
    for (category, flags) in entries(&sheet("event_flags")) {
        match flags {
            Value::Object(flags) => {
                for (name, value) in
                    flags.iter().filter(|(n, v)| constants.get(n.as_str()).copied() != v.as_u64())
                {
                    differences.push(format!("{category}: {name} {value}"));
                }
            }
            callbacks => {
                for callback in callbacks.as_array().expect("flags by name or a list of callbacks") {
                    let name = text(callback).split(' ').next().unwrap_or_default();
                    if !functions.contains(name) {
                        differences.push(format!("{category}: {name}"));
                    }
                }
            }
        }
    }
    assert_none(differences);
}

#[test]
fn control_messages_have_the_sheets_types_and_lengths() {
    let constants: BTreeMap<_, _> = constants::constants().into_iter().collect();
    let messages = sheet("control_messages");
    let messages = messages.as_array().expect("a list of control messages");
    let declared = [
        ("IP_PKTINFO", ControlMessage::IP_PKTINFO, size_of::<IN_PKTINFO>()),
        ("IPV6_PKTINFO", ControlMessage::IPV6_PKTINFO, size_of::<IN6_PKTINFO>()),
        ("IP_TOS", ControlMessage::IP_TOS, size_of::<i32>()),
        ("IPV6_TCLASS", ControlMessage::IPV6_TCLASS, size_of::<i32>()),
        ("IP_ECN", ControlMessage::IP_ECN, size_of::<i32>()),
        ("IPV6_ECN", ControlMessage::IPV6_ECN, size_of::<i32>()),
        ("IP_TTL", ControlMessage::IP_TTL, size_of::<i32>()),
        ("IPV6_HOPLIMIT", ControlMessage::IPV6_HOPLIMIT, size_of::<i32>()),
        ("IP_RECVERR", ControlMessage::IP_RECVERR, size_of::<IN_RECVERR>()),
        ("IPV6_RECVERR", ControlMessage::IPV6_RECVERR, size_of::<IN_RECVERR>()),
        ("UDP_SEND_MSG_SIZE", ControlMessage::UDP_SEND_MSG_SIZE, size_of::<u32>()),
        ("UDP_COALESCED_INFO", ControlMessage::UDP_COALESCED_INFO, size_of::<u32>()),
        ("IP_OPTIONS", ControlMessage::IP_OPTIONS, 0),
        ("IPV6_RTHDR", ControlMessage::IPV6_RTHDR, 0),
    ];
    let mut differences = unmatched(messages.iter().map(|m| text(&m["type"])), declared.iter().map(|d| d.0));
    for (name, message, payload) in declared {
        let Some(entry) = messages.iter().find(|m| text(&m["type"]) == name) else { continue };
        let level = constants.get(text(&entry["level"])).copied();
        let ours = (Some(message.level), message.cmsg_type, wsa_cmsg_len(payload), wsa_cmsg_space(payload));
        let expected = (
            level.and_then(|level| level.try_into().ok()),
            number(&entry["value"]).try_into().expect("a small number"),
            number(&entry["len"]).try_into().expect("a small number"),
            number(&entry["space"]).try_into().expect("a small number"),
        );
        if ours != expected {
            differences.push(format!("{name}: {ours:?}, in the sheet {expected:?}"));
        }
    }
    assert_none(differences);
}
