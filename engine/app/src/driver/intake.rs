//! A sink that runs in the driver, read by this program.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use skua_engine::abi::status::{NTSTATUS, STATUS_NOT_FOUND};
use skua_engine::{MembershipError, OpenSocketError, OpenStep};
use skua_protocol::{MAX_SINKS, ReaderAttached, StartStep, StartedSink};

use super::client::{Client, Report};
use super::counts::DriverCounts;
use super::error::DriverError;
use super::packed::Packed;
use super::request;
use crate::cli::{CaptureArgs, SinkArgs};
use crate::sink::error::{CloseError, StartError};
use crate::sink::intake::{Counts, Ended, Intake, Shape, Sleep};
use crate::sink::settings;
use crate::sink::supply::Supply;
use crate::sink::taps::Taps;

/// A sink in the driver, and this program its reader.
pub(crate) struct DriverIntake {
    client: Arc<Client>,
    sink: u64,
    addresses: Vec<SocketAddr>,
    shape: Shape,
    // The sink's end, if it was started for this session.
    own: Option<Own>,
    // Whether the rings are mapped; if not, the driver copies the records.
    map: bool,
}

/// A sink that ends with its session: dropping this stops it.
struct Own {
    client: Arc<Client>,
    // 0 once it was stopped: no sink has this number.
    sink: u64,
}

impl Own {
    /// Stops the sink, and says whether that went well.
    fn stop(mut self) -> Result<(), DriverError> {
        self.client.stop(std::mem::take(&mut self.sink))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // A session that did not come up leaves no sink behind. Why it did not is said elsewhere.
        if self.sink != 0 {
            let _ = self.client.stop(self.sink);
        }
    }
}

impl DriverIntake {
    /// Starts a sink. It ends with the session.
    ///
    /// # Errors
    /// [`StartError`] names the step, the address and the status.
    pub(crate) fn start(client: Client, args: &SinkArgs) -> Result<Self, StartError> {
        let client = Arc::new(client);
        let sink = start(&client, args)?;
        // From here on the sink is somebody's to stop.
        let own = Own { client: Arc::clone(&client), sink };
        let report = client.report(sink)?;
        // The driver knows how many prefixes there are, and not their text.
        let filter = settings::filter_in_words(&args.allow, args.source_rate, args.sample);
        Ok(Self::of(client, &report, filter, Some(own), !args.no_map))
    }

    /// Reads a sink that runs already, from where the reader before it left off. It goes on after the session.
    ///
    /// # Errors
    /// [`StartError`] says which sinks there are instead.
    pub(crate) fn attach(client: Client, args: &CaptureArgs) -> Result<Self, StartError> {
        let client = Arc::new(client);
        let report = client.report(client.find(args.sink.as_ref())?)?;
        let filter = report.filter_in_words();
        Ok(Self::of(client, &report, filter, None, !args.no_map))
    }

    fn of(client: Arc<Client>, report: &Report, filter: String, own: Option<Own>, map: bool) -> Self {
        let shape = Shape {
            ring_bytes: report.sink.ring_bytes,
            // Told when the reader attaches.
            watermark: 0,
            snap_length: u16::try_from(report.sink.snap_length).unwrap_or(u16::MAX),
            filter,
        };
        Self { client, sink: report.sink.sink, addresses: report.addresses(), shape, own, map }
    }

    /// Every ring, mapped.
    fn taps(&self, attached: &ReaderAttached) -> Result<Taps, StartError> {
        let rings = u16::try_from(attached.rings).unwrap_or(u16::MAX);
        let readers = (0..rings)
            .map(|ring| Ok(self.client.map(attached, ring)?))
            .collect::<Result<Vec<_>, StartError>>()?;
        Taps::new(readers).ok_or(StartError::NoRing)
    }

    /// Says what it found, of a sink that ran before.
    fn introduce(&self, attached: &ReaderAttached) {
        let Ok(report) = self.client.report(self.sink) else { return };
        let lost = report.ring_full().saturating_sub(attached.ring_full_before);
        eprintln!(
            "skua: reading sink {} from where its last reader left off; ring_full {lost} since then",
            report.title()
        );
    }
}

