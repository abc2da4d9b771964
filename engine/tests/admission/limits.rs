//! Limits changed while running.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use skua_engine::DropReason;
use skua_engine::admission::{
    Admission, AdmissionConfig, AdmissionShard, Limits, LimitsError, Rate, Source, SourceRow,
};

use crate::pool::Pool;
use crate::{FREQUENCY, count, ipv4, open, rate};

/// A limit of each source alone.
fn each(rate: Rate) -> Limits {
    Limits { rate: Some(rate), ..Limits::default() }
}

/// A bucket that goes through changes of its rate, in exact fractions: tokens are `credits / FREQUENCY`.
#[derive(Clone, Copy)]
struct Bucket {
    /// `None` before a first rate: full, whatever that will be.
    credits: Option<u128>,
    last: u64,
}

impl Bucket {
    fn pass(&mut self, now: u64, rate: Option<Rate>) -> bool {
        let elapsed = u128::from(now - self.last);
        self.last = now;
        let Some(rate) = rate else { return true };
        let full = u128::from(rate.burst.get()) * u128::from(FREQUENCY);
        let credits = self.credits.unwrap_or(full) + elapsed * u128::from(rate.per_second.get());
        let credits = credits.min(full);
        let left = credits.checked_sub(u128::from(FREQUENCY));
        self.credits = Some(left.unwrap_or(credits));
        left.is_some()
    }
}

/// What admission should do, as the documentation of `set_limits` says it.
struct Model {
    limits: Limits,
    /// One for each source; with no rows there is one for all.
    buckets: Vec<Bucket>,
    passed: u32,
}

impl Model {
    /// What a batch begins with that finds these in force.
    fn begin(&mut self, limits: Limits) {
        if self.limits.sample != limits.sample {
            self.passed = 0;
        }
        self.limits = limits;
    }

    fn admit(&mut self, source: usize, now: u64, has_rows: bool) -> Result<(), DropReason> {
        let Limits { rate, other_rate, sample } = self.limits;
        let (bucket, rate) = if has_rows { (source, rate) } else { (0, other_rate) };
        // Without rows and without a limit nobody is counted.
        if (has_rows || rate.is_some()) && !self.buckets[bucket].pass(now, rate) {
            return Err(DropReason::RateLimited);
        }
        let kept = self.passed.is_multiple_of(sample.get());
        self.passed = self.passed.wrapping_add(1) % sample.get();
        if kept { Ok(()) } else { Err(DropReason::Sampled) }
    }
}

/// Something that happens to an admission.
#[derive(Clone, Debug)]
enum Event {
    /// The limits are set between two batches.
    Set(Limits),
    /// A batch of datagrams, so many ticks after the one before; within it, after so many datagrams, the limits are set.
    Batch { after: u64, sources: Vec<usize>, set: Option<(usize, Limits)> },
}

const SOURCES: usize = 3;

fn limits(has_rows: bool) -> impl Strategy<Value = Limits> {
    let number = || prop_oneof![1_u32..6, Just(1_000_000), Just(u32::MAX)];
    let some_rate = move || (number(), number()).prop_map(|(per_second, burst)| rate(per_second, burst));
    let sample = prop_oneof![3 => Just(1), 2 => 2_u32..5];
    (prop::option::of(some_rate()), prop::option::of(some_rate()), sample).prop_map(
        move |(rate, other_rate, sample)| Limits {
            rate: rate.filter(|_| has_rows),
            other_rate,
            sample: count(sample),
        },
    )
}

fn event(has_rows: bool) -> impl Strategy<Value = Event> {
    let after = prop_oneof![Just(0), 0..FREQUENCY, 0..20 * FREQUENCY, Just(1 << 50)];
    let sources = prop::collection::vec(0..SOURCES, 0..12);
    let set = prop::option::of((0_usize..12, limits(has_rows)));
    prop_oneof![
        1 => limits(has_rows).prop_map(Event::Set),
        2 => (after, sources, set).prop_map(|(after, sources, set)| Event::Batch { after, sources, set }),
    ]
}

fn history() -> impl Strategy<Value = (bool, Limits, Vec<Event>)> {
    any::<bool>().prop_flat_map(|has_rows| {
        (Just(has_rows), limits(has_rows), prop::collection::vec(event(has_rows), 0..40))
    })
}

