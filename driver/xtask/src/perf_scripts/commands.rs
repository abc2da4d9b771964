//! The command files for Windows, run under Wine against stand-ins.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use skua_driver::trace;

use crate::process::{self, Finished};
use crate::wine::prefix::Prefix;

/// Longest that one command file may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Notes how it was called; -status and -stop do what a script waits for.
const WPR: &str = r#"@echo off
echo wpr %*>>calls.txt
if "%~1"=="-status" echo Dropped event           : 0
if "%~1"=="-stop" echo trace>%2
exit /b 0
"#;

/// Prints the report that it is asked for.
const XPERF: &str = r#"@echo off
echo xperf %*>>calls.txt
:next
if "%~1"=="" exit /b 0
if "%~1"=="-merge" echo trace>%4
if "%~1"=="tracestats" type tracestats.txt
if "%~1"=="dpcisr" type dpcisr.txt
if "%~1"=="profile" type profile.txt
shift
goto next
"#;

/// Two sinks, and two million datagrams more at the second call; the first sink's count passes a thousand millions meanwhile.
const SKUA: &str = r"@echo off
echo skua %*>>calls.txt
if exist second.txt goto after
echo x>second.txt
echo sink 1 (syslog): running, no reader, 1.0 s
echo   indicated 3999999000, delivered 9, published 9, 12 bytes, 1 sources; none
echo sink 2: running, no reader, 1.0 s
echo   indicated 8, delivered 8, published 8, 12 bytes, 1 sources; none
exit /b 0
:after
echo sink 1 (syslog): running, no reader, 1.0 s
echo   indicated 4001998000, delivered 9, published 9, 12 bytes, 1 sources; none
echo sink 2: running, no reader, 1.0 s
echo   indicated 1008, delivered 8, published 8, 12 bytes, 1 sources; none
exit /b 0
";

/// Reports laid out as xperf lays them out.
const TRACESTATS: &str = "Trace Statistics
Number of Processors : 2
Total # Lost Buffers : 0
Total # Lost Events  : 17
";
const DPCISR: &str = r#"
--------------------------
DPC Info

--------------------------
CPU Usage Summing By Module For the Whole Trace

CPU Usage from 0 us to 90000000 us:

     CPU 0 Usage,      CPU 1 Usage,
     usec      %,      usec      %, Module
      120   0.00,      45000   0.05, ndis.sys
        0   0.00,          0   0.00, other.sys
     1500   0.00,          0   0.00, tcpip.sys
        1   0.00,          0   0.00, "Unknown"

Total = 3261
Elapsed Time, >        4 usecs AND <=        8 usecs,    238, or   7.30%

--------------------------
Interrupt Info

--------------------------
CPU Usage Summing By Module For the Whole Trace

CPU Usage from 0 us to 90000000 us:

     CPU 0 Usage,      CPU 1 Usage,
     usec      %,      usec      %, Module
     7000   0.00,        500   0.00, ndis.sys

Total = 3
"#;
const PROFILE: &str = r#"
Idle (0),     800000,       50.03,         ntoskrnl.exe!KiIdleLoop
System (4),      60000,       4.00,         skua.sys!skua_engine::receive::event::batch<skua::Sink>
System (4),      20500,       1.00,         skua.sys!"Unknown"
System (4),      90000,       1.00,         tcpip.sys!UdpDeliverDatagrams
skua.exe (400),       5000,       0.10,         skua.exe!main
"#;

/// What summarise.cmd makes of them, in this order.
const SUMMARY: [&str; 10] = [
    "lost: 17 events, 0 buffers",
    "record again",
    "datagrams: 2000000",
    "45120  ndis.sys, 22.5 ns a datagram",
    "1500  tcpip.sys, 0.7 ns a datagram",
    "7500  ndis.sys, 3.7 ns a datagram",
    "80500  skua.sys, 40.2 ns a datagram",
    "90000  tcpip.sys, 45.0 ns a datagram",
    "5000  skua.exe, 2.5 ns a datagram",
    "skua.sys!skua_engine::receive::event::batch",
];

/// Checks the command files in `folder`.
pub(super) fn check(folder: &Path) -> Result<()> {
    let room = tempfile::Builder::new().prefix("skua-perf-").tempdir().context("cannot make a folder")?;
    let prefix = Prefix::make(&room.path().join("prefix"))?;
    let desk = Desk { prefix, folder: room.path().join("desk") };
    desk.lay_out(folder)?;
    desk.record("record.cmd", &["wpr -start", "skua.wprp!SkuaStacks", "wpr -status", "wpr -stop"])?;
    desk.summarise()?;
    let provider = format!("{}:0x7:4", String::from_utf8_lossy(&trace::guid()));
    desk.record("record-xperf.cmd", &["-stackwalk Profile", &provider, "xperf -stop", "xperf -merge"])?;
    desk.summarise()?;
    desk.refuses()?;
    println!(
        "command files: record, say what was lost before anything else, and add up what the reports hold"
    );
    Ok(())
}

