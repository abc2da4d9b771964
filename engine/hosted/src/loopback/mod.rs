//! A network in memory: an address table that belongs to one kernel, and a queue for each socket.
//!
//! Both families reach each other as on one host: a socket of both is found by IPv4 destinations too. There is one
//! interface, number 1, and nothing is ever lost except datagrams that do not fit into the receiver's buffer.

mod mailbox;
mod table;
pub(crate) mod tcp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use skua_engine::abi::cmsg::IN_RECVERR;
use skua_engine::abi::sockaddr::{IPPROTO_ICMP, IPPROTO_ICMPV6};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INVALID_BUFFER_SIZE, STATUS_NOT_SUPPORTED,
};

use self::mailbox::{Mailbox, Parcel};
use self::table::Table;
use self::tcp::{MemorySocket, Ports};
use crate::kernel::clock;
use crate::os::tcp::TcpSocket;
use crate::os::{
    Buffer, Family, Message, Query, Received, Receiver, SendBatch, Sent, Setting, Stack, StackEndpoint,
    StackSocket, Stopped,
};
use crate::receive::{Arrival, BlockRef, Wanted, delivery_flags, mapped, unmapped};

/// The index of the only interface.
const INTERFACE: u32 = 1;
/// The largest payload of a datagram over IPv4, and of one over IPv6 without jumbograms.
const LARGEST_V4: usize = 65_507;
const LARGEST_V6: usize = 65_487;

/// The network of one kernel.
pub(crate) struct Loopback {
    table: Arc<Table>,
    ports: Arc<Ports>,
    buffer: u32,
}

impl Loopback {
    /// An empty network whose sockets buffer `buffer` bytes.
    pub(crate) fn new(buffer: u32) -> Self {
        Self { table: Arc::default(), ports: Arc::default(), buffer }
    }
}

impl Stack for Loopback {
    fn open(&self, family: Family) -> Result<Box<dyn StackSocket>, NTSTATUS> {
        Ok(Box::new(LoopbackSocket {
            table: Arc::clone(&self.table),
            mailbox: Arc::new(Mailbox::new(family, self.buffer)),
            local: OnceLock::new(),
            reuse: AtomicBool::new(false),
            type_of_service: AtomicU32::new(0),
            hop_limit: AtomicU32::new(64),
            broadcast: AtomicBool::new(false),
        }))
    }

    fn open_tcp(&self, family: Family, _listens: bool) -> Result<TcpSocket, NTSTATUS> {
        Ok(TcpSocket::Memory(MemorySocket::open(&self.ports, family, self.buffer)))
    }

    fn tells_lost(&self) -> bool {
        true
    }

    fn addresses(&self, family: Family) -> Option<Vec<SocketAddr>> {
        let localhost: IpAddr = match family {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        };
        Some(vec![SocketAddr::new(localhost, 0)])
    }

    /// Every address is one of this network's only interface.
    fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        Some(destination)
    }
}

struct LoopbackSocket {
    table: Arc<Table>,
    mailbox: Arc<Mailbox>,
    local: OnceLock<SocketAddr>,
    reuse: AtomicBool,
    /// What datagrams are sent with when their control messages say nothing.
    type_of_service: AtomicU32,
    hop_limit: AtomicU32,
    broadcast: AtomicBool,
}