proptest! {
    #[test]
    fn every_batch_runs_under_the_limits_that_it_began_with((has_rows, first, events) in history()) {
        let Limits { rate, other_rate, sample } = first;
        let rows = if has_rows { 64 } else { 0 };
        let config = AdmissionConfig { rows, rate, other_rate, sample, ..AdmissionConfig::default() };
        let (admission, mut shard) = open(&config);
        let buckets = vec![Bucket { credits: None, last: 0 }; SOURCES];
        let mut model = Model { limits: first, buckets, passed: 0 };
        let (mut now, mut in_force) = (0, first);
        for event in events {
            match event {
                Event::Set(limits) => {
                    admission.set_limits(&limits).unwrap();
                    in_force = limits;
                }
                Event::Batch { after, sources, set } => {
                    now += after;
                    let mut gate = admission.begin(&mut shard, now).unwrap();
                    model.begin(in_force);
                    for (position, &source) in sources.iter().enumerate() {
                        if let Some((_, limits)) = set.filter(|&(at, _)| at == position) {
                            admission.set_limits(&limits).unwrap();
                            in_force = limits;
                        }
                        let verdict = gate.admit(&ipv4(u32::try_from(source).unwrap()), 1);
                        prop_assert_eq!(verdict, model.admit(source, now, has_rows));
                    }
                }
            }
            prop_assert_eq!(admission.limits(), in_force);
            let nothing = !has_rows && in_force == Limits::default();
            prop_assert_eq!(admission.is_passthrough(), nothing);
        }
    }
}

#[test]
fn limits_that_cannot_be_kept_change_nothing() {
    let before = Limits { other_rate: Some(rate(1, 2)), sample: count(3), ..Limits::default() };
    let config = AdmissionConfig {
        other_rate: before.other_rate,
        sample: before.sample,
        ..AdmissionConfig::default()
    };
    let admission = Admission::open(&Pool::default(), &config, 1, 1 << 32).unwrap();
    assert_eq!(admission.set_limits(&each(rate(1, 1))), Err(LimitsError::RateWithoutRows));
    let long = Limits { other_rate: Some(rate(1, u32::MAX)), ..Limits::default() };
    let error = admission.set_limits(&long).unwrap_err();
    assert_eq!(error, LimitsError::Burst { burst: count(u32::MAX), max: u64::MAX / 2 / (1 << 32) });
    assert!(error.to_string().contains("4294967295"), "{error}");
    assert_eq!(admission.limits(), before);

    let mut shard = admission.shard(0).unwrap();
    let mut gate = admission.begin(&mut shard, 0).unwrap();
    let verdicts = [(); 3].map(|()| gate.admit(&ipv4(1), 1));
    assert_eq!(verdicts, [Ok(()), Err(DropReason::Sampled), Err(DropReason::RateLimited)]);
}

/// Sources of the table, and datagrams that others share.
fn table(admission: &Admission<Pool>) -> (usize, u64) {
    let (mut sources, mut shared) = (0, 0);
    admission.sources(|SourceRow { source, datagrams, .. }| match source {
        Source::Address(_) => sources += 1,
        Source::Other => shared = datagrams,
    });
    (sources, shared)
}

#[test]
fn rows_age_by_the_rate_in_force() {
    // A bucket that takes 1000 s to fill keeps its row for as long; without one, 10 s of silence do.
    let config = AdmissionConfig {
        rows: 16,
        rate: Some(rate(1, 1000)),
        idle: Duration::from_secs(10),
        ..AdmissionConfig::default()
    };
    let (admission, mut shard) = open(&config);
    let mut hear = |source: u32, seconds: u64| {
        let _ = admission.begin(&mut shard, seconds * FREQUENCY).unwrap().admit(&ipv4(source), 1);
    };
    (0..16).for_each(|source| hear(source, 0));
    hear(100, 20);
    assert_eq!((table(&admission), admission.aged_out()), ((16, 1), 0));
    admission.set_limits(&Limits::default()).unwrap();
    hear(100, 21);
    assert_eq!(
        (table(&admission), admission.aged_out()),
        ((16, 2), 1),
        "its own, and one left by the former"
    );
    admission.set_limits(&each(rate(1, 1000))).unwrap();
    hear(101, 40);
    assert_eq!((table(&admission), admission.aged_out()), ((16, 3), 1));
    hear(101, 1000);
    assert_eq!(admission.aged_out(), 2);
}

#[test]
fn a_bucket_takes_its_tokens_along_up_to_the_new_burst() {
    let config = AdmissionConfig { rows: 16, ..AdmissionConfig::default() };
    let (admission, mut shard) = open(&config);
    let mut pass = |datagrams: usize, seconds: u64| {
        let mut gate = admission.begin(&mut shard, seconds * FREQUENCY).unwrap();
        (0..datagrams).filter(|_| gate.admit(&ipv4(1), 1).is_ok()).count()
    };
    assert_eq!(pass(100, 0), 100, "no limit");
    admission.set_limits(&each(rate(1, 10))).unwrap();
    assert_eq!(pass(4, 0), 4, "full, though its source is an old one");
    admission.set_limits(&each(rate(1, 3))).unwrap();
    assert_eq!(pass(100, 0), 3, "of the six left as many as the new burst is");
    admission.set_limits(&each(rate(2, 100))).unwrap();
    assert_eq!(pass(100, 0), 0, "a larger burst makes no tokens");
    assert_eq!(pass(100, 5), 10, "but time does, at the new rate");
}

