//! The checks that run inside the kernel, and that released images have none.

use skua_engine::abi::status::{STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_protocol::{ControlCode, Header, SelfTestOutcome, SelfTestReport, SelfTestResult};

use crate::rig::Rig;

#[test]
fn the_checks_pass_where_they_are_built_in_and_are_refused_elsewhere() {
    let rig = Rig::new();
    let program = rig.open();
    let input = bytemuck::bytes_of(&Header::new(8)).to_vec();
    let (status, output) = program.control(ControlCode::SelfTest as u32, &input, 512 * 1024);
    if cfg!(feature = "self-test") {
        assert_eq!(status, STATUS_SUCCESS);
        let (head, rows) = output.split_at(size_of::<SelfTestReport>());
        let head: SelfTestReport = bytemuck::pod_read_unaligned(head);
        let rows: Vec<SelfTestResult> =
            rows.chunks_exact(size_of::<SelfTestResult>()).map(bytemuck::pod_read_unaligned).collect();
        assert_eq!(head.count as usize, rows.len());
        assert!(rows.len() > 150, "{} rules", rows.len());
        let failed = rows.iter().filter(|row| row.outcome().is_none_or(SelfTestOutcome::is_failure));
        let failed: Vec<String> = failed
            .map(|row| [&row.group[..], &row.name, &row.expected, &row.seen].map(text).join(" | "))
            .collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        assert_eq!(head.failed, 0);
    } else {
        assert_eq!((status, output.len()), (STATUS_NOT_SUPPORTED, 0));
    }
    drop(program);
    rig.unload();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}
