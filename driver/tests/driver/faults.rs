//! A driver's life in which any one call to the kernel or to WSK fails.

use std::sync::Arc;

use skua_driver::Device;
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_hosted::fault::FaultLoop;
use skua_hosted::{HostConfig, HostKernel};
use skua_protocol::{AllowedPrefix, ControlCode, Limits, ListenerState};

use crate::host::HostExecutive;
use crate::rig::{KEY, Rig, Start, local, sender};

/// Loads, starts a sink, receives, changes the sink, and unloads. What fails is reported by the request that it failed for.
fn life(kernel: &HostKernel) {
    let executive = HostExecutive::on(kernel.clone());
    let path: Vec<u16> = KEY.encode_utf16().collect();
    let Ok(device) = executive.in_system_process(|| Device::start(&executive, &path)) else { return };
    let rig = Rig { executive, device: Arc::new(device) };
    let program = rig.open();
    let prefix = AllowedPrefix::new(local(0).ip(), 32);
    let started = program.try_start(&Start { prefixes: vec![prefix], ..Start::new() });
    if started.sink == 0 {
        assert_ne!(started.status, STATUS_SUCCESS.0, "{started:?}");
    } else {
        let (_, listeners) = program.report(started.sink);
        if listeners[0].state == ListenerState::Open as u32 {
            sender().send_to(b"counted", local(listeners[0].port)).unwrap();
            let report = program.report_when(started.sink, |report| report.indicated == 1);
            let dropped: u64 = report.drops.iter().sum();
            assert_eq!(report.accepted + report.kept + dropped, 1, "{report:?}");
        }
        let changed = program.change(started.sink, 0, Limits::NONE, &[prefix]);
        let stopped = program.about(ControlCode::StopSink, started.sink);
        // One of them at most was what failed.
        assert!(changed == STATUS_SUCCESS || stopped == STATUS_SUCCESS, "{changed} {stopped}");
    }
    drop(program);
    rig.unload();
}

#[test]
fn a_driver_in_which_any_call_fails_once_unloads_with_nothing_left() {
    let config = HostConfig { processors: 2, ..HostConfig::default() };
    let report = FaultLoop::default().run(&config, life).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{} sites of {} calls failed in {} runs", report.sites.len(), report.calls, report.runs);
    let calls: Vec<&str> = report.sites.iter().map(|site| site.call()).collect();
    for call in ["ExAllocatePool2", "KeWaitForSingleObject", "WskRegister", "WskSocket", "WskBind"] {
        assert!(calls.contains(&call), "no {call} failed: {calls:?}");
    }
}
