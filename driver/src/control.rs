//! The control thread: every sink is its own, and so is every WSK call that creates, binds or closes.
//!
//! 1. [`Control::run`] starts the sink that the registry asks for, if any.
//! 2. It serves requests in the order of their arrival, opens listeners again that died, and lets dropped sockets finish
//!    closing.
//! 3. Told to end, it ends every wait and every sink, waits without limit for what is still under way, saying what that
//!    is, and deregisters.
//!
//! It is one thread, so nothing here is locked; dispatch routines and rings reach it through
//! [`Shared`](crate::device::Shared).

use core::time::Duration;

use arrayvec::ArrayVec;
use skua_engine::abi::nt::{IRP_MJ_CLEANUP, IRP_MJ_CLOSE};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_SHUTDOWN_IN_PROGRESS, STATUS_SUCCESS,
};
use skua_engine::{Events, Passive, Provider, Registration};
use skua_protocol::{
    ChangeSink, ControlCode, Header, MAX_SINKS, SinkRequest, SinksReport, SourcesRequest, StartSink,
    StartStep, StartedSink,
};

use crate::boot::BootSink;
use crate::device::Shared;
use crate::executive::Executive;
use crate::invalid::status_of;
use crate::request::Request;
use crate::sink::{RunningSink, StartFailure};
use crate::wait::WaitCell;

/// How long a program's start waits for the WSK provider, which may come up after the driver.
const CAPTURE_WAIT: Duration = Duration::from_secs(1);

/// How long one wait for what is left at the end takes, before it is said again what that is.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the thread looks after listeners, closing sockets and the boot sink, in units of 100 ns: a quarter of a
/// second.
const TICK: u64 = 2_500_000;

/// What the control thread owns.
pub(crate) struct Control<'d, E: Executive> {
    shared: &'d Shared<E>,
    // Dropped in this order: sinks before the provider they were opened through, that before its registration.
    sinks: ArrayVec<RunningSink<E>, MAX_SINKS>,
    provider: Option<Provider<E>>,
    registration: Option<Registration<E>>,
    boot: Option<BootSink<E>>,
    /// The number of the next sink.
    next: u64,
}

impl<'d, E: Executive> Control<'d, E> {
    pub(crate) fn new(shared: &'d Shared<E>) -> Self {
        Self { shared, sinks: ArrayVec::new(), provider: None, registration: None, boot: None, next: 1 }
    }

    /// Works until the device asks for the end.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL, in a thread of the system process.
    pub(crate) fn run(&mut self) {
        let executive = self.shared.executive();
        let Some(passive) = Passive::acquire(executive) else { return };
        self.boot = BootSink::read(executive, self.shared.parameters());
        while !self.shared.is_ending() {
            self.start_boot_sink(&passive);
            for request in self.shared.take() {
                self.serve(request, &passive);
            }
            self.look_after(&passive);
            self.shared.wait(self.is_at_work().then_some(TICK));
        }
        self.end(&passive);
    }

    /// Whether anything changes by itself: otherwise the thread sleeps until it is called.
    fn is_at_work(&self) -> bool {
        !self.sinks.is_empty() || self.boot.is_some() || self.registration.is_some()
    }

    fn serve(&mut self, request: Request, passive: &Passive<'_>) {
        if matches!(request.major(), IRP_MJ_CLEANUP | IRP_MJ_CLOSE) {
            self.let_go(&request);
            return self.shared.release(request);
        }
        match ControlCode::from_code(request.code()) {
            Some(ControlCode::StartSink) => self.start(request, passive),
            Some(ControlCode::StopSink) => self.stop(request, passive),
            Some(ControlCode::QuiesceSink) => {
                self.with_sink(request, |_, sink, cell| sink.quiesce(cell, passive));
            }
            Some(ControlCode::ChangeSink) => self.change(request),
            Some(ControlCode::QuerySinks) => self.list(request),
            Some(ControlCode::QuerySink) => self.report(request),
            Some(ControlCode::QuerySources) => self.sources(request),
            Some(ControlCode::AttachReader) => self.attach(request),
            Some(ControlCode::DetachReader) => self.with_sink(request, |request, sink, cell| {
                sink.detach(request.file(), cell);
            }),
            Some(ControlCode::WaitRecords) => self.wait(request),
            Some(ControlCode::ReadRecords) => self.read(request),
            Some(ControlCode::Shutdown) => self.shut_down(request),
            Some(ControlCode::SelfTest) => self.self_test(request, passive),
            _ => self.complete(request, STATUS_INVALID_DEVICE_REQUEST),
        }
    }