impl StackEndpoint for LoopbackSocket {
    fn set(&self, setting: &Setting) -> Result<(), NTSTATUS> {
        match *setting {
            // Left to the provider.
            Setting::Coalesce(_) => return Err(STATUS_NOT_SUPPORTED),
            _ if self.mailbox.wanted.note(setting) => {}
            Setting::ReuseAddress(on) => self.reuse.store(on, Ordering::Relaxed),
            Setting::Buffer(Buffer::Receive, bytes) => self.mailbox.resize(bytes),
            Setting::Broadcast(on) => self.broadcast.store(on, Ordering::Relaxed),
            Setting::OnlyV6(on) => self.mailbox.only_v6.store(on, Ordering::Relaxed),
            Setting::TypeOfService(_, octet) => self.type_of_service.store(octet, Ordering::Relaxed),
            Setting::HopLimit(_, hops) => self.hop_limit.store(hops, Ordering::Relaxed),
            Setting::Join(membership) => return self.mailbox.join(membership),
            Setting::Leave(membership) => return self.mailbox.leave(membership),
            Setting::Block(membership) => return self.mailbox.block(membership),
            Setting::Unblock(membership) => return self.mailbox.unblock(membership),
            // One interface, no path to fragment on, no checksum, all of it local.
            Setting::Buffer(Buffer::Send, _)
            | Setting::DontFragment(..)
            | Setting::DiscoverMtu(..)
            | Setting::NoChecksum(_)
            | Setting::UnicastInterface(..)
            | Setting::MulticastInterface(..)
            | Setting::MulticastHops(..)
            | Setting::MulticastLoop(..) => {}
            _ => return Err(STATUS_NOT_SUPPORTED),
        }
        Ok(())
    }

    fn query(&self, query: Query) -> Result<u32, NTSTATUS> {
        match query {
            Query::Buffer(Buffer::Receive) => Ok(self.mailbox.capacity()),
            // Nothing waits to be sent.
            Query::Buffer(Buffer::Send) => Ok(u32::MAX),
            _ => Err(STATUS_NOT_SUPPORTED),
        }
    }

    fn segments(&self) -> bool {
        true
    }

    /// Nothing forbids it.
    fn share_address(&self) {}

    fn close(&self) {
        self.table.unbind(&self.mailbox);
    }
}

impl StackSocket for LoopbackSocket {
    fn bind(&self, local: SocketAddr, _workers: u32, _shared: bool) -> Result<SocketAddr, NTSTATUS> {
        let bound = self.table.bind(local, &self.mailbox)?;
        let _ = self.local.set(bound);
        Ok(bound)
    }

    fn receiver(&self, _worker: u32, _batch: usize) -> Box<dyn Receiver> {
        Box::new(LoopbackReceiver { mailbox: Arc::clone(&self.mailbox), blocks: Vec::new() })
    }

    fn send(&self, batch: &SendBatch<'_>) -> Sent {
        let mut sent = 0;
        for message in batch.messages {
            if let Err(status) = self.send_one(batch, message) {
                return Sent { messages: sent, stopped: Some(Stopped::Failed(status)) };
            }
            sent += 1;
        }
        Sent { messages: sent, stopped: None }
    }

    fn wait_writable(&self) {}

    fn end(&self) {
        self.mailbox.end();
    }

    fn stop(&self) {
        self.end();
    }

    fn lost(&self) -> Option<u64> {
        Some(self.mailbox.dropped())
    }
}

impl LoopbackSocket {
    fn send_one(&self, batch: &SendBatch<'_>, message: &Message) -> Result<(), NTSTATUS> {
        let remote = SocketAddr::new(unmapped(batch.remote.ip()), batch.remote.port());
        if remote.ip() == Ipv4Addr::BROADCAST && !self.broadcast.load(Ordering::Relaxed) {
            return Err(STATUS_ACCESS_DENIED);
        }
        let largest = if remote.is_ipv4() { LARGEST_V4 } else { LARGEST_V6 };
        let segment = batch.control.segment.map_or(largest, usize::from);
        if message.bytes.min(segment) > largest {
            return Err(STATUS_INVALID_BUFFER_SIZE);
        }
        if batch.control.segment.is_none() && message.bytes > largest {
            return Err(STATUS_INVALID_BUFFER_SIZE);
        }
        let low = |value: &AtomicU32| u8::try_from(value.load(Ordering::Relaxed)).unwrap_or(u8::MAX);
        let mut parcel = Parcel {
            source: self.source(batch, remote),
            arrival: Arrival {
                destination: Some((remote.ip(), INTERFACE)),
                type_of_service: Some(batch.control.type_of_service.unwrap_or(low(&self.type_of_service))),
                hop_limit: Some(batch.control.hop_limit.unwrap_or(low(&self.hop_limit))),
                time: Some(clock::performance_counter()),
                error: None,
            },
            length: 0,
            skip: 0,
        };
        let mut left = message.bytes;
        loop {
            parcel.length = left.min(segment);
            if !self.table.deliver(remote, &parcel, batch.parts_of(message)) {
                self.hear_unreachable(remote);
            }
            parcel.skip += parcel.length;
            left -= parcel.length;
            if left == 0 {
                return Ok(());
            }
        }
    }

