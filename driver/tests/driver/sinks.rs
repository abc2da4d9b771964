//! Sinks: started, fed, read, changed, stopped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use skua_engine::DropReason;
use skua_engine::abi::nt::{IRP_MJ_CLEANUP, IRP_MJ_CLOSE};
use skua_engine::abi::status::{
    STATUS_ADDRESS_ALREADY_EXISTS, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY, STATUS_NOT_FOUND, STATUS_SUCCESS,
};
use skua_hosted::HostConfig;
use skua_protocol::{
    AllowedPrefix, ChangeSinkHeader, ControlCode, Group, Header, Limits, Listener, ListenerState, MAX_SINKS,
    SinkState, SinksReport, SourceReport, SourcesReport, SourcesRequest, StartFlags, StartStep, Version,
};

use crate::host::HostExecutive;
use crate::reader::Mapped;
use crate::rig::{PATIENCE, Rig, Start, local, sender};

#[test]
fn a_driver_that_did_nothing_leaves_nothing() {
    let rig = Rig::new();
    let program = rig.open();
    let version: Version = program.ask(ControlCode::Version, &[]);
    assert_eq!(version, Version::HERE);
    drop(program);
    rig.unload();
}

#[test]
fn a_datagram_becomes_a_record_that_the_reader_finds_in_its_mapping() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&Start::new());
    let mut mapped = Mapped::open(&program.attach(sink));
    let socket = sender();
    for size in [0_usize, 1, 1472, 9000, 65_507] {
        let payload = vec![size.to_le_bytes()[0]; size];
        socket.send_to(&payload, local(port)).unwrap();
        program.report_when(sink, |report| report.published == report.indicated && report.published > 0);
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let read = mapped.read();
            if !read.is_empty() {
                assert_eq!(read, [payload]);
                break;
            }
            assert!(std::time::Instant::now() < end, "{size} bytes did not arrive");
        }
    }
    let (report, listeners) = program.report(sink);
    assert_eq!((report.indicated, report.accepted, report.published), (5, 5, 5));
    assert_eq!((report.drops, report.attached), ([0; 16], 1));
    assert_eq!((listeners[0].port, listeners[0].state), (port, ListenerState::Open as u32));
    drop(mapped);
    assert_eq!(program.about(ControlCode::StopSink, sink), STATUS_SUCCESS);
    assert_eq!(program.about(ControlCode::StopSink, sink), STATUS_NOT_FOUND);
    drop(program);
    rig.unload();
}

#[test]
fn both_families_and_groups_are_heard() {
    let rig = Rig::new();
    let program = rig.open();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let group = IpAddr::V4(Ipv4Addr::new(239, 7, 7, 7));
    let start = Start {
        listeners: vec![Listener::new(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), 0), Listener::new(v6, 0)],
        groups: vec![Group::new(group, None, 1)],
        ..Start::new()
    };
    let (sink, port) = program.start(&start);
    let (_, listeners) = program.report(sink);
    let mut mapped = Mapped::open(&program.attach(sink));
    sender().send_to(b"four", local(port)).unwrap();
    let six = UdpSocket::bind(v6).unwrap();
    six.send_to(b"six", SocketAddr::from((Ipv6Addr::LOCALHOST, listeners[1].port))).unwrap();
    program.report_when(sink, |report| report.published == 2);
    let mut read = mapped.read();
    read.sort();
    assert_eq!(read, [b"four".to_vec(), b"six".to_vec()]);

    let alone = Start {
        groups: vec![Group::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 7).into(), None, 1)],
        ..Start::new()
    };
    let refused = program.try_start(&alone);
    assert_eq!((refused.step, refused.status), (StartStep::Group as u32, STATUS_NOT_FOUND.0));
    drop((mapped, program));
    rig.unload();
}

