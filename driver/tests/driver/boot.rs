//! The sink that starts with the driver, as the registry asks for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use skua_driver::{REG_DWORD, REG_MULTI_SZ, REG_SZ};
use skua_hosted::HostConfig;
use skua_protocol::{ControlCode, Header, Listener, ListenerState, SinksReport};

use crate::host::HostExecutive;
use crate::program::Program;
use crate::reader::Mapped;
use crate::rig::{KEY, PATIENCE, Rig, local, sender};

fn strings(texts: &[&str]) -> Vec<u8> {
    texts
        .iter()
        .flat_map(|text| text.encode_utf16().chain([0]))
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn executive(values: &[(&str, u32, Vec<u8>)]) -> HostExecutive {
    let executive = HostExecutive::new(HostConfig { processors: 2, ..HostConfig::default() });
    for (name, kind, data) in values {
        executive.set_value(&format!(r"{KEY}\Parameters"), name, *kind, data);
    }
    executive
}

fn sinks(program: &Program) -> Vec<u64> {
    let report: SinksReport = program.ask(ControlCode::QuerySinks, bytemuck::bytes_of(&Header::new(8)));
    report.sinks[..report.count as usize].to_vec()
}

#[test]
fn a_sink_starts_with_the_driver_and_keeps_what_comes_before_there_is_a_reader() {
    let executive = executive(&[
        ("Listen", REG_MULTI_SZ, strings(&["127.0.0.1:0", "[::1]:0"])),
        ("Allow", REG_MULTI_SZ, strings(&["127.0.0.0/8", "::1/128"])),
        ("RingBytes", REG_DWORD, (1_u32 << 20).to_le_bytes().to_vec()),
        ("SnapLength", REG_DWORD, 3_u32.to_le_bytes().to_vec()),
        ("Sample", REG_DWORD, 1_u32.to_le_bytes().to_vec()),
    ]);
    let rig = Rig::on(executive);
    let program = rig.open();
    let [sink] = sinks(&program)[..] else { panic!("one sink") };
    let (report, listeners) = program.report(sink);
    assert_eq!(&report.name[..5], b"boot\0");
    assert_eq!((report.ring_bytes, report.snap_length, report.prefixes), (1 << 20, 3, 2));
    assert_eq!(listeners[0].asked, Listener::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), 0));
    sender().send_to(b"before anybody reads", local(listeners[0].port)).unwrap();
    program.report_when(sink, |report| report.published == 1);
    let mut mapped = Mapped::open(&program.attach(sink));
    assert_eq!(mapped.read(), [b"bef".to_vec()]);
    drop((mapped, program));
    rig.unload();
}

#[test]
fn it_waits_for_the_network_as_long_as_it_takes() {
    let taken = sender();
    let address = taken.local_addr().unwrap();
    let executive = executive(&[("Listen", REG_MULTI_SZ, strings(&[&address.to_string()]))]);
    executive.kernel().set_provider_away(true);
    let rig = Rig::on(executive);
    let program = rig.open();
    assert_eq!(sinks(&program), []);
    rig.executive.kernel().set_provider_away(false);
    let end = Instant::now() + PATIENCE;
    let open =
        || sinks(&program).iter().any(|sink| program.report(*sink).1[0].state == ListenerState::Open as u32);
    while sinks(&program).is_empty() {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!open(), "somebody else has the port");
    drop(taken);
    while !open() {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(program);
    rig.unload();
}

#[test]
fn requests_are_answered_while_it_waits() {
    let executive = executive(&[("Listen", REG_MULTI_SZ, strings(&["127.0.0.1:0"]))]);
    executive.kernel().set_provider_away(true);
    let rig = Rig::on(executive);
    let program = rig.open();
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(sinks(&program), []);
    }
    // Waiting for the provider with each would take 20 s.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop(program);
    rig.unload();
}

#[test]
fn nonsense_starts_nothing_and_says_what_it_is() {
    let cases: [(&str, u32, Vec<u8>, &str); 6] = [
        ("Listen", REG_MULTI_SZ, strings(&["localhost:9"]), "Listen"),
        ("Listen", REG_SZ, strings(&["127.0.0.1:0"]), "Listen"),
        ("Allow", REG_MULTI_SZ, strings(&["10.0.0.0"]), "Allow"),
        ("Allow", REG_MULTI_SZ, strings(&["10.0.0.0/33"]), "10.0.0.0/33"),
        ("Groups", REG_MULTI_SZ, strings(&["10.0.0.1"]), "Groups"),
        ("Sample", REG_DWORD, vec![0; 4], "out of range"),
    ];
    for (name, kind, data, said) in cases {
        let listen = ("Listen", REG_MULTI_SZ, strings(&["127.0.0.1:0"]));
        let rig = Rig::on(executive(&[listen, (name, kind, data)]));
        let program = rig.open();
        assert_eq!(sinks(&program), [], "{name}");
        let lines = rig.executive.lines();
        assert!(lines.iter().any(|line| line.contains(said)), "{lines:?}");
        drop(program);
        rig.unload();
    }
}
