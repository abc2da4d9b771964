//! The ring between two processes over mapped files: the layout, the hashes, and readers that lie.
//!
//! Each test runs this binary again under its own name, with the files' directory in an environment variable: that
//! process is the reader. It maps the data file read-only, as a real one does, so a store there would end it.

#![cfg(all(unix, not(loom)))]
#![expect(unsafe_code, reason = "maps files, and hands a ring the memory it runs over")]

use std::env;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use skua_pools::{Attach, Consumer, Producer, ReserveError, WaitFor};

/// Where the reader's process finds its files.
const DIRECTORY: &str = "SKUA_POOLS_TEST_DIRECTORY";
const DATA_BYTES: usize = 64 * 1024;
/// The head at 0, the data one page on.
const DATA_FILE: usize = DATA_BYTES + 4096;
/// The cursor at 0, then what the test itself needs to hear from the reader.
const CURSOR_FILE: usize = 4096;
const RECORDS: u64 = 60_000;
/// Longer than anything takes here, so that a hang is a failure and not a stuck test.
const DEADLINE: Duration = Duration::from_secs(25);

/// One file, mapped.
struct Mapped {
    address: NonNull<u8>,
    bytes: usize,
}

impl Mapped {
    fn new(file: &File, bytes: usize, protection: ProtFlags) -> Self {
        // SAFETY: a new mapping at an address of the system's choice touches nothing that exists.
        let address = unsafe { mmap(ptr::null_mut(), bytes, protection, MapFlags::SHARED, file, 0) }.unwrap();
        Self { address: NonNull::new(address.cast()).unwrap(), bytes }
    }

    fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.bytes);
        // SAFETY: inside the mapping by the check.
        unsafe { self.address.add(offset) }
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8));
        // SAFETY: aligned, mapped while `self` lives, and accessed atomically by both processes.
        unsafe { AtomicU64::from_ptr(self.at(offset).as_ptr().cast()) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and what refers to it is dropped before.
        unsafe { munmap(self.address.as_ptr().cast(), self.bytes) }.unwrap();
    }
}

/// Both files, mapped by either process.
struct Files {
    data: Mapped,
    cursor: Mapped,
}

impl Files {
    fn open(directory: &Path, data: ProtFlags) -> Self {
        let file = |name: &str, bytes: usize| {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).open(directory.join(name));
            let file = file.unwrap();
            file.set_len(bytes as u64).unwrap();
            file
        };
        let both = ProtFlags::READ | ProtFlags::WRITE;
        Self {
            data: Mapped::new(&file("data", DATA_FILE), DATA_FILE, data),
            cursor: Mapped::new(&file("cursor", CURSOR_FILE), CURSOR_FILE, both),
        }
    }

    fn for_writer(directory: &Path) -> Self {
        Self::open(directory, ProtFlags::READ | ProtFlags::WRITE)
    }

    fn for_reader() -> Option<Self> {
        let directory = PathBuf::from(env::var_os(DIRECTORY)?);
        Some(Self::open(&directory, ProtFlags::READ))
    }

    fn producer(&self) -> Producer {
        // SAFETY: mapped until `self` is dropped, which every test does last; nobody else writes head or data.
        unsafe {
            Producer::from_raw(
                self.data.at(0).cast(),
                self.cursor.at(0).cast(),
                self.data.at(4096),
                DATA_BYTES,
            )
        }
        .unwrap()
    }

    fn consumer(&self) -> Consumer {
        // SAFETY: as for `producer`; the producer leaves what is unread alone.
        unsafe {
            Consumer::from_raw(
                self.data.at(0).cast(),
                self.cursor.at(0).cast(),
                self.data.at(4096),
                DATA_BYTES,
                Attach::Cursor,
            )
        }
        .unwrap()
    }

    /// Set to the number of records the reader has seen, for the writer to know when it is done.
    fn report(&self) -> &AtomicU64 {
        self.cursor.word(64)
    }

    /// Counts wakes; the reader's sleep ends when it moves.
    fn wakes(&self) -> &AtomicU64 {
        self.cursor.word(128)
    }
}

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("skua-pools-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.0);
        assert!(removed.is_ok() || thread::panicking(), "{removed:?}");
    }
}

