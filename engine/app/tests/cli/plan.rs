//! `skua plan`.

use crate::sink::{Sink, skua};

fn plan(args: &[&str]) -> String {
    let output = skua(&["plan"]).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The first number on the line that begins with `key`.
fn figure(plan: &str, key: &str) -> u64 {
    let line = plan.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
}

#[test]
fn the_settings_planned_are_settings_a_sink_takes() {
    let plan = plan(&["--rate", "200k", "--size", "600", "--stall", "50ms"]);
    let settings = plan.lines().next().unwrap().strip_prefix("settings").unwrap();
    let settings: Vec<&str> = settings.split_whitespace().collect();
    let sink = Sink::start(&[&["--listen", "127.0.0.1:0"], &settings[..]].concat());
    let report = sink.stop();
    report.lossless(0);
    // The ring, a page before it, and the cursor's page.
    assert_eq!(figure(&plan, "SharedMemory"), report.count("ring") + 8192);
    assert!(figure(&plan, "stall") >= 50);
}

#[test]
fn memory_is_told_in_total_and_for_a_shard() {
    let plan = plan(&["--rate", "1M", "--size", "64", "--stall", "1s", "--workers", "4"]);
    assert_eq!(figure(&plan, "total"), figure(&plan, "Memory") + figure(&plan, "SharedMemory"));
    assert!(plan.contains("a shard") && plan.contains("each socket"), "{plan}");
}
