//! The conformance suite inside an image that is built for it, against the same suite in a program of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::wine::check::{Check, Room};
use crate::{cargo, process};

pub(in crate::wine) const CHECKS: &[Check] = &[Check {
    name: "self-test",
    proves: "the checks inside an image that is built for them find what they find in a program on Linux, rule by rule",
    run: self_test,
}];

/// Longest that the suite may take.
const LIMIT: Duration = Duration::from_secs(5 * 60);
/// Longest that building the program may take.
const BUILD: Duration = Duration::from_secs(10 * 60);

const RAW: &str = "Wine has raw sockets for echo requests only";
const OPTION: &str = "Wine's sockets have no such option";
const ANY: &str = "Wine binds the wildcard for an address of IPv4 that it does not know";
const SENT: &str = "Wine leaves control messages out of sends, and the provider refuses them there";
const SOURCE: &str = "Wine exchanges source and interface, and the provider refuses the membership there";
const BROADCAST: &str = "Wine does not flag the broadcast of a network";
const RESET: &str = "Wine tells of a reset as of the end of the stream";

/// What happens now and then.
const AT_TIMES: [&str; 2] = [LEFT_OUT, RESET_AS_IT_WAITS];
const LEFT_OUT: &str = "Wine leaves one of two control messages out now and then";
const RESET_AS_IT_WAITS: &str =
    "Wine may tell of a reset as of the end of the stream, if a receive waits for it";

/// Rules that are found otherwise under Wine than on Linux, and why.
const KNOWN: &[(&str, &str)] = &[
    ("a raw socket is given to who has the privilege, and ACCESS_DENIED to others", RAW),
    ("UDP_NOCHECKSUM is remembered", OPTION),
    ("two addresses do not share a port's use", ANY),
    ("an address that is not this machine's is refused", ANY),
    ("IPV6_RECVTCLASS tells the traffic class", OPTION),
    ("IPV6_ECN tells the congestion bits alone", OPTION),
    ("a send with IP_PKTINFO has the source address that it names", SENT),
    ("a send with IP_TOS has that type of service", SENT),
    ("a send with IP_TTL has that time to live", SENT),
    ("control messages are those of every datagram of a list", SENT),
    ("control messages hold for one send", SENT),
    ("a message without a payload beside IP_PKTINFO changes nothing", SENT),
    ("several control messages come together", LEFT_OUT),
    ("a membership of one source lets no other in", SOURCE),
    ("a broadcast that is received is flagged MSG_BCAST", BROADCAST),
    ("WskConnectEx sends its data with TCP_FASTOPEN too", OPTION),
    ("a receive that waits ends when the other end aborts", RESET_AS_IT_WAITS),
    ("the disconnect event tells of an abortive disconnect", RESET),
    ("closing aborts a connection that is open both ways", RESET),
];

/// A row of `skua selftest --json`.
#[derive(Deserialize, PartialEq, Eq, Debug)]
struct Row {
    rule: String,
    group: String,
    outcome: String,
    expected: String,
    seen: String,
}

impl Row {
    /// Whether two runs found the same. A rule that is kept may be seen otherwise where it leaves that open: a port, a size,
    /// which failure it is.
    fn agrees_with(&self, other: &Self) -> bool {
        let kept = self.outcome == "kept";
        self.outcome == other.outcome && self.expected == other.expected && (kept || self.seen == other.seen)
    }
}

fn self_test(room: &Room<'_>) -> Result<()> {
    let path = room.built("self-test/skua.sys");
    let image = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut driver = room.driver_with(|shipped| {
        *shipped = image.clone();
        Ok(())
    })?;
    driver.start()?;
    let table = process::run(room.skua().args(["selftest", "--driver"]), LIMIT)?;
    println!("{}", table.stdout.trim_end());
    let inside = process::run(room.skua().args(["selftest", "--driver", "--json"]), LIMIT)?;
    room.is_sound(Some(&driver))?;
    driver.stop()?;
    driver.delete()?;

    let inside = rows(&inside.stdout)?;
    if inside.iter().any(|row| row.outcome == "hung") {
        // What hung was left as it is, and the driver said so when it was unloaded.
        room.restart()?;
    }
    let (of_driver, inside): (Vec<Row>, Vec<Row>) = inside.into_iter().partition(|row| row.group == "driver");
    ensure!(!of_driver.is_empty(), "there are no checks of the driver itself");
    let broken: Vec<&Row> = of_driver.iter().filter(|row| row.outcome != "kept").collect();
    ensure!(broken.is_empty(), "the kernel is not what the driver leans on: {broken:#?}");
    is_left_out(room, &image, &inside)?;
    compare(&inside, &outside()?)
}

/// The same suite over the sockets of this machine.
fn outside() -> Result<Vec<Row>> {
    let mut command = cargo::command();
    process::run_shown(command.args(["build", "--release", "--package", "skua-app"]), BUILD)?;
    let program = cargo::target_directory().join("release/skua");
    let mut command = std::process::Command::new(program);
    rows(&process::run(command.args(["selftest", "--json"]), LIMIT)?.success()?.stdout)
}

fn rows(json: &str) -> Result<Vec<Row>> {
    let rows = json
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not a rule: {line}")))
        .collect::<Result<Vec<Row>>>()?;
    ensure!(!rows.is_empty(), "there are no checks");
    Ok(rows)
}

/// That the image which ships has none of it.
fn is_left_out(room: &Room<'_>, image: &[u8], rows: &[Row]) -> Result<()> {
    let path = room.built("skua.sys");
    let shipped = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    for row in rows {
        let has = |bytes: &[u8]| bytes.windows(row.rule.len()).any(|window| window == row.rule.as_bytes());
        ensure!(has(image), "{:?} is not in the image that has the checks", row.rule);
        ensure!(!has(&shipped), "{:?} is in the image that ships", row.rule);
    }
    Ok(())
}

/// Fails where the two tables differ and it is not known why, and where it is known and they do not.
fn compare(inside: &[Row], outside: &[Row]) -> Result<()> {
    let outside: BTreeMap<&str, &Row> = outside.iter().map(|row| (row.rule.as_str(), row)).collect();
    ensure!(inside.len() == outside.len(), "{} rules inside, {} outside", inside.len(), outside.len());
    let known: BTreeMap<&str, &str> = KNOWN.iter().copied().collect();
    let mut wrong = Vec::new();
    for row in inside {
        let other = outside.get(row.rule.as_str()).with_context(|| format!("{:?} is new", row.rule))?;
        let same = row.agrees_with(other);
        match known.get(row.rule.as_str()) {
            None if !same => wrong.push(format!(
                "{}\n    in the driver: {} | {} | {}\n    in a program:  {} | {} | {}",
                row.rule, row.outcome, row.expected, row.seen, other.outcome, other.expected, other.seen
            )),
            Some(why) if same && !AT_TIMES.contains(why) => {
                wrong.push(format!("{}\n    is no different, though {why}", row.rule))
            }
            _ => {}
        }
    }
    ensure!(wrong.is_empty(), "the tables differ:\n  {}", wrong.join("\n  "));
    println!("{} rules, {} known to differ", inside.len(), known.len());
    Ok(())
}
