//! From options to a bound socket.

// UNSAFETY: WskSocket, WskBind and WskGetLocalAddress with memory of the block that is being opened.
#![expect(unsafe_code, reason = "the block stays in place from the first call to the end of WskCloseSocket")]

use core::mem::ManuallyDrop;
use core::net::SocketAddr;
use core::sync::atomic::Ordering;
use core::time::Duration;

use skua_pools::{Rundown, Tag};

use crate::abi::sockaddr::{
    IPPROTO_IPV6, IPPROTO_UDP, IPV6_V6ONLY, SIO_TIMESTAMPING, SO_BROADCAST, SO_EXCLUSIVEADDRUSE, SO_RCVBUF,
    SO_REUSEADDR, SOCKADDR_INET, SOL_SOCKET, TIMESTAMPING_CONFIG, TIMESTAMPING_FLAG_RX,
    UDP_RECV_MAX_COALESCED_SIZE,
};
use crate::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED,
};
use crate::abi::wsk::{SIO_WSK_SET_REMOTE_ADDRESS, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_FLAG_DATAGRAM_SOCKET};
use crate::address::Endpoint;
use crate::anchor::Anchor;
use crate::closing::ClosingLink;
use crate::engine::Engine;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::receive::event::receive_from_event;
use crate::registration::{Events, Provider};
use crate::socket::DatagramSocket;
use crate::socket::block::SocketBlock;
use crate::socket::close::{Stage, advance};
use crate::socket::core::SocketCore;
use crate::socket::options::{Info, Sharing, SocketOptions};
use crate::socket::request::Wait;

/// How long a failed open waits for the close of what it had opened.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// Pool tag of sockets.
const TAG: Tag = Tag::new(b"SkSo");

/// The step of opening that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenStep {
    /// WskSocket.
    Socket,
    /// An option that must precede the bind: address sharing, IPV6_V6ONLY.
    Options,
    /// WskBind.
    Bind,
    /// SIO_WSK_SET_REMOTE_ADDRESS.
    Remote,
    /// A control message that was required.
    ControlInfo,
    /// WskGetLocalAddress.
    LocalAddress,
    /// Switching the receive event on.
    Events,
}

/// The largest buffer that UDP_RECV_MAX_COALESCED_SIZE allows (WSK docs): the longest datagram.
const LARGEST_COALESCED: u32 = 65_527;

/// Why [`Engine::open_socket`] failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenSocketError {
    /// Nonpaged pool is exhausted.
    #[error("no nonpaged memory for the socket (STATUS_INSUFFICIENT_RESOURCES): free memory and try again")]
    OutOfMemory,
    /// The thread has raised since it took its token.
    #[error("opening waits, and the thread is above PASSIVE_LEVEL: call it outside of Dispatch::with")]
    NotPassive,
    /// The provider was captured on another kernel than the engine was opened on.
    #[error("engine and provider belong to different kernels: open both on the same")]
    OtherKernel,
    /// The provider refused a step.
    #[error("{step:?} of {local} failed with {status}: {}", advice(*step, *status))]
    Refused {
        /// The step.
        step: OpenStep,
        /// The address that was to be bound.
        local: SocketAddr,
        /// What the provider said.
        status: NTSTATUS,
    },
}

impl OpenSocketError {
    /// The status a driver returns for it.
    pub fn status(self) -> NTSTATUS {
        match self {
            Self::OutOfMemory => STATUS_INSUFFICIENT_RESOURCES,
            Self::NotPassive | Self::OtherKernel => STATUS_INVALID_PARAMETER,
            Self::Refused { status, .. } => status,
        }
    }
}

fn advice(step: OpenStep, status: NTSTATUS) -> &'static str {
    use crate::abi::status::{
        STATUS_ACCESS_DENIED, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_INVALID_ADDRESS_COMPONENT,
        STATUS_IO_TIMEOUT,
    };
    match (step, status) {
        (OpenStep::Bind, STATUS_ADDRESS_ALREADY_EXISTS) => {
            "another program has the port; choose another port or stop that program"
        }
        (OpenStep::Bind, STATUS_INVALID_ADDRESS_COMPONENT) => {
            "the address is not of this machine; listen on one that is, or on 0.0.0.0 or [::]"
        }
        (OpenStep::Bind, STATUS_ACCESS_DENIED) => {
            "the port is reserved or its owner does not share it; choose another port"
        }
        (OpenStep::ControlInfo, _) => "the provider cannot give it; ask for it as wanted, not required",
        (_, STATUS_IO_TIMEOUT) => {
            "the network stack does not answer; look for a filter driver that holds it up"
        }
        (OpenStep::Remote, _) => "check the address and that there is a route to it",
        _ => "the provider does not support what was asked for",
    }
}