    /// What a host says of a port that nobody has: ICMP's destination unreachable, port unreachable.
    fn hear_unreachable(&self, remote: SocketAddr) {
        let (bit, error) = if remote.is_ipv4() {
            let error = IN_RECVERR { protocol: IPPROTO_ICMP, r#type: 3, code: 3, ..IN_RECVERR::default() };
            (Wanted::ERRORS_V4, error)
        } else {
            let error = IN_RECVERR { protocol: IPPROTO_ICMPV6, r#type: 1, code: 4, ..IN_RECVERR::default() };
            (Wanted::ERRORS_V6, error)
        };
        if self.mailbox.wanted.get() & bit != 0 {
            let arrival = Arrival { error: Some(error), ..Arrival::default() };
            self.mailbox.put(&Parcel { source: remote, arrival, length: 0, skip: 0 }, &[]);
        }
    }

    /// The address that the receiver sees: the one asked for, the one bound to, or the one sent to.
    fn source(&self, batch: &SendBatch<'_>, remote: SocketAddr) -> SocketAddr {
        let port = self.local.get().map_or(0, SocketAddr::port);
        let asked = batch.control.source.map(|(address, _)| unmapped(address));
        let bound = self.local.get().map(|local| unmapped(local.ip()));
        let given = [asked, bound].into_iter().flatten().find(|address| !address.is_unspecified());
        let address = given.unwrap_or(match remote.ip() {
            IpAddr::V4(v4) if v4.is_multicast() || v4.is_broadcast() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(v6) if v6.is_multicast() => Ipv6Addr::LOCALHOST.into(),
            unicast => unicast,
        });
        SocketAddr::new(address, port)
    }
}

struct LoopbackReceiver {
    mailbox: Arc<Mailbox>,
    blocks: Vec<BlockRef>,
}

impl Receiver for LoopbackReceiver {
    fn attach(&mut self, slot: usize, block: BlockRef) {
        if slot < self.blocks.len() {
            self.blocks[slot] = block;
        } else {
            self.blocks.push(block);
        }
    }

    fn receive(&mut self, slots: usize) -> Received {
        let (mailbox, blocks) = (&self.mailbox, &self.blocks);
        let count = mailbox.take(slots.min(blocks.len()), |slot, parcel, payload| {
            let block = blocks[slot];
            payload.copy_to(block);
            // Read now: options may have changed while nothing came.
            fill(block, mailbox.family, mailbox.wanted.get(), parcel);
        });
        if count == 0 { Received::Ended } else { Received::Datagrams(count) }
    }

    fn discard(&mut self) -> u64 {
        self.mailbox.clear()
    }
}

/// Writes everything but the payload.
fn fill(block: BlockRef, family: Family, wanted: u32, parcel: &Parcel) {
    let is_v4 = parcel.source.is_ipv4();
    block.set_source(match family {
        Family::V4 => parcel.source,
        Family::V6 => SocketAddr::new(mapped(parcel.source.ip()).into(), parcel.source.port()),
    });
    let mut writer = block.control_writer();
    parcel.arrival.write(wanted, is_v4, &mut writer);
    let delivery = match parcel.arrival.destination {
        Some((destination, _)) => delivery_flags(destination, destination),
        None => 0,
    };
    block.fill(parcel.length, writer.used(), delivery);
}
