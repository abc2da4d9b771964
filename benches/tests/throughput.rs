//! The throughput tool, as it is run.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn throughput(arguments: &[&str]) -> Output {
    // A machine with one core measures nothing that means anything, but the tool still works.
    let tool = Path::new(env!("CARGO_BIN_EXE_throughput"));
    let mut command = Command::new(tool);
    // The only foreign program that there is for sure.
    command.env("PATH", tool.parent().unwrap());
    command.args(arguments);
    if arguments[0] == "run" || arguments[0] == "latency" {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // No skua is needed by receivers of this program.
        command.args(["--skua", "none"]);
        command.args(["--receiver-core", if cores > 1 { "1" } else { "0" }]);
    }
    command.output().expect("a program of this package")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn measured(folder: &Path, arguments: &[&str]) -> Value {
    let file = folder.join("run.json");
    let kept = file.to_string_lossy().into_owned();
    let output = throughput(&[arguments, &["--json", &kept]].concat());
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn a_receiver_on_loopback_has_a_cost_and_every_datagram() {
    let folder = tempfile::tempdir().unwrap();
    let run = measured(
        folder.path(),
        &[
            "run",
            "--receiver",
            "std",
            "--baseline",
            "std",
            "--size",
            "64",
            "--rate",
            "2k",
            "--rounds",
            "2",
            "--seconds",
            "0.1",
        ],
    );
    let row = &run["rows"][0];
    assert_eq!((row["receiver"].as_str(), row["path"].as_str()), (Some("std"), Some("lo")));
    assert_eq!(row["ratio"]["median"], 1.0);
    let rounds = row["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 2);
    for round in rounds {
        assert_eq!(round["sent"], 200);
        assert_eq!(round["received"], 200);
        assert!(round["cpu_ns"].as_u64().unwrap() > 0);
    }
}

#[test]
fn what_was_kept_can_be_shown_compared_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    measured(
        folder.path(),
        &[
            "run",
            "--receiver",
            "std",
            "--baseline",
            "std",
            "--size",
            "64",
            "--rate",
            "1k",
            "--rounds",
            "1",
            "--seconds",
            "0.1",
        ],
    );
    let file = folder.path().join("run.json").to_string_lossy().into_owned();
    let shown = throughput(&["show", &file, "--markdown"]);
    assert!(text(&shown.stdout).contains("| std |"), "{}", text(&shown.stdout));
    let compared = throughput(&["compare", &file, &file]);
    assert!(
        compared.status.success() && text(&compared.stdout).contains("same"),
        "{}",
        text(&compared.stdout)
    );
    let plots = folder.path().join("plots").to_string_lossy().into_owned();
    let drawn = throughput(&["plot", &file, "--out", &plots]);
    assert!(drawn.status.success(), "{}", text(&drawn.stderr));
    let drawing = fs::read_dir(plots).unwrap().next().unwrap().unwrap().path();
    let drawing = fs::read_to_string(drawing).unwrap();
    assert!(drawing.starts_with("<svg") && drawing.trim_end().ends_with("</svg>") && drawing.contains("std"));
}

#[test]
fn latencies_are_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let run = measured(
        folder.path(),
        &[
            "latency",
            "--receiver",
            "recvmmsg",
            "--size",
            "64",
            "--rate",
            "1k",
            "--rounds",
            "1",
            "--seconds",
            "0.2",
        ],
    );
    let round = &run["latencies"][0]["rounds"][0];
    let times = ["p50", "p99", "p999", "max"].map(|name| round[name].as_u64().unwrap());
    assert!(times[0] > 0 && times.is_sorted(), "{times:?}");
    assert_eq!(round["received"], 200);
}

#[test]
fn a_receiver_that_there_is_not_is_named() {
    let output = throughput(&["run", "--receiver", "carrier-pigeon"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("carrier-pigeon"), "{}", text(&output.stderr));
}

#[test]
fn a_receiver_that_fails_does_not_take_the_others_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("run.json");
    let output = throughput(&[
        "run",
        "--receiver",
        "std",
        "--program",
        "broken=throughput --port {port}",
        "--baseline",
        "std",
        "--size",
        "64",
        "--rate",
        "1k",
        "--rounds",
        "2",
        "--seconds",
        "0.1",
        "--json",
        &kept.to_string_lossy(),
    ]);
    assert!(!output.status.success());
    let run: Value = serde_json::from_str(&fs::read_to_string(kept).unwrap()).unwrap();
    assert_eq!(run["rows"].as_array().unwrap().len(), 1);
    assert_eq!(run["rows"][0]["rounds"].as_array().unwrap().len(), 2);
    assert_eq!(
        (run["absent"][0]["receiver"].as_str(), run["absent"][0]["failed"].as_bool()),
        (Some("broken"), Some(true))
    );
    assert!(text(&output.stdout).contains("failed on lo: broken"), "{}", text(&output.stdout));
}
