//! Requests that anybody with the handle may make: a status, never a panic, never a byte too much.

// UNSAFETY: writes nonsense into a cursor that is mapped for writing.
#![expect(unsafe_code, reason = "sections are reached by address")]

use std::sync::atomic::{AtomicU64, Ordering};

use arbitrary::{Arbitrary as _, Unstructured};
use proptest::prelude::*;
use skua_engine::abi::status::{
    STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND, STATUS_REVISION_MISMATCH, STATUS_SUCCESS,
};
use skua_protocol::{ControlCode, Header, SinkRequest};

use crate::program::Program;
use crate::reader::Mapped;
use crate::rig::{Rig, Start, local, sender};
use crate::script::Script;

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        // One that hangs takes its time at every step of shrinking.
        max_shrink_time: 60_000,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn whatever_is_done_to_the_driver_it_keeps_its_promises(script in script()) {
        script.play();
    }
}

fn script() -> impl Strategy<Value = Script> {
    let bytes = prop::collection::vec(any::<u8>(), 0..2000);
    bytes.prop_filter_map("too short", |bytes| Script::arbitrary(&mut Unstructured::new(&bytes)).ok())
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

#[test]
fn there_is_nothing_below_the_device() {
    let rig = Rig::new();
    let below = Program::open_below(&rig.executive, &rig.device, 12);
    assert_eq!(below.err(), Some(STATUS_OBJECT_NAME_NOT_FOUND));
    rig.unload();
}