/// Runs this binary again as the test `name`, which is the reader then.
fn reader(directory: &Path, name: &str) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(DIRECTORY, directory).spawn().unwrap()
}

fn finished(mut child: Child) {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the reader's process: {status}");
            return;
        }
        if begun.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("the reader's process did not end");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// FNV-1a, 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Sequence, hash of the rest, and the rest: 0 to 1,999 bytes that depend on the sequence.
fn payload(sequence: u64) -> Vec<u8> {
    let seed = sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let len = (seed >> 32) % 2000;
    let rest: Vec<u8> = (0..len).map(|at| seed.wrapping_add(at * 31).to_le_bytes()[1]).collect();
    [&sequence.to_le_bytes()[..], &hash(&rest).to_le_bytes(), &rest].concat()
}

/// The sequence in a payload, if its hash is right.
fn sequence(record: &[u8]) -> Option<u64> {
    let (sequence, record) = record.split_first_chunk::<8>()?;
    let (expected, rest) = record.split_first_chunk::<8>()?;
    (hash(rest) == u64::from_le_bytes(*expected)).then(|| u64::from_le_bytes(*sequence))
}

/// Writes one record; on a full ring publishes, wakes and waits for the reader.
fn write(producer: &mut Producer, files: &Files, bytes: &[u8]) {
    let begun = Instant::now();
    loop {
        match producer.reserve(bytes.len()) {
            Ok(mut reservation) => {
                reservation.write(0, bytes).unwrap();
                reservation.commit();
                return;
            }
            Err(error) => assert_eq!(error, ReserveError::Full),
        }
        publish(producer, files);
        assert!(begun.elapsed() < DEADLINE, "the reader does not release");
        thread::yield_now();
    }
}

fn publish(producer: &mut Producer, files: &Files) {
    producer.publish();
    if producer.wake_needed(u64::MAX) {
        files.wakes().fetch_add(1, Ordering::Release);
    }
}

#[test]
fn every_record_crosses_whole_and_in_sequence() {
    if let Some(files) = Files::for_reader() {
        return read_to_the_end(&files);
    }
    let scratch = Scratch::new("crossing");
    let files = Files::for_writer(&scratch.0);
    let mut producer = files.producer();
    let child = reader(&scratch.0, "every_record_crosses_whole_and_in_sequence");
    for number in 0..RECORDS {
        write(&mut producer, &files, &payload(number));
        if number % 16 == 15 {
            publish(&mut producer, &files);
        }
    }
    publish(&mut producer, &files);
    finished(child);
    assert_eq!(files.report().load(Ordering::Acquire), RECORDS);
    producer.refresh();
    assert_eq!((producer.used(), producer.reader_faults()), (0, 0));
}

/// Checks every record, and sleeps whenever it may.
fn read_to_the_end(files: &Files) {
    let mut consumer = files.consumer();
    let mut next = 0;
    while next < RECORDS {
        for record in consumer.batch() {
            assert_eq!(sequence(record.unwrap()), Some(next));
            next += 1;
        }
        consumer.release();
        files.report().store(next, Ordering::Release);
        let wakes = files.wakes().load(Ordering::Acquire);
        if next < RECORDS && consumer.prepare_wait(WaitFor::Any).unwrap() {
            let slept = Instant::now();
            while files.wakes().load(Ordering::Acquire) == wakes {
                assert!(slept.elapsed() < DEADLINE, "a wake was lost at record {next}");
                thread::yield_now();
            }
        }
    }
}

