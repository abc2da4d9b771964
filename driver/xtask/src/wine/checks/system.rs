//! What the driver leans on in the kernel, and what it tells the rest of the system.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::wine::check::{Check, Room};
use crate::wine::kept::Kept;
use crate::wine::traffic::Traffic;

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "raised-lock",
        proves: "a sink whose memory cannot be locked does not start, for a routine that raises; the next one does",
        run: raised_lock,
    },
    Check {
        name: "events",
        proves: "ETW is told when driver and sink start and stop, with what they counted, and of no leak",
        run: events,
    },
];

/// Longest that a program may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Where what stands in for ntoskrnl.exe looks for what it is told.
const SETTINGS: &str = r"HKLM\Software\Skua\Wine";

fn raised_lock(room: &Room<'_>) -> Result<()> {
    let mut driver = room.driver()?;
    driver.start()?;
    set(room, "ProbeAndLockRaises", "REG_DWORD", "1")?;
    let refused = Kept::start(room, "refused", &["127.0.0.1:0"], &[]);
    ensure!(refused.is_err(), "a sink started whose rings cannot be locked");
    room.is_sound(Some(&driver))?;
    // The routine raises once.
    let sink = Kept::start(room, "started", &["127.0.0.1:0"], &[])?;
    sink.stop()?;
    room.is_sound(Some(&driver))?;
    driver.stop()?;
    driver.delete()
}

/// A line of what stands in for ETW.
#[derive(Deserialize, Debug)]
struct Event {
    event: String,
    fields: serde_json::Map<String, serde_json::Value>,
}

fn events(room: &Room<'_>) -> Result<()> {
    const COUNT: u64 = 100;
    let path = room.file("events");
    set(room, "EtwFile", "REG_SZ", &format!("Z:{}", path.display()))?;
    let mut driver = room.driver()?;
    driver.start()?;
    let sink = Kept::start(room, "told", &["127.0.0.1:0"], &[])?;
    Traffic { to: &sink.local, count: COUNT, rate: 1_000, first: 0, size: Some(10) }.send()?;
    sink.until("everything published", |stats| stats.published == COUNT)?;
    sink.stop()?;
    driver.stop()?;
    driver.delete()?;
    room.prefix().run("reg", &["delete", SETTINGS, "/v", "EtwFile", "/f"], LIMIT)?;

    let text = fs::read_to_string(&path).context("nobody was told anything")?;
    let events = text
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not an event: {line}")))
        .collect::<Result<Vec<Event>>>()?;
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    ensure!(names == ["DriverStarted", "SinkStarted", "SinkStopped", "DriverStopped"], "told of {names:?}");
    for (event, field, expected) in [
        (1, "Listeners", 1),
        (2, "Indicated", COUNT),
        (2, "Published", COUNT),
        (2, "Dropped", 0),
        (3, "LeakedBytes", 0),
    ] {
        let event = &events[event];
        ensure!(event.fields.get(field).is_some_and(|value| *value == expected), "{field} in {event:?}");
    }
    Ok(())
}

/// Tells what stands in for ntoskrnl.exe.
fn set(room: &Room<'_>, value: &str, kind: &str, data: &str) -> Result<()> {
    let arguments = ["add", SETTINGS, "/v", value, "/t", kind, "/d", data, "/f"];
    room.prefix().run("reg", &arguments, LIMIT).map(drop)
}
