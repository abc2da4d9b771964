//! The checks that run inside the kernel, and that released images have none.

use skua_engine::abi::status::{STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_protocol::{ControlCode, Header, SelfTestReport, SelfTestResult};

use crate::rig::Rig;

#[test]
fn the_checks_pass_where_they_are_built_in_and_are_refused_elsewhere() {
    let rig = Rig::new();
    let program = rig.open();
    let input = bytemuck::bytes_of(&Header::new(8)).to_vec();
    let (status, output) = program.control(ControlCode::SelfTest as u32, &input, 8192);
    if cfg!(feature = "self-test") {
        assert_eq!(status, STATUS_SUCCESS);
        let (head, rows) = output.split_at(size_of::<SelfTestReport>());
        let head: SelfTestReport = bytemuck::pod_read_unaligned(head);
        let rows: Vec<SelfTestResult> =
            rows.chunks_exact(size_of::<SelfTestResult>()).map(bytemuck::pod_read_unaligned).collect();
        assert_eq!((head.count as usize, head.failed), (rows.len(), 0));
        for row in &rows {
            let name = String::from_utf8_lossy(&row.name);
            assert_eq!(row.seen, row.expected, "{}", name.trim_end_matches('\0'));
        }
    } else {
        assert_eq!((status, output.len()), (STATUS_NOT_SUPPORTED, 0));
    }
    drop(program);
    rig.unload();
}
