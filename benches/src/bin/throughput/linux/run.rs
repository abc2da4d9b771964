//! All receivers through all cases, round by round.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::contestant::{self, Contestant, skua_program};
use super::measure;
use super::network::Network;
use super::setting::Setting;
use crate::case::Case;
use crate::cli::What;
use crate::machine::Machine;
use crate::report::{Absent, Method, Report};

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// An error once somebody pressed Ctrl-C or asked for the end: what is open is closed on the way out.
pub(super) fn interrupted() -> Result<()> {
    if INTERRUPTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        bail!("interrupted");
    }
    Ok(())
}

/// Measures what `setting` asks for, and shows `keep` what there is after each case: a run may take hours, and end early.
/// Progress goes to standard error.
pub(crate) fn run(
    what: What,
    mut setting: Setting,
    mut keep: impl FnMut(&Report) -> Result<()>,
) -> Result<Report> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(flag))?;
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    if cfg!(debug_assertions) {
        eprintln!("throughput: built without optimisation; figures mean nothing. Use cargo run --release");
    }
    setting.skua = skua_program(Some(setting.skua.clone()).filter(|path| !path.as_os_str().is_empty()))?;
    let (contestants, absent) = present(what, &setting)?;
    let network = if setting.namespaces || setting.paths.iter().any(|path| path.has_namespaces()) {
        Network::of_its_own(setting.sender_core, setting.receiver_core)?
    } else {
        Network::as_it_is(setting.sender_core, setting.receiver_core)
    };
    let method = Method {
        started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        rounds: setting.rounds,
        seconds: setting.seconds,
        sender_core: setting.sender_core,
        receiver_core: setting.receiver_core,
        receive_buffer: setting.receive_buffer,
        burst: setting.burst,
        segmented: setting.segmented,
        own_loopback: network.is_own(),
        baseline: setting.baseline.clone(),
    };
    let mut report = Report::new(Machine::here(), method);
    report.absent = absent;
    for case in setting.cases() {
        let mut here: Vec<&Contestant> = contestants
            .iter()
            .filter(|contestant| match contestant.missing(&setting.skua, Some(case.path)) {
                None => true,
                Some(why) => {
                    let path = Some(case.path);
                    let one = Absent { receiver: contestant.name.clone(), path, why, failed: false };
                    if !report.absent.contains(&one) {
                        report.absent.push(one);
                    }
                    false
                }
            })
            .collect();
        for round in 1..=setting.rounds {
            eprintln!("{case}: round {round} of {}", setting.rounds);
            // Each round begins with another one, so that nobody always follows the same neighbour.
            let next = usize::from(round > 1 && here.len() > 1);
            here.rotate_left(next);
            for contestant in here.clone() {
                interrupted()?;
                let taken = take(what, contestant, case, round, &network, &setting, &mut report);
                interrupted()?;
                // The others go on without it.
                if let Err(error) = taken {
                    eprintln!("{case}: {} failed: {error:#}", contestant.name);
                    here.retain(|other| other.name != contestant.name);
                    report.absent.push(Absent {
                        receiver: contestant.name.clone(),
                        path: Some(case.path),
                        why: format!("{} bytes, {}: {error:#}", case.size, case.rate),
                        failed: true,
                    });
                }
            }
        }
        report.compare_with_baseline();
        put_in_order(&mut report, &contestants);
        keep(&report)?;
    }
    Ok(report)
}

/// By case, and then as receivers are listed.
fn put_in_order(report: &mut Report, contestants: &[Contestant]) {
    let order = |receiver: &str| contestants.iter().position(|one| one.name == receiver);
    report.rows.sort_by_key(|row| order(&row.receiver));
    report.rows.sort_by_key(|row| (row.case.path, row.case.size, row.case.rate));
    report.latencies.sort_by_key(|row| order(&row.receiver));
    report.latencies.sort_by_key(|row| (row.case.path, row.case.size, row.case.rate));
}

fn take(
    what: What,
    contestant: &Contestant,
    case: Case,
    round: u32,
    network: &Network,
    setting: &Setting,
    report: &mut Report,
) -> Result<()> {
    match what {
        What::Cost => {
            let measured = measure::cost(contestant, case, round, network, setting)?;
            report.add(case, &contestant.name, measured);
        }
        What::Latency => {
            let measured = measure::latency(contestant, case, round, network, setting)?;
            report.add_latency(case, &contestant.name, measured);
        }
    }
    Ok(())
}

/// The receivers asked for that this machine has, and those that it has not.
fn present(what: What, setting: &Setting) -> Result<(Vec<Contestant>, Vec<Absent>)> {
    let all = contestant::all(&setting.programs);
    let known: Vec<&str> = all.iter().map(|contestant| contestant.name.as_str()).collect();
    for wanted in setting.receivers.iter().chain([&setting.baseline]) {
        ensure!(
            known.contains(&wanted.as_str()),
            "no receiver is called {wanted}; there are {}",
            known.join(", ")
        );
    }
    let mut absent = Vec::new();
    let mut here = Vec::new();
    for contestant in all {
        let added = setting.programs.iter().any(|program| program.name == contestant.name);
        let wanted = setting.receivers.is_empty() || setting.receivers.contains(&contestant.name) || added;
        if !wanted || (what == What::Latency && !contestant.tells_latency()) {
            continue;
        }
        match contestant.missing(&setting.skua, None) {
            Some(why) => absent.push(Absent { receiver: contestant.name, path: None, why, failed: false }),
            None => here.push(contestant),
        }
    }
    Ok((here, absent))
}
