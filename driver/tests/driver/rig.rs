//! A driver that runs, programs that have it open, and senders.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytemuck::Zeroable as _;
use skua_driver::Device;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_hosted::HostConfig;
use skua_protocol::{
    AllowedPrefix, ChangeSinkHeader, ControlCode, Group, Header, Limits, Listener, ListenerReport,
    ReaderAttached, SinkReport, SinkRequest, StartFlags, StartSinkHeader, StartStep, StartedSink,
};

use crate::host::HostExecutive;
use crate::program::Program;

/// The registry key that DriverEntry is told of.
pub(crate) const KEY: &str = r"\Registry\Machine\System\CurrentControlSet\Services\Skua";

/// How long something may take that happens by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A driver after DriverEntry.
pub(crate) struct Rig {
    pub(crate) executive: HostExecutive,
    pub(crate) device: Arc<Device<HostExecutive>>,
}

impl Rig {
    /// On two processors, over the host's sockets.
    pub(crate) fn new() -> Self {
        Self::on(HostExecutive::new(HostConfig { processors: 2, ..HostConfig::default() }))
    }

    pub(crate) fn on(executive: HostExecutive) -> Self {
        let path: Vec<u16> = KEY.encode_utf16().collect();
        let device = executive.in_system_process(|| Device::start(&executive, &path)).unwrap();
        Self { executive, device: Arc::new(device) }
    }

    pub(crate) fn open(&self) -> Program {
        Program::open(&self.executive, &self.device).unwrap()
    }

    /// DriverUnload, after which nothing may be left.
    pub(crate) fn unload(self) {
        let mut device = Arc::into_inner(self.device).expect("every program has closed the device");
        self.executive.in_system_process(|| {
            device.stop();
            drop(device);
        });
        let left = self.executive.kernel().outstanding();
        assert_eq!((left.irps, left.sockets, left.indications, left.captures), (0, 0, 0, 0));
        assert_eq!(left.memory, 0, "{:?}", self.executive.kernel().memory_by_tag());
    }
}

/// What a program asks for when it starts a sink.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) header: StartSinkHeader,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) groups: Vec<Group>,
    pub(crate) prefixes: Vec<AllowedPrefix>,
}

impl Start {
    /// One listener on a free port of the loopback address, rings of 1 MiB.
    pub(crate) fn new() -> Self {
        Self {
            header: StartSinkHeader {
                ring_bytes: 1 << 20,
                watermark: 1 << 19,
                limits: Limits::NONE,
                rows: 64,
                allow_capacity: 16,
                snap_length: 65_527,
                ..StartSinkHeader::zeroed()
            },
            listeners: vec![Listener::new(local(0), 0)],
            groups: Vec::new(),
            prefixes: Vec::new(),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let count = |count: usize| u16::try_from(count).unwrap();
        let (l, g, p) = (count(self.listeners.len()), count(self.groups.len()), count(self.prefixes.len()));
        let listed = if p > 0 { StartFlags::ALLOW_LISTED } else { 0 };
        let header = StartSinkHeader {
            header: Header::new(StartSinkHeader::request_bytes(l, g, p)),
            flags: self.header.flags | listed,
            listeners: l,
            groups: g,
            prefixes: p,
            ..self.header
        };
        [
            bytemuck::bytes_of(&header),
            bytemuck::cast_slice(&self.listeners),
            bytemuck::cast_slice(&self.groups),
            bytemuck::cast_slice(&self.prefixes),
        ]
        .concat()
    }
}

impl Program {
    /// Starts a sink that must start, and returns its number and the port of its first listener.
    #[track_caller]
    pub(crate) fn start(&self, start: &Start) -> (u64, u16) {
        let started = self.try_start(start);
        assert_eq!((started.step, started.status), (StartStep::Started as u32, 0), "{started:?}");
        let (_, listeners) = self.report(started.sink);
        (started.sink, listeners[0].port)
    }

    #[track_caller]
    pub(crate) fn try_start(&self, start: &Start) -> StartedSink {
        self.ask(ControlCode::StartSink, &start.bytes())
    }

    #[track_caller]
    pub(crate) fn report(&self, sink: u64) -> (SinkReport, Vec<ListenerReport>) {
        let room = size_of::<SinkReport>() + 16 * size_of::<ListenerReport>();
        let request = SinkRequest::new(sink);
        let (status, output) =
            self.control(ControlCode::QuerySink as u32, bytemuck::bytes_of(&request), room);
        assert_eq!(status, STATUS_SUCCESS);
        let (report, listeners) = output.split_at(size_of::<SinkReport>());
        let each = listeners.chunks_exact(size_of::<ListenerReport>());
        let report: SinkReport = bytemuck::pod_read_unaligned(report);
        let listeners: Vec<_> = each.map(bytemuck::pod_read_unaligned).collect();
        assert_eq!(listeners.len(), report.listeners as usize);
        (report, listeners)
    }

    /// The report as soon as it is as wanted.
    #[track_caller]
    pub(crate) fn report_when(&self, sink: u64, wanted: impl Fn(&SinkReport) -> bool) -> SinkReport {
        let end = Instant::now() + PATIENCE;
        loop {
            let (report, _) = self.report(sink);
            if wanted(&report) {
                return report;
            }
            assert!(Instant::now() < end, "{report:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    pub(crate) fn attach(&self, sink: u64) -> ReaderAttached {
        self.ask(ControlCode::AttachReader, bytemuck::bytes_of(&SinkRequest::new(sink)))
    }

    pub(crate) fn about(&self, code: ControlCode, sink: u64) -> NTSTATUS {
        self.tell(code, &SinkRequest::new(sink))
    }

    /// Changes a running sink.
    pub(crate) fn change(
        &self,
        sink: u64,
        flags: u32,
        limits: Limits,
        prefixes: &[AllowedPrefix],
    ) -> NTSTATUS {
        let count = u16::try_from(prefixes.len()).unwrap();
        let header = Header::new(ChangeSinkHeader::request_bytes(count));
        let change = ChangeSinkHeader { header, sink, limits, flags, prefixes: count, reserved: 0 };
        let request = [bytemuck::bytes_of(&change), bytemuck::cast_slice(prefixes)].concat();
        self.control(ControlCode::ChangeSink as u32, &request, 0).0
    }
}

/// A port of the loopback address.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A socket to send from.
pub(crate) fn sender() -> UdpSocket {
    UdpSocket::bind(local(0)).unwrap()
}
