//! A receiver's process: one socket, one way of reading it.
//!
//! It prints `listening on ADDRESS`, receives until its standard input is closed, and then prints what it took as one line
//! of JSON. The thread that waits for that costs nothing meanwhile. Receivers read into buffers that they have from the
//! start and look at no payload: what is measured is receiving alone.

mod control;
mod quinn;
mod recvmmsg;
mod sink;
mod standard;
mod take;
mod tokio;
mod uring;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::thread;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use self::take::{Count, Latency, Take};

/// The receivers that this program has itself.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Own {
    /// std::net::UdpSocket, a datagram a call
    Std,
    /// recvmmsg, 32 datagrams a call
    Recvmmsg,
    /// recvmmsg, 32 a call, asking for the control messages that the sink asks for
    RecvmmsgControl,
    /// recvmmsg, 8 buffers of 64 KiB a call, with UDP_GRO
    RecvmmsgGro,
    /// recvmmsg with UDP_GRO, asking for the sink's control messages too
    RecvmmsgGroControl,
    /// io_uring: multishot recvmsg into a ring of buffers
    IoUring,
    /// io_uring with UDP_GRO
    IoUringGro,
    /// quinn-udp with UDP_GRO switched off
    QuinnUdp,
    /// quinn-udp as it comes, with UDP_GRO
    QuinnUdpGro,
    /// tokio::net::UdpSocket on a current-thread runtime
    Tokio,
    /// tokio: a task receives and copies into a Vec, an mpsc channel hands it to another
    TokioPipeline,
    /// Skua's sink in process, without moderation, its reader woken for every record
    SkuaAtOnce,
    /// Skua's sink in process, moderated as skua sink is, its reader woken for every record
    SkuaModerated,
    /// Skua's sink in process, moderated and read as skua sink does by default
    SkuaResting,
}

/// What `throughput receive` is told.
#[derive(clap::Args, Debug)]
pub(crate) struct ReceiveArguments {
    /// How to receive.
    pub(crate) receiver: Own,
    /// On which address.
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// Bytes of receive buffer to ask for.
    #[arg(long)]
    pub(crate) receive_buffer: u32,
    /// Payload bytes of the longest datagram.
    #[arg(long)]
    pub(crate) size: u16,
    /// Compare the time in each datagram with now.
    #[arg(long)]
    pub(crate) latency: bool,
}

/// What a receiver took.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    /// Datagrams.
    pub(crate) datagrams: u64,
    /// Payload bytes of those.
    pub(crate) bytes: u64,
    /// How long they took, where they said when they were due.
    pub(crate) latency: Option<Quantiles>,
}

/// How long datagrams took, ns.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Quantiles {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

/// One way of receiving.
trait Receiver {
    /// Receives from where `listen` says, and gives every datagram to `take`, until it fails.
    fn run<T: Take>(&self, listen: &Listen, take: T) -> io::Result<()>;
}

/// Where to receive.
struct Listen {
    address: SocketAddr,
    /// Bytes of receive buffer to ask for.
    receive_buffer: u32,
    /// Payload bytes of the longest datagram.
    size: usize,
}

impl Listen {
    /// A socket that is set up by `prepare`, bound and announced.
    fn socket(&self, prepare: impl FnOnce(&UdpSocket) -> io::Result<()>) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(self.address), Type::DGRAM, None)?;
        socket.set_recv_buffer_size(self.receive_buffer as usize)?;
        socket.bind(&self.address.into())?;
        let socket = UdpSocket::from(socket);
        prepare(&socket)?;
        self.announce(socket.local_addr()?);
        Ok(socket)
    }

    /// Says that `address` is received on from now on.
    fn announce(&self, address: SocketAddr) {
        println!("listening on {address}");
    }

    /// Bytes of a buffer for one datagram.
    fn room(&self) -> usize {
        self.size.max(2048)
    }
}

/// Receives until standard input is closed, then ends the process.
pub(crate) fn run(arguments: &ReceiveArguments) -> Result<()> {
    let latency = arguments.latency;
    thread::spawn(move || {
        // An error ends it as the end of input does.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let taken = if latency { Latency::taken() } else { Count::taken() };
        println!("{}", serde_json::to_string(&taken).unwrap_or_default());
        std::process::exit(0);
    });
    let listen = Listen {
        address: arguments.listen,
        receive_buffer: arguments.receive_buffer,
        size: usize::from(arguments.size),
    };
    let received = if latency {
        dispatch(arguments.receiver, &listen, Latency::default())
    } else {
        dispatch(arguments.receiver, &listen, Count::default())
    };
    received.with_context(|| format!("{:?} stopped receiving on {}", arguments.receiver, arguments.listen))
}

fn dispatch<T: Take>(receiver: Own, listen: &Listen, take: T) -> io::Result<()> {
    use self::control::Control;
    use self::recvmmsg::Recvmmsg;
    use self::sink::{Haste, InProcess};

    match receiver {
        Own::Std => standard::Standard.run(listen, take),
        Own::Recvmmsg => Recvmmsg { control: Control::None, coalesced: false }.run(listen, take),
        Own::RecvmmsgControl => Recvmmsg { control: Control::Sink, coalesced: false }.run(listen, take),
        Own::RecvmmsgGro => Recvmmsg { control: Control::None, coalesced: true }.run(listen, take),
        Own::RecvmmsgGroControl => Recvmmsg { control: Control::Sink, coalesced: true }.run(listen, take),
        Own::IoUring => uring::Uring { coalesced: false }.run(listen, take),
        Own::IoUringGro => uring::Uring { coalesced: true }.run(listen, take),
        Own::QuinnUdp => quinn::Quinn { coalesced: false }.run(listen, take),
        Own::QuinnUdpGro => quinn::Quinn { coalesced: true }.run(listen, take),
        Own::Tokio => tokio::Tokio.run(listen, take),
        Own::TokioPipeline => tokio::Pipeline.run(listen, take),
        Own::SkuaAtOnce => InProcess { haste: Haste::AtOnce }.run(listen, take),
        Own::SkuaModerated => InProcess { haste: Haste::Moderated }.run(listen, take),
        Own::SkuaResting => InProcess { haste: Haste::Resting }.run(listen, take),
    }
}