/// A folder with the command files and the stand-ins side by side, where a command file finds them first.
struct Desk {
    prefix: Prefix,
    folder: PathBuf,
}

impl Desk {
    fn lay_out(&self, scripts: &Path) -> Result<()> {
        fs::create_dir(&self.folder)?;
        for entry in fs::read_dir(scripts).with_context(|| format!("cannot list {}", scripts.display()))? {
            let entry = entry?;
            fs::copy(entry.path(), self.folder.join(entry.file_name()))?;
        }
        let stand_ins = [
            ("wpr.cmd", WPR),
            ("xperf.cmd", XPERF),
            ("skua.cmd", SKUA),
            ("tracestats.txt", TRACESTATS),
            ("dpcisr.txt", DPCISR),
            ("profile.txt", PROFILE),
        ];
        for (name, text) in stand_ins {
            fs::write(self.folder.join(name), text.replace('\n', "\r\n"))?;
        }
        Ok(())
    }

    fn run(&self, arguments: &[&str]) -> Result<Finished> {
        process::run(self.prefix.wine("cmd").arg("/c").args(arguments).current_dir(&self.folder), LIMIT)
    }

    /// Records with `script`; the calls that it makes hold `wanted`, in this order, and the counts are taken in between.
    fn record(&self, script: &str, wanted: &[&str]) -> Result<()> {
        for left in ["calls.txt", "second.txt", "trace.etl"] {
            drop(fs::remove_file(self.folder.join(left)));
        }
        let said = self.run(&[script, "stacks", "1", "trace.etl"])?.success()?.stdout;
        let calls = fs::read_to_string(self.folder.join("calls.txt")).context("it called nothing")?;
        in_order(&calls, wanted).with_context(|| format!("{script} called\n{calls}and said\n{said}"))?;
        in_order(&calls, &[wanted[0], "skua stats", "skua stats", "-stop"])
            .with_context(|| format!("{script} does not count while it records:\n{calls}"))?;
        ensure!(self.folder.join("trace.etl").is_file(), "{script} left no trace");
        Ok(())
    }

    fn summarise(&self) -> Result<()> {
        let said = self.run(&["summarise.cmd", "trace.etl"])?.success()?.stdout;
        in_order(&said, &SUMMARY).with_context(|| format!("summarise.cmd said\n{said}"))?;
        ensure!(
            !said.contains("KiIdleLoop") && !said.contains("other.sys"),
            "it counts what did nothing:\n{said}"
        );
        // Of too few datagrams nothing is said for each.
        let said = self.run(&["summarise.cmd", "trace.etl", "9000"])?.success()?.stdout;
        ensure!(
            said.contains("datagrams: 9000") && !said.contains("ns a datagram"),
            "of 9000 it said\n{said}"
        );
        Ok(())
    }

    /// Mistakes end with a status, and a trace of which nobody knows what it lost has no summary.
    fn refuses(&self) -> Result<()> {
        for (arguments, status) in [
            (&["record.cmd", "everything", "1", "trace.etl"][..], 2),
            (&["record.cmd", "light", "0", "trace.etl"], 2),
            (&["record-xperf.cmd", "light"], 2),
            (&["summarise.cmd"], 2),
            (&["summarise.cmd", "missing.etl"], 1),
        ] {
            let ended = self.run(arguments)?.status.code();
            ensure!(ended == Some(status), "{} ended with {ended:?}", arguments.join(" "));
        }
        fs::write(self.folder.join("tracestats.txt"), "Trace Statistics\r\n")?;
        let finished = self.run(&["summarise.cmd", "trace.etl"])?;
        ensure!(
            finished.status.code() == Some(1) && !finished.stdout.contains("skua.sys"),
            "numbers were printed of a trace whose losses are not known:\n{}",
            finished.stdout
        );
        Ok(())
    }
}

/// Each of `wanted` is in `text`, behind the one before.
fn in_order(text: &str, wanted: &[&str]) -> Result<()> {
    let mut rest = text;
    for word in wanted {
        let at = rest.find(word).with_context(|| format!("{word:?} is not there, or not in its place"))?;
        rest = &rest[at + word.len()..];
    }
    Ok(())
}
