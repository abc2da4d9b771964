//! The results of the checks inside the driver.

use anyhow::{Result, anyhow, ensure};
use bytemuck::{bytes_of, pod_read_unaligned};
use skua_protocol::{ControlCode, Header, SelfTestReport, SelfTestResult};

use crate::device::{Device, Rights};

/// Results that there is room for.
const ROOM: usize = 64;

/// Asks for them and prints them; fails if one is not what it should be, or if there are none.
pub(crate) fn run() -> Result<()> {
    let device = Device::open(Rights::Both).map_err(|error| anyhow!("no device: Windows' error {error}"))?;
    let header = Header::new(u32::try_from(size_of::<Header>())?);
    let room = size_of::<SelfTestReport>() + ROOM * size_of::<SelfTestResult>();
    let answer = device.ask(ControlCode::SelfTest, bytes_of(&header), room)?;
    let (front, results) = answer
        .split_at_checked(size_of::<SelfTestReport>())
        .ok_or_else(|| anyhow!("an answer of {} bytes", answer.len()))?;
    let report: SelfTestReport = pod_read_unaligned(front);
    let results: Vec<SelfTestResult> =
        results.chunks_exact(size_of::<SelfTestResult>()).map(pod_read_unaligned).collect();
    for SelfTestResult { name, expected, seen } in &results {
        let name = String::from_utf8_lossy(name);
        let name = name.trim_end_matches('\0');
        let word = if expected == seen { "ok" } else { "FAILED" };
        println!("{word:6}  {name}  (expected {expected:#x}, seen {seen:#x})");
    }
    ensure!(report.failed == 0, "{} of {} checks failed", report.failed, report.count);
    ensure!(results.len() == usize::try_from(report.count)?, "{} results of {}", results.len(), report.count);
    ensure!(!results.is_empty(), "there are no checks");
    Ok(())
}
