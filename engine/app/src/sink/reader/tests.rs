//! The reader between rings written by hand and an output that remembers.

use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use skua_record::Record;

use super::*;
use crate::sink::alarm::Alarm;
use crate::sink::output::Output;
use crate::sink::specimen::Ring;
use crate::sink::taps::Taps;

const WATERMARK: u64 = 2048;

/// What an output was told of one record.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    time: u64,
    lost: u64,
}

/// Tells the test what it is told, and is held up where the test holds what it flushes by.
struct Remember {
    told: Sender<Told>,
    written: u64,
    flushing: Arc<Mutex<()>>,
}

impl Output for Remember {
    fn name(&self) -> String {
        "remember".to_owned()
    }

    fn write(&mut self, _: &Record<'_>, time: u64, lost: u64) -> io::Result<()> {
        self.written += 1;
        self.told.send(Told { time, lost }).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        drop(self.flushing.lock().unwrap());
        Ok(())
    }

    fn finish(&mut self, _: u64, totals: &Snapshot) -> io::Result<()> {
        assert_eq!(totals.published, self.written, "the totals come after the last record");
        Ok(())
    }

    fn written(&self) -> u64 {
        self.written
    }
}

/// A reader at work, and everything that is at its other ends.
struct Bench {
    rings: Vec<Ring>,
    sleep: Arc<dyn Sleep>,
    gauges: Arc<Gauges>,
    losses: Arc<AtomicU64>,
    told: Receiver<Told>,
    flushing: Arc<Mutex<()>>,
    events: Receiver<Event>,
    totals: Sender<Snapshot>,
    thread: JoinHandle<()>,
}

impl Bench {
    fn new(rings: u32) -> Self {
        Self::over((0..rings).map(|processor| Ring::new(processor, 8192)).collect())
    }

    /// With rings that may have something published.
    fn over(rings: Vec<Ring>) -> Self {
        Self::of(rings, false, 0)
    }

    /// Of a sink that goes on or not, and has lost something or not.
    fn of(rings: Vec<Ring>, goes_on: bool, lost: u64) -> Self {
        Self::sleeping_by(Arc::new(Alarm::default()), rings, goes_on, lost)
    }

    fn sleeping_by(sleep: Arc<dyn Sleep>, rings: Vec<Ring>, goes_on: bool, lost: u64) -> Self {
        let gauges = Gauges::new(rings.len());
        let losses = Arc::new(AtomicU64::new(lost));
        let (tell, told) = mpsc::channel();
        let (tell_event, events) = mpsc::channel();
        let (totals, take_totals) = mpsc::channel();
        let counted = Arc::clone(&losses);
        let flushing = Arc::default();
        let output = Remember { told: tell, written: 0, flushing: Arc::clone(&flushing) };
        let ends = Ends {
            outputs: Outputs::new(vec![Box::new(output)]),
            gauges: Arc::clone(&gauges),
            sleep: Arc::clone(&sleep),
            goes_on,
            outlasted: goes_on,
            watermark: WATERMARK,
            count_losses: Box::new(move || counted.load(Ordering::Acquire)),
            events: tell_event,
            totals: take_totals,
        };
        let readers = rings.iter().map(|ring| ring.mapping.attach().unwrap()).collect();
        let reader = Reader::new(Supply::Mapped(Taps::new(readers).unwrap()), ends);
        let thread = std::thread::spawn(move || reader.run());
        Self { rings, sleep, gauges, losses, told, flushing, events, totals, thread }
    }

    fn publish(&mut self, ring: usize, times: &[u64]) {
        if self.rings[ring].publish(times, WATERMARK) {
            self.sleep.wake();
        }
    }

    /// Ends the reader, and returns what its output was told since.
    fn finish(self, published: u64) -> Vec<Told> {
        self.gauges.finish();
        self.sleep.wake();
        assert!(matches!(self.events.recv().unwrap(), Event::Drained));
        assert_eq!(self.gauges.read(), published);
        self.totals.send(Snapshot { published, ..Snapshot::default() }).unwrap();
        let Event::Finished(proof) = self.events.recv().unwrap() else { panic!("the reader did not finish") };
        assert_eq!(proof, Proof::default());
        assert_eq!(self.gauges.written(), published);
        self.thread.join().unwrap();
        self.told.try_iter().collect()
    }
}