impl<K: Kernel, H: Handler<K>> Engine<K, H> {
    /// Opens a datagram socket whose datagrams this engine's handler sees: WskSocket, options, WskBind, and the receive
    /// event if it is not static. Datagrams may be indicated before this returns.
    ///
    /// A request that the provider neither ends within 10 s nor, cancelled, 1 s later is given up, STATUS_IO_TIMEOUT; where
    /// a security descriptor is lent to it, it is waited for as long as it takes.
    ///
    /// # Errors
    /// The step that the provider refused, with its status. Nothing is left open but what has not ended, and that is on
    /// the registration's closing list.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn open_socket(
        &self,
        provider: &Provider<K>,
        options: &SocketOptions<'_>,
        passive: &Passive<'_>,
    ) -> Result<DatagramSocket<K, H>, OpenSocketError> {
        let kernel = &self.block.kernel;
        if !passive.holds(kernel) {
            return Err(OpenSocketError::NotPassive);
        }
        if provider.kernel().instance() != kernel.instance() {
            return Err(OpenSocketError::OtherKernel);
        }
        let shards = self.block.shard_count();
        let rundown = || Rundown::new(kernel.clone(), TAG, shards).map_err(|_| OpenSocketError::OutOfMemory);
        let rundowns = [rundown()?, rundown()?];
        let block = SocketBlock {
            core: SocketCore::new(kernel.clone(), rundowns, options),
            engine: self.block.clone(),
            registration: provider.block.clone(),
            stage: Stage::default(),
            link: ClosingLink::new(advance::<K, H>),
        };
        let block = Anchor::new(kernel, TAG, block).map_err(|_| OpenSocketError::OutOfMemory)?;
        // SAFETY: the block lies where it will stay.
        unsafe { block.core.prepare() };
        provider.block.sockets.fetch_add(1, Ordering::Relaxed);
        let socket = DatagramSocket { block: ManuallyDrop::new(block) };
        match (Opening { socket: &socket, options, passive }).run(provider) {
            Ok(()) => Ok(socket),
            Err(error) => {
                // What the deadline does not suffice for is left to the closing list.
                let _outstanding = socket.close(CLOSE_DEADLINE, passive);
                Err(error)
            }
        }
    }

    /// What one [`Engine::open_socket`] asks of memory, in bytes; `None` if that is more than an address can count.
    #[must_use]
    pub fn socket_bytes(shards: u32) -> Option<usize> {
        Rundown::<K>::bytes(shards)?.checked_mul(2)?.checked_add(Anchor::<SocketBlock<K, H>, K>::bytes())
    }
}

/// The steps of one open.
struct Opening<'a, K: Kernel, H: Handler<K>> {
    socket: &'a DatagramSocket<K, H>,
    options: &'a SocketOptions<'a>,
    passive: &'a Passive<'a>,
}

