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

mod serve;

use core::time::Duration;

use arrayvec::ArrayVec;
use skua_engine::abi::nt::{IRP_MJ_CLEANUP, IRP_MJ_CLOSE};
use skua_engine::abi::status::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SHUTDOWN_IN_PROGRESS,
};
use skua_engine::{Events, Passive, Provider, Registration};
use skua_protocol::{MAX_SINKS, StartSink, StartStep};

use crate::boot::BootSink;
use crate::device::Shared;
use crate::executive::Executive;
use crate::sink::{RunningSink, StartFailure};

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

    fn stop_at(&mut self, index: usize, passive: &Passive<'_>) {
        if let Some(sink) = self.sinks.pop_at(index)
            && let Some(cell) = self.shared.cell(sink.place())
        {
            sink.stop(cell, passive);
        }
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

const PROVIDER_AWAY: StartFailure =
    StartFailure { step: StartStep::Provider, status: STATUS_INVALID_PARAMETER, detail: 0 };
