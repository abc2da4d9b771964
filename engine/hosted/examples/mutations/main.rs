//! Which check of the conformance suite notices which mutation of the provider.
//!
//! Every check runs once over the provider as it is, which shows what it calls, and then once over each mutation of
//! something that it calls, in a process that may hang or crash. What is printed is, for each mutation, the checks that
//! noticed it; and at the end, for each check, the mutation that the fewest others noticed too, which comes closest to its
//! rule. An outage, a function that always fails or never completes, is noticed by everything that calls it: it proves
//! nothing of a check, and does not count.
//!
//! ```text
//! cargo run -p skua-hosted --example mutations               # all of them
//! cargo run -p skua-hosted --example mutations -- WskBind    # mutations and checks whose names contain this
//! cargo run -p skua-hosted --example mutations -- --first    # until each check has noticed one
//! ```
//!
//! The exit code is 1 when a check that keeps its rule here noticed no mutation.

#![expect(unsafe_code, reason = "registers, captures and hands the NPI over by hand")]

mod child;
mod one_check;
mod spread;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use skua_hosted::HostKernel;
use skua_hosted::middleware::mutation::Mutation;

use crate::spread::Spread;

/// Processes that run at a time; mostly they wait.
const PROCESSES: usize = 6;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, mutation, checks] = &arguments[..]
        && mode == child::MODE
    {
        child::run(mutation, checks);
    }
    let first_only = arguments.iter().any(|argument| argument == "--first");
    let wanted = arguments.iter().find(|argument| !argument.starts_with("--")).map_or("", String::as_str);
    let names: Vec<&str> = skua_conformance::checks::<HostKernel>().map(|(_, check)| check.name).collect();
    let spread = spread::all();
    let tried = tried(wanted, &names, &spread);

    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<(Mutation, Vec<usize>)>> = Mutex::default();
    let has_noticed =
        |check: usize| rows.lock().is_ok_and(|rows| rows.iter().any(|row| row.1.contains(&check)));
    std::thread::scope(|scope| {
        for _ in 0..PROCESSES {
            scope.spawn(|| {
                while let Some((index, mutation, checks)) = tried.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut checks = checks.clone();
                    if first_only {
                        checks.retain(|&check| !mutation.is_outage() && !has_noticed(check));
                    }
                    if checks.is_empty() {
                        continue;
                    }
                    let outcomes = child::spawn_for(*index, &checks);
                    print_row(*mutation, checks.len(), &outcomes, &names);
                    if let Ok(mut rows) = rows.lock() {
                        rows.push((*mutation, outcomes.into_iter().map(|(check, _)| check).collect()));
                    }
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap_or_default();

    for (mutation, _) in rows.iter().filter(|(_, noticed)| noticed.is_empty() && !first_only) {
        println!("noticed by no check: {mutation}");
    }
    let mut failed = false;
    for check in 0..names.len() {
        let name = names[check];
        let closest =
            rows.iter().filter(|(mutation, noticed)| !mutation.is_outage() && noticed.contains(&check));
        match closest.min_by_key(|(_, noticed)| noticed.len()) {
            Some((mutation, noticed)) => println!("{name}: {mutation} ({})", noticed.len()),
            None if spread[check].is_none() => println!("{name}: not kept, or not applicable here"),
            None if tried.iter().any(|(_, _, checks)| checks.contains(&check)) => {
                failed = true;
                println!("{name}: NOTICED NO MUTATION");
            }
            None => {}
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The mutations with their numbers and the checks that they concern, those first after which nothing is waited for.
fn tried(wanted: &str, names: &[&str], spread: &[Option<Arc<Spread>>]) -> Vec<(usize, Mutation, Vec<usize>)> {
    let mut tried: Vec<_> = Mutation::all()
        .enumerate()
        .map(|(index, mutation)| {
            let is_wanted = mutation.to_string().contains(wanted);
            let concerned = (0..names.len())
                .filter(|&check| is_wanted || names[check].contains(wanted))
                .filter(|&check| spread[check].as_ref().is_some_and(|calls| calls.are_changed_by(mutation)));
            (index, mutation, concerned.collect::<Vec<_>>())
        })
        .filter(|(_, _, checks)| !checks.is_empty())
        .collect();
    tried.sort_by_key(|(_, mutation, _)| mutation.may_hang());
    tried
}

/// The checks that noticed a mutation, and how.
fn print_row(mutation: Mutation, tried: usize, outcomes: &[(usize, String)], names: &[&str]) {
    let mut row = format!("{mutation}: {} of {tried}\n", outcomes.len());
    for (check, how) in outcomes {
        row += &format!("    {how:8} {}\n", names[*check]);
    }
    print!("{row}");
}
