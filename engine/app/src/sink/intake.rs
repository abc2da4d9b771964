//! The engine at work: a kernel, a WSK client, sockets, and the sink behind them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use skua_engine::admission::Source as RowSource;
use skua_engine::{
    DatagramSocket, DropReason, Engine, Events, Info, Membership, Passive, Provider, Registration, Sink,
    SinkConfig, SocketOptions, Wanted,
};
use skua_hosted::{HostConfig, HostKernel};

use super::alarm::Alarm;
use super::error::{CloseError, StartError};
use super::settings;
use crate::cli::{Group, SinkArgs};
use crate::shared::{MappedMemory, MappedReader};
use crate::snapshot::{Snapshot, Source, is_policy};

/// The handler of every socket.
pub(crate) type AppSink = Sink<HostKernel, MappedMemory, Alarm>;

/// How long to wait for the provider, which is in this process.
const CAPTURE_WAIT: Duration = Duration::from_secs(1);

/// How long what the system still holds may take to be indicated.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// How long a close may take: callbacks end by themselves, and nothing is retained.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// How many sources a snapshot names.
const TOP_SOURCES: usize = 10;

/// Everything between the network and the rings.
pub(crate) struct Intake {
    // Dropped in this order: sockets before the engine they feed, both before the client they belong to.
    sockets: Vec<DatagramSocket<HostKernel, AppSink>>,
    addresses: Vec<SocketAddr>,
    engine: Arc<Engine<HostKernel, AppSink>>,
    provider: Provider<HostKernel>,
    registration: Registration<HostKernel>,
    kernel: HostKernel,
    workers: usize,
    started: Instant,
}

/// The counts of an intake, which outlive it.
#[derive(Clone)]
pub(crate) struct Counts {
    engine: Arc<Engine<HostKernel, AppSink>>,
    kernel: HostKernel,
    addresses: Vec<SocketAddr>,
    workers: usize,
    started: Instant,
}

impl Intake {
    /// Opens everything; datagrams are taken from here on.
    ///
    /// # Errors
    /// [`StartError`] names the step, the address and the status.
    pub(crate) fn open(args: &SinkArgs, config: SinkConfig, alarm: Alarm) -> Result<Self, StartError> {
        let kernel = HostKernel::new(HostConfig::with_workers(u32::from(args.workers)));
        let started = Instant::now();
        let passive = passive(&kernel)?;
        let registration = Registration::register(kernel.clone(), Events::Static, &passive)?;
        let provider = registration.capture(CAPTURE_WAIT, &passive)?;
        let engine_config = settings::engine_config(&args.allow, args.source_rate, args.sample);
        let shards = Engine::<HostKernel, AppSink>::shards(&kernel, &engine_config)?;
        let sink = Sink::open(&kernel, &MappedMemory, alarm, config, shards)?;
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
        let workers = usize::from(args.workers);
        let engine = Arc::new(engine);
        Ok(Self { sockets, addresses, engine, provider, registration, kernel, workers, started })
    }

    /// The addresses listened on, with their real ports.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Maps every ring for its reader.
    ///
    /// # Errors
    /// [`StartError::Attach`].
    pub(crate) fn readers(&self) -> Result<Vec<MappedReader>, StartError> {
        let sink = self.engine.handler();
        (0..sink.rings())
            .filter_map(|shard| sink.mapping(shard))
            .map(|mapping| Ok(mapping.attach()?))
            .collect()
    }

    /// The counts, to be read from any thread and for as long as wanted.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            engine: Arc::clone(&self.engine),
            kernel: self.kernel.clone(),
            addresses: self.addresses.clone(),
            workers: self.workers,
            started: self.started,
        }
    }

    /// Stops taking datagrams in, hands on what the system holds already, and closes. Afterwards nothing is published
    /// any more, and the counts are final.
    ///
    /// # Errors
    /// What did not end within its deadline.
    pub(crate) fn close(self) -> Result<(), CloseError> {
        let drained = self.kernel.quiesce(None, DRAIN_LIMIT);
        let passive = passive(&self.kernel).map_err(|_| CloseError::Level)?;
        for socket in self.sockets {
            socket.close(CLOSE_LIMIT, &passive)?;
        }
        drop(self.provider);
        self.registration
            .close(CLOSE_LIMIT, &passive)
            .map_err(|error| CloseError::Deregister(error.to_string()))?;
        if drained { Ok(()) } else { Err(CloseError::Drain) }
    }
}

impl Counts {
    /// Takes the engine's counts. What the reader counts is the reader's to add.
    pub(crate) fn snapshot(&self) -> Snapshot {
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
            ..Snapshot::default()
        };
        self.add_sources(&mut snapshot);
        snapshot
    }

    /// Datagrams lost so far, here and below.
    pub(crate) fn losses(&self) -> u64 {
        let drops = self.engine.stats().drops;
        let here: u64 = DropReason::ALL
            .iter()
            .zip(drops)
            .filter(|(reason, _)| !is_policy(**reason))
            .map(|(_, n)| n)
            .sum();
        here + self.kernel.lost_below().unwrap_or(0)
    }

    /// One source has a row in each shard that heard it.
    fn add_sources(&self, snapshot: &mut Snapshot) {
        let mut rows: HashMap<IpAddr, Source> = HashMap::new();
        self.engine.admission().sources(|row| {
            let RowSource::Address(address) = row.source else {
                snapshot.other += row.datagrams;
                return;
            };
            let address = IpAddr::from(address);
            let source =
                rows.entry(address).or_insert(Source { address, datagrams: 0, bytes: 0, refused: 0 });
            source.datagrams += row.datagrams;
            source.bytes += row.bytes;
            source.refused += row.refused();
        });
        snapshot.sources = rows.len() as u64;
        snapshot.top = rows.into_values().collect();
        snapshot.top.sort_unstable_by_key(|source| (Reverse(source.datagrams), source.address));
        snapshot.top.truncate(TOP_SOURCES);
    }
}

fn passive(kernel: &HostKernel) -> Result<Passive<'_>, StartError> {
    Passive::acquire(kernel).ok_or(StartError::Level)
}

fn socket_options(args: &SinkArgs, id: usize, local: SocketAddr) -> SocketOptions<'static> {
    let wanted = Wanted {
        packet_info: Info::Wanted,
        type_of_service: Info::Wanted,
        hop_limit: Info::Wanted,
        timestamp: Info::Wanted,
    };
    // Beside a socket for IPv4 on the same port, one for IPv6 must leave IPv4 to it.
    let beside_ipv4 =
        args.listen.iter().any(|other| other.is_ipv4() && other.port() == local.port() && local.port() != 0);
    SocketOptions {
        only_v6: local.is_ipv6() && beside_ipv4,
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
    let interface = match &group.interface {
        None => 0,
        Some(interface) => {
            interface.index().map_err(|source| StartError::Interface { group: group.clone(), source })?
        }
    };
    let membership = Membership { group: group.address, interface, source: None };
    let mut joined = false;
    for socket in sockets {
        if socket.local_address().is_ipv4() == group.address.is_ipv4() {
            socket.join(&membership, passive)?;
            joined = true;
        }
    }
    if joined { Ok(()) } else { Err(StartError::NoSocketFor(group.clone())) }
}
