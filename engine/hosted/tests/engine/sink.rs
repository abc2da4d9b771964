//! Records in rings, read through the reader's own crate.

// UNSAFETY: pages shared by a sink and a reader of one process.
#![expect(unsafe_code, reason = "implements SharedMemory and opens its regions for reading")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use skua_engine::{Config, DatagramSocket, DropReason, Engine, Passive, Sink, SinkConfig, SinkError, Wake};
use skua_hosted::{HostConfig, HostKernel};
use skua_pools::{MAPPING_ALIGNMENT, OutOfMemory, SharedMemory, WaitFor};
use skua_record::{RecordFlags, RingReader};

use crate::fixture::{Client, PATIENCE, sender, told};

/// Pages of the heap.
struct Pages;

struct Pair {
    data: NonNull<u8>,
    cursor: NonNull<u8>,
    layouts: [Layout; 2],
}

// SAFETY: the pages belong to no thread.
unsafe impl Send for Pair {}
// SAFETY: as for Send.
unsafe impl Sync for Pair {}

impl Drop for Pair {
    fn drop(&mut self) {
        for (at, layout) in [self.data, self.cursor].into_iter().zip(self.layouts) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(at.as_ptr(), layout) };
        }
    }
}

// SAFETY: zeroed pages at addresses of their own until the pair is dropped.
unsafe impl SharedMemory for Pages {
    type Mapping = Pair;

    fn create(&self, _shard: u32, data: usize, cursor: usize) -> Result<Pair, OutOfMemory> {
        let layouts = [data, cursor].map(|bytes| Layout::from_size_align(bytes, MAPPING_ALIGNMENT).unwrap());
        // SAFETY: neither is empty.
        let [data, cursor] = layouts.map(|layout| NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap());
        Ok(Pair { data, cursor, layouts })
    }

    fn data(mapping: &Pair) -> NonNull<u8> {
        mapping.data
    }

    fn cursor(mapping: &Pair) -> NonNull<u8> {
        mapping.cursor
    }
}

/// Memory for the first ring only; counts what is asked for.
#[derive(Default)]
struct Short(AtomicU64);

// SAFETY: as for `Pages`.
unsafe impl SharedMemory for Short {
    type Mapping = Pair;

    fn create(&self, shard: u32, data: usize, cursor: usize) -> Result<Pair, OutOfMemory> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Pages.create(shard, data, cursor),
            _ => Err(OutOfMemory { bytes: data, tag: skua_pools::Tag::new(b"Test") }),
        }
    }

    fn data(mapping: &Pair) -> NonNull<u8> {
        mapping.data
    }

    fn cursor(mapping: &Pair) -> NonNull<u8> {
        mapping.cursor
    }
}

/// Counts wakes.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicU64>);

impl Wake for Counted {
    fn wake(&self, _shard: u32) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

type TestSink = Sink<HostKernel, Pages, Counted>;

fn config(ring_bytes: usize, snap_length: u16) -> SinkConfig {
    SinkConfig {
        ring_bytes,
        snap_length,
        watermark: ring_bytes as u64 / 2,
        host_id: *b"host-0123456789a",
        boot_id: *b"boot-0123456789a",
    }
}

/// A sink behind one socket, with its reader.
struct Bench {
    client: Client,
    engine: Engine<HostKernel, TestSink>,
    socket: DatagramSocket<HostKernel, TestSink>,
    reader: RingReader,
    wakes: Counted,
}

impl Bench {
    fn new(config: SinkConfig) -> Self {
        let client = Client::new(HostConfig::default());
        let wakes = Counted::default();
        let (engine, socket) = {
            let passive = Passive::acquire(&client.kernel).unwrap();
            let sink = Sink::open(&client.kernel, &Pages, wakes.clone(), config, 1).unwrap();
            let engine = Engine::open(client.kernel.clone(), sink, &Config::default(), &passive).unwrap();
            let socket = engine.open_socket(&client.provider, &told("127.0.0.1:0"), &passive).unwrap();
            (engine, socket)
        };
        let reader = {
            let mapping = engine.handler().mapping(0).unwrap();
            let bytes = config.data_region_bytes();
            // SAFETY: the regions live as long as the engine, which is dropped after the reader.
            unsafe { RingReader::open(mapping.data, bytes, mapping.cursor, skua_record::CURSOR_BYTES) }
                .unwrap()
        };
        Self { client, engine, socket, reader, wakes }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_address()
    }

    fn wait_indicated(&self, indicated: u64) {
        let until = Instant::now() + PATIENCE;
        while self.engine.stats().indicated < indicated {
            assert!(Instant::now() < until, "{:?}", self.engine.stats());
            std::thread::yield_now();
        }
    }

