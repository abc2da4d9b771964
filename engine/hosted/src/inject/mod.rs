//! Indications made by hand, given to a socket's receive event on the calling thread: what a test says a network did, and
//! what a bench indicates again and again.

mod list;

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use skua_engine::abi::wsk::WSK_FLAG_AT_DISPATCH_LEVEL;

pub(crate) use self::list::Injections;
use self::list::List;
use crate::HostKernel;
use crate::kernel::Raised;
use crate::socket::close::Hold;
use crate::socket::datagram::DatagramSocket;
use crate::socket::events::Verdict;

/// One datagram to indicate.
#[derive(Clone, Debug)]
pub struct Injected {
    /// Who sent it. An IPv4 address is mapped when the socket is of IPv6.
    pub source: SocketAddr,
    /// The payload, one MDL for each part; a part may be empty. No part at all makes a datagram without MDL.
    pub parts: Vec<Vec<u8>>,
    /// Where in the first part the datagram begins, in bytes: WSK_BUF.Offset.
    pub offset: u32,
    /// Bytes of the parts that are the datagram, from the offset on; all of them by default. More than there are make a
    /// datagram that contradicts its MDL chain.
    pub length: Option<usize>,
    /// The MDLs describe locked pages without a system address, so that reading takes a mapping.
    pub unmapped: bool,
    /// Its control messages.
    pub control: Control,
}

/// The control messages of an injected datagram.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Control {
    /// Those that the given facts make, whatever the socket asked for.
    Facts(Facts),
    /// None, as under memory pressure.
    Missing,
    /// These bytes, right or wrong.
    Raw(Vec<u8>),
}

/// What is known of a datagram besides its bytes; what is not known makes no message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// The address it was sent to and the index of the interface it came in by.
    pub destination: Option<(IpAddr, u32)>,
    /// DSCP and ECN in one octet.
    pub type_of_service: Option<u8>,
    /// Time to live or hop limit.
    pub hop_limit: Option<u8>,
    /// When it came in, in ticks of the performance counter.
    pub time: Option<u64>,
    /// The payload is several datagrams of so many bytes, the last one of as many or fewer.
    pub coalesced: Option<u32>,
}

impl Injected {
    /// A datagram in one MDL, without control messages.
    #[must_use]
    pub fn new(source: SocketAddr, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            source,
            parts: vec![payload.into()],
            offset: 0,
            length: None,
            unmapped: false,
            control: Control::Missing,
        }
    }
}

/// What became of an injected list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indicated {
    /// The callback returned STATUS_SUCCESS.
    Consumed,
    /// The callback returned STATUS_PENDING.
    Retained,
    /// The callback returned STATUS_DATA_NOT_ACCEPTED.
    NotAccepted,
    /// The event was not enabled, or the socket is closing.
    Off,
    /// Another thread indicates the list, or nodes of it are still retained from before: it was not indicated.
    Busy,
}

/// A list that was built once and can be indicated many times.
pub struct Prepared {
    socket: Arc<DatagramSocket>,
    list: Arc<List>,
}

/// A list on its processor: the thread is at DISPATCH_LEVEL, and the socket cannot be closed, until this is dropped.
pub struct Stage<'p> {
    prepared: &'p Prepared,
    processor: u32,
    flags: u32,
    _raised: Option<Raised<'p>>,
    _hold: Hold,
}

impl HostKernel {
    /// Builds `datagrams` into one list for the first socket bound to `local`; `None` when there is none.
    #[must_use]
    pub fn prepare(&self, local: &SocketAddr, datagrams: &[Injected]) -> Option<Prepared> {
        let socket = self.sockets().bound(Some(local)).into_iter().next()?;
        let maps = socket.local().is_some_and(SocketAddr::is_ipv6);
        let list = Arc::new(List::build(self, datagrams, maps));
        socket.injections.add(Arc::clone(&list));
        Some(Prepared { socket, list })
    }

    /// Indicates `datagrams` as one list to the first socket bound to `local`, on `processor`, on the calling thread.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; a thread that is there keeps its processor.
    pub fn inject(&self, local: &SocketAddr, processor: u32, datagrams: &[Injected]) -> Indicated {
        match self.prepare(local, datagrams) {
            Some(prepared) => prepared.indicate(processor),
            None => Indicated::Off,
        }
    }
}

impl Prepared {
    /// Indicates the list on `processor`.
    pub fn indicate(&self, processor: u32) -> Indicated {
        self.stage(processor).map_or(Indicated::Off, |mut stage| stage.indicate())
    }

    /// Raises to DISPATCH_LEVEL on `processor`, to indicate the list several times; `None` when the socket is closed.
    #[must_use]
    pub fn stage(&self, processor: u32) -> Option<Stage<'_>> {
        let hold = Hold::new(&self.socket).filter(|_| !self.socket.is_closing())?;
        let kernel = &self.socket.kernel;
        let below = kernel.provider().indicate_below_dispatch;
        let raised = (!below).then(|| kernel.raise_on(processor));
        let flags = if below { 0 } else { WSK_FLAG_AT_DISPATCH_LEVEL };
        Some(Stage { prepared: self, processor, flags, _raised: raised, _hold: hold })
    }

    /// The address ranges of the payload, one for each part.
    #[must_use]
    pub fn payload_ranges(&self) -> Vec<Range<usize>> {
        self.list.payload_ranges().collect()
    }
}

impl Stage<'_> {
    /// Indicates the list. Nothing is rebuilt but the links and marks that a client may have changed.
    pub fn indicate(&mut self) -> Indicated {
        let Prepared { socket, list } = self.prepared;
        if !list.claim() {
            return Indicated::Busy;
        }
        let was_enabled = socket.event.is_enabled();
        let lent = &socket.kernel.ledger().indications;
        lent.add(list.len());
        let verdict = socket.event.indicate(&socket.kernel, self.processor, self.flags, list.arm());
        if verdict != Verdict::Retained {
            lent.remove(list.disarm());
        }
        list.unclaim();
        match verdict {
            Verdict::Retained => Indicated::Retained,
            Verdict::Refused => Indicated::NotAccepted,
            // A dynamic event is off by refusing.
            Verdict::Off if was_enabled => Indicated::NotAccepted,
            Verdict::Off => Indicated::Off,
            _ => Indicated::Consumed,
        }
    }
}

impl Drop for Prepared {
    /// What is still retained stays until the socket is gone.
    fn drop(&mut self) {
        if self.list.lent() == 0 {
            self.socket.injections.remove(&self.list);
        }
    }
}
