//! The engine at work in this process: a kernel, a WSK client, sockets, and the sink behind them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skua_engine::admission::Source as RowSource;
use skua_engine::{
    DatagramSocket, Engine, Events, Info, Membership, Passive, Provider, Registration, Sink, SinkConfig,
    SocketOptions, Wanted,
};
#[cfg(target_os = "linux")]
use skua_hosted::Transport;
use skua_hosted::{HostConfig, HostKernel};

use super::alarm::Alarm;
use super::error::{CloseError, StartError};
use super::intake::{Counts, Intake, Shape, Sleep};
use super::settings;
use super::supply::Supply;
use super::taps::Taps;
use crate::cli::{Group, SinkArgs};
use crate::shared::MappedMemory;
use crate::snapshot::{Snapshot, Source, Sources, lost_here};

/// The handler of every socket.
pub(crate) type AppSink = Sink<HostKernel, MappedMemory, Alarm>;

/// How long to wait for the provider, which is in this process.
const CAPTURE_WAIT: Duration = Duration::from_secs(1);

/// Datagrams of one system call at most.
const BATCH: u32 = 64;

/// How long what the system still holds may take to be indicated.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// How long a close may take: callbacks end by themselves, and nothing is retained.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Everything between the network and the rings.
pub(crate) struct InProcess {
    // None once they are closed. Dropped in this order: sockets before the engine they feed, both before the client they
    // belong to.
    open: Option<Open>,
    addresses: Vec<SocketAddr>,
    engine: Arc<Engine<HostKernel, AppSink>>,
    kernel: HostKernel,
    alarm: Alarm,
    shape: Shape,
    workers: usize,
    /// Whether datagrams come from a packet ring.
    #[cfg(target_os = "linux")]
    has_ring: bool,
    started: Instant,
}

/// What is closed at the end.
struct Open {
    sockets: Vec<DatagramSocket<HostKernel, AppSink>>,
    provider: Provider<HostKernel>,
    registration: Registration<HostKernel>,
}

/// The engine's counts, which outlive its sockets.
struct EngineCounts {
    engine: Arc<Engine<HostKernel, AppSink>>,
    kernel: HostKernel,
    addresses: Vec<SocketAddr>,
    workers: usize,
    /// Whether datagrams come from a packet ring.
    #[cfg(target_os = "linux")]
    has_ring: bool,
    started: Instant,
}

impl InProcess {
    /// Opens everything; datagrams are taken from here on.
    ///
    /// # Errors
    /// [`StartError`] names the step, the address and the status.
    pub(crate) fn open(args: &SinkArgs) -> Result<Self, StartError> {
        let config = sink_config(args)?;
        let alarm = Alarm::default();
        let kernel = HostKernel::new(host_config(args)?);
        let started = Instant::now();
        let passive = passive(&kernel)?;
        let registration = Registration::register(kernel.clone(), Events::Static, &passive)?;
        let provider = registration.capture(CAPTURE_WAIT, &passive)?;
        let engine_config = settings::engine_config(&args.allow, args.source_rate, args.sample);
        let shards = Engine::<HostKernel, AppSink>::shards(&kernel, &engine_config)?;
        let sink = Sink::open(&kernel, &MappedMemory, alarm.clone(), config, shards)?;
        let engine = Engine::open(kernel.clone(), sink, &engine_config, &passive)?;

        let mut sockets = Vec::with_capacity(args.listen.len());
        for (id, &local) in args.listen.iter().enumerate() {
            let options = socket_options(args, id, local);
            sockets.push(engine.open_socket(&provider, &options, &passive)?);
        }
        for group in &args.group {
            join(&mut sockets, group, &passive)?;
        }
        let addresses = sockets.iter().map(DatagramSocket::local_address).collect();
        Ok(Self {
            open: Some(Open { sockets, provider, registration }),
            addresses,
            engine: Arc::new(engine),
            kernel,
            alarm,
            shape: Shape {
                ring_bytes: config.ring_bytes as u64,
                watermark: config.watermark,
                snap_length: config.snap_length,
                filter: settings::filter_in_words(&args.allow, args.source_rate, args.sample),
            },
            workers: usize::from(args.workers),
            #[cfg(target_os = "linux")]
            has_ring: args.packet_ring,
            started,
        })
    }
}

impl Intake for InProcess {
    fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn supply(&mut self) -> Result<Supply, StartError> {
        let sink = self.engine.handler();
        let rings = (0..sink.rings())
            .filter_map(|shard| sink.mapping(shard))
            .map(|mapping| Ok(mapping.attach()?))
            .collect::<Result<Vec<_>, StartError>>()?;
        Taps::new(rings).map(Supply::Mapped).ok_or(StartError::NoRing)
    }

    fn sleep(&self) -> Arc<dyn Sleep> {
        Arc::new(self.alarm.clone())
    }

    fn counts(&self) -> Arc<dyn Counts> {
        Arc::new(EngineCounts {
            engine: Arc::clone(&self.engine),
            kernel: self.kernel.clone(),
            addresses: self.addresses.clone(),
            workers: self.workers,
            #[cfg(target_os = "linux")]
            has_ring: self.has_ring,
            started: self.started,
        })
    }

