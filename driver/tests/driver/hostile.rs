//! Requests that anybody with the handle may make: a status, never a panic, never a byte too much.

// UNSAFETY: writes nonsense into a cursor that is mapped for writing.
#![expect(unsafe_code, reason = "sections are reached by address")]

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use skua_engine::abi::status::{
    STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER,
    STATUS_REVISION_MISMATCH, STATUS_SUCCESS,
};
use skua_protocol::{ControlCode, Header, SinkRequest, Version};

use crate::program::Program;
use crate::reader::Mapped;
use crate::rig::{Rig, Start, local, sender};

/// Bytes that come far: a good request of some kind about a sink that is there, or noise.
fn input(sink: u64) -> impl Strategy<Value = Vec<u8>> {
    let about = move |sink: u64| bytemuck::bytes_of(&SinkRequest::new(sink)).to_vec();
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..400),
        Just(about(sink)),
        any::<u64>().prop_map(about),
        Just(Start::new().bytes()),
        (Just(Start::new().bytes()), any::<prop::sample::Index>(), any::<u8>()).prop_map(
            |(mut bytes, index, value)| {
                let index = index.index(bytes.len());
                bytes[index] = value;
                bytes
            }
        ),
    ]
}

fn code() -> impl Strategy<Value = u32> {
    let known: Vec<u32> = ControlCode::ALL
        .iter()
        .filter(|code| !matches!(code, ControlCode::Shutdown | ControlCode::WaitRecords))
        .map(|code| *code as u32)
        .collect();
    prop_oneof![8 => prop::sample::select(known), 1 => any::<u32>()]
}

#[test]
fn any_request_is_answered() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&Start::new());
    program.attach(sink);
    let socket = sender();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let requests = (code(), input(sink), prop_oneof![Just(0_usize), 0..100_usize, 0..20_000_usize]);
    runner
        .run(&requests, |(code, input, output_bytes)| {
            socket.send_to(&input[..input.len().min(64)], local(port)).unwrap();
            // `wait` checks that it is completed once, and that no more was put out than there was room for.
            let (status, output) = program.control(code, &input, output_bytes);
            prop_assert!(status.is_success() || output.is_empty());
            Ok(())
        })
        .unwrap();
    let version: Version = program.ask(ControlCode::Version, &[]);
    assert_eq!(version, Version::HERE);
    drop(program);
    rig.unload();
}

#[test]
fn a_request_that_is_none_gets_the_status_that_says_why() {
    let rig = Rig::new();
    let program = rig.open();
    let good = bytemuck::bytes_of(&SinkRequest::new(1)).to_vec();
    let ask = |code: ControlCode, input: &[u8], room| program.control(code as u32, input, room).0;
    assert_eq!(ask(ControlCode::StopSink, &[], 0), STATUS_BUFFER_TOO_SMALL);
    assert_eq!(ask(ControlCode::StopSink, &good[..15], 0), STATUS_BUFFER_TOO_SMALL);
    assert_eq!(ask(ControlCode::StopSink, &[&good[..], &[0]].concat(), 0), STATUS_INVALID_PARAMETER);
    let mut version = good.clone();
    version[0] ^= 0xff;
    assert_eq!(ask(ControlCode::StopSink, &version, 0), STATUS_REVISION_MISMATCH);
    let mut reserved = good;
    reserved[2] = 1;
    assert_eq!(ask(ControlCode::StopSink, &reserved, 0), STATUS_INVALID_PARAMETER);
    assert_eq!(ask(ControlCode::Version, &[], 15), STATUS_BUFFER_TOO_SMALL);
    assert_eq!(program.control(0x0012_0000, &[], 0).0, STATUS_INVALID_DEVICE_REQUEST);
    let list = bytemuck::bytes_of(&Header::new(8)).to_vec();
    assert_eq!(ask(ControlCode::QuerySinks, &list, 8), STATUS_BUFFER_TOO_SMALL);
    drop(program);
    rig.unload();
}

#[test]
fn a_start_whose_answer_does_not_fit_leaves_no_sink_that_nobody_knows() {
    let rig = Rig::new();
    let program = rig.open();
    let (status, _) = program.control(ControlCode::StartSink as u32, &Start::new().bytes(), 8);
    assert_eq!(status, STATUS_BUFFER_TOO_SMALL);
    let list: skua_protocol::SinksReport =
        program.ask(ControlCode::QuerySinks, bytemuck::bytes_of(&Header::new(8)));
    assert_eq!(list.count, 0);
    drop(program);
    rig.unload();
}

#[test]
fn a_cursor_that_cannot_be_harms_only_its_reader() {
    let rig = Rig::new();
    let program = rig.open();
    let mut start = Start::new();
    start.header.receive_buffer = 4 << 20;
    let (sink, port) = program.start(&start);
    let mapped = Mapped::open(&program.attach(sink));
    let socket = sender();
    let mut sent = 0;
    for value in [u64::MAX, 1 << 63, 4, 7, 1 << 20, 0xdead_beef] {
        for cursor in &mapped.cursors {
            // SAFETY: mapped for writing; the driver reads it atomically.
            unsafe { AtomicU64::from_ptr(cursor.address().as_ptr().cast()) }.store(value, Ordering::SeqCst);
        }
        for _ in 0..50 {
            socket.send_to(&[0; 1000], local(port)).unwrap();
            sent += 1;
        }
        program.report_when(sink, |report| report.indicated == sent);
        assert_eq!(read(&program, sink).0, STATUS_SUCCESS);
    }
    let (report, _) = program.report(sink);
    assert!(report.reader_faults > 0, "{report:?}");
    assert_eq!(report.accepted + report.drops.iter().sum::<u64>(), report.indicated);
    drop((mapped, program));
    rig.unload();
}

fn read(program: &Program, sink: u64) -> (skua_engine::abi::status::NTSTATUS, Vec<u8>) {
    let request = SinkRequest::new(sink);
    program.control(ControlCode::ReadRecords as u32, bytemuck::bytes_of(&request), 1 << 20)
}
