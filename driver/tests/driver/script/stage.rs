//! Playing a script: a driver, what happens to it, and what is known to hold.

use std::net::SocketAddr;
use std::time::Duration;

use skua_engine::Kernel as _;
use skua_engine::abi::nt::{IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST, STATUS_SHARING_VIOLATION,
    STATUS_SHUTDOWN_IN_PROGRESS, STATUS_SUCCESS,
};
use skua_hosted::{HostConfig, HostKernel, Indicated, ProviderConfig, Transport};
use skua_protocol::{
    ControlCode, Header, SinkReport, SinkRequest, SinksReport, StartStep, StartedSink, Version,
};
use skua_record::PackedRecords;

use super::known::{Known, open_rings};
use super::{Control, Datagram, Failing, Script, Step};
use crate::host::HostExecutive;
use crate::program::{Pending, Program};
use crate::rig::{KEY, Rig};

/// Waits that are under way at once.
const MAX_WAITS: usize = 4;
/// The most memory that anything gets at once: what asks for more is told that there is none.
const LARGEST: usize = 1 << 20;
/// Program slots.
const PROGRAMS: usize = 3;

impl Script {
    /// Plays it, and panics where something does not hold:
    /// every packet is completed once, with no more output than there is room for; a sink counts every datagram that
    /// comes in; one program reads a sink; a wait ends with whatever it waits for; unloading leaves nothing.
    pub(crate) fn play(&self) {
        let mut stage = Stage::new(self);
        for step in &self.steps {
            stage.step(step);
            stage.collect();
        }
        stage.end();
    }
}

struct Stage {
    rig: Rig,
    programs: [Option<Program>; PROGRAMS],
    waits: Vec<Wait>,
    sinks: Vec<Known>,
    shut_down: bool,
    /// The highest number that a sink had.
    latest: u64,
}

/// A wait that the device has.
struct Wait {
    program: usize,
    sink: Option<u64>,
    pending: Pending,
}

impl Stage {
    fn new(script: &Script) -> Self {
        let provider = ProviderConfig {
            transport: Transport::Loopback,
            blocks: 4,
            batch: 4,
            pending_sends: 1,
            indicate_below_dispatch: script.below_dispatch,
            ..ProviderConfig::default()
        };
        let executive = HostExecutive::new(HostConfig {
            processors: script.processors,
            provider,
            ..HostConfig::default()
        });
        executive.limit(LARGEST);
        if script.away {
            set_away(executive.kernel(), true);
        }
        for value in &script.boot {
            executive.set_value(&format!(r"{KEY}\Parameters"), value.name, value.kind, &value.data);
        }
        Self {
            rig: Rig::on(executive),
            programs: [const { None }; PROGRAMS],
            waits: Vec::new(),
            sinks: Vec::new(),
            shut_down: false,
            latest: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        let kernel = self.rig.executive.kernel();
        match step {
            Step::Open => self.open(),
            Step::Close { program, majors } => {
                if let Some(program) = self.chosen(*program) {
                    self.close(program, majors);
                }
            }
            Step::Other { program, major } => {
                let taken = [IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_DEVICE_CONTROL];
                let program = self.chosen(*program).and_then(|program| self.programs[program].as_ref());
                if let (Some(program), false) = (program, taken.contains(major)) {
                    assert_eq!(program.other(*major), STATUS_INVALID_DEVICE_REQUEST);
                }
            }
            Step::Request { program, code, input, room } => {
                let reader = || self.known(SinkRequest::parse(input).ok()?.sink)?.reader;
                let program = match program {
                    Some(program) => self.chosen(*program),
                    None => reader().or_else(|| self.chosen(0)),
                };
                if let Some(program) = program {
                    self.request(program, *code, input, *room);
                }
            }
            Step::Cancel { wait } => {
                if let Some(wait) = wait.checked_rem(self.waits.len()) {
                    let wait = self.waits.swap_remove(wait);
                    wait.pending.cancel();
                    wait.end();
                }
            }
            Step::Datagrams { sink, listener, processor, datagrams } => {
                self.datagrams(*sink, *listener, *processor, datagrams);
            }
            Step::Cursor { sink, ring, cursor } => {
                let rings = self.known(*sink).map(|sink| &sink.rings[..]).unwrap_or_default();
                if let Some(ring) = ring.checked_rem(rings.len()) {
                    let (data, word) = &rings[ring];
                    cursor.store(data, word);
                }
            }
            Step::Fail { what, nth } => match what {
                Failing::Allocation => kernel.fail_allocation(*nth),
                Failing::Mapping => kernel.fail_mapping(*nth),
                Failing::Section => self.rig.executive.fail_section(*nth),
            },
            Step::Away(away) => set_away(kernel, *away),
        }
    }

    /// One of the programs that have the device open.
    fn chosen(&self, program: usize) -> Option<usize> {
        let mut open = (0..PROGRAMS).filter(|program| self.programs[*program].is_some());
        open.nth(program.checked_rem(open.clone().count())?)
    }

    fn open(&mut self) {
        let Some(place) = self.programs.iter().position(Option::is_none) else { return };
        match Program::open(&self.rig.executive, &self.rig.device) {
            Ok(program) => {
                self.programs[place] = Some(program);
                // The sink that the registry asks for is there, if nothing is in its way.
                self.list(place);
            }
            Err(status) => assert_eq!((status, self.shut_down), (STATUS_SHUTDOWN_IN_PROGRESS, true)),
        }
    }

    fn close(&mut self, program: usize, majors: &[u8]) {
        let Some(open) = self.programs[program].take() else { return };
        open.close(majors);
        for sink in self.sinks.iter_mut().filter(|sink| sink.reader == Some(program)) {
            sink.reader = None;
        }
        self.waits_end(|wait| wait.program == program);
    }

    fn request(&mut self, program: usize, code: u32, input: &[u8], room: usize) {
        let Some(open) = &self.programs[program] else { return };
        // A driver with its checks in it takes minutes for this, and another test makes it.
        if cfg!(feature = "self-test") && code == ControlCode::SelfTest as u32 {
            return;
        }
        let sink = SinkRequest::parse(input).ok().map(|request| request.sink);
        if code == ControlCode::WaitRecords as u32 {
            if self.waits.len() < MAX_WAITS {
                self.waits.push(Wait { program, sink, pending: open.begin(code, input, room) });
                // Requests are served in their order: the wait has begun when this is answered.
                self.list(program);
            }
            return;
        }
        let (status, output) = open.control(code, input, room);
        assert!(status.is_success() || output.is_empty(), "output of a request that failed");
        match ControlCode::from_code(code) {
            None => assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST),
            Some(ControlCode::Version) => {
                let fits = room >= size_of::<Version>();
                assert_eq!(status, if fits { STATUS_SUCCESS } else { STATUS_BUFFER_TOO_SMALL });
            }
            Some(ControlCode::Shutdown) if status.is_success() => {
                self.shut_down = true;
                self.waits_end(|_| true);
            }
            Some(ControlCode::StartSink) if status.is_success() => self.started(program, &output),
            Some(ControlCode::QuerySinks) if status.is_success() => self.list(program),
            Some(about) => {
                if let Some(sink) = sink {
                    self.asked(program, about, sink, status, &output);
                }
            }
        }
    }