    /// Stops taking datagrams in, hands on what the system holds already, and closes.
    fn settle(&mut self) -> Result<(), CloseError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let drained = self.kernel.quiesce(None, DRAIN_LIMIT);
        let passive = passive(&self.kernel).map_err(|_| CloseError::Level)?;
        for socket in open.sockets {
            socket.close(CLOSE_LIMIT, &passive)?;
        }
        drop(open.provider);
        open.registration
            .close(CLOSE_LIMIT, &passive)
            .map_err(|error| CloseError::Deregister(error.to_string()))?;
        if drained { Ok(()) } else { Err(CloseError::Drain) }
    }

    /// Its memory goes with the last of its counts.
    fn end(self: Box<Self>) -> Result<(), CloseError> {
        Ok(())
    }
}

impl Counts for EngineCounts {
    fn snapshot(&self) -> Snapshot {
        let stats = self.engine.stats();
        let mut snapshot = Snapshot {
            at: self.started.elapsed(),
            sockets: self.addresses.clone(),
            workers: self.workers,
            indicated: stats.indicated,
            delivered: stats.delivered(),
            bytes: stats.bytes,
            retained: stats.retained(),
            drops: stats.drops,
            published: self.engine.handler().stats().published,
            lost_below: self.kernel.lost_below(),
            lost_by: self.lost_by(),
            ..Snapshot::default()
        };
        self.add_sources(&mut snapshot);
        snapshot
    }

    fn losses(&self) -> u64 {
        lost_here(&self.engine.stats().drops) + self.kernel.lost_below().unwrap_or(0)
    }
}

impl EngineCounts {
    /// The reasons for which datagrams did not come out of a packet ring.
    fn lost_by(&self) -> Vec<(&'static str, u64)> {
        #[cfg(target_os = "linux")]
        if self.has_ring {
            let losses = self.kernel.packet_ring_losses();
            return vec![
                ("ring_full", losses.ring_full),
                ("fragmented", losses.fragmented),
                ("bad_checksum", losses.bad_checksum),
                ("malformed", losses.malformed),
                ("truncated", losses.truncated),
                ("unseen", losses.unseen),
            ];
        }
        Vec::new()
    }

    /// One source has a row in each shard that heard it.
    fn add_sources(&self, snapshot: &mut Snapshot) {
        let mut sources = Sources::default();
        self.engine.admission().sources(|row| match row.source {
            RowSource::Address(address) => sources.add(Source {
                address: address.into(),
                datagrams: row.datagrams,
                bytes: row.bytes,
                refused: row.refused(),
            }),
            _ => sources.add_other(row.datagrams),
        });
        sources.sum_up(snapshot);
    }
}

fn passive(kernel: &HostKernel) -> Result<Passive<'_>, StartError> {
    Passive::acquire(kernel).ok_or(StartError::Level)
}

/// Nothing is copied that nobody reads.
fn sink_config(args: &SinkArgs) -> Result<SinkConfig, StartError> {
    let mut config = settings::sink_config(args.ring, args.snaplen())?;
    if args.snaplen.is_none() && !args.output.uses_payloads() {
        config.snap_length = 0;
    }
    Ok(config)
}

fn host_config(args: &SinkArgs) -> Result<HostConfig, StartError> {
    let mut config = HostConfig::with_workers(u32::from(args.workers)).unverified();
    config.provider.moderation = args.moderation.0;
    config.provider.batch = BATCH;
    #[cfg(target_os = "linux")]
    if let Some(ring) = settings::packet_ring(args)? {
        config.provider.transport = Transport::PacketRing(ring);
    }
    Ok(config)
}

fn socket_options(args: &SinkArgs, id: usize, local: SocketAddr) -> SocketOptions<'static> {
    let wanted = Wanted {
        packet_info: Info::Wanted,
        type_of_service: Info::Wanted,
        hop_limit: Info::Wanted,
        timestamp: Info::Wanted,
        coalesced: if args.coalesce { Info::Wanted } else { Info::Off },
    };
    SocketOptions {
        only_v6: settings::only_v6(local, &args.listen),
        wanted,
        receive_buffer: Some(u32::try_from(args.receive_buffer.0).unwrap_or(u32::MAX)),
        id: u16::try_from(id).unwrap_or(u16::MAX),
        ..SocketOptions::new(local)
    }
}

/// Joins a group on every socket that can hear its family.
fn join(
    sockets: &mut [DatagramSocket<HostKernel, AppSink>],
    group: &Group,
    passive: &Passive<'_>,
) -> Result<(), StartError> {
    let membership =
        Membership { group: group.address, interface: settings::interface(group)?, source: None };
    let mut joined = false;
    for socket in sockets {
        if socket.local_address().is_ipv4() == group.address.is_ipv4() {
            socket.join(&membership, passive)?;
            joined = true;
        }
    }
    if joined { Ok(()) } else { Err(StartError::NoSocketFor(group.clone())) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn payloads_are_kept_for_outputs_that_use_them_and_for_who_asks() {
        for (options, kept) in [
            ("--discard", 0),
            ("--metrics 127.0.0.1:0", 0),
            ("--discard --snaplen 96", 96),
            ("--snaplen 65535", 65_527),
            ("--verify", 65_527),
            ("--json -", 65_527),
            ("--write a.pcapng --discard", 65_527),
            ("--write a.pcapng --snaplen 0", 0),
        ] {
            let line = format!("skua sink --listen 127.0.0.1:0 {options}");
            let Command::Sink(args) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else {
                panic!("{line}")
            };
            assert_eq!(sink_config(&args).unwrap().snap_length, kept, "{options}");
        }
    }
}