#[test]
fn two_sinks_do_not_disturb_each_other() {
    let rig = Rig::new();
    let (one, two) = (rig.open(), rig.open());
    let (first, first_port) = one.start(&Start::new());
    let (second, second_port) = two.start(&Start::new());
    let mut first_rings = Mapped::open(&one.attach(first));
    let mut second_rings = Mapped::open(&two.attach(second));
    let socket = sender();
    for number in 0..100_u8 {
        socket.send_to(&[1, number], local(first_port)).unwrap();
        socket.send_to(&[2, number], local(second_port)).unwrap();
    }
    one.report_when(first, |report| report.published == 100);
    assert_eq!(one.about(ControlCode::StopSink, first), STATUS_SUCCESS);
    // What a reader has mapped stays readable.
    assert_eq!(first_rings.read().len(), 100);
    two.report_when(second, |report| report.published == 100);
    assert!(second_rings.read().iter().all(|payload| payload[0] == 2));
    let sinks: SinksReport = two.ask(ControlCode::QuerySinks, bytemuck::bytes_of(&Header::new(8)));
    assert_eq!((sinks.count, sinks.sinks[0]), (1, second));
    drop((first_rings, second_rings, one, two));
    rig.unload();
}

#[test]
fn more_sinks_than_there_may_be_are_refused() {
    let rig = Rig::new();
    let program = rig.open();
    for _ in 0..MAX_SINKS {
        program.start(&Start::new());
    }
    assert_eq!(program.try_start(&Start::new()).step, StartStep::TooMany as u32);
    drop(program);
    rig.unload();
}

#[test]
fn a_start_that_fails_says_where_and_leaves_nothing() {
    let rig = Rig::new();
    let program = rig.open();
    let taken = sender();
    let mut start = Start::new();
    start.listeners.push(Listener::new(taken.local_addr().unwrap(), 0));
    let refused = program.try_start(&start);
    assert_eq!(
        (refused.sink, refused.step, refused.detail, refused.status),
        (0, StartStep::Listener as u32, 1, STATUS_ADDRESS_ALREADY_EXISTS.0)
    );

    let mut small = Start::new();
    small.header.ring_bytes = 4096;
    let refused = program.try_start(&small);
    assert_eq!((refused.step, refused.status), (StartStep::Rings as u32, STATUS_INVALID_PARAMETER.0));
    assert!(refused.detail > 4096, "the ring that is needed");

    rig.executive.fail_section(2);
    let refused = program.try_start(&Start::new());
    assert_eq!((refused.step, refused.status), (StartStep::Rings as u32, STATUS_NO_MEMORY.0));
    drop(program);
    rig.unload();
}

#[test]
fn every_allocation_of_a_start_that_fails_is_reported_and_leaves_nothing() {
    let mut failures = 0;
    for nth in 1.. {
        let rig = Rig::new();
        let program = rig.open();
        let mut start = Start::new();
        start.prefixes = vec![AllowedPrefix::new(Ipv4Addr::LOCALHOST.into(), 32)];
        // Served by the control thread, which has looked for a boot sink then.
        let _: SinksReport = program.ask(ControlCode::QuerySinks, bytemuck::bytes_of(&Header::new(8)));
        rig.executive.kernel().fail_allocation(nth);
        let started = program.try_start(&start);
        rig.executive.kernel().fail_allocation(0);
        if started.sink == 0 {
            assert_eq!(started.status, STATUS_INSUFFICIENT_RESOURCES.0, "{started:?}");
            failures += 1;
        }
        drop(program);
        rig.unload();
        if started.sink != 0 {
            break;
        }
    }
    assert!(failures > 10, "{failures} allocations");
}