    /// A sink may have started.
    fn started(&mut self, program: usize, output: &[u8]) {
        let started: StartedSink = bytemuck::pod_read_unaligned(output);
        if started.step != StartStep::Started as u32 {
            assert_eq!((started.sink, StartStep::from_number(started.step).is_some()), (0, true));
            assert_ne!(started.status, 0, "a failure that is none");
            return;
        }
        assert!(!self.shut_down, "started after a shutdown");
        assert!(started.sink > self.latest, "a number that was used before");
        self.learn(program, started.sink);
    }

    /// Something was asked about a sink.
    fn asked(&mut self, program: usize, code: ControlCode, number: u64, status: NTSTATUS, output: &[u8]) {
        let Some(known) = self.sinks.iter_mut().find(|sink| sink.number == number && sink.from_start) else {
            return;
        };
        match code {
            ControlCode::AttachReader => match status {
                STATUS_SHARING_VIOLATION => assert!(known.reader.is_some_and(|reader| reader != program)),
                STATUS_SHUTDOWN_IN_PROGRESS => assert!(self.shut_down),
                // One that had no room for the answer is attached all the same.
                STATUS_SUCCESS | STATUS_BUFFER_TOO_SMALL => {
                    assert!(known.reader.is_none_or(|reader| reader == program), "two readers");
                    known.reader = Some(program);
                    if status.is_success() {
                        known.rings = open_rings(&bytemuck::pod_read_unaligned(output));
                    }
                }
                other => panic!("AttachReader: {other}"),
            },
            ControlCode::DetachReader => {
                assert_eq!(status, STATUS_SUCCESS);
                if known.reader == Some(program) {
                    known.reader = None;
                    self.waits_end(|wait| wait.sink == Some(number));
                }
            }
            ControlCode::QuiesceSink => {
                assert_eq!(status, STATUS_SUCCESS);
                self.waits_end(|wait| wait.sink == Some(number));
            }
            ControlCode::StopSink => {
                assert_eq!(status, STATUS_SUCCESS);
                self.sinks.retain(|sink| sink.number != number);
                self.waits_end(|wait| wait.sink == Some(number));
            }
            ControlCode::ReadRecords if status.is_success() => {
                assert_eq!(known.reader, Some(program), "read by a program that is not the reader");
                assert!(PackedRecords::new(output).all(|record| record.is_ok()), "half a record");
            }
            ControlCode::QuerySink if status.is_success() => {
                known.compare(&bytemuck::pod_read_unaligned(&output[..size_of::<SinkReport>()]));
            }
            _ => {}
        }
    }

