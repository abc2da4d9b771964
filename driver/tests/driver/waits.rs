//! Waits: pended, woken, cancelled, ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use skua_engine::abi::status::{
    STATUS_CANCELLED, STATUS_DEVICE_BUSY, STATUS_END_OF_FILE, STATUS_SHARING_VIOLATION,
    STATUS_SHUTDOWN_IN_PROGRESS, STATUS_SUCCESS,
};
use skua_protocol::{ControlCode, Header, SinkRequest};

use crate::program::{Pending, Program};
use crate::reader::Mapped;
use crate::rig::{Rig, Start, local, sender};

/// Longer than a wait would take that does not wait.
const A_WHILE: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(20);

fn wait(program: &Program, sink: u64) -> Pending {
    program.begin(ControlCode::WaitRecords as u32, bytemuck::bytes_of(&SinkRequest::new(sink)), 0)
}

#[test]
fn a_record_ends_the_wait_of_a_reader_that_sleeps() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&Start::new());
    let mut mapped = Mapped::open(&program.attach(sink));
    assert!(mapped.prepare_wait());
    let pending = wait(&program, sink);
    assert!(!pending.is_done(A_WHILE), "there is nothing to read");
    sender().send_to(b"wake up", local(port)).unwrap();
    assert_eq!(pending.wait().0, STATUS_SUCCESS);
    assert_eq!(mapped.read(), [b"wake up".to_vec()]);
    mapped.wake();
    // Awake, it is not woken again: nobody pays for that.
    let wakes = program.report_when(sink, |report| report.published == 1).wakes;
    sender().send_to(b"awake", local(port)).unwrap();
    assert_eq!(program.report_when(sink, |report| report.published == 2).wakes, wakes);
    drop((mapped, program));
    rig.unload();
}

#[test]
fn a_record_between_announcement_and_wait_is_not_slept_over() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&Start::new());
    let mut mapped = Mapped::open(&program.attach(sink));
    assert!(mapped.prepare_wait());
    sender().send_to(b"early", local(port)).unwrap();
    program.report_when(sink, |report| report.wakes == 1);
    assert_eq!(wait(&program, sink).wait().0, STATUS_SUCCESS);
    // It was used up: without another announcement the next wait waits.
    let pending = wait(&program, sink);
    assert!(!pending.is_done(A_WHILE));
    pending.cancel();
    assert_eq!(pending.wait().0, STATUS_CANCELLED);
    drop((mapped, program));
    rig.unload();
}

#[test]
fn one_reader_waits_once_and_nobody_else_does() {
    let rig = Rig::new();
    let (reader, other) = (rig.open(), rig.open());
    let (sink, _) = reader.start(&Start::new());
    assert_eq!(wait(&reader, sink).wait().0, STATUS_SHARING_VIOLATION, "not attached");
    reader.attach(sink);
    assert_eq!(other.about(ControlCode::AttachReader, sink), STATUS_SHARING_VIOLATION);
    assert_eq!(wait(&other, sink).wait().0, STATUS_SHARING_VIOLATION);
    let pending = wait(&reader, sink);
    assert!(!pending.is_done(A_WHILE));
    assert_eq!(wait(&reader, sink).wait().0, STATUS_DEVICE_BUSY);
    assert_eq!(reader.about(ControlCode::DetachReader, sink), STATUS_SUCCESS);
    assert_eq!(pending.wait().0, STATUS_CANCELLED);
    other.attach(sink);
    drop((reader, other));
    rig.unload();
}

#[test]
fn whatever_ends_the_sink_ends_the_wait() {
    let rig = Rig::new();
    let (reader, operator) = (rig.open(), rig.open());
    let (sink, _) = operator.start(&Start::new());
    reader.attach(sink);
    let pending = wait(&reader, sink);
    assert!(!pending.is_done(A_WHILE));
    assert_eq!(operator.about(ControlCode::StopSink, sink), STATUS_SUCCESS);
    assert!(matches!(pending.wait().0, STATUS_END_OF_FILE | STATUS_SUCCESS));

    let (sink, _) = operator.start(&Start::new());
    reader.attach(sink);
    let pending = wait(&reader, sink);
    assert!(!pending.is_done(A_WHILE));
    reader.close(&[skua_engine::abi::nt::IRP_MJ_CLOSE]);
    assert_eq!(pending.wait().0, STATUS_CANCELLED);
    drop(operator);
    rig.unload();
}

#[test]
fn a_shutdown_ends_waits_and_refuses_opens_so_that_the_driver_can_be_unloaded() {
    let rig = Rig::new();
    let (reader, operator) = (rig.open(), rig.open());
    let (sink, _) = operator.start(&Start::new());
    reader.attach(sink);
    let pending = wait(&reader, sink);
    assert!(!pending.is_done(A_WHILE));
    assert_eq!(operator.tell(ControlCode::Shutdown, &Header::new(8)), STATUS_SUCCESS);
    assert_eq!(pending.wait().0, STATUS_SHUTDOWN_IN_PROGRESS);
    assert_eq!(wait(&reader, sink).wait().0, STATUS_SHUTDOWN_IN_PROGRESS);
    assert_eq!(Program::open(&rig.executive, &rig.device).err(), Some(STATUS_SHUTDOWN_IN_PROGRESS));
    // Counts are still told.
    assert_eq!(operator.report(sink).0.attached, 1);
    drop((reader, operator));
    rig.unload();
}

/// Sets what it names when it goes, also when the test fails: a thread that goes on for ever would hide why.
struct Sets<'a>(&'a AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Records, cancellations and detachments come at the same moments: every wait is completed, once.
#[test]
fn waits_are_completed_once_whoever_comes_first() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&Start::new());
    let mut mapped = Mapped::open(&program.attach(sink));
    let done = AtomicBool::new(false);
    let mut ends = [0_u32; 2];
    std::thread::scope(|threads| {
        let _ends_with_this = Sets(&done);
        threads.spawn(|| {
            let socket = sender();
            while !done.load(Ordering::Relaxed) {
                socket.send_to(b"x", local(port)).unwrap();
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        for round in 0..3000 {
            mapped.read();
            if !mapped.prepare_wait() {
                continue;
            }
            let pending = wait(&program, sink);
            if round % 2 == 0 {
                pending.cancel();
            }
            assert!(pending.is_done(LONG), "round {round}");
            match pending.wait().0 {
                STATUS_SUCCESS => ends[0] += 1,
                STATUS_CANCELLED => ends[1] += 1,
                other => panic!("{other}"),
            }
        }
    });
    assert!(ends.iter().all(|count| *count > 0), "{ends:?}");
    assert_eq!(mapped.missing(), 0);
    drop((mapped, program));
    rig.unload();
}
