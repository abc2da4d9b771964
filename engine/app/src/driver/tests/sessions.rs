//! Whole sessions: from datagrams to files.

use super::*;
use crate::program::Program;

fn json(folder: &tempfile::TempDir, name: &str) -> (std::path::PathBuf, String) {
    let path = folder.path().join(name);
    let text = path.display().to_string();
    (path, text)
}

#[test]
fn a_sink_in_the_driver_is_read_to_the_last_record_and_ends() {
    let rig = Rig::new();
    let folder = tempfile::tempdir().unwrap();
    let (path, text) = json(&folder, "all");
    let line = format!("skua sink --driver --listen 127.0.0.1:0 --ring 1M --json {text}");
    let session = Session::begin(&rig, &line);
    let port = session.addresses[0].port();
    assert_ne!(port, 0, "the real port is shown");
    send(port, 0..500);
    // What is indicated when the end comes is written: the driver closes the listeners before the reader finishes.
    let watch = client(&rig);
    until(|| watch.report(1).is_ok_and(|report| report.sink.indicated == 500));
    session.end().unwrap();
    let mut numbers = numbers(&path);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    assert_eq!(watch.sinks().unwrap(), [0_u64; 0], "the sink ended with its session");
    drop(watch);
    unload(rig);
}

#[test]
fn records_come_as_they_arrive_and_not_only_at_the_end() {
    for extra in ["", "--no-map"] {
        let rig = Rig::new();
        let folder = tempfile::tempdir().unwrap();
        let (path, text) = json(&folder, "live");
        let line = format!("skua sink --driver --listen 127.0.0.1:0 --ring 1M --json {text} {extra}");
        let session = Session::begin(&rig, &line);
        let port = session.addresses[0].port();
        for number in 0..5 {
            send(port, number..number + 1);
            until(|| numbers(&path).last() == Some(&number));
        }
        session.end().unwrap();
        unload(rig);
    }
}

#[test]
fn a_reader_that_dies_loses_nothing_and_the_next_goes_on() {
    for extra in ["", "--no-map"] {
        let rig = Rig::new();
        let folder = tempfile::tempdir().unwrap();
        let starter = client(&rig);
        let (sink, port) =
            detached(&starter, "skua sink --driver --listen 127.0.0.1:0 --ring 1M --name it --detach");
        // The program that started it is gone, and so is the first reader, without a word.
        drop(starter);
        send(port, 0..100);
        let dying: Program = rig.open();
        dying.attach(sink);
        dying.close(&[skua_engine::abi::nt::IRP_MJ_CLOSE]);
        send(port, 100..200);

        let (first, text) = json(&folder, "first");
        let session = Session::begin(&rig, &format!("skua capture --sink it --json {text} {extra}"));
        until(|| numbers(&first).len() == 200);
        session.end().unwrap();

        // Nobody reads now.
        send(port, 200..300);
        let (second, text) = json(&folder, "second");
        let session = Session::begin(&rig, &format!("skua capture --json {text} {extra}"));
        until(|| numbers(&second).len() == 100);
        session.end().unwrap();

        let mut all = [numbers(&first), numbers(&second)].concat();
        all.sort_unstable();
        assert_eq!(all, (0..300).collect::<Vec<_>>());
        let watch = client(&rig);
        assert_eq!(watch.sinks().unwrap(), [sink], "a capture leaves the sink running");
        watch.stop(sink).unwrap();
        drop(watch);
        unload(rig);
    }
}

#[test]
fn records_are_copied_where_nothing_can_be_mapped() {
    let rig = Rig::new();
    let folder = tempfile::tempdir().unwrap();
    let (path, text) = json(&folder, "copied");
    let line = format!("skua sink --driver --listen 127.0.0.1:0 --ring 1M --json {text}");
    let Command::Sink(args) = command(&line) else { panic!("{line}") };
    let link = Client::over(Box::new(HostLink::without_mappings(&rig))).unwrap();
    let session = Session::over(DriverIntake::start(link, &args).unwrap(), args.output);
    send(session.addresses[0].port(), 0..300);
    until(|| numbers(&path).len() == 300);
    session.end().unwrap();
    unload(rig);
}

#[test]
fn a_sink_that_is_stopped_ends_its_reader_with_an_error() {
    let rig = Rig::new();
    let folder = tempfile::tempdir().unwrap();
    let (path, text) = json(&folder, "cut");
    let operator = client(&rig);
    let (sink, port) = detached(&operator, "skua sink --driver --listen 127.0.0.1:0 --ring 1M --detach");
    let session = Session::begin(&rig, &format!("skua capture --json {text}"));
    send(port, 0..10);
    until(|| numbers(&path).len() == 10);
    operator.stop(sink).unwrap();
    assert!(
        matches!(session.join(), Err(RunError::Incomplete(_))),
        "nobody would know that something is missing"
    );
    assert_eq!(numbers(&path).len(), 10);
    drop(operator);
    unload(rig);
}

#[test]
fn a_driver_that_is_shut_down_ends_its_readers() {
    let rig = Rig::new();
    let operator = client(&rig);
    let (sink, _) = detached(&operator, "skua sink --driver --listen 127.0.0.1:0 --ring 1M --detach");
    let session = Session::begin(&rig, "skua capture --discard");
    until(|| operator.report(sink).is_ok_and(|report| report.sink.attached == 1));
    operator.shut_down().unwrap();
    assert!(matches!(session.join(), Err(RunError::Incomplete(_))));
    drop(operator);
    unload(rig);
}

#[test]
fn a_session_that_does_not_come_up_leaves_no_sink_behind() {
    let rig = Rig::new();
    let line = "skua sink --driver --listen 127.0.0.1:0 --ring 1M --write /nowhere/a.pcapng";
    let error = Session::begin(&rig, line).join().unwrap_err();
    assert!(error.to_string().contains("/nowhere/a.pcapng"), "{error}");
    let watch = client(&rig);
    assert_eq!(watch.sinks().unwrap(), [0_u64; 0]);
    drop(watch);
    unload(rig);
}

#[test]
fn a_sink_has_one_reader() {
    let rig = Rig::new();
    let operator = client(&rig);
    let (sink, _) = detached(&operator, "skua sink --driver --listen 127.0.0.1:0 --ring 1M --detach");
    let session = Session::begin(&rig, "skua capture --discard");
    until(|| operator.report(sink).is_ok_and(|report| report.sink.attached == 1));
    let error = Session::begin(&rig, "skua capture --discard").join().unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    session.end().unwrap();
    operator.stop(sink).unwrap();
    drop(operator);
    unload(rig);
}
