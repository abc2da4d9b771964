//! The process in which checks meet a mutation.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use skua_hosted::middleware::mutation::{Mutated, Mutation};

use crate::one_check;

/// The first argument of such a process; a mutation and checks, by their numbers, follow.
pub(crate) const MODE: &str = "--child";

/// A check that says nothing for so long hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs the checks, says how each ends, and ends the process.
pub(crate) fn run(mutation: &str, checks: &str) -> ! {
    let mutation = mutation.parse().ok().and_then(|index| Mutation::all().nth(index));
    let checks = checks.split(',').filter_map(|check| check.parse().ok());
    if let Some(mutation) = mutation {
        for check in checks {
            let word = one_check::run(check, Arc::new(Mutated::new(mutation)));
            let word = word.map_or("n/a", |outcome| outcome.word());
            println!("{check} {word}");
            let _ = std::io::stdout().flush();
        }
    }
    // What hangs is left behind.
    std::process::exit(0);
}

/// Has `checks` meet a mutation; those that noticed it, and how.
pub(crate) fn spawn_for(mutation: usize, checks: &[usize]) -> Vec<(usize, String)> {
    let mut noticed = Vec::new();
    let mut left = checks;
    while let [first, rest @ ..] = left {
        let (done, end) = run_child(mutation, left, &mut noticed);
        left = &left[done..];
        if !left.is_empty() {
            // It ended, or was ended, in the next one.
            let at = left.first().unwrap_or(first);
            noticed.push((*at, end.to_owned()));
            left = left.get(1..).unwrap_or(rest);
        }
    }
    noticed
}

/// Runs a process for `checks`: how many of them it answered, and why it stopped.
fn run_child(mutation: usize, checks: &[usize], noticed: &mut Vec<(usize, String)>) -> (usize, &'static str) {
    let list: Vec<String> = checks.iter().map(usize::to_string).collect();
    let Ok(program) = std::env::current_exe() else { return (0, "no child") };
    let child = Command::new(program)
        .args([MODE, &mutation.to_string(), &list.join(",")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return (0, "no child") };
    let (say, lines) = channel();
    let output = child.stdout.take();
    let reader = std::thread::spawn(move || {
        for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok)
        {
            let _ = say.send(line);
        }
    });
    let done = listen(&lines, checks.len(), noticed);
    let _ = child.kill();
    let _ = child.wait();
    let _ = reader.join();
    done
}

fn listen(
    lines: &Receiver<String>,
    expected: usize,
    noticed: &mut Vec<(usize, String)>,
) -> (usize, &'static str) {
    for done in 0..expected {
        match lines.recv_timeout(LIMIT) {
            Ok(line) => {
                if let Some((check, word @ ("BROKEN" | "HUNG"))) = line.split_once(' ')
                    && let Ok(check) = check.parse()
                {
                    noticed.push((check, word.to_owned()));
                }
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => return (done, "stalled"),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return (done, "crashed"),
        }
    }
    (expected, "")
}
