//! Requests, one by one: what each asks of the sinks, and what it is answered.

use core::time::Duration;

use skua_engine::Passive;
use skua_engine::abi::nt::{IRP_MJ_CLEANUP, IRP_MJ_CLOSE};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_INVALID_DEVICE_REQUEST, STATUS_NOT_FOUND, STATUS_SHUTDOWN_IN_PROGRESS,
    STATUS_SUCCESS,
};
use skua_protocol::{
    ChangeSink, ControlCode, Header, MAX_SINKS, SinkRequest, SinksReport, SourcesRequest, StartSink,
    StartStep, StartedSink,
};

use super::Control;
use crate::executive::Executive;
use crate::invalid::status_of;
use crate::request::Request;
use crate::sink::RunningSink;
use crate::wait::WaitCell;

/// How long a program's start waits for the WSK provider, which may come up after the driver.
const CAPTURE_WAIT: Duration = Duration::from_secs(1);

impl<'d, E: Executive> Control<'d, E> {
    pub(super) fn serve(&mut self, request: Request, passive: &Passive<'_>) {
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

    pub(super) fn complete(&self, request: Request, status: NTSTATUS) {
        request.complete(self.shared.executive(), status);
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
