//! `skua plan`: the settings that ride out a stall, and the memory they take.

use std::fmt;

use skua_engine::{Engine, OpenError, Registration, SinkConfig};
use skua_hosted::{HostKernel, ProviderConfig};
use skua_record::{Record, RecordHeader};

use crate::cli::{PlanArgs, Rate, Size};
use crate::say;
use crate::sink::in_process::AppSink;
use crate::sink::reader::FLUSH_INTERVAL;
use crate::sink::settings::{self, RingTooSmall};

/// What a block of [`ProviderConfig::blocks`] takes; long datagrams take more.
const RECEIVE_BLOCK_BYTES: usize = 2560;

/// Prints the plan.
///
/// # Errors
/// [`PlanError`] when no setting does.
pub(crate) fn run(args: &PlanArgs) -> Result<(), PlanError> {
    say(Plan::new(args)?.to_string().trim_end());
    Ok(())
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PlanError {
    /// A ring cannot be as large as it would have to be.
    #[error(
        "{needed} bytes a ring are more than a ring can have, 2G; plan for a shorter --stall or a lower --rate"
    )]
    TooLarge { needed: u128 },
    /// The engine's settings.
    #[error(transparent)]
    Engine(#[from] OpenError),
    /// The sink's settings.
    #[error(transparent)]
    Ring(#[from] RingTooSmall),
}

/// Settings for a load.
#[derive(Debug)]
pub(crate) struct Plan {
    rate: Rate,
    workers: u16,
    record_bytes: u64,
    config: SinkConfig,
    memory: Footprint,
}

/// What the settings take, in bytes. Each figure is exactly what is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Footprint {
    /// Asked of `Memory` when the engine and its sink open.
    pub(crate) engine: usize,
    /// Asked of `SharedMemory` then.
    pub(crate) rings: usize,
    /// Asked of `Memory` for the WSK client.
    pub(crate) client: usize,
    /// Asked of `Memory` for each socket.
    pub(crate) socket: usize,
}

impl Plan {
    /// Sizes the ring for the whole rate, also where there are several: datagrams of one flow all come to one shard.
    /// A stall begins when the reader was about to come anyway, so a flush interval is added to it.
    fn new(args: &PlanArgs) -> Result<Self, PlanError> {
        let record_bytes = Record::ring_bytes_of(args.size.min(args.snaplen));
        let stall = args.stall.0 + FLUSH_INTERVAL;
        let records = (u128::from(args.rate.0) * stall.as_nanos()).div_ceil(1_000_000_000);
        // One more record's room is lost to padding where the ring ends.
        let needed = (records + 1) * u128::from(record_bytes);
        let least = SinkConfig::smallest_ring(args.snaplen.min(RecordHeader::LONGEST_PAYLOAD)) as u128;
        let ring = usize::try_from(needed.max(least).next_power_of_two())
            .ok()
            .filter(|ring| *ring <= skua_pools::RING_MAX_BYTES)
            .ok_or(PlanError::TooLarge { needed })?;
        let config = settings::sink_config(Size(ring), args.snaplen)?;
        let memory = Footprint::of(&config, u32::from(args.workers))?;
        Ok(Self { rate: args.rate, workers: args.workers, record_bytes, config, memory })
    }

    /// How long the reader may sleep, in ms.
    fn stall_milliseconds(&self) -> u128 {
        let records = u128::from((self.config.ring_bytes as u64 / self.record_bytes).saturating_sub(1));
        (records * 1000 / u128::from(self.rate.0)).saturating_sub(FLUSH_INTERVAL.as_millis())
    }
}

impl Footprint {
    /// Of a sink without an allow-list, on `shards` processors.
    ///
    /// # Errors
    /// [`OpenError`] for what cannot be counted.
    pub(crate) fn of(config: &SinkConfig, shards: u32) -> Result<Self, OpenError> {
        let engine = Engine::<HostKernel, AppSink>::bytes(&settings::engine_config(&[], None, None), shards)?;
        let (sink, rings) = AppSink::bytes(config, shards).ok_or(OpenError::TooLarge)?;
        let socket = Engine::<HostKernel, AppSink>::socket_bytes(shards).ok_or(OpenError::TooLarge)?;
        let client = Registration::<HostKernel>::bytes();
        Ok(Self { engine: engine + sink, rings, client, socket })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Footprint { engine, rings, client, socket } = self.memory;
        let workers = usize::from(self.workers);
        let ring = Size(self.config.ring_bytes);
        writeln!(
            f,
            "settings        --ring {ring} --snaplen {} --workers {workers}",
            self.config.snap_length
        )?;
        writeln!(f, "record          {:>12} bytes in the ring", self.record_bytes)?;
        let byte_rate = self.rate.0 as f64 * self.record_bytes as f64;
        writeln!(
            f,
            "load            {:>12} /s, {:.1} MB/s into one ring",
            self.rate.to_string(),
            byte_rate / 1e6
        )?;
        writeln!(
            f,
            "stall           {:>12} ms without a loss, besides the {} ms between two reads",
            self.stall_milliseconds(),
            FLUSH_INTERVAL.as_millis()
        )?;
        writeln!(f, "Memory          {engine:>12} bytes, {} a shard", engine / workers)?;
        writeln!(f, "SharedMemory    {rings:>12} bytes, {} a shard", rings / workers)?;
        writeln!(f, "total           {:>12} bytes, {} a shard", engine + rings, (engine + rings) / workers)?;
        writeln!(f, "apart from that")?;
        writeln!(f, "  WSK client    {client:>12} bytes of Memory")?;
        writeln!(f, "  each socket   {socket:>12} bytes of Memory, and --receive-buffer of the system's")?;
        let provider = workers * ProviderConfig::default().blocks as usize * RECEIVE_BLOCK_BYTES;
        writeln!(
            f,
            "  each socket   {provider:>12} bytes of the program's own: what the provider receives into"
        )
    }
}