    fn start(&mut self, request: Request, passive: &Passive<'_>) {
        let parsed = StartSink::parse(request.input()).map_err(|invalid| status_of(&invalid));
        let report = match self.unless_shut_down().and(parsed) {
            Err(status) => return self.complete(request, status),
            Ok(start) => {
                self.open(&start, CAPTURE_WAIT, passive).map_or_else(|failure| failure.report(), started)
            }
        };
        let sink = report.sink;
        if request.answer(self.shared.executive(), &report).is_err()
            && let Ok(index) = self.index_of(sink)
        {
            // The program was not told of it, so nobody would ever stop it.
            self.stop_at(index, passive);
        }
    }

    /// Opens a sink and gives it a number. `wait` is for the provider.
    fn open(
        &mut self,
        start: &StartSink<'_>,
        wait: Duration,
        passive: &Passive<'_>,
    ) -> Result<u64, StartFailure> {
        let executive = self.shared.executive();
        let place = self.free_place().ok_or(StartFailure {
            step: StartStep::TooMany,
            status: STATUS_INSUFFICIENT_RESOURCES,
            detail: MAX_SINKS as u64,
        })?;
        let cell = self.shared.cell(place).ok_or(PROVIDER_AWAY)?;
        let number = self.next;
        let provider = self.provider(wait, passive)?;
        // SAFETY: the device's cells stay until its control thread has ended, and with it every sink and the registration.
        #[expect(unsafe_code, reason = "the rings' writers keep the cell's address")]
        let sink = unsafe { RunningSink::start(executive, provider, start, (number, place, cell), passive) }?;
        if self.sinks.try_push(sink).is_ok() {
            self.next += 1;
        }
        Ok(number)
    }

    /// The provider, captured when it is first needed.
    #[inline(never)]
    fn provider(&mut self, wait: Duration, passive: &Passive<'_>) -> Result<&Provider<E>, StartFailure> {
        let failure = |status| StartFailure { step: StartStep::Provider, status, detail: 0 };
        if self.registration.is_none() {
            let executive = self.shared.executive().clone();
            let registered = Registration::register(executive, Events::Static, passive);
            self.registration = Some(registered.map_err(|error| failure(error.status()))?);
        }
        if let (None, Some(registration)) = (&self.provider, &self.registration) {
            let captured = registration.capture(wait, passive);
            self.provider = Some(captured.map_err(|error| failure(error.status()))?);
        }
        self.provider.as_ref().ok_or(PROVIDER_AWAY)
    }

    /// A cell that no sink waits at.
    fn free_place(&self) -> Option<usize> {
        (0..MAX_SINKS).find(|place| self.sinks.iter().all(|sink| sink.place() != *place))
    }

    fn stop(&mut self, request: Request, passive: &Passive<'_>) {
        let place = asked(&request).and_then(|number| self.index_of(number));
        let status = place.map_or_else(
            |status| status,
            |index| {
                self.stop_at(index, passive);
                STATUS_SUCCESS
            },
        );
        self.complete(request, status);
    }

    fn stop_at(&mut self, index: usize, passive: &Passive<'_>) {
        if let Some(sink) = self.sinks.pop_at(index)
            && let Some(cell) = self.shared.cell(sink.place())
        {
            sink.stop(cell, passive);
        }
    }

    fn change(&mut self, request: Request) {
        let executive = self.shared.executive();
        let status = match ChangeSink::parse(request.input()) {
            Err(invalid) => status_of(&invalid),
            Ok(change) => match self.reach(change.header.sink) {
                Err(status) => status,
                Ok((sink, _)) => sink.change(executive, &change),
            },
        };
        self.complete(request, status);
    }

