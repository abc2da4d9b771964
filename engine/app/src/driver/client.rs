//! The driver's requests as functions.

use std::time::Duration;

use bytemuck::{AnyBitPattern, NoUninit};
use skua_engine::abi::status::STATUS_NOT_SUPPORTED;
use skua_protocol::{
    ControlCode, Header, ListenerReport, MAX_LISTENERS, PROTOCOL_VERSION, ReaderAttached, SelfTestReport,
    SelfTestResult, SinkReport, SinkRequest, SinksReport, SourceReport, SourcesReport, SourcesRequest,
    StartedSink, Version,
};

use super::error::DriverError;
use super::link::{Link, Refusal};
use super::system;
use crate::cli::SinkName;
use crate::shared::{AttachError, MappedReader};

/// Bytes asked for at once of the table of sources.
const SOURCES_BYTES: usize = 64 * 1024;
/// Bytes that the results of the driver's checks may take.
const SELF_TEST_BYTES: usize = 512 * 1024;

/// An open device whose driver speaks this program's version.
pub(crate) struct Client {
    link: Box<dyn Link>,
}

/// A sink's counts and its listeners'.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) sink: SinkReport,
    pub(crate) listeners: Vec<ListenerReport>,
}

impl Client {
    /// Opens the device.
    ///
    /// # Errors
    /// [`DriverError`]: there is none here, it is not running, or it is of another version.
    pub(crate) fn open() -> Result<Self, DriverError> {
        Self::over(system::open()?)
    }

    /// Over an open device.
    ///
    /// # Errors
    /// [`DriverError::Version`], or why the driver did not say its version.
    pub(crate) fn over(link: Box<dyn Link>) -> Result<Self, DriverError> {
        let client = Self { link };
        let version = client.version()?;
        if version.protocol == PROTOCOL_VERSION {
            Ok(client)
        } else {
            Err(DriverError::Version { driver: version.protocol, program: PROTOCOL_VERSION })
        }
    }