#[test]
fn a_listener_that_cannot_bind_yet_is_tried_again_if_the_request_says_so() {
    let rig = Rig::new();
    let program = rig.open();
    let taken = sender();
    let address = taken.local_addr().unwrap();
    let mut start = Start { listeners: vec![Listener::new(address, 0)], ..Start::new() };
    start.header.flags = StartFlags::KEEP_TRYING;
    let started = program.try_start(&start);
    assert_eq!(started.step, StartStep::Started as u32);
    let (_, listeners) = program.report(started.sink);
    assert_eq!(
        (listeners[0].state, listeners[0].status, listeners[0].asked),
        (ListenerState::Waiting as u32, STATUS_ADDRESS_ALREADY_EXISTS.0, Listener::new(address, 0))
    );
    drop(taken);
    let end = std::time::Instant::now() + PATIENCE;
    while program.report(started.sink).1[0].state != ListenerState::Open as u32 {
        assert!(std::time::Instant::now() < end);
        std::thread::sleep(Duration::from_millis(20));
    }
    sender().send_to(b"late", address).unwrap();
    program.report_when(started.sink, |report| report.published == 1);
    assert!(program.report(started.sink).1[0].closed_ticks > 0);
    drop(program);
    rig.unload();
}

#[test]
fn filters_and_limits_change_while_datagrams_come() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&Start::new());
    let socket = sender();
    let drops = |report: &skua_protocol::SinkReport, reason: DropReason| report.drops[reason as usize];
    let mut sent = 0;
    let mut send = |count: u64| {
        for _ in 0..count {
            socket.send_to(b"datagram", local(port)).unwrap();
            sent += 1;
        }
        program.report_when(sink, |report| report.indicated == sent)
    };
    assert_eq!(send(10).accepted, 10);

    let elsewhere = [AllowedPrefix::new(Ipv4Addr::new(192, 0, 2, 0).into(), 24)];
    let none = Limits { sample: 0, ..Limits::NONE };
    let change = |flags, limits, prefixes: &[AllowedPrefix]| program.change(sink, flags, limits, prefixes);
    assert_eq!(change(ChangeSinkHeader::ALLOW, none, &elsewhere), STATUS_SUCCESS);
    let report = send(10);
    assert_eq!((report.accepted, drops(&report, DropReason::NotAllowed)), (10, 10));
    assert_eq!((report.allow_listed, report.prefixes), (1, 1));

    assert_eq!(change(ChangeSinkHeader::EVERYONE, none, &[]), STATUS_SUCCESS);
    let sampled = Limits { sample: 10, ..Limits::NONE };
    assert_eq!(change(ChangeSinkHeader::LIMITS, sampled, &[]), STATUS_SUCCESS);
    let report = send(100);
    assert_eq!((report.limits, report.allow_listed), (sampled, 0));
    assert_eq!(report.accepted + drops(&report, DropReason::Sampled), 110);
    assert!(drops(&report, DropReason::Sampled) >= 80, "{report:?}");

    let limited = Limits { source_rate: 1, source_burst: 5, ..Limits::NONE };
    assert_eq!(change(ChangeSinkHeader::LIMITS, limited, &[]), STATUS_SUCCESS);
    let report = send(100);
    assert!(drops(&report, DropReason::RateLimited) >= 80, "{report:?}");

    let unknown = program.change(sink + 1, ChangeSinkHeader::LIMITS, limited, &[]);
    assert_eq!(unknown, STATUS_NOT_FOUND);
    let too_many = vec![elsewhere[0]; 17];
    let distinct: Vec<_> =
        (0..17).map(|n| AllowedPrefix::new(Ipv4Addr::new(10, n, 0, 0).into(), 16)).collect();
    assert_eq!(change(ChangeSinkHeader::ALLOW, none, &distinct), STATUS_INVALID_PARAMETER);
    let both = ChangeSinkHeader::ALLOW | ChangeSinkHeader::LIMITS;
    assert_eq!(change(both, sampled, &distinct), STATUS_INVALID_PARAMETER);
    assert_eq!(program.report(sink).0.limits, limited, "what is refused changes nothing");
    assert_eq!(change(ChangeSinkHeader::ALLOW, none, &too_many), STATUS_SUCCESS, "duplicates are one rule");
    drop(program);
    rig.unload();
}