#[test]
fn of_several_who_set_limits_one_at_a_time_succeeds() {
    let (admission, _) = open(&AdmissionConfig { rows: 16, ..AdmissionConfig::default() });
    let numbered =
        |number: u32| Limits { other_rate: Some(rate(number, number)), ..each(rate(number, number)) };
    thread::scope(|scope| {
        for offset in 0..3 {
            let admission = &admission;
            scope.spawn(move || {
                for number in 0..1_000 {
                    while let Err(error) = admission.set_limits(&numbered(1 + offset + number)) {
                        assert_eq!(error, LimitsError::Busy);
                        thread::yield_now();
                    }
                }
            });
        }
    });
    // Whichever was last, it is whole.
    let last = admission.limits();
    assert!((1_000..=1_002).any(|number| last == numbered(number)), "{last:?}");
}

/// How many different limits there are.
const KINDS: u64 = 16;

/// Limits whose burst says which sampling belongs to it.
fn numbered(number: u64) -> Limits {
    let kind = u32::try_from(number % KINDS).unwrap();
    Limits { sample: count(2 + kind % 4), ..each(rate(1_000_000, 12 + kind)) }
}

/// Two shards that work, and one who sets limits.
struct World {
    admission: Admission<Pool>,
    /// Settings that were begun, and that returned.
    begun: AtomicU64,
    returned: AtomicU64,
    /// Batches of each shard under other limits than the batch before.
    seen: [AtomicU64; 2],
    over: AtomicBool,
}

impl World {
    /// One batch, long after the one before, so that the bucket is full: which limits it ran under.
    fn batch(&self, shard: &mut AdmissionShard, now: u64) -> u64 {
        let at_least = self.returned.load(Ordering::SeqCst);
        let mut gate = self.admission.begin(shard, now).unwrap();
        let verdicts = [(); 40].map(|()| gate.admit(&ipv4(1), 1));
        drop(gate);
        let at_most = self.begun.load(Ordering::SeqCst);
        let burst =
            verdicts.iter().filter(|&&verdict| verdict != Err(DropReason::RateLimited)).count() as u64;
        let kind = burst.checked_sub(12).expect("a bucket of these limits");
        let mut kept = verdicts.iter().enumerate().filter(|(_, verdict)| verdict.is_ok()).map(|(at, _)| at);
        let every = kept.next().zip(kept.next()).map(|(first, second)| second - first).unwrap();
        assert_eq!(every as u64, 2 + kind % 4, "the rate of one and the sampling of another");
        let fits = (at_least..=at_most).any(|number| number % KINDS == kind);
        assert!(fits, "limits {kind} are none of {at_least}..={at_most}");
        kind
    }

    fn work(&self, index: u32, seen: &AtomicU64) {
        let mut shard = self.admission.shard(index).unwrap();
        let (mut now, mut latest) = (0, None);
        while !self.over.load(Ordering::SeqCst) {
            now += FREQUENCY;
            let kind = Some(self.batch(&mut shard, now));
            if kind != latest {
                seen.fetch_add(1, Ordering::SeqCst);
            }
            latest = kind;
        }
    }
}

#[test]
fn shards_at_work_see_whole_limits_and_none_older_than_the_last_set() {
    let Limits { rate, sample, .. } = numbered(0);
    let config = AdmissionConfig { rows: 16, rate, sample, ..AdmissionConfig::default() };
    let world = World {
        admission: Admission::open(&Pool::default(), &config, 2, FREQUENCY).unwrap(),
        begun: AtomicU64::new(0),
        returned: AtomicU64::new(0),
        seen: Default::default(),
        over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let [first, second] = &world.seen;
        let threads = [scope.spawn(|| world.work(0, first)), scope.spawn(|| world.work(1, second))];
        let enough =
            |number| number >= 2_000 && world.seen.iter().all(|seen| seen.load(Ordering::SeqCst) >= 20);
        // Until everybody saw enough, or failed.
        let mut number = 0;
        while !enough(number) && !threads.iter().any(|thread| thread.is_finished()) {
            number += 1;
            world.begun.store(number, Ordering::SeqCst);
            world.admission.set_limits(&numbered(number)).unwrap();
            world.returned.store(number, Ordering::SeqCst);
            if number % 16 == 0 {
                thread::yield_now();
            }
        }
        world.over.store(true, Ordering::SeqCst);
    });
}