#[test]
fn losses_are_told_once_with_a_record_after_them() {
    let mut bench = Bench::new(1);
    bench.publish(0, &[0]);
    assert_eq!(bench.told.recv().unwrap(), Told { time: 0, lost: 0 });
    bench.losses.store(5, Ordering::Release);
    // A portion that was begun before the loss may still take records; it ends after 512 bytes, six of them.
    let mut told = Vec::new();
    for time in 1..=20 {
        bench.publish(0, &[time]);
        told.push(bench.told.recv().unwrap().lost);
    }
    told.retain(|lost| *lost > 0);
    assert_eq!(told, [5]);
    // Nothing comes after these, so nothing tells of them but the totals.
    bench.losses.store(9, Ordering::Release);
    assert!(bench.finish(21).is_empty());
}

#[test]
fn what_is_published_before_the_finish_is_read() {
    let mut bench = Bench::new(1);
    let times: Vec<u64> = (0..60).collect();
    bench.publish(0, &times);
    let told = bench.finish(60);
    assert_eq!(told.iter().map(|told| told.time).collect::<Vec<_>>(), times);
}

#[test]
fn rings_filled_many_times_over_are_read_to_the_last_record() {
    let mut bench = Bench::new(2);
    let mut read = 0;
    for round in 0..50 {
        for ring in 0..2 {
            bench.publish(ring, &[2 * round + ring as u64; 20]);
        }
        // What was told of is given back within a portion: a ring has room for five rounds.
        while read < 40 * (round + 1) {
            bench.told.recv().unwrap();
            read += 1;
        }
    }
    assert!(bench.finish(2_000).is_empty());
}

#[test]
fn several_rings_come_out_in_the_order_of_time() {
    let mut rings: Vec<Ring> = (0..3).map(|processor| Ring::new(processor, 1 << 16)).collect();
    for (ring, times) in rings.iter_mut().zip([[1, 4, 9, 10], [2, 3, 8, 12], [5, 6, 7, 11]]) {
        ring.publish(&times, WATERMARK);
    }
    let told = Bench::over(rings).finish(12);
    assert_eq!(told.iter().map(|told| told.time).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
}

#[test]
fn what_was_lost_before_a_reader_came_is_not_its_to_tell() {
    let mut bench = Bench::of(vec![Ring::new(0, 8192)], true, 7);
    bench.publish(0, &[0]);
    assert_eq!(bench.told.recv().unwrap(), Told { time: 0, lost: 0 });
    assert!(bench.finish(1).is_empty());
}

#[test]
fn a_sink_that_goes_on_does_not_keep_its_reader() {
    let mut bench = Bench::of(vec![Ring::new(0, 8192)], true, 0);
    bench.gauges.finish();
    // Records that come as fast as they are read: only an end of its own lets the reader go.
    while !matches!(bench.events.try_recv(), Ok(Event::Drained)) {
        if bench.rings[0].has_room() {
            bench.publish(0, &[0]);
        }
    }
    bench.totals.send(Snapshot { published: bench.gauges.read(), ..Snapshot::default() }).unwrap();
    assert!(matches!(bench.events.recv().unwrap(), Event::Finished(_)));
    bench.thread.join().unwrap();
}

#[test]
fn a_sink_that_ends_is_read_to_the_end() {
    /// Of a sink that was there until the reader first slept.
    struct Gone(Alarm);

    impl Sleep for Gone {
        fn adopt(&self) {
            self.0.adopt();
        }

        fn sleep(&self, _: Duration) -> Result<(), Ended> {
            Err(Ended("stopped".to_owned()))
        }

        fn wake(&self) {
            Sleep::wake(&self.0);
        }
    }
    let mut rings = vec![Ring::new(0, 8192)];
    rings[0].publish(&[1, 2, 3], WATERMARK);
    let bench = Bench::sleeping_by(Arc::new(Gone(Alarm::default())), rings, false, 0);
    assert!(matches!(bench.events.recv().unwrap(), Event::Ended(_)));
    assert_eq!(bench.finish(3).len(), 3);
}

#[test]
fn rings_that_outlive_the_program_keep_what_is_not_flushed() {
    for outlived in [true, false] {
        let mut bench = Bench::of(vec![Ring::new(0, 8192)], outlived, 0);
        let flushing = Arc::clone(&bench.flushing);
        let held = flushing.lock().unwrap();
        let mut published = 0;
        while bench.rings[0].has_room() {
            bench.publish(0, &[published]);
            published += 1;
        }
        // Once this many were handed out, a sixteenth of the ring has been given back, or not.
        for _ in 0..6 {
            bench.told.recv().unwrap();
        }
        let waited = Instant::now();
        while !bench.rings[0].has_room()
            && waited.elapsed() < Duration::from_millis(if outlived { 100 } else { 20_000 })
        {
            std::thread::yield_now();
        }
        assert_eq!(bench.rings[0].has_room(), !outlived);
        drop(held);
        bench.finish(published);
    }
}