    fn finish(self) {
        let Self { client, engine, socket, .. } = self;
        {
            let passive = Passive::acquire(&client.kernel).unwrap();
            socket.close(PATIENCE, &passive).unwrap();
        }
        drop(engine);
        client.finish();
    }
}

#[test]
fn a_record_says_all_there_is_to_know_of_a_datagram() {
    let mut bench = Bench::new(config(1 << 20, 65_527));
    let sender = sender(bench.address());
    for length in [0_usize, 1, 1472, 65_507] {
        sender.send(&vec![length.to_le_bytes()[0]; length]).unwrap();
    }
    bench.wait_indicated(4);
    let local = bench.address();
    let mut lengths = Vec::new();
    bench
        .reader
        .read(u64::MAX, |record, number| {
            let header = record.header();
            assert_eq!(number, lengths.len() as u64);
            assert_eq!(header.source(), sender.local_addr().unwrap());
            assert_eq!(header.destination(), local);
            assert_eq!(usize::from(header.original), record.payload().len());
            assert!(record.payload().iter().all(|&byte| byte == header.original.to_le_bytes()[0]));
            assert_eq!(header.record_flags(), RecordFlags::empty());
            lengths.push(header.original);
        })
        .unwrap();
    assert_eq!(lengths, [0, 1, 1472, 65_507]);
    let stats = bench.engine.handler().stats();
    assert_eq!((stats.published, stats.published_bytes), (4, 66_980));
    bench.finish();
}

#[test]
fn a_snapped_record_is_marked_and_keeps_the_length() {
    let mut bench = Bench::new(config(1 << 16, 100));
    let sender = sender(bench.address());
    sender.send(&[1; 100]).unwrap();
    sender.send(&[2; 3000]).unwrap();
    bench.wait_indicated(2);
    let mut seen = Vec::new();
    bench
        .reader
        .read(u64::MAX, |record, _| {
            let header = record.header();
            seen.push((header.original, header.captured, record.is_truncated(), record.payload()[99]));
        })
        .unwrap();
    assert_eq!(seen, [(100, 100, false, 1), (3000, 100, true, 2)]);
    bench.finish();
}

#[test]
fn a_full_ring_is_counted_and_numbers_stay_gap_free() {
    let mut bench = Bench::new(config(1 << 16, 1472));
    let sender = sender(bench.address());
    let mut read = 0;
    for round in 1..=3 {
        for _ in 0..60 {
            sender.send(&[9; 1472]).unwrap();
        }
        bench.wait_indicated(round * 60);
        read += bench.reader.read(u64::MAX, |_, _| {}).unwrap().records;
    }
    let stats = bench.engine.stats();
    assert!(stats.dropped(DropReason::RingFull) > 0 && stats.balances(), "{stats:?}");
    assert_eq!(read + stats.dropped(DropReason::RingFull), 180);
    assert_eq!(stats.delivered(), read);
    let continuity = bench.reader.continuity();
    assert_eq!(continuity.missing, 0, "{continuity:?}");
    bench.finish();
}

#[test]
fn a_sleeping_reader_is_woken_once_and_a_waking_one_never() {
    let mut bench = Bench::new(config(1 << 20, 1472));
    let sender = sender(bench.address());
    let mut sent = 0;
    let mut burst = |bench: &Bench, datagrams: u64| {
        for _ in 0..datagrams {
            sender.send(b"wake").unwrap();
        }
        sent += datagrams;
        bench.wait_indicated(sent);
    };
    let wakes = |bench: &Bench| bench.wakes.0.load(Ordering::SeqCst);
    burst(&bench, 50);
    assert_eq!(wakes(&bench), 0, "the reader does not sleep");
    bench.reader.read(u64::MAX, |_, _| {}).unwrap();
    assert!(bench.reader.prepare_wait(WaitFor::Any).unwrap());
    burst(&bench, 50);
    assert_eq!(wakes(&bench), 1, "once for a burst");
    bench.reader.read(u64::MAX, |_, _| {}).unwrap();
    assert!(bench.reader.prepare_wait(WaitFor::Fill(1 << 19)).unwrap());
    burst(&bench, 50);
    assert_eq!(wakes(&bench), 1, "the fill is below the watermark");
    bench.reader.cancel_wait();
    assert_eq!(bench.engine.handler().stats().wakes, 1);
    bench.finish();
}

#[test]
fn a_ring_that_cannot_hold_four_of_the_largest_records_is_refused() {
    let kernel = HostKernel::new(HostConfig::default());
    let open = |config| Sink::open(&kernel, &Pages, Counted::default(), config, 1).err();
    let small = open(config(1 << 16, 65_527)).unwrap();
    assert!(
        matches!(small, SinkError::RingTooSmall { needed: 524_288, .. })
            && small.to_string().contains("524288"),
        "{small}"
    );
    assert_eq!(open(config(100_000, 100)), Some(SinkError::RingSize(100_000)));
    assert_eq!(open(config(1 << 20, u16::MAX)), Some(SinkError::SnapLength(u16::MAX)));
    assert_eq!(kernel.memory_in_use(), 0);
}

#[test]
fn where_memory_is_short_nothing_more_is_asked_for() {
    let (kernel, short) = (HostKernel::new(HostConfig::default()), Short::default());
    let opened = Sink::open(&kernel, &short, Counted::default(), config(1 << 20, 1000), 8);
    assert!(matches!(opened.err(), Some(SinkError::OutOfMemory(_))));
    assert_eq!(short.0.load(Ordering::SeqCst), 2);
}