impl Intake for DriverIntake {
    fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn supply(&mut self) -> Result<Supply, StartError> {
        let attached = self.client.attach(self.sink)?;
        self.shape.watermark = attached.watermark;
        if self.own.is_none() {
            self.introduce(&attached);
        }
        if self.map {
            match self.taps(&attached) {
                Ok(taps) => return Ok(Supply::Mapped(taps)),
                Err(error) => eprintln!("skua: {error}; the driver copies the records instead"),
            }
        }
        let packed = Packed::new(Arc::clone(&self.client), &attached).ok_or(StartError::NoRing)?;
        Ok(Supply::Packed(packed))
    }

    fn sleep(&self) -> Arc<dyn Sleep> {
        Arc::new(DriverSleep { client: Arc::clone(&self.client), sink: self.sink })
    }

    fn counts(&self) -> Arc<dyn Counts> {
        Arc::new(DriverCounts::new(Arc::clone(&self.client), self.sink))
    }

    fn goes_on(&self) -> bool {
        self.own.is_none()
    }

    fn outlasts(&self) -> bool {
        true
    }

    fn settle(&mut self) -> Result<(), CloseError> {
        if self.own.is_some() { Ok(self.client.quiesce(self.sink)?) } else { Ok(()) }
    }

    fn end(self: Box<Self>) -> Result<(), CloseError> {
        let Self { client, sink, own, .. } = *self;
        Ok(own.map_or_else(|| client.detach(sink), Own::stop)?)
    }
}

/// The reader's wait for the driver.
struct DriverSleep {
    client: Arc<Client>,
    sink: u64,
}

impl Sleep for DriverSleep {
    fn adopt(&self) {}

    fn sleep(&self, span: Duration) -> Result<(), Ended> {
        self.client.wait(self.sink, span).map_err(|refusal| Ended(refusal.to_string()))
    }

    fn wake(&self) {
        self.client.interrupt();
    }
}

/// Starts the sink that `args` ask for. Returns its number.
///
/// # Errors
/// [`StartError`] names the step, the address and the status.
pub(crate) fn start(client: &Client, args: &SinkArgs) -> Result<u64, StartError> {
    let started = client.start(&request::start(args)?)?;
    match StartStep::from_number(started.step) {
        Some(StartStep::Started) if started.sink != 0 => Ok(started.sink),
        step => Err(refused(step, &started, args)),
    }
}

/// Why a start failed, in the words that the engine in this process would have used.
fn refused(step: Option<StartStep>, started: &StartedSink, args: &SinkArgs) -> StartError {
    let status = NTSTATUS::from_bits(started.status.cast_unsigned());
    let index = usize::try_from(started.detail).unwrap_or(usize::MAX);
    let start = |what: String| StartError::Driver(DriverError::Start(what));
    match (step, args.listen.get(index), args.group.get(index)) {
        (Some(StartStep::TooMany), ..) => DriverError::TooManySinks(MAX_SINKS as u64).into(),
        (Some(StartStep::Provider), ..) => {
            start(format!("the network stack is not ready ({status}); try again when it is up"))
        }
        (Some(StartStep::Rings), ..) => start(format!(
            "no memory for the rings ({status}); lower --ring, one is taken for every processor"
        )),
        (Some(StartStep::Engine), ..) => {
            start(format!("no nonpaged memory for its tables ({status}); free memory and try again"))
        }
        (Some(StartStep::Listener), Some(local), _) => {
            OpenSocketError::Refused { step: OpenStep::Bind, local: *local, status }.into()
        }
        (Some(StartStep::Group), _, Some(group)) if status == STATUS_NOT_FOUND => {
            StartError::NoSocketFor(group.clone())
        }
        (Some(StartStep::Group), _, Some(group)) => {
            let interface = settings::interface(group).unwrap_or(0);
            MembershipError::Refused { group: group.address, interface, status }.into()
        }
        _ => start(format!("step {} failed with {status}", started.step)),
    }
}
