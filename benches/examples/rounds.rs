//! Runs the benches several times and prints what each row took over all rounds, and its ratio to its group's base.
//!
//! `rounds ROUNDS [FILTER]`, as in `cargo run --release -p skua-benches --example rounds -- 5 slots`. A round runs every
//! row once, so a slow minute of the machine meets one round of all rows, not all rounds of one. A figure is the median over
//! the rounds of the round's median, in ns for one slot, record, datagram or call.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The row of each group to which the others are compared, parameter by parameter.
const BASES: [(&str, &str); 17] = [
    ("counters", "load-store"),
    ("receive/cold", "walk"),
    ("receive/settings", "plain"),
    ("receive/warm", "walk"),
    ("ring/one-thread", "rtrb-words"),
    ("ring/two-threads", "rtrb-words"),
    ("rundown", "fetch-add-sub"),
    ("send/cut", "sendmsg"),
    ("send/in-memory", "copy"),
    ("send/sockets", "sendmmsg"),
    ("sink/cold", "copy"),
    ("sink/ends", "writer"),
    ("sink/engine", "copy"),
    ("sink/warm", "copy"),
    ("slots/handover", "ring-alone"),
    ("slots/one-thread", "thread-local-vec"),
    ("slots/two-threads", "own-vec"),
];

type Failure = Box<dyn Error>;

/// Group, parameter and row, which is also the order in which they are printed.
type Key = (String, String, String);

fn main() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let rounds: u32 =
        arguments.next().ok_or("give the number of rounds, then a filter if you like")?.parse()?;
    let filter: Vec<_> = arguments.collect();
    let home = env::temp_dir().join(format!("skua-benches-{}", std::process::id()));
    let mut rows: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        let home = home.join(round.to_string());
        run(&home, &filter)?;
        for sample in samples(&home)? {
            let (key, nanoseconds) = read(&sample)?;
            rows.entry(key).or_default().push(nanoseconds);
        }
    }
    fs::remove_dir_all(home)?;
    print(&rows);
    Ok(())
}

fn run(home: &Path, filter: &[String]) -> Result<(), Failure> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["bench", "--quiet", "--package", "skua-benches", "--", "--noplot"])
        .args(filter)
        .env("CRITERION_HOME", home)
        .stdout(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("cargo bench ended with {status}").into()) }
}

/// The directories in which criterion left a row's latest sample.
fn samples(home: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut open = vec![home.to_owned()];
    while let Some(directory) = open.pop() {
        if directory.ends_with("new") {
            found.push(directory);
            continue;
        }
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(found)
}

/// The row of a sample, and its median in ns for one element.
fn read(sample: &Path) -> Result<(Key, f64), Failure> {
    let json =
        |name| -> Result<Value, Failure> { Ok(serde_json::from_reader(File::open(sample.join(name))?)?) };
    let row = json("benchmark.json")?;
    let text = |name| row[name].as_str().unwrap_or_default().to_owned();
    let elements = row["throughput"]["Elements"].as_f64().unwrap_or(1.0);
    let measured = json("sample.json")?;
    let column = |name| measured[name].as_array().into_iter().flatten().filter_map(Value::as_f64);
    let mut each: Vec<f64> = column("times").zip(column("iters")).map(|(time, iters)| time / iters).collect();
    Ok(((text("group_id"), text("value_str"), text("function_id")), median(&mut each) / elements))
}

fn print(rows: &BTreeMap<Key, Vec<f64>>) {
    println!("| group | row | median ns | min | max | ratio | to |\n|---|---|---|---|---|---|---|");
    for ((group, parameter, row), rounds) in rows {
        let mut rounds = rounds.clone();
        let middle = median(&mut rounds);
        let (least, most) = (rounds.first().unwrap_or(&middle), rounds.last().unwrap_or(&middle));
        let base = BASES.iter().find(|(of, _)| of == group).map_or("", |(_, base)| base);
        let ratio = rows
            .get(&(group.clone(), parameter.clone(), base.to_owned()))
            .map(|base| format!("{:.2}", middle / median(&mut base.clone())))
            .unwrap_or_default();
        println!("| {group} | {row} {parameter} | {middle:.2} | {least:.2} | {most:.2} | {ratio} | {base} |");
    }
}

/// The median; sorts.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