    /// The sinks there are must be those that are known; one that the registry asked for may come at any time.
    fn list(&mut self, program: usize) {
        let Some(open) = &self.programs[program] else { return };
        let report: SinksReport = open.ask(ControlCode::QuerySinks, bytemuck::bytes_of(&Header::ALONE));
        let listed = &report.sinks[..report.count as usize];
        for known in &self.sinks {
            assert!(listed.contains(&known.number), "{} is not in {listed:?}", known.number);
        }
        for number in listed {
            if self.known(*number).is_none() {
                let open = self.programs[program].as_ref().expect("still open");
                assert_eq!(&open.report(*number).0.name[..5], b"boot\0", "a sink that nobody knows");
                self.learn(program, *number);
            }
        }
    }

    fn learn(&mut self, program: usize, number: u64) {
        let open = self.programs[program].as_ref().expect("it has just asked");
        let (report, listeners) = open.report(number);
        assert_eq!(report.sink, number);
        self.latest = self.latest.max(number);
        let address = |asked: SocketAddr, port| SocketAddr::new(asked.ip(), port);
        self.sinks.push(Known {
            number,
            listeners: listeners
                .iter()
                .map(|listener| address(listener.asked.socket_address().unwrap(), listener.port))
                .collect(),
            reader: None,
            rings: Vec::new(),
            datagrams: report.indicated,
            certain: true,
            from_start: report.attached == 0,
        });
    }

    fn datagrams(&mut self, sink: u64, listener: usize, processor: u32, datagrams: &[Datagram]) {
        let kernel = self.rig.executive.kernel();
        let Some(known) = self.known(sink) else { return };
        let local = known.listeners[listener % known.listeners.len()];
        let injected: Vec<_> = datagrams.iter().map(|datagram| datagram.injected(&local)).collect();
        let processors = kernel.ke_query_maximum_processor_count();
        let indicated = kernel.inject(&local, processor % processors, &injected);
        assert!(matches!(indicated, Indicated::Consumed | Indicated::Off), "{indicated:?}");
        let shared = self.sinks.iter().filter(|sink| sink.listeners.contains(&local)).count() > 1;
        // What makes several datagrams of one is told by control messages.
        let certain =
            !shared && datagrams.iter().all(|datagram| !matches!(datagram.control, Control::Raw(_)));
        for sink in self.sinks.iter_mut().filter(|sink| sink.listeners.contains(&local)) {
            sink.certain &= certain;
            if indicated == Indicated::Consumed && !shared {
                sink.datagrams += datagrams.len() as u64;
            }
        }
    }

    fn known(&self, number: u64) -> Option<&Known> {
        self.sinks.iter().find(|sink| sink.number == number)
    }

    /// Takes back the waits that are over.
    fn collect(&mut self) {
        let (over, waits) =
            self.waits.drain(..).partition(|wait: &Wait| wait.pending.is_done(Duration::ZERO));
        self.waits = waits;
        over.into_iter().for_each(Wait::end);
    }

    /// Those waits must be over by now, or come to their end by themselves.
    fn waits_end(&mut self, which: impl Fn(&Wait) -> bool) {
        let (over, waits) = self.waits.drain(..).partition(which);
        self.waits = waits;
        over.into_iter().for_each(Wait::end);
    }

    fn end(mut self) {
        let executive = &self.rig.executive;
        executive.kernel().fail_allocation(0);
        executive.kernel().fail_mapping(0);
        executive.fail_section(0);
        self.open();
        if let Some(program) = (0..PROGRAMS).find(|program| self.programs[*program].is_some()) {
            self.list(program);
            let open = self.programs[program].as_ref().expect("found above");
            for sink in &self.sinks {
                let (report, _) = open.report(sink.number);
                sink.compare(&report);
            }
            assert_eq!(open.ask::<Version>(ControlCode::Version, &[]), Version::HERE);
        }
        for program in 0..PROGRAMS {
            self.close(program, &[IRP_MJ_CLEANUP, IRP_MJ_CLOSE]);
        }
        self.waits_end(|_| true);
        self.rig.unload();
    }
}

impl Wait {
    /// Waits for its end, which must come.
    fn end(self) {
        let (_, output) = self.pending.wait();
        assert!(output.is_empty(), "a wait has no output");
    }
}

/// Takes the provider away or brings it back. Who waits for it then waits no second.
fn set_away(kernel: &HostKernel, away: bool) {
    kernel.shorten_waits(500);
    kernel.set_provider_away(away);
}
