//! What operators ask of sinks that run.

use std::net::UdpSocket;

use skua_engine::abi::status::STATUS_NOT_FOUND;
use skua_protocol::{ControlCode, PROTOCOL_VERSION, ReaderAttached, SelfTestOutcome, Version};

use super::*;
use crate::cli::{ChangeArgs, SinkName};
use crate::driver::counts::DriverCounts;
use crate::driver::error::DriverError;
use crate::driver::link::{Link, Refusal};
use crate::driver::stats::Stats;
use crate::driver::{change_over, intake};
use crate::shared::{AttachError, MappedReader};
use crate::sink::intake::Counts;
use crate::snapshot::ReaderAt;

const SINK: &str = "skua sink --driver --ring 64K --snaplen 1500 --listen 127.0.0.1:0 --detach";

fn changes(line: &str) -> ChangeArgs {
    match command(line) {
        Command::Change(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sink_is_meant_by_number_or_name_or_by_being_the_only_one() {
    let rig = Rig::new();
    let client = client(&rig);
    let find = |name: &str| client.find(Some(&SinkName::from(name)));
    assert!(matches!(client.find(None), Err(DriverError::NoSink)));
    let (first, _) = detached(&client, &format!("{SINK} --name syslog"));
    assert_eq!(client.find(None).unwrap(), first);
    let (second, _) = detached(&client, &format!("{SINK} --name netflow"));
    assert!(matches!(client.find(None), Err(DriverError::Several(2))));
    assert_eq!(find("netflow").unwrap(), second);
    assert_eq!(find(&first.to_string()).unwrap(), first);
    assert!(matches!(find("sflow"), Err(DriverError::NoSuchSink(_))));
    assert!(matches!(find("77"), Err(DriverError::NoSuchSink(_))));
    detached(&client, &format!("{SINK} --name netflow"));
    assert!(matches!(find("netflow"), Err(DriverError::Ambiguous(_, 2))));
    drop(client);
    unload(rig);
}

#[test]
fn filters_and_limits_change_while_the_sink_runs() {
    let rig = Rig::new();
    let client = client(&rig);
    let (sink, port) = detached(&client, &format!("{SINK} --source-rate 1000"));
    let line = change_over(&client, &changes("skua change --sample 1/3")).unwrap();
    assert!(line.contains("1000/s") && line.contains("one in 3"), "what is not given stays: {line}");
    let line = change_over(&client, &changes("skua change --allow 10.0.0.0/8 --source-rate max")).unwrap();
    assert!(line.contains("1 allowed") && !line.contains("/s") && line.contains("one in 3"), "{line}");
    send(port, 0..20);
    let not_allowed = || Stats::take(&client, sink, false).map(|stats| serde_json::to_value(stats).unwrap());
    until(|| not_allowed().is_ok_and(|stats| stats["drops"]["not_allowed"] == 20));
    let line = change_over(&client, &changes("skua change --allow-everyone --sample 1/1")).unwrap();
    assert!(line.ends_with("keeps everything"), "{line}");
    send(port, 20..30);
    until(|| client.report(sink).is_ok_and(|report| report.sink.published == 10));
    drop(client);
    unload(rig);
}

#[test]
fn statistics_say_all_of_a_sink() {
    let rig = Rig::new();
    let client = client(&rig);
    let (sink, port) = detached(&client, &format!("{SINK} --listen [::1]:0 --name it --sample 1/2"));
    send(port, 0..10);
    until(|| client.report(sink).is_ok_and(|report| report.sink.indicated == 10));
    let stats = Stats::take(&client, sink, true).unwrap();
    let text = stats.to_string();
    let value = serde_json::to_value(&stats).unwrap();
    assert_eq!((value["sink"].as_u64(), value["name"].as_str()), (Some(sink), Some("it")));
    assert_eq!((value["state"].as_str(), value["reader"].as_bool()), (Some("running"), Some(false)));
    assert_eq!((value["indicated"].as_u64(), value["published"].as_u64()), (Some(10), Some(5)));
    assert_eq!(value["drops"]["sampled"], 5);
    assert_eq!(value["listeners"].as_array().unwrap().len(), 2);
    assert_eq!(value["listeners"][0]["local"], format!("127.0.0.1:{port}"));
    assert_eq!(value["listeners"][0]["state"], "open");
    let table = value["source_table"].as_array().unwrap();
    assert_eq!((table.len(), table[0]["address"].as_str()), (1, Some("127.0.0.1")));
    assert_eq!(table[0]["datagrams"], 10);
    for wanted in
        ["(it)", "running", "without a reader", "open", "one in 2", "sampled 5", "source 127.0.0.1: 10"]
    {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    assert!(
        serde_json::to_value(Stats::take(&client, sink, false).unwrap())
            .unwrap()
            .get("source_table")
            .is_none()
    );
    drop(client);
    unload(rig);
}

#[test]
fn a_sink_is_looked_at_without_being_read() {
    let rig = Rig::new();
    let watch = Arc::new(client(&rig));
    let (sink, port) = detached(&watch, SINK);
    let counts = DriverCounts::new(Arc::clone(&watch), sink);
    send(port, 0..5);
    until(|| counts.take().is_ok_and(|now| now.published == 5));
    let now = counts.take().unwrap();
    assert_eq!((now.reader, now.sources, now.top[0].datagrams), (ReaderAt::Nowhere, 1, 5));
    watch.attach(sink).unwrap();
    assert_eq!(counts.take().unwrap().reader, ReaderAt::Elsewhere);
    // When the sink is gone, a session still has the counts that it was last told.
    assert_eq!(counts.snapshot().published, 5);
    watch.stop(sink).unwrap();
    assert!(counts.take().is_err());
    assert_eq!(counts.snapshot().published, 5);
    drop((counts, watch));
    unload(rig);
}

#[test]
fn a_start_that_fails_says_what_this_program_would_have_said() {
    let rig = Rig::new();
    let client = client(&rig);
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let fails = |line: &str, wanted: &[&str]| {
        let Command::Sink(args) = command(line) else { panic!("{line}") };
        let error = intake::start(&client, &args).unwrap_err().to_string();
        for wanted in wanted {
            assert!(error.contains(wanted), "{wanted} is not in {error}");
        }
    };
    fails(
        &format!("{SINK} --listen {taken}"),
        &[&taken.to_string(), "STATUS_ADDRESS_ALREADY", "another port"],
    );
    fails(&format!("{SINK} --group ff02::7@1"), &["ff02::7@1", "--listen [::]"]);
    fails(&format!("{SINK} --group 239.1.2.3@4000"), &["239.1.2.3", "4000", "STATUS_"]);
    fails("skua sink --driver --listen 127.0.0.1:0 --ring 64K", &["--ring 512K", "--snaplen"]);
    for _ in 0..skua_protocol::MAX_SINKS {
        detached(&client, SINK);
    }
    fails(SINK, &["8 sinks", "skua stop"]);
    drop(client);
    unload(rig);
}

/// A driver that answers as the test says.
struct Answering<F>(F);

impl<F: Fn(ControlCode, &mut [u8]) -> Result<usize, Refusal> + Send + Sync> Link for Answering<F> {
    fn ask(&self, code: ControlCode, _: &[u8], output: &mut [u8]) -> Result<usize, Refusal> {
        (self.0)(code, output)
    }

    fn wait(&self, _: ControlCode, _: &[u8], _: Duration) -> Result<(), Refusal> {
        Err(Refusal(STATUS_NOT_FOUND))
    }

    fn interrupt(&self) {}

    fn map(&self, _: &ReaderAttached, _: u16) -> Result<MappedReader, AttachError> {
        Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into())
    }
}

fn version(protocol: u16, output: &mut [u8]) -> Result<usize, Refusal> {
    let version = Version { protocol, ..Version::HERE };
    output.copy_from_slice(bytemuck::bytes_of(&version));
    Ok(size_of::<Version>())
}

#[test]
fn a_driver_of_another_version_is_not_talked_to() {
    let other = Box::new(Answering(|code: ControlCode, output: &mut [u8]| {
        assert_eq!(code, ControlCode::Version);
        version(PROTOCOL_VERSION + 1, output)
    }));
    let error = Client::over(other).err().unwrap();
    assert!(matches!(error, DriverError::Version { .. }), "{error}");
}

#[test]
fn answers_that_are_none_are_not_believed() {
    for bytes in [0, 1, 63, 64, usize::MAX] {
        let link = Answering(move |code: ControlCode, output: &mut [u8]| match code {
            ControlCode::Version => version(PROTOCOL_VERSION, output),
            _ => {
                output.fill(0xff);
                Ok(bytes)
            }
        });
        let client = Client::over(Box::new(link)).unwrap();
        // What comes of it is an error or a value, and never more than was asked for.
        let _ = client.sinks();
        let _ = client.find(Some(&SinkName::from("it")));
        if let Ok(report) = client.report(1) {
            assert!(report.listeners.len() <= skua_protocol::MAX_LISTENERS);
            let _ = (report.snapshot(), report.name(), report.filter_in_words());
        }
        let mut rows = 0_u64;
        let _ = client.sources(1, |_| rows += 1);
        assert!(rows <= 64 * 1024, "{rows} rows in one page");
    }
}

#[test]
fn the_driver_tells_what_its_checks_found() {
    let rig = Rig::new();
    let client = client(&rig);
    let rows = client.self_test().unwrap();
    assert!(rows.len() > 150, "{} rules", rows.len());
    let broken = rows.iter().filter(|row| row.outcome().is_none_or(SelfTestOutcome::is_failure));
    let broken: Vec<_> = broken.map(|row| String::from_utf8_lossy(&row.name).into_owned()).collect();
    assert!(broken.is_empty(), "{broken:?}");
    drop(client);
    unload(rig);
}