    fn list(&self, request: Request) {
        if let Err(invalid) = Header::parse(request.input()) {
            return self.complete(request, status_of(&invalid));
        }
        let count = u32::try_from(self.sinks.len()).unwrap_or(0);
        let mut report = SinksReport { count, reserved: 0, sinks: [0; MAX_SINKS] };
        for (place, sink) in report.sinks.iter_mut().zip(&self.sinks) {
            *place = sink.number();
        }
        let _told_or_too_small = request.answer(self.shared.executive(), &report);
    }

    fn report(&self, request: Request) {
        let executive = self.shared.executive();
        match asked(&request).and_then(|number| self.sink(number)) {
            Err(status) => self.complete(request, status),
            Ok(sink) => sink.report(executive, request, executive.ke_query_performance_counter()),
        }
    }

    fn sources(&self, request: Request) {
        let asked = SourcesRequest::parse(request.input()).map_err(|invalid| status_of(&invalid));
        match asked.and_then(|asked| Ok((self.sink(asked.sink)?, asked.first))) {
            Err(status) => self.complete(request, status),
            Ok((sink, first)) => sink.sources(self.shared.executive(), request, first),
        }
    }

    fn attach(&mut self, request: Request) {
        let attached = self.unless_shut_down().and_then(|()| asked(&request)).and_then(|number| {
            let (sink, cell) = self.reach(number)?;
            // It overtook nobody: where the file is not left yet, the word of that comes to this thread later.
            if request.has_left_file() { Err(STATUS_CANCELLED) } else { sink.attach(request.file(), cell) }
        });
        match attached {
            // A program that cannot take the answer is attached all the same, and asks again or closes.
            Ok(attached) => drop(request.answer(self.shared.executive(), &attached)),
            Err(status) => self.complete(request, status),
        }
    }

    fn wait(&mut self, request: Request) {
        let reached = self.unless_shut_down().and_then(|()| asked(&request)).and_then(|number| {
            let (sink, cell) = self.reach(number)?;
            sink.check_reader(request.file())?;
            Ok(sink.prepare_wait().then_some(cell))
        });
        match reached {
            // SAFETY: cells stay until the device ends, which it does after its last request.
            #[expect(unsafe_code, reason = "the packet keeps the cell's address")]
            Ok(Some(cell)) => unsafe { cell.park(request) },
            Ok(None) => self.complete(request, STATUS_SUCCESS),
            Err(status) => self.complete(request, status),
        }
    }

    fn read(&mut self, request: Request) {
        let executive = self.shared.executive();
        let sink = asked(&request).and_then(|number| {
            let (sink, _) = self.reach(number)?;
            sink.check_reader(request.file())?;
            Ok(sink)
        });
        match sink {
            Err(status) => self.complete(request, status),
            Ok(sink) => sink.read(executive, request),
        }
    }

    #[cfg(feature = "self-test")]
    fn self_test(&self, request: Request, passive: &Passive<'_>) {
        match Header::parse(request.input()) {
            Err(invalid) => self.complete(request, status_of(&invalid)),
            Ok(_) => crate::self_test::run(self.shared.executive(), request, passive),
        }
    }

    #[cfg(not(feature = "self-test"))]
    fn self_test(&self, request: Request, _passive: &Passive<'_>) {
        self.complete(request, skua_engine::abi::status::STATUS_NOT_SUPPORTED);
    }

    fn shut_down(&self, request: Request) {
        let status = match Header::parse(request.input()) {
            Err(invalid) => status_of(&invalid),
            Ok(_) => {
                self.shared.shut_down();
                STATUS_SUCCESS
            }
        };
        self.complete(request, status);
    }

    /// A file is closed: it is nobody's reader any more.
    fn let_go(&mut self, request: &Request) {
        for sink in &mut self.sinks {
            if let Some(cell) = self.shared.cell(sink.place()) {
                sink.let_go(request.file(), cell);
            }
        }
    }

    /// Serves a request about one sink that has no output.
    fn with_sink(
        &mut self,
        request: Request,
        serve: impl FnOnce(&Request, &mut RunningSink<E>, &WaitCell<E>),
    ) {
        let reached = asked(&request).and_then(|number| self.reach(number));
        let status = reached.map_or_else(
            |status| status,
            |(sink, cell)| {
                serve(&request, sink, cell);
                STATUS_SUCCESS
            },
        );
        self.complete(request, status);
    }

