//! What programs, senders and the network do to the driver, made of any bytes, and what must hold whatever they do. A
//! test makes the bytes up; so does a fuzzer.

mod decode;
mod input;
mod known;
mod stage;

use std::net::SocketAddr;

use skua_hosted::{Control as Messages, Facts, Injected};

pub(crate) use input::Boot;

/// The longest script.
const MAX_STEPS: usize = 60;

/// A driver's life.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Processors, and so rings of a sink.
    processors: u32,
    /// Whether the provider calls below DISPATCH_LEVEL.
    below_dispatch: bool,
    /// Whether the provider is not there at first.
    away: bool,
    /// What the registry asks for.
    boot: Vec<Boot>,
    steps: Vec<Step>,
}

/// One thing that is done to a driver. Sinks that there are not are passed over; other numbers count round what there is.
#[derive(Clone, Debug)]
enum Step {
    /// A program opens the device.
    Open,
    /// One closes it, with these packets.
    Close { program: usize, majors: &'static [u8] },
    /// A packet that is no device control.
    Other { program: usize, major: u8 },
    /// A request, of this program or of the reader of the sink that it is about, waited for unless it is a wait for records.
    Request { program: Option<usize>, code: u32, input: Vec<u8>, room: usize },
    /// A wait is cancelled.
    Cancel { wait: usize },
    /// A list of datagrams comes in at a listener of a sink.
    Datagrams { sink: u64, listener: usize, processor: u32, datagrams: Vec<Datagram> },
    /// The reader of a sink writes into its cursor.
    Cursor { sink: u64, ring: usize, cursor: Cursor },
    /// The nth call from now fails.
    Fail { what: Failing, nth: u64 },
    /// The provider goes away or comes back.
    Away(bool),
}

/// What the network hands over.
#[derive(Clone, Debug)]
struct Datagram {
    source: SocketAddr,
    /// The lengths of its parts.
    parts: Vec<usize>,
    offset: u32,
    /// Bytes it is said to have, if they are not what its parts have.
    length: Option<usize>,
    unmapped: bool,
    /// Control messages: none, those of a well-behaved network, or any bytes.
    control: Control,
}

#[derive(Clone, Debug)]
enum Control {
    Missing,
    Good,
    Raw(Vec<u8>),
}

/// What a reader may write.
#[derive(Clone, Copy, Debug)]
enum Cursor {
    /// Anything.
    Word(u64),
    /// All that is published, or so many bytes less, with these low bits.
    Behind { bytes: u64, bits: u64 },
}

#[derive(Clone, Copy, Debug)]
enum Failing {
    Allocation,
    Mapping,
    Section,
}

impl Datagram {
    /// For a socket at `local`.
    fn injected(&self, local: &SocketAddr) -> Injected {
        Injected {
            source: self.source,
            parts: self.parts.iter().map(|length| vec![0xd5; *length]).collect(),
            offset: self.offset,
            length: self.length,
            unmapped: self.unmapped,
            control: match &self.control {
                Control::Missing => Messages::Missing,
                Control::Good => Messages::Facts(Facts {
                    destination: Some((local.ip(), 1)),
                    type_of_service: Some(3),
                    hop_limit: Some(64),
                    time: Some(1),
                    coalesced: None,
                }),
                Control::Raw(bytes) => Messages::Raw(bytes.clone()),
            },
        }
    }
}
