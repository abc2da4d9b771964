//! Skua's sink in this process, whose reader is the one who takes datagrams.
//!
//! The same engine, provider and settings as `skua sink` has, one worker, and a reader that says when it has a record: what
//! `skua sink` itself does not tell. It shares the receiver's core with the worker.

// UNSAFETY: opens a reader over mapped memory.
#![expect(unsafe_code, reason = "a reader is opened over mapped memory")]

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use skua_benches::{RingEnd, SystemMemory};
use skua_engine::admission::AdmissionConfig;
use skua_engine::{
    Config, Engine, Events, Info, Passive, Registration, Sink, SinkConfig, SocketOptions, Wake, Wanted,
};
use skua_hosted::{HostConfig, HostKernel};
use skua_pools::{SharedMemory as _, WaitFor};
use skua_record::{RecordHeader, RingReader};

use super::{Listen, Receiver, Take};

/// What `skua sink` has unless it is told otherwise.
const RING: usize = 16 << 20;
const WATERMARK: u64 = RING as u64 / 4;
const SOURCE_ROWS: u32 = 4096;
const MODERATION: Duration = Duration::from_millis(1);
const REST: Duration = Duration::from_millis(10);

/// How long the provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How soon the sink's records are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Haste {
    /// The worker takes a datagram when it comes, and the reader is woken for every record.
    AtOnce,
    /// The worker lets datagrams gather as `skua sink` does by default, and the reader is woken for every record.
    Moderated,
    /// The reader rests between its looks as that of `skua sink` does, too.
    Resting,
}

/// An engine with a sink, and its reader.
pub(super) struct InProcess {
    pub(super) haste: Haste,
}

/// Wakes the reader.
#[derive(Clone, Default)]
struct Alarm(Arc<OnceLock<Thread>>);

impl Wake for Alarm {
    fn wake(&self, _shard: u32) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

impl Receiver for InProcess {
    fn run<T: Take>(&self, listen: &Listen, take: T) -> io::Result<()> {
        let mut host = HostConfig::with_workers(1).unverified();
        if self.haste != Haste::AtOnce {
            host.provider.moderation = MODERATION;
        }
        let kernel = HostKernel::new(host);
        let passive = Passive::acquire(&kernel).ok_or_else(|| io::Error::other("not at PASSIVE_LEVEL"))?;
        let registration =
            Registration::register(kernel.clone(), Events::Static, &passive).map_err(io::Error::other)?;
        let provider = registration.capture(PATIENCE, &passive).map_err(io::Error::other)?;
        let config = Config {
            admission: AdmissionConfig { rows: SOURCE_ROWS, ..AdmissionConfig::default() },
            ..Config::default()
        };
        let sink_config = SinkConfig {
            ring_bytes: RING,
            snap_length: RecordHeader::LONGEST_PAYLOAD,
            watermark: WATERMARK,
            host_id: [1; 16],
            boot_id: [2; 16],
        };
        let alarm = Alarm::default();
        let sink =
            Sink::open(&kernel, &SystemMemory, alarm.clone(), sink_config, 1).map_err(io::Error::other)?;
        let engine = Engine::open(kernel.clone(), sink, &config, &passive).map_err(io::Error::other)?;
        let socket = engine.open_socket(&provider, &options(listen), &passive).map_err(io::Error::other)?;
        let _ = alarm.0.set(thread::current());
        let mapping = engine.handler().mapping(0).ok_or_else(|| io::Error::other("a sink without a ring"))?;
        let (data, cursor) = (SystemMemory::data(mapping), SystemMemory::cursor(mapping));
        // SAFETY: the sink's regions, which live as long as the engine does, read by this value alone.
        let reader: RingReader = unsafe { RingEnd::open(data, sink_config.data_region_bytes(), cursor) };
        listen.announce(socket.local_address());
        self.read(reader, take)
    }
}

impl InProcess {
    fn read<T: Take>(&self, mut reader: RingReader, mut take: T) -> io::Result<()> {
        loop {
            let progress = reader.read(u64::MAX, |record, _| take.take(record.payload()));
            let found = progress.map_err(io::Error::other)?.records > 0;
            take.publish();
            let (wait, span) = match self.haste {
                Haste::Resting if found => (WaitFor::Fill(WATERMARK), REST),
                _ => (WaitFor::Any, PATIENCE),
            };
            if reader.prepare_wait(wait).map_err(io::Error::other)? {
                thread::park_timeout(span);
            }
            reader.cancel_wait();
        }
    }
}

fn options(listen: &Listen) -> SocketOptions<'static> {
    let wanted = Wanted {
        packet_info: Info::Wanted,
        type_of_service: Info::Wanted,
        hop_limit: Info::Wanted,
        timestamp: Info::Wanted,
        ..Wanted::default()
    };
    SocketOptions {
        wanted,
        receive_buffer: Some(listen.receive_buffer),
        ..SocketOptions::new(listen.address)
    }
}
