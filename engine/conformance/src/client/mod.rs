//! A WSK client in the plain C ABI: what the checks are written with.
//!
//! Everything that a provider may still use lies in memory of the kernel, never on the stack, and is not freed once
//! something hung. Nothing here expects that a request ends inside the call or behind it.

// UNSAFETY: calls the functions of the client-level table.
#![expect(unsafe_code, reason = "WSK's functions take raw pointers")]

mod bench;
pub(crate) mod buffer;
mod control;
pub(crate) mod control_area;
pub(crate) mod datagram;
pub(crate) mod handle;
pub(crate) mod memory;
pub(crate) mod names;
pub(crate) mod recorder;
pub(crate) mod request;
pub(crate) mod signal;
pub(crate) mod tcp;

use core::cell::Cell;
use core::ffi::c_void;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{IRP, PEPROCESS, PETHREAD};
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_STREAM};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_FLAG_DATAGRAM_SOCKET, WSK_PROVIDER_CHARACTERISTICS,
    WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI, WSK_REGISTRATION, WSK_SOCKET,
};
use skua_engine::abi::zeroed;

pub(crate) use bench::Bench;
pub use bench::Surroundings;
pub(crate) use control::{Descriptor, NOTHING};
pub use memory::TAG;

use crate::outcome::{Outcome, expect_at};
use handle::Handle;
use memory::{Owned, Zeroed};
use request::{Done, Request};

/// A port of its own at the loopback address of IPv4.
pub(crate) const LOCALHOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// The same of IPv6.
pub(crate) const LOCALHOST_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);
/// A port of its own at all addresses of IPv4.
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// The same of IPv6.
pub(crate) const ANY_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

/// The table of a client of version 1.0 without events.
pub(crate) static CLIENT_DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: 0x0100, Reserved: 0, WskClientEvent: None };

/// The arguments of WskSocket.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) family: u16,
    pub(crate) socket_type: u16,
    pub(crate) protocol: u32,
    pub(crate) flags: u32,
    pub(crate) context: *mut c_void,
    pub(crate) dispatch: *const c_void,
    pub(crate) process: PEPROCESS,
    pub(crate) thread: PETHREAD,
    pub(crate) security: *mut c_void,
}

impl Arguments {
    /// A datagram socket of the family of `local` over UDP, without context and table.
    pub(crate) const fn datagram(local: SocketAddr) -> Self {
        Self::of(local, SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET)
    }

    /// A socket over TCP of the category that `flags` say.
    pub(crate) const fn tcp(local: SocketAddr, flags: u32) -> Self {
        Self::of(local, SOCK_STREAM, IPPROTO_TCP, flags)
    }

    const fn of(local: SocketAddr, socket_type: u16, protocol: u32, flags: u32) -> Self {
        Self {
            family: if local.is_ipv4() { AF_INET } else { AF_INET6 },
            socket_type,
            protocol,
            flags,
            context: ptr::null_mut(),
            dispatch: ptr::null(),
            process: ptr::null_mut(),
            thread: ptr::null_mut(),
            security: ptr::null_mut(),
        }
    }
}

/// A client that has captured the provider.
pub(crate) struct Client<'b, K: Kernel> {
    bench: &'b Bench<K>,
    npi: WSK_PROVIDER_NPI,
    /// Its own registration; `None` where the caller of the check registered.
    registration: Option<Owned<'b, Block, K>>,
    /// Whether it still owes the release of its capture.
    captured: Cell<bool>,
}

/// A registration, which stays at its address.
#[repr(transparent)]
pub(crate) struct Block(WSK_REGISTRATION);

// SAFETY: a registration begins as zeroes.
unsafe impl Zeroed for Block {}

impl<'b, K: Kernel> Client<'b, K> {
    /// The client that the caller of a check has registered.
    pub(crate) const fn of(bench: &'b Bench<K>, npi: WSK_PROVIDER_NPI) -> Self {
        Self { bench, npi, registration: None, captured: Cell::new(false) }
    }

    /// Another client, registered and captured; released and deregistered when dropped.
    pub(crate) fn register(&self) -> Result<Self, Outcome> {
        let bench = self.bench;
        let registration = Owned::<Block, K>::new(bench)?;
        expect_at("WskRegister", STATUS_SUCCESS, register(bench.kernel(), &registration, &CLIENT_DISPATCH))?;
        let (status, npi) = capture(bench.kernel(), &registration, 10_000);
        if status != STATUS_SUCCESS {
            deregister(bench.kernel(), &registration);
        }
        expect_at("WskCaptureProviderNPI", STATUS_SUCCESS, status)?;
        Ok(Self { bench, npi, registration: Some(registration), captured: Cell::new(true) })
    }

    /// Another client, whose sockets have these events enabled from the start.
    pub(crate) fn with_static_events(&self, mask: u32) -> Result<Self, Outcome> {
        let client = self.register()?;
        expect_at("WSK_SET_STATIC_EVENT_CALLBACKS", STATUS_SUCCESS, client.set_static_events(mask))?;
        Ok(client)
    }

    /// WskCaptureProviderNPI once more; a success owes a [`Client::release_once`].
    pub(crate) fn capture_again(&self, timeout: u32) -> Result<(NTSTATUS, WSK_PROVIDER_NPI), Outcome> {
        let registration = self.registration.as_ref();
        let block = registration.ok_or(Outcome::NotApplicable { why: "the caller's registration" })?;
        Ok(capture(self.bench.kernel(), block, timeout))
    }

    /// WskReleaseProviderNPI.
    pub(crate) fn release_once(&self) {
        if let Some(registration) = &self.registration {
            release(self.bench.kernel(), registration);
        }
    }

