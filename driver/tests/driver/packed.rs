//! A program that cannot map the rings reads through the driver.

use std::time::Duration;

use skua_engine::abi::nt::IRP_MJ_CLOSE;
use skua_engine::abi::status::{STATUS_BUFFER_TOO_SMALL, STATUS_SHARING_VIOLATION, STATUS_SUCCESS};
use skua_protocol::{ControlCode, SinkRequest};
use skua_record::PackedRecords;

use crate::program::{Pending, Program};
use crate::rig::{Rig, Start, local, sender};

/// The original lengths of what one request puts out.
#[track_caller]
fn read(program: &Program, sink: u64, room: usize) -> Vec<u16> {
    let request = SinkRequest::new(sink);
    let (status, output) =
        program.control(ControlCode::ReadRecords as u32, bytemuck::bytes_of(&request), room);
    assert_eq!(status, STATUS_SUCCESS);
    PackedRecords::new(&output)
        .map(|record| {
            let record = record.unwrap();
            let header = record.header();
            assert!(record.payload().iter().all(|byte| u16::from(*byte) == header.original));
            assert_eq!(header.captured, header.original.min(100));
            header.original
        })
        .collect()
}

fn wait(program: &Program, sink: u64) -> Pending {
    program.begin(ControlCode::WaitRecords as u32, bytemuck::bytes_of(&SinkRequest::new(sink)), 0)
}

fn start() -> Start {
    let mut start = Start::new();
    start.header.snap_length = 100;
    start
}

#[test]
fn records_come_whole_and_each_once() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&start());
    program.attach(sink);
    let socket = sender();
    for length in 0..=120_u8 {
        socket.send_to(&vec![length; usize::from(length)], local(port)).unwrap();
    }
    program.report_when(sink, |report| report.published == 121);
    let request = SinkRequest::new(sink);
    let too_small = program.control(ControlCode::ReadRecords as u32, bytemuck::bytes_of(&request), 63);
    assert_eq!(too_small.0, STATUS_BUFFER_TOO_SMALL);
    let mut lengths: Vec<_> = (168..400).flat_map(|room| read(&program, sink, room)).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, (0..=120).collect::<Vec<u16>>());
    drop(program);
    rig.unload();
}

#[test]
fn a_record_that_fits_into_no_part_of_the_buffer_says_so() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&start());
    program.attach(sink);
    sender().send_to(&[100; 100], local(port)).unwrap();
    program.report_when(sink, |report| report.published == 1);
    let request = SinkRequest::new(sink);
    let too_small = program.control(ControlCode::ReadRecords as u32, bytemuck::bytes_of(&request), 167);
    assert_eq!(too_small.0, STATUS_BUFFER_TOO_SMALL);
    assert_eq!(read(&program, sink, 168), [100]);
    drop(program);
    rig.unload();
}

#[test]
fn what_a_program_did_not_live_to_use_is_read_again() {
    let rig = Rig::new();
    let (killed, next) = (rig.open(), rig.open());
    let (sink, port) = next.start(&start());
    killed.attach(sink);
    sender().send_to(&[7; 7], local(port)).unwrap();
    next.report_when(sink, |report| report.published == 1);
    assert_eq!(read(&killed, sink, 4096), [7]);
    killed.close(&[IRP_MJ_CLOSE]);
    next.attach(sink);
    assert_eq!(read(&next, sink, 4096), [7]);
    // Asking on, or detaching, says that it has them.
    assert_eq!(read(&next, sink, 4096), []);
    sender().send_to(&[8; 8], local(port)).unwrap();
    next.report_when(sink, |report| report.published == 2);
    assert_eq!(read(&next, sink, 4096), [8]);
    assert_eq!(next.about(ControlCode::DetachReader, sink), STATUS_SUCCESS);
    next.attach(sink);
    assert_eq!(read(&next, sink, 4096), []);
    drop(next);
    rig.unload();
}

#[test]
fn a_record_ends_the_wait_of_a_program_that_reads_through_the_driver() {
    let rig = Rig::new();
    let (program, other) = (rig.open(), rig.open());
    let (sink, port) = program.start(&start());
    program.attach(sink);
    assert_eq!(read(&program, sink, 4096), []);
    let pending = wait(&program, sink);
    assert!(!pending.is_done(Duration::from_millis(100)));
    sender().send_to(&[9; 9], local(port)).unwrap();
    assert_eq!(pending.wait().0, STATUS_SUCCESS);
    // There is something to read: nobody waits.
    assert_eq!(wait(&program, sink).wait().0, STATUS_SUCCESS);
    assert_eq!(read(&program, sink, 4096), [9]);
    let request = SinkRequest::new(sink);
    let refused = other.control(ControlCode::ReadRecords as u32, bytemuck::bytes_of(&request), 4096);
    assert_eq!(refused.0, STATUS_SHARING_VIOLATION);
    drop((program, other));
    rig.unload();
}