#[test]
fn a_reader_that_died_is_followed_by_one_that_goes_on() {
    if let Some(files) = Files::for_reader() {
        return read_seven_and_die(&files);
    }
    let scratch = Scratch::new("restart");
    let files = Files::for_writer(&scratch.0);
    let mut producer = files.producer();
    for number in 0..30 {
        write(&mut producer, &files, &payload(number));
    }
    publish(&mut producer, &files);
    for expected in [7, 14, 21] {
        finished(reader(&scratch.0, "a_reader_that_died_is_followed_by_one_that_goes_on"));
        assert_eq!(files.report().load(Ordering::Acquire), expected);
    }
    producer.refresh();
    assert_eq!(producer.reader_faults(), 0);
    let mut last = files.consumer();
    let rest: Vec<_> = last.batch().map(|record| sequence(record.unwrap()).unwrap()).collect();
    assert_eq!(rest, (21..30).collect::<Vec<_>>());
}

/// Releases seven records, reads some more without releasing them, and leaves.
fn read_seven_and_die(files: &Files) {
    let mut consumer = files.consumer();
    let first = files.report().load(Ordering::Acquire);
    for expected in first..first + 7 {
        assert_eq!(consumer.next().map(|record| sequence(record.unwrap())), Some(Some(expected)));
    }
    consumer.release();
    assert!(consumer.next().unwrap().is_ok());
    files.report().store(first + 7, Ordering::Release);
}

#[test]
fn a_hostile_reader_harms_nobody_but_itself() {
    if let Some(files) = Files::for_reader() {
        return lie_about_the_cursor(&files);
    }
    let scratch = Scratch::new("hostile");
    let files = Files::for_writer(&scratch.0);
    let mut producer = files.producer();
    let child = reader(&scratch.0, "a_hostile_reader_harms_nobody_but_itself");
    let begun = Instant::now();
    let (mut accepted, mut number) = (0, 0);
    while files.report().load(Ordering::Acquire) == 0 || producer.reader_faults() == 0 {
        assert!(begun.elapsed() < DEADLINE, "{} faults", producer.reader_faults());
        let bytes = payload(number);
        if let Ok(mut reservation) = producer.reserve(bytes.len()) {
            reservation.write(0, &bytes).unwrap();
            reservation.commit();
            number += 1;
        }
        producer.publish();
        let _ = producer.wake_needed(4096);
        // By its own account, whatever the cursor says: never more in use than there is, never a position that ran back.
        assert!(producer.used() <= DATA_BYTES as u64);
        let head = files.data.word(0).load(Ordering::Relaxed);
        let now = head - producer.used();
        assert!(now >= accepted, "from {accepted} back to {now}");
        accepted = now;
    }
    finished(child);
    // The next reader begins at the head, and is served as if nothing had been.
    let faults = producer.reader_faults();
    // SAFETY: as in `Files::consumer`.
    let mut honest = unsafe {
        Consumer::from_raw(
            files.data.at(0).cast(),
            files.cursor.at(0).cast(),
            files.data.at(4096),
            DATA_BYTES,
            Attach::Head,
        )
    }
    .unwrap();
    honest.release();
    for number in 0..1000 {
        write(&mut producer, &files, &payload(number));
        producer.publish();
        let read: Vec<_> = honest.batch().map(|record| sequence(record.unwrap())).collect();
        assert_eq!(read, [Some(number)]);
        honest.release();
    }
    assert_eq!(producer.reader_faults(), faults);
}

/// Stores positions of every kind, honest ones among them, as fast as it can.
fn lie_about_the_cursor(files: &Files) {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..2_000_000 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let head = files.data.word(0).load(Ordering::Acquire);
        let lie = match seed % 6 {
            0 => seed,
            1 => head.wrapping_add(seed >> 50),
            2 => head.wrapping_sub(seed >> 50),
            3 => head | seed >> 61,
            4 => head,
            _ => 0,
        };
        files.cursor.word(0).store(lie, Ordering::Release);
    }
    files.report().store(1, Ordering::Release);
}