#[cfg(test)]
mod tests {
    // UNSAFETY: one implementation of an unsafe trait, by forwarding.
    #![expect(unsafe_code, reason = "the trait promises what the memory behind it promises")]

    use std::ptr::NonNull;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use skua_engine::{Events, Passive, Sink, SocketOptions};
    use skua_hosted::HostConfig;
    use skua_pools::{OutOfMemory, SharedMemory};

    use super::*;
    use crate::cli::Span;
    use crate::shared::{MappedMemory, Mapping};
    use crate::sink::alarm::Alarm;

    fn args(rate: u64, size: u16, stall: Duration, workers: u16) -> PlanArgs {
        PlanArgs { rate: Rate(rate), size, stall: Span(stall), snaplen: 65_535, workers }
    }

    #[derive(Default)]
    struct Counting(AtomicUsize);

    // SAFETY: everything is done by the memory that keeps the promises.
    unsafe impl SharedMemory for Counting {
        type Mapping = Mapping;

        fn create(&self, shard: u32, data_bytes: usize, cursor_bytes: usize) -> Result<Mapping, OutOfMemory> {
            self.0.fetch_add(data_bytes + cursor_bytes, Ordering::Relaxed);
            MappedMemory.create(shard, data_bytes, cursor_bytes)
        }

        fn data(mapping: &Mapping) -> NonNull<u8> {
            MappedMemory::data(mapping)
        }

        fn cursor(mapping: &Mapping) -> NonNull<u8> {
            MappedMemory::cursor(mapping)
        }
    }

    #[test]
    fn the_figures_are_what_open_asks_for() {
        for workers in [1, 3] {
            let plan = Plan::new(&args(10_000, 100, Duration::from_millis(50), workers)).unwrap();
            let kernel = HostKernel::new(HostConfig::with_workers(u32::from(workers)));
            let passive = Passive::acquire(&kernel).unwrap();
            let asked = || kernel.memory_in_use();

            let registration = Registration::register(kernel.clone(), Events::Static, &passive).unwrap();
            let provider = registration.capture(Duration::from_secs(1), &passive).unwrap();
            assert_eq!(asked(), plan.memory.client);

            let shared = Counting::default();
            let settings = settings::engine_config(&[], None, None);
            let sink =
                Sink::open(&kernel, &shared, Alarm::default(), plan.config, u32::from(workers)).unwrap();
            let engine = Engine::open(kernel.clone(), sink, &settings, &passive).unwrap();
            assert_eq!(asked(), plan.memory.client + plan.memory.engine);
            assert_eq!(shared.0.load(Ordering::Relaxed), plan.memory.rings);

            let options = SocketOptions::new("127.0.0.1:0".parse().unwrap());
            let socket = engine.open_socket(&provider, &options, &passive).unwrap();
            assert_eq!(asked(), plan.memory.client + plan.memory.engine + plan.memory.socket);

            socket.close(Duration::from_secs(5), &passive).unwrap();
            drop((engine, provider));
            registration.close(Duration::from_secs(5), &passive).unwrap();
            assert_eq!(asked(), 0);
        }
    }

    #[test]
    fn the_ring_rides_out_the_stall_asked_for() {
        for (rate, size, stall) in
            [(200_000, 600, 50), (1_000, 0, 1), (1_000_000, 1472, 200), (50, 65_507, 2_000)]
        {
            let plan = Plan::new(&args(rate, size, Duration::from_millis(stall), 1)).unwrap();
            assert!(plan.stall_milliseconds() >= u128::from(stall), "{plan}");
            assert!(plan.to_string().contains(&format!("--ring {}", Size(plan.config.ring_bytes))));
        }
    }

    #[test]
    fn what_no_ring_holds_is_refused() {
        let error = Plan::new(&args(10_000_000, 9_000, Duration::from_secs(60), 1)).unwrap_err();
        assert!(error.to_string().contains("--stall"), "{error}");
    }
}
