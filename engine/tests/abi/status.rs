//! Names and severities of statuses.

use std::collections::BTreeSet;

use skua_engine::abi::status::{
    NTSTATUS, NTSTATUS_NAMES, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_BUFFER_OVERFLOW, STATUS_EVENT_PENDING,
    STATUS_PENDING, STATUS_SUCCESS,
};

#[test]
fn a_status_prints_its_name_and_value() {
    assert_eq!(STATUS_ADDRESS_ALREADY_EXISTS.to_string(), "STATUS_ADDRESS_ALREADY_EXISTS (0xC000020A)");
    assert_eq!(format!("{STATUS_SUCCESS:?}"), "STATUS_SUCCESS (0x00000000)");
    assert_eq!(NTSTATUS::from_bits(0xC0DE_0001).to_string(), "NTSTATUS 0xC0DE0001");
}

#[test]
fn every_status_has_one_name_and_every_name_one_status() {
    let values: BTreeSet<_> = NTSTATUS_NAMES.iter().map(|(status, _)| status.to_bits()).collect();
    let names: BTreeSet<_> = NTSTATUS_NAMES.iter().map(|(_, name)| *name).collect();
    assert_eq!((values.len(), names.len()), (NTSTATUS_NAMES.len(), NTSTATUS_NAMES.len()));
    for (status, name) in NTSTATUS_NAMES {
        assert_eq!(status.name(), Some(*name));
        assert_eq!(NTSTATUS::from_bits(status.to_bits()), *status);
    }
    assert!(NTSTATUS_NAMES.is_sorted_by_key(|(status, _)| status.to_bits()));
}

#[test]
fn informational_counts_as_success_and_a_warning_does_not() {
    assert!(STATUS_PENDING.is_success());
    assert!(STATUS_EVENT_PENDING.is_success());
    assert!(!STATUS_BUFFER_OVERFLOW.is_success());
}
