//! Counts the instructions that the receive path takes per datagram, with valgrind's callgrind.
//!
//! Without arguments it runs itself under `valgrind --tool=callgrind` twice for each row, with 100 and with 1100 lists of
//! 32 datagrams, and prints the difference divided by 32,000: start and end cancel out, and the figure is exact. It depends
//! on the compiler and on the host's memcpy, not on the machine's load. `receive_instructions ROW LISTS` is one such run.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::process::Command;

use skua_benches::{
    CReceiver, Indications, RING_BYTES, ReadFirst, Reading, Receiver, RingEnd, Setting, SinkReceiver,
};
use skua_pools::Consumer;
use skua_record::{RecordHeader, RingReader};

/// Datagrams of a list.
const LIST: u8 = 32;

/// Lists of the two runs.
const LISTS: [u64; 2] = [100, 1100];

/// Bytes of payload.
const BYTES: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => table(),
        [row, lists] => match rows().into_iter().find(|(name, _)| name == row) {
            Some((_, run)) => {
                run(lists.parse()?);
                Ok(())
            }
            None => Err(format!("there is no row {row}").into()),
        },
        _ => Err("give no argument for the whole table, or a row and a number of lists".into()),
    }
}

fn table() -> Result<(), Box<dyn Error>> {
    println!("{:20} instructions/datagram ({BYTES} bytes, lists of {LIST})", "row");
    for (row, _) in rows() {
        let [few, many] = LISTS;
        let more = count(&row, many)? - count(&row, few)?;
        println!("{row:20} {:8.1}", more as f64 / ((many - few) * u64::from(LIST)) as f64);
    }
    Ok(())
}

/// Instructions of one run, as callgrind says them.
fn count(row: &str, lists: u64) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args([row, &lists.to_string()])
        .output()
        .map_err(|error| format!("cannot run valgrind, which counts the instructions: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    match collected {
        Some((_, count)) if output.status.success() => Ok(count.trim().parse()?),
        _ => Err(format!("callgrind did not count {row}:\n{said}").into()),
    }
}

/// Does its work as many times as it is told.
type Run = Box<dyn FnOnce(u64)>;

fn rows() -> Vec<(String, Run)> {
    let mut rows: Vec<(String, Run)> = vec![
        ("walk".into(), walk(Indications::walk)),
        ("walk-behind-call".into(), walk(Indications::walk_behind_call)),
    ];
    for setting in Setting::ALL {
        rows.push((format!("engine-{}", setting.name()), Box::new(move |lists| engine(setting, lists))));
    }
    for (name, reading) in [("c-copied", Reading::Copied), ("c-in-place", Reading::InPlace)] {
        rows.push((name.into(), Box::new(move |lists| in_c(reading, lists))));
    }
    rows.push(("copy".into(), Box::new(copy)));
    rows.push(("sink".into(), Box::new(sink::<Consumer>)));
    rows.push(("sink-read".into(), Box::new(sink::<RingReader>)));
    rows
}

fn walk(work: fn(&Indications) -> u64) -> Run {
    Box::new(move |lists| {
        let receiver = Receiver::open(Setting::Plain, |_| ReadFirst);
        let list = receiver.list(LIST, BYTES);
        for _ in 0..lists {
            black_box(work(black_box(&list)));
        }
    })
}

fn engine(setting: Setting, lists: u64) {
    let receiver = Receiver::open(setting, |_| ReadFirst);
    let list = receiver.list(LIST, BYTES);
    receiver.at_dispatch(|raised| (0..lists).for_each(|_| raised.indicate(black_box(&list))));
}

fn in_c(reading: Reading, lists: u64) {
    let receiver = CReceiver::open(reading);
    let list = receiver.list(LIST, BYTES);
    receiver.indicate(&list, lists);
}

fn copy(lists: u64) {
    let receiver = Receiver::open(Setting::Plain, |_| ReadFirst);
    let list = receiver.list(LIST, BYTES);
    let (header, mut ring, mut at) = ([0x5c; RecordHeader::BYTES], vec![0; RING_BYTES], 0);
    (0..lists).for_each(|_| black_box(&list).copy(&header, black_box(&mut ring), &mut at));
}

fn sink<E: RingEnd>(lists: u64) {
    let mut sink = SinkReceiver::<E>::open(Setting::Plain);
    let (receiver, end) = sink.parts();
    let list = receiver.list(LIST, BYTES);
    receiver.at_dispatch(|raised| {
        for _ in 0..lists {
            raised.indicate(black_box(&list));
            end.drain();
        }
    });
}