    /// What the driver says of itself.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn version(&self) -> Result<Version, DriverError> {
        self.answer("tell its version", ControlCode::Version, &[])
    }

    /// Starts a sink, and says what became of that.
    ///
    /// # Errors
    /// [`DriverError`] when the request itself was refused.
    pub(crate) fn start(&self, request: &[u8]) -> Result<StartedSink, DriverError> {
        self.answer("start a sink", ControlCode::StartSink, request)
    }

    /// Ends a sink; its rings go.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn stop(&self, sink: u64) -> Result<(), DriverError> {
        self.tell("stop the sink", ControlCode::StopSink, &SinkRequest::new(sink))
    }

    /// Closes a sink's listeners: nothing is published any more.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn quiesce(&self, sink: u64) -> Result<(), DriverError> {
        self.tell("close the sink's listeners", ControlCode::QuiesceSink, &SinkRequest::new(sink))
    }

    /// Changes a sink.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn change(&self, request: &[u8]) -> Result<(), DriverError> {
        self.ask("change the sink", ControlCode::ChangeSink, request, &mut []).map(drop)
    }

    /// The numbers of the sinks there are.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn sinks(&self) -> Result<Vec<u64>, DriverError> {
        let report: SinksReport =
            self.answer("list its sinks", ControlCode::QuerySinks, bytemuck::bytes_of(&Header::ALONE))?;
        let count = usize::try_from(report.count).unwrap_or(usize::MAX);
        Ok(report.sinks.into_iter().take(count).collect())
    }

    /// The number of the sink that is meant: the only one, if none is named.
    ///
    /// # Errors
    /// [`DriverError`] says what does not fit.
    pub(crate) fn find(&self, wanted: Option<&SinkName>) -> Result<u64, DriverError> {
        let sinks = self.sinks()?;
        match wanted {
            Some(name @ SinkName::Number(number)) => {
                sinks.contains(number).then_some(*number).ok_or_else(|| DriverError::NoSuchSink(name.clone()))
            }
            Some(wanted @ SinkName::Name(name)) => {
                // One that ends meanwhile is not the one.
                let is_it = |sink: &u64| self.report(*sink).is_ok_and(|report| report.name() == *name);
                match *sinks.into_iter().filter(is_it).collect::<Vec<u64>>() {
                    [] => Err(DriverError::NoSuchSink(wanted.clone())),
                    [sink] => Ok(sink),
                    ref several => Err(DriverError::Ambiguous(wanted.clone(), several.len())),
                }
            }
            None => match *sinks {
                [] => Err(DriverError::NoSink),
                [sink] => Ok(sink),
                ref several => Err(DriverError::Several(several.len())),
            },
        }
    }

    /// A sink's counts.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn report(&self, sink: u64) -> Result<Report, DriverError> {
        const WHAT: &str = "tell a sink's counts";
        let mut output = vec![0; size_of::<SinkReport>() + MAX_LISTENERS * size_of::<ListenerReport>()];
        let request = SinkRequest::new(sink);
        let bytes = self.ask(WHAT, ControlCode::QuerySink, bytemuck::bytes_of(&request), &mut output)?;
        let (report, listeners) =
            front::<SinkReport>(&output[..bytes]).ok_or(DriverError::Answer { what: WHAT })?;
        Ok(Report { sink: report, listeners: elements(listeners, report.listeners) })
    }

    /// Shows every row of a sink's source table to `visit`; a row whose family is 0 is that of all sources without one.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn sources(&self, sink: u64, mut visit: impl FnMut(&SourceReport)) -> Result<(), DriverError> {
        const WHAT: &str = "tell a sink's sources";
        let mut output = vec![0; SOURCES_BYTES];
        let mut first = 0;
        loop {
            let request = SourcesRequest::new(sink, first);
            let bytes =
                self.ask(WHAT, ControlCode::QuerySources, bytemuck::bytes_of(&request), &mut output)?;
            let (page, rows) =
                front::<SourcesReport>(&output[..bytes]).ok_or(DriverError::Answer { what: WHAT })?;
            elements(rows, page.count).iter().for_each(&mut visit);
            // A table that does not get on has no end.
            if page.next <= first {
                return Ok(());
            }
            first = page.next;
        }
    }

    /// Becomes a sink's reader.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn attach(&self, sink: u64) -> Result<ReaderAttached, DriverError> {
        let request = SinkRequest::new(sink);
        self.answer("let this program read the sink", ControlCode::AttachReader, bytemuck::bytes_of(&request))
    }

    /// Is a sink's reader no more; what is in the rings stays for the next.
    ///
    /// # Errors
    /// [`DriverError`].
    pub(crate) fn detach(&self, sink: u64) -> Result<(), DriverError> {
        self.tell("let go of the sink", ControlCode::DetachReader, &SinkRequest::new(sink))
    }

    /// Maps a ring of the sink whose reader this is.
    ///
    /// # Errors
    /// [`AttachError`].
    pub(crate) fn map(&self, attached: &ReaderAttached, ring: u16) -> Result<MappedReader, AttachError> {
        self.link.map(attached, ring)
    }

    /// Takes records of the sink whose reader this is, packed as [`ControlCode::ReadRecords`] says. Returns how many bytes
    /// there are.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn read(&self, sink: u64, output: &mut [u8]) -> Result<usize, Refusal> {
        let request = SinkRequest::new(sink);
        let bytes = self.link.ask(ControlCode::ReadRecords, bytemuck::bytes_of(&request), output)?;
        Ok(bytes.min(output.len()))
    }

    /// Waits for records of the sink whose reader this is.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn wait(&self, sink: u64, span: Duration) -> Result<(), Refusal> {
        let request = SinkRequest::new(sink);
        self.link.wait(ControlCode::WaitRecords, bytemuck::bytes_of(&request), span)
    }

    /// Ends the wait of another thread, or its next one.
    pub(crate) fn interrupt(&self) {
        self.link.interrupt();
    }

    /// The results of the checks inside the driver.
    ///
    /// # Errors
    /// [`DriverError::NoChecks`] of a driver that is built without them, as released ones are; else [`DriverError`].
    pub(crate) fn self_test(&self) -> Result<Vec<SelfTestResult>, DriverError> {
        const WHAT: &str = "run its checks";
        let mut output = vec![0; SELF_TEST_BYTES];
        let request = bytemuck::bytes_of(&Header::ALONE);
        let bytes =
            self.ask(WHAT, ControlCode::SelfTest, request, &mut output).map_err(|error| match error {
                DriverError::Refused { refusal: Refusal(STATUS_NOT_SUPPORTED), .. } => DriverError::NoChecks,
                error => error,
            })?;
        let (report, rows) =
            front::<SelfTestReport>(&output[..bytes]).ok_or(DriverError::Answer { what: WHAT })?;
        Ok(elements(rows, report.count))
    }

    /// Has every wait ended and new programs refused.
    ///
    /// # Errors
    /// [`DriverError`].
    #[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "the service alone asks for it"))]
    pub(crate) fn shut_down(&self) -> Result<(), DriverError> {
        self.tell("end", ControlCode::Shutdown, &Header::ALONE)
    }

    fn tell<T: NoUninit>(&self, what: &'static str, code: ControlCode, input: &T) -> Result<(), DriverError> {
        self.ask(what, code, bytemuck::bytes_of(input), &mut []).map(drop)
    }

    /// A request that is answered by one structure.
    fn answer<T: AnyBitPattern + NoUninit>(
        &self,
        what: &'static str,
        code: ControlCode,
        input: &[u8],
    ) -> Result<T, DriverError> {
        let mut output = T::zeroed();
        let bytes = self.ask(what, code, input, bytemuck::bytes_of_mut(&mut output))?;
        if bytes == size_of::<T>() { Ok(output) } else { Err(DriverError::Answer { what }) }
    }

    fn ask(
        &self,
        what: &'static str,
        code: ControlCode,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, DriverError> {
        let room = output.len();
        match self.link.ask(code, input, output) {
            Ok(bytes) => Ok(bytes.min(room)),
            Err(refusal) => Err(DriverError::Refused { what, refusal }),
        }
    }
}

impl Report {
    /// The sink's name; empty if it has none.
    pub(crate) fn name(&self) -> String {
        let bytes = &self.sink.name;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}

/// Takes a structure off the front of an answer.
fn front<T: AnyBitPattern>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let (front, rest) = bytes.split_at_checked(size_of::<T>())?;
    Some((bytemuck::pod_read_unaligned(front), rest))
}

/// Up to `count` structures one after the other.
fn elements<T: AnyBitPattern>(bytes: &[u8], count: u32) -> Vec<T> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    bytes.chunks_exact(size_of::<T>()).take(count).map(bytemuck::pod_read_unaligned).collect()
}