    /// Pays for the first capture before the end; the client-level table is not called any more.
    pub(crate) fn release_early(&self) {
        if self.captured.replace(false) {
            self.release_once();
        }
    }

    pub(crate) const fn bench(&self) -> &'b Bench<K> {
        self.bench
    }

    pub(crate) const fn kernel(&self) -> &'b K {
        self.bench.kernel()
    }

    pub(crate) const fn npi(&self) -> WSK_PROVIDER_NPI {
        self.npi
    }

    /// The client-level table.
    pub(crate) fn functions(&self) -> &WSK_PROVIDER_DISPATCH {
        // SAFETY: captured, and not released while this lives.
        unsafe { &*self.npi.Dispatch }
    }

    /// The check is not applicable where there is no such family.
    pub(crate) fn needs_family(&self, local: SocketAddr) -> Result<(), Outcome> {
        needs(local.is_ipv4() || self.bench.surroundings().ipv6, "no IPv6 here")
    }

    /// The check is not applicable where there is no TCP.
    pub(crate) fn needs_tcp(&self) -> Result<(), Outcome> {
        needs(self.bench.surroundings().tcp, "no TCP here")
    }

    /// The check is not applicable where datagrams carry no control messages.
    pub(crate) fn needs_control_messages(&self) -> Result<(), Outcome> {
        needs(self.bench.surroundings().control_messages, "no control messages here")
    }

    /// WskSocket, with any arguments.
    pub(crate) fn create(&self, arguments: Arguments) -> Result<Created<'_, K>, Outcome> {
        let request = Request::new(self.bench)?;
        let done = request.run("WskSocket", |irp| self.start_create(arguments, irp))?;
        let handle = (done.status == STATUS_SUCCESS && done.information != 0).then(|| {
            let socket = ptr::with_exposed_provenance_mut::<WSK_SOCKET>(done.information);
            Handle::of(self.bench, socket)
        });
        Ok(Created { done, handle })
    }

    /// WskSocket, where it must succeed.
    pub(crate) fn open(&self, arguments: Arguments) -> Result<Handle<'_, K>, Outcome> {
        let created = self.create(arguments)?;
        created.done.succeeds("WskSocket")?;
        created.handle.ok_or(Outcome::NotApplicable { why: "WskSocket gave no socket" })
    }

    /// WskSocket, with an IRP that the caller waits for.
    pub(crate) fn start_create(&self, arguments: Arguments, irp: *mut IRP) -> NTSTATUS {
        let Some(call) = self.functions().WskSocket else { return STATUS_INVALID_HANDLE };
        let Arguments { family, socket_type, protocol, flags, context, dispatch, .. } = arguments;
        let Arguments { process, thread, security, .. } = arguments;
        let client = self.npi.Client;
        // SAFETY: a captured client; context and table outlive the socket, as the checks see to.
        unsafe {
            call(
                client,
                family,
                socket_type,
                protocol,
                flags,
                context,
                dispatch,
                process,
                thread,
                security.cast(),
                irp,
            )
        }
    }
}

impl<K: Kernel> Drop for Client<'_, K> {
    fn drop(&mut self) {
        // With something hung the deregistration would wait for it.
        if let Some(registration) = &self.registration
            && self.bench.hung().is_none()
        {
            self.release_early();
            deregister(self.bench.kernel(), registration);
        }
    }
}

/// What WskSocket gave.
pub(crate) struct Created<'c, K: Kernel> {
    pub(crate) done: Done,
    /// The socket, if it is one.
    pub(crate) handle: Option<Handle<'c, K>>,
}

/// The check is not applicable unless `there`.
pub(crate) fn needs(there: bool, why: &'static str) -> Result<(), Outcome> {
    if there { Ok(()) } else { Err(Outcome::NotApplicable { why }) }
}

/// WskRegister.
pub(crate) fn register<K: Kernel>(
    kernel: &K,
    block: &Owned<'_, Block, K>,
    dispatch: &'static WSK_CLIENT_DISPATCH,
) -> NTSTATUS {
    let mut npi = WSK_CLIENT_NPI { ClientContext: ptr::null_mut(), Dispatch: dispatch };
    // SAFETY: the block stays at its address until it is deregistered; the table is static.
    unsafe { kernel.wsk_register(&raw mut npi, block.as_ptr().cast()) }
}

/// WskCaptureProviderNPI.
pub(crate) fn capture<K: Kernel>(
    kernel: &K,
    block: &Owned<'_, Block, K>,
    timeout: u32,
) -> (NTSTATUS, WSK_PROVIDER_NPI) {
    let mut npi = zeroed();
    // SAFETY: registered.
    let status = unsafe { kernel.wsk_capture_provider_npi(block.as_ptr().cast(), timeout, &raw mut npi) };
    (status, npi)
}

/// WskQueryProviderCharacteristics.
pub(crate) fn characteristics<K: Kernel>(
    kernel: &K,
    block: &Owned<'_, Block, K>,
) -> (NTSTATUS, WSK_PROVIDER_CHARACTERISTICS) {
    let mut found = WSK_PROVIDER_CHARACTERISTICS::default();
    // SAFETY: registered.
    let status = unsafe { kernel.wsk_query_provider_characteristics(block.as_ptr().cast(), &raw mut found) };
    (status, found)
}

/// WskReleaseProviderNPI.
pub(crate) fn release<K: Kernel>(kernel: &K, block: &Owned<'_, Block, K>) {
    // SAFETY: pays for a capture.
    unsafe { kernel.wsk_release_provider_npi(block.as_ptr().cast()) }
}

/// WskDeregister.
pub(crate) fn deregister<K: Kernel>(kernel: &K, block: &Owned<'_, Block, K>) {
    // SAFETY: registered.
    unsafe { kernel.wsk_deregister(block.as_ptr().cast()) }
}
