//! Hostile requests, one after the other, and whether the driver still answers rightly.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, ensure};
use bytemuck::{bytes_of, pod_read_unaligned};
use fastrand::Rng;
use skua_protocol::{ControlCode, Header, SinkRequest, SinksReport, Version};

use crate::attempt::Attempt;
use crate::device::{Device, Ended, Rights};

/// What the output holds before the driver writes to it.
const BLANK: u8 = 0xa5;

/// Tries between two questions whose answer is known.
const BETWEEN: u64 = 5_000;

/// Sends `tries` requests.
pub(crate) fn run(tries: u64, seed: u64) -> Result<()> {
    let mut rng = Rng::with_seed(seed);
    let device = open(Rights::Both)?;
    let handles = [open(Rights::Read)?, open(Rights::Write)?, open(Rights::Both)?];
    let mut ends: BTreeMap<u32, u64> = BTreeMap::new();
    let mut succeeded = 0_u64;
    for number in 0..tries {
        let attempt = Attempt::random(&mut rng);
        let mut output = vec![BLANK; attempt.output_offset + attempt.output];
        let handle = &handles[rng.usize(..handles.len())];
        let ended = handle
            .request(
                attempt.code,
                &attempt.input[attempt.input_offset..],
                &mut output[attempt.output_offset..],
            )
            .with_context(|| format!("try {number} of seed {seed}"))?;
        check(&attempt, &output, ended).with_context(|| format!("try {number} of seed {seed}"))?;
        match ended {
            Ok(_) => succeeded += 1,
            Err(error) => *ends.entry(error).or_default() += 1,
        }
        if number % BETWEEN == 0 {
            answers(&device)?;
            tidy(&device)?;
        }
    }
    answers(&device)?;
    tidy(&device)?;
    ensure!(succeeded > 0, "no request succeeded: they were not sent to where they are understood");
    println!("{tries} requests: {succeeded} succeeded; others, by Windows' error: {ends:?}");
    Ok(())
}

/// Fails for an answer that reaches beyond what was said to be answered. Methods that copy leave the rest of the buffer
/// as it was; the one that locks it could write anywhere in it.
fn check(attempt: &Attempt, output: &[u8], ended: Ended) -> Result<()> {
    let answered = ended.unwrap_or(0);
    let (before, buffer) = output.split_at(attempt.output_offset);
    let rest = buffer.get(answered..).unwrap_or_default();
    let untouched = |bytes: &[u8]| bytes.iter().all(|byte| *byte == BLANK);
    ensure!(untouched(before), "the driver wrote before the output");
    ensure!(untouched(rest), "the driver wrote beyond the {answered} bytes that it answered");
    Ok(())
}

/// Fails unless the driver still says what it is.
fn answers(device: &Device) -> Result<()> {
    let answer = device.ask(ControlCode::Version, &[], size_of::<Version>())?;
    ensure!(answer == bytes_of(&Version::HERE), "the driver's version is {answer:?}");
    Ok(())
}

/// Stops the sinks that were started, so that there is room for more.
fn tidy(device: &Device) -> Result<()> {
    let bytes = u32::try_from(size_of::<Header>())?;
    let answer =
        device.ask(ControlCode::QuerySinks, bytes_of(&Header::new(bytes)), size_of::<SinksReport>())?;
    ensure!(answer.len() == size_of::<SinksReport>(), "a report of {} bytes", answer.len());
    let report: SinksReport = pod_read_unaligned(&answer);
    for sink in report.sinks.iter().take(usize::try_from(report.count)?) {
        device.ask(ControlCode::StopSink, bytes_of(&SinkRequest::new(*sink)), 0)?;
    }
    Ok(())
}

fn open(rights: Rights) -> Result<Device> {
    Device::open(rights).map_err(|error| anyhow!("{rights:?} cannot open the device: Windows' error {error}"))
}
