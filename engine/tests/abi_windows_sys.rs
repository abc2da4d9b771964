//! The declared ABI against `windows-sys`, which is generated from Microsoft's metadata and so a source of its own.
//!
//! It declares nothing of WSK, and drops alignment attributes; where that makes a difference, the exceptions say
//! what is right and why.

use std::collections::BTreeSet;

use skua_engine::abi::status::NTSTATUS_NAMES;

#[path = "abi_windows_sys/structs.rs"]
mod structs;
#[path = "abi_windows_sys/values.rs"]
mod values;

/// What differs on purpose: structure and member as reported, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("IRP align", DROPPED),
    ("DEVICE_OBJECT align", DROPPED),
    ("DEVICE_OBJECT size", "rounded up to the alignment"),
    ("SLIST_ENTRY align", DROPPED),
    ("SLIST_ENTRY size", "rounded up to the alignment"),
    ("SLIST_HEADER align", DROPPED),
    ("IO_PARAMETERS_CREATE size", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_CREATE FileAttributes", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_CREATE ShareAccess", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_CREATE EaLength", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_READ_WRITE size", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_READ_WRITE align", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_READ_WRITE Key", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_READ_WRITE ByteOffset", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_DEVICE_IO_CONTROL size", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_DEVICE_IO_CONTROL InputBufferLength", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_DEVICE_IO_CONTROL IoControlCode", POINTER_ALIGNMENT),
    ("IO_PARAMETERS_DEVICE_IO_CONTROL Type3InputBuffer", POINTER_ALIGNMENT),
    ("KTIMER Period", "follows Processor, which wdm.h declares for every architecture but 32-bit x86"),
    ("KDEVICE_QUEUE Busy", "the byte of the x86 declaration; on 64 bits it shares 8 bytes with a hint"),
];
const DROPPED: &str = "DECLSPEC_ALIGN(16) in the headers is not in the metadata";
const POINTER_ALIGNMENT: &str = "POINTER_ALIGNMENT on ULONG members, 8 bytes here, is not in the metadata";

#[test]
fn structs_have_the_same_layout() {
    let differing: BTreeSet<_> = structs::pairs()
        .into_iter()
        .filter(|pair| pair.ours != pair.theirs)
        .map(|pair| {
            (pair.what.clone(), format!("{}: {:#x}, theirs {:#x}", pair.what, pair.ours, pair.theirs))
        })
        .collect();
    let excepted = |what: &str| EXCEPTIONS.iter().any(|(exception, _)| *exception == what);
    let unexplained: Vec<_> =
        differing.iter().filter(|(what, _)| !excepted(what)).map(|(_, text)| text.as_str()).collect();
    let needless: Vec<_> = EXCEPTIONS
        .iter()
        .map(|(what, _)| *what)
        .filter(|exception| differing.iter().all(|(what, _)| what != exception))
        .collect();
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    assert!(needless.is_empty(), "exceptions that are not needed: {}", needless.join(", "));
}

#[test]
fn constants_have_the_same_values() {
    let differing: Vec<_> = values::values()
        .into_iter()
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(name, ours, theirs)| format!("{name}: {ours:#x}, theirs {theirs:#x}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn every_status_was_compared() {
    let compared: BTreeSet<_> = values::values().into_iter().map(|(name, ..)| name).collect();
    let missing: Vec<_> =
        NTSTATUS_NAMES.iter().map(|(_, name)| *name).filter(|name| !compared.contains(name)).collect();
    assert!(missing.is_empty(), "{}", missing.join(", "));
}
