//! One receiver in one case, once.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::child::Child;
use super::contestant::{Contestant, Start};
use super::network::Network;
use super::processor_time::at_rest;
use super::receive::Taken;
use super::send::{STAMPED, Sent};
use super::setting::Setting;
use super::waiting::Waiting;
use crate::case::{Case, Rate};
use crate::report::{DISTURBED, LatencyRound, Round};

/// What warms a receiver up, at most: its buffers are touched and its code is there. Slow enough that every receiver keeps
/// up.
const WARM_UP: u32 = 50_000;
const WARM_UP_SECONDS: f64 = 0.2;

/// How much longer than asked for a sender may take.
const SLACK: Duration = Duration::from_secs(10);

/// Measures what `contestant` costs in `case`.
///
/// The receiver's processor time is read when it has nothing to do, before the first and after the last datagram: it
/// covers exactly those that were sent in between.
pub(super) fn cost(
    contestant: &Contestant,
    case: Case,
    round: u32,
    network: &Network,
    setting: &Setting,
) -> Result<Round> {
    let measured = Measured::undisturbed(contestant, case, network, setting, false)?;
    Ok(Round {
        round,
        sent: measured.sent.datagrams,
        received: measured.taken.datagrams,
        cpu_ns: u64::try_from(measured.spent.as_nanos())?,
        seconds: measured.sent.seconds,
        disturbance: measured.disturbance,
    })
}

/// Measures how long datagrams take to `contestant` in `case`.
pub(super) fn latency(
    contestant: &Contestant,
    case: Case,
    round: u32,
    network: &Network,
    setting: &Setting,
) -> Result<LatencyRound> {
    let measured = Measured::undisturbed(contestant, case, network, setting, true)?;
    let quantiles = measured.taken.latency.context("a receiver without latencies")?;
    Ok(LatencyRound {
        round,
        sent: measured.sent.datagrams,
        received: measured.taken.datagrams,
        p50: quantiles.p50,
        p99: quantiles.p99,
        p999: quantiles.p999,
        max: quantiles.max,
        disturbance: measured.disturbance,
    })
}

struct Measured {
    sent: Sent,
    taken: Taken,
    spent: Duration,
    /// The part of the time in which sender or receiver waited for a core that others had, whichever was more.
    disturbance: f64,
}

impl Measured {
    /// Measures again while others take part of a core, and keeps what was disturbed least.
    fn undisturbed(
        contestant: &Contestant,
        case: Case,
        network: &Network,
        setting: &Setting,
        latency: bool,
    ) -> Result<Self> {
        let mut best = Self::take(contestant, case, network, setting, latency)?;
        for _ in 0..setting.repeats {
            if best.disturbance <= DISTURBED {
                break;
            }
            let again = Self::take(contestant, case, network, setting, latency)?;
            if again.disturbance < best.disturbance {
                best = again;
            }
        }
        Ok(best)
    }

    fn take(
        contestant: &Contestant,
        case: Case,
        network: &Network,
        setting: &Setting,
        latency: bool,
    ) -> Result<Self> {
        let (address, interface) = network.prepare(case.path)?;
        let receiver = contestant.start(&Start {
            place: &network.receiver(),
            address,
            interface,
            receive_buffer: setting.receive_buffer,
            size: case.size,
            latency,
            skua: &setting.skua,
        })?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["send", "--to", &receiver.address().to_string(), "--size", &case.size.to_string()])
            .args(setting.burst.map(|burst| format!("--burst={burst}")))
            .args((!setting.segmented).then_some("--unsegmented"));
        let mut sender = Child::start(&mut command, &network.sender_on(case.path))?;
        let warm = send(&mut sender, warm_up(case.rate), WARM_UP_SECONDS, false)?;
        let before = at_rest(receiver.id()).context("the receiver is gone")?;
        let waiting = Waiting::of(receiver.id());
        let sent = send(&mut sender, case.rate, setting.seconds, latency)?;
        let after = at_rest(receiver.id()).context("the receiver is gone")?;
        let spent = after.saturating_sub(before);
        let waited = Waiting::of(receiver.id()).for_others(&waiting).as_secs_f64() / sent.seconds;
        let all = sent.datagrams + warm.datagrams;
        let mut taken = receiver.finish(all)?;
        ensure!(taken.datagrams <= all, "{} datagrams of {all} were received", taken.datagrams);
        // What was lost is laid to the measured part: the warm-up is too slow to lose any.
        ensure!(
            taken.datagrams > warm.datagrams,
            "only {} datagrams of {all} were received",
            taken.datagrams
        );
        taken.datagrams -= warm.datagrams;
        Ok(Self { sent, taken, spent, disturbance: waited.max(sent.waited) })
    }
}

fn warm_up(rate: Rate) -> Rate {
    match rate {
        Rate::Max => Rate::Paced(WARM_UP),
        Rate::Paced(rate) => Rate::Paced(rate.min(WARM_UP)),
    }
}

fn send(sender: &mut Child, rate: Rate, seconds: f64, stamped: bool) -> Result<Sent> {
    sender.tell(&format!("{rate} {seconds}{}", if stamped { STAMPED } else { "" }))?;
    let limit = Duration::from_secs_f64(seconds) + SLACK;
    sender.hear(limit, |line| serde_json::from_str(line).ok())
}
