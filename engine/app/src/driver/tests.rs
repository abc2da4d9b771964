//! This program's side of the driver, against the driver's own logic in this process.

mod commands;
mod link;
mod sessions;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Parser;

use super::client::Client;
use super::intake::DriverIntake;
use crate::cli::{Cli, Command, OutputArgs};
use crate::rig::{PATIENCE, Rig};
use crate::signals::Stop;
use crate::sink::error::RunError;
use crate::sink::intake::Intake;
use link::HostLink;

/// A client of a driver.
fn client(rig: &Rig) -> Client {
    Client::over(Box::new(HostLink::open(rig))).unwrap()
}

/// A command line, understood.
fn command(line: &str) -> Command {
    Cli::try_parse_from(line.split_whitespace()).unwrap().command
}

/// Starts the sink of a command line and leaves it running. Returns its number and the port of its first listener.
fn detached(client: &Client, line: &str) -> (u64, u16) {
    let Command::Sink(args) = command(line) else { panic!("{line}") };
    let sink = super::intake::start(client, &args).unwrap();
    (sink, client.report(sink).unwrap().addresses()[0].port())
}

/// A session in a thread of its own.
struct Session {
    addresses: Vec<SocketAddr>,
    stop: Stop,
    thread: JoinHandle<Result<(), RunError>>,
}

impl Session {
    /// That of a `skua sink --driver` or a `skua capture`.
    fn begin(rig: &Rig, line: &str) -> Self {
        let (intake, output) = match command(line) {
            Command::Sink(args) => (DriverIntake::start(client(rig), &args).unwrap(), args.output),
            Command::Capture(args) => (DriverIntake::attach(client(rig), &args).unwrap(), args.output),
            other => panic!("{other:?}"),
        };
        Self::over(intake, output)
    }

    fn over(intake: DriverIntake, output: OutputArgs) -> Self {
        let addresses = intake.addresses().to_vec();
        let stop = Stop::default();
        let asked = stop.clone();
        let thread = std::thread::spawn(move || crate::sink::session::run(&output, Box::new(intake), asked));
        Self { addresses, stop, thread }
    }

    /// Asks for the end and waits for it.
    fn end(self) -> Result<(), RunError> {
        self.stop.ask();
        self.join()
    }

    fn join(self) -> Result<(), RunError> {
        self.thread.join().unwrap()
    }
}

/// Sends numbers as text, each in a datagram.
fn send(port: u16, numbers: std::ops::Range<u32>) {
    let socket = crate::rig::sender();
    for number in numbers {
        socket.send_to(number.to_string().as_bytes(), crate::rig::local(port)).unwrap();
    }
}

/// The numbers in a file of NDJSON, which may be written to meanwhile: a line without its end is not there yet.
fn numbers(path: &Path) -> Vec<u32> {
    let number = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["text"].as_str().unwrap().parse().unwrap()
    };
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(number).collect()
}

/// Waits until something is so.
#[track_caller]
fn until(so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "it never came to be");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends the driver, which must leave nothing behind.
fn unload(rig: Rig) {
    until(|| Arc::strong_count(&rig.device) == 1);
    rig.unload();
}