impl<K: Kernel, H: Handler<K>> Opening<'_, K, H> {
    /// What the provider calls. One constant table for each `K` and `H`, as WSK asks of it to outlive the socket.
    const DISPATCH: &'static WSK_CLIENT_DATAGRAM_DISPATCH =
        &WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: Some(receive_from_event::<K, H>) };

    fn run(&self, provider: &Provider<K>) -> Result<(), OpenSocketError> {
        self.create(provider)?;
        self.set_options()?;
        self.bind()?;
        self.fix_remote()?;
        self.ask_for_info()?;
        self.find_local_address()?;
        if provider.block.events == Events::Dynamic {
            // SAFETY: created and bound, and this thread alone opens it.
            let status = unsafe { self.core().enable_events() };
            self.check(OpenStep::Events, status)?;
        }
        Ok(())
    }

    fn create(&self, provider: &Provider<K>) -> Result<(), OpenSocketError> {
        let block = &self.socket.block;
        let context = block.as_ptr().as_ptr().cast();
        let dispatch = core::ptr::from_ref(Self::DISPATCH).cast();
        let options = self.options;
        let call = |_: *mut (), irp| match provider.dispatch().WskSocket {
            // SAFETY: context and table outlive the socket; the rest is the embedder's, as SocketOptions says.
            Some(socket) => unsafe {
                socket(
                    provider.npi().Client,
                    options.family(),
                    options.socket_type,
                    options.protocol,
                    WSK_FLAG_DATAGRAM_SOCKET,
                    context,
                    dispatch,
                    options.owner.process,
                    options.owner.thread,
                    options.owner.descriptor,
                    irp,
                )
            },
            None => STATUS_NOT_IMPLEMENTED,
        };
        let control = &block.core.control;
        // A descriptor is lent for the time of the open.
        let wait = if options.owner.has_descriptor() { Wait::Endless } else { Wait::Bounded };
        // SAFETY: this thread alone opens the socket, and the block stays in place until the request is over.
        let completion = unsafe { control.perform((), wait, self.passive, call) };
        self.check(OpenStep::Socket, completion.status)?;
        match control.socket() {
            Some(socket) => block.core.set_socket(socket),
            None => self.check(OpenStep::Socket, STATUS_INSUFFICIENT_RESOURCES)?,
        }
        Ok(())
    }

    fn set_options(&self) -> Result<(), OpenSocketError> {
        let options = self.options;
        if options.local.is_ipv6() {
            let only_v6 = u32::from(!options.is_dual());
            self.set(OpenStep::Options, IPPROTO_IPV6, IPV6_V6ONLY, only_v6)?;
        }
        match options.sharing {
            Sharing::Exclusive => self.set(OpenStep::Options, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)?,
            Sharing::Reuse => self.set(OpenStep::Options, SOL_SOCKET, SO_REUSEADDR, 1)?,
            Sharing::Default => {}
        }
        if let Some(bytes) = options.receive_buffer {
            self.set(OpenStep::Options, SOL_SOCKET, SO_RCVBUF, bytes)?;
        }
        if options.broadcast {
            self.set(OpenStep::Options, SOL_SOCKET, SO_BROADCAST, 1)?;
        }
        // Control messages before the bind where the provider takes them then: the first datagram has them already.
        // What it does not take now is asked for again after the bind, and then the answer counts.
        let _asked_again = self.ask_for_info();
        Ok(())
    }

    fn ask_for_info(&self) -> Result<(), OpenSocketError> {
        for (level, option, info) in self.options.info_options() {
            let set = self.set(OpenStep::ControlInfo, level, option, 1);
            if info == Info::Required {
                set?;
            }
        }
        if self.options.wanted.coalesced != Info::Off {
            let option = UDP_RECV_MAX_COALESCED_SIZE;
            let set = self.set(OpenStep::ControlInfo, IPPROTO_UDP, option, LARGEST_COALESCED);
            if self.options.wanted.coalesced == Info::Required {
                set?;
            }
        }
        if self.options.wanted.timestamp != Info::Off {
            let config =
                TIMESTAMPING_CONFIG { Flags: TIMESTAMPING_FLAG_RX, ..TIMESTAMPING_CONFIG::default() };
            // SAFETY: created, and this thread alone opens it.
            let status = unsafe { self.core().io_control(SIO_TIMESTAMPING, config, self.passive) };
            if self.options.wanted.timestamp == Info::Required {
                self.check(OpenStep::ControlInfo, status)?;
            }
        }
        Ok(())
    }

    fn bind(&self) -> Result<(), OpenSocketError> {
        let local = SOCKADDR_INET::from(self.options.local);
        let socket = self.core().socket();
        // SAFETY: created.
        let table = unsafe { self.core().dispatch() };
        let call = |local: *mut SOCKADDR_INET, irp| match table.WskBind {
            // SAFETY: created; the address lies beside the IRP.
            Some(bind) => unsafe { bind(socket, local.cast(), 0, irp) },
            None => STATUS_NOT_IMPLEMENTED,
        };
        let control = &self.core().control;
        // SAFETY: this thread alone opens the socket, and the block stays in place until the request is over.
        let completion = unsafe { control.perform(local, Wait::Bounded, self.passive, call) };
        self.check(OpenStep::Bind, completion.status)
    }

    fn fix_remote(&self) -> Result<(), OpenSocketError> {
        let Some(remote) = self.options.remote() else { return Ok(()) };
        let remote = SOCKADDR_INET::from(remote);
        // SAFETY: created and bound, and this thread alone opens it.
        let status = unsafe { self.core().io_control(SIO_WSK_SET_REMOTE_ADDRESS, remote, self.passive) };
        self.check(OpenStep::Remote, status)
    }

    fn find_local_address(&self) -> Result<(), OpenSocketError> {
        let socket = self.core().socket();
        // SAFETY: created.
        let table = unsafe { self.core().dispatch() };
        let call = |local: *mut SOCKADDR_INET, irp| match table.WskGetLocalAddress {
            // SAFETY: there is room for an address of either family, beside the IRP.
            Some(get) => unsafe { get(socket, local.cast(), irp) },
            None => STATUS_NOT_IMPLEMENTED,
        };
        let control = &self.core().control;
        let room = SOCKADDR_INET::UNSPEC;
        // SAFETY: this thread alone opens the socket, and the block stays in place until the request is over.
        let completion = unsafe { control.perform(room, Wait::Bounded, self.passive, call) };
        self.check(OpenStep::LocalAddress, completion.status)?;
        // SAFETY: the request just now had a SOCKADDR_INET, and succeeded.
        let local: SOCKADDR_INET = unsafe { control.answer() };
        let bound = local.to_socket_addr().unwrap_or(self.options.local);
        // SAFETY: called once, by the thread that opens the socket.
        unsafe { self.core().set_bound(Endpoint::from(bound)) };
        Ok(())
    }

    fn set(&self, step: OpenStep, level: u32, option: u32, value: u32) -> Result<(), OpenSocketError> {
        // SAFETY: created, and this thread alone opens it.
        let status = unsafe { self.core().set_option(level, option, value, self.passive) };
        self.check(step, status)
    }

    fn check(&self, step: OpenStep, status: NTSTATUS) -> Result<(), OpenSocketError> {
        if status.is_success() {
            return Ok(());
        }
        Err(OpenSocketError::Refused { step, local: self.options.local, status })
    }

    fn core(&self) -> &SocketCore<K> {
        self.socket.core()
    }
}