#[test]
fn sources_are_told_page_by_page() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&Start::new());
    for _ in 0..3 {
        sender().send_to(b"abc", local(port)).unwrap();
    }
    program.report_when(sink, |report| report.indicated == 3);
    let mut rows: Vec<SourceReport> = Vec::new();
    let mut first = 0;
    loop {
        let room = size_of::<SourcesReport>() + size_of::<SourceReport>();
        let request = SourcesRequest::new(sink, first);
        let (status, output) =
            program.control(ControlCode::QuerySources as u32, bytemuck::bytes_of(&request), room);
        assert_eq!(status, STATUS_SUCCESS);
        let (head, page) = output.split_at(size_of::<SourcesReport>());
        let head: SourcesReport = bytemuck::pod_read_unaligned(head);
        assert_eq!(page.len(), head.count as usize * size_of::<SourceReport>());
        rows.extend(
            page.chunks_exact(size_of::<SourceReport>()).map(bytemuck::pod_read_unaligned::<SourceReport>),
        );
        if head.next == 0 {
            break;
        }
        first = head.next;
    }
    let heard: Vec<_> = rows.iter().filter(|row| row.family == 4 && row.datagrams > 0).collect();
    assert_eq!(heard.iter().map(|row| row.datagrams).sum::<u64>(), 3);
    assert_eq!(heard.iter().map(|row| row.bytes).sum::<u64>(), 9);
    drop(program);
    rig.unload();
}

#[test]
fn a_quiescent_sink_counts_no_more_and_can_still_be_read() {
    let rig = Rig::new();
    let program = rig.open();
    let (sink, port) = program.start(&Start::new());
    let mut mapped = Mapped::open(&program.attach(sink));
    sender().send_to(b"before", local(port)).unwrap();
    program.report_when(sink, |report| report.published == 1);
    assert_eq!(program.about(ControlCode::QuiesceSink, sink), STATUS_SUCCESS);
    let (report, listeners) = program.report(sink);
    assert_eq!(report.state, SinkState::Quiescent as u32);
    assert_eq!(listeners[0].state, ListenerState::Closed as u32);
    // The port is free again.
    drop(UdpSocket::bind(local(port)).unwrap());
    assert_eq!(mapped.read(), [b"before".to_vec()]);
    drop((mapped, program));
    rig.unload();
}

#[test]
fn a_provider_that_is_not_there_yet_is_no_reason_to_hang() {
    let executive = HostExecutive::new(HostConfig::default());
    executive.kernel().set_provider_away(true);
    let rig = Rig::on(executive);
    let program = rig.open();
    assert_eq!(program.try_start(&Start::new()).step, StartStep::Provider as u32);
    rig.executive.kernel().set_provider_away(false);
    program.start(&Start::new());
    drop(program);
    rig.unload();
}

#[test]
fn closing_in_either_order_lets_the_reader_go() {
    for majors in [&[IRP_MJ_CLEANUP, IRP_MJ_CLOSE][..], &[IRP_MJ_CLOSE, IRP_MJ_CLEANUP], &[IRP_MJ_CLOSE]] {
        let rig = Rig::new();
        let (starter, reader) = (rig.open(), rig.open());
        let (sink, _) = starter.start(&Start::new());
        reader.attach(sink);
        assert_eq!(starter.report(sink).0.attached, 1);
        reader.close(majors);
        assert_eq!(starter.report(sink).0.attached, 0);
        starter.attach(sink);
        drop(starter);
        rig.unload();
    }
}

#[test]
fn a_file_without_handles_becomes_nobodys_reader() {
    let rig = Rig::new();
    let (starter, reader) = (rig.open(), rig.open());
    let (sink, _) = starter.start(&Start::new());
    reader.close_handle();
    assert_eq!(reader.about(ControlCode::AttachReader, sink), STATUS_CANCELLED);
    starter.attach(sink);
    reader.close(&[IRP_MJ_CLOSE]);
    assert_eq!(starter.report(sink).0.attached, 1);
    drop(starter);
    rig.unload();
}