    fn unless_shut_down(&self) -> Result<(), NTSTATUS> {
        if self.shared.is_shut_down() { Err(STATUS_SHUTDOWN_IN_PROGRESS) } else { Ok(()) }
    }

    fn sink(&self, number: u64) -> Result<&RunningSink<E>, NTSTATUS> {
        self.sinks.iter().find(|sink| sink.number() == number).ok_or(STATUS_NOT_FOUND)
    }

    fn index_of(&self, number: u64) -> Result<usize, NTSTATUS> {
        self.sinks.iter().position(|sink| sink.number() == number).ok_or(STATUS_NOT_FOUND)
    }

    /// A sink to be changed, and where its reader waits.
    fn reach(&mut self, number: u64) -> Result<(&mut RunningSink<E>, &'d WaitCell<E>), NTSTATUS> {
        let sink = self.sinks.iter_mut().find(|sink| sink.number() == number).ok_or(STATUS_NOT_FOUND)?;
        let cell = self.shared.cell(sink.place()).ok_or(STATUS_NOT_FOUND)?;
        Ok((sink, cell))
    }

    fn complete(&self, request: Request, status: NTSTATUS) {
        request.complete(self.shared.executive(), status);
    }

    fn start_boot_sink(&mut self, passive: &Passive<'_>) {
        let Some(boot) = self.boot.take() else { return };
        // Without a wait: requests come in the meantime, and there is a next time.
        match boot.request().map(|start| self.open(&start, Duration::ZERO, passive)) {
            // The provider may take long to come up, and the rest is as it will be.
            Some(Err(StartFailure { step: StartStep::Provider, .. })) => self.boot = Some(boot),
            Some(Err(failure)) => boot.complain(self.shared.executive(), &failure),
            Some(Ok(_)) | None => {}
        }
    }

    fn look_after(&mut self, passive: &Passive<'_>) {
        let now = self.shared.executive().ke_query_performance_counter();
        if let Some(provider) = &self.provider {
            for sink in &mut self.sinks {
                sink.poll(provider, now, passive);
                sink.watch(now);
            }
        }
        if let Some(registration) = &mut self.registration {
            let _still_closing = registration.reap(passive);
        }
    }

    /// Ends everything. The device takes no request in any more when this returns.
    fn end(&mut self, passive: &Passive<'_>) {
        self.shared.shut_down();
        while !self.sinks.is_empty() {
            self.stop_at(0, passive);
        }
        for request in self.shared.take_last() {
            if matches!(request.major(), IRP_MJ_CLEANUP | IRP_MJ_CLOSE) {
                self.shared.release(request);
            } else {
                self.complete(request, STATUS_SHUTDOWN_IN_PROGRESS);
            }
        }
        self.provider = None;
        let mut registration = self.registration.take();
        while let Some(open) = registration.take() {
            if let Err(error) = open.close(PATIENCE, passive) {
                let mut line = arrayvec::ArrayString::<200>::new();
                // A line that is cut still says that the driver waits.
                let _cut =
                    core::fmt::Write::write_fmt(&mut line, format_args!("skua: waits to unload: {error}"));
                self.shared.executive().dbg_print(&line);
                registration = Some(error.into_registration());
                // What cannot be waited for, such as a close that the provider refused, is not asked after in a loop.
                self.shared.wait(Some(TICK));
            }
        }
    }
}

/// The sink that a request asks about.
fn asked(request: &Request) -> Result<u64, NTSTATUS> {
    SinkRequest::parse(request.input()).map(|asked| asked.sink).map_err(|invalid| status_of(&invalid))
}

/// What the program is told of a sink that runs.
fn started(sink: u64) -> StartedSink {
    StartedSink { sink, status: 0, step: StartStep::Started as u32, detail: 0 }
}

const PROVIDER_AWAY: StartFailure =
    StartFailure { step: StartStep::Provider, status: STATUS_INVALID_PARAMETER, detail: 0 };
