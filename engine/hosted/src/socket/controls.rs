//! What WskControlSocket does on sockets of every category: options, and the I/O controls that all of them have.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use skua_engine::abi::sockaddr::{
    IPPROTO_TCP, RSS_SCALABILITY_INFO, SIO_ADDRESS_LIST_CHANGE, SIO_ADDRESS_LIST_QUERY,
    SIO_ADDRESS_LIST_SORT, SIO_KEEPALIVE_VALS, SIO_QUERY_RSS_SCALABILITY_INFO, SIO_TIMESTAMPING,
    SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPIDLE, TCP_KEEPINTVL, TIMESTAMPING_CONFIG, TIMESTAMPING_FLAG_RX,
    tcp_keepalive,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
};
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_INSPECT_ID, SIO_WSK_REGISTER_EXTENSION, SO_WSK_SECURITY, WSK_EXTENSION_CONTROL_IN,
    WSK_EXTENSION_CONTROL_OUT,
};

use super::address_change::{self, Watches};
use super::control::{ControlRequest, Kind, OptionalRequest};
use super::options::Options;
use super::scope::Scope;
use super::{address_list, multicast};
use crate::addresses::{Claim, Holder, Space};
use crate::kernel::lock::hold;
use crate::kernel::process::SecurityContext;
use crate::kernel::registration::Client;
use crate::os::{Setting, StackEndpoint};
use crate::security::Descriptor;

/// The stack's socket below a WSK socket, and what options have said about it.
pub(crate) struct Controls<W: StackEndpoint + ?Sized> {
    wire: Box<W>,
    scope: Scope,
    options: Options,
    /// SO_WSK_SECURITY; `None` for the default, which lets nobody share the address.
    security: Mutex<Option<Arc<Descriptor>>>,
    is_bound: AtomicBool,
    client: Arc<Client>,
}

/// Serves what every category serves alike and completes the request. What only one has is served before.
pub(crate) fn serve<T: Watches, W: StackEndpoint + ?Sized>(
    socket: &Arc<T>,
    controls: &Controls<W>,
    control: &ControlRequest,
    answer: OptionalRequest,
) -> NTSTATUS {
    let kernel = socket.kernel();
    if !answer.obeys(control.irp()) {
        return answer.conclude(kernel, Err(STATUS_INVALID_PARAMETER));
    }
    match (control.kind, control.code) {
        (Kind::Ioctl, SIO_ADDRESS_LIST_QUERY) => match address_list::query(kernel, controls.scope, control) {
            Ok(size) => answer.conclude(kernel, Ok(size)),
            Err((STATUS_BUFFER_OVERFLOW, size)) => answer.overflow(kernel, STATUS_BUFFER_OVERFLOW, size),
            Err((status, _)) => answer.conclude(kernel, Err(status)),
        },
        (Kind::Ioctl, SIO_ADDRESS_LIST_CHANGE) => match answer.request {
            Some(request) => address_change::watch(socket, controls.scope.family, request),
            None => STATUS_INVALID_PARAMETER,
        },
        (Kind::Ioctl, SIO_ADDRESS_LIST_SORT) => {
            answer.conclude_with(kernel, || address_list::sort(kernel, control))
        }
        _ => answer.conclude_with(kernel, || controls.serve(control)),
    }
}

impl<W: StackEndpoint + ?Sized> Controls<W> {
    pub(crate) fn new(
        wire: Box<W>,
        client: Arc<Client>,
        security: Option<Arc<Descriptor>>,
        scope: Scope,
    ) -> Self {
        Self {
            wire,
            scope,
            options: Options::default(),
            security: Mutex::new(security),
            is_bound: AtomicBool::new(false),
            client,
        }
    }

    pub(crate) fn wire(&self) -> &W {
        &self.wire
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn set_bound(&self) {
        self.is_bound.store(true, Ordering::SeqCst);
    }

    /// Serves the options, and the I/O controls that take no more than their buffers; the size of the output.
    pub(crate) fn serve(&self, control: &ControlRequest) -> Result<usize, NTSTATUS> {
        match control.kind {
            Kind::Set if self.is_security(control) => self.set_security(control),
            Kind::Set => {
                if let Some(setting) = multicast::setting(control, &self.scope)? {
                    if !self.is_bound() {
                        return Err(STATUS_INVALID_DEVICE_STATE);
                    }
                    self.wire.set(&setting)?;
                } else {
                    self.set((control.level, control.code), || control.input())?;
                }
                Ok(0)
            }
            Kind::Get if self.is_security(control) => self.security(control),
            Kind::Get => {
                control.put(self.options.get(self.wire(), &self.scope, (control.level, control.code))?)
            }
            Kind::Ioctl => self.ioctl(control),
            Kind::Unknown => Err(STATUS_INVALID_PARAMETER),
        }
    }

    fn set(&self, option: (u32, u32), value: impl FnOnce() -> Result<u32, NTSTATUS>) -> Result<(), NTSTATUS> {
        self.options.set(self.wire(), &self.scope, option, value, self.is_bound())
    }

    fn is_bound(&self) -> bool {
        self.is_bound.load(Ordering::SeqCst)
    }

    fn ioctl(&self, control: &ControlRequest) -> Result<usize, NTSTATUS> {
        match control.code {
            SIO_TIMESTAMPING if self.scope.is(Scope::PACKETS) => {
                let config: TIMESTAMPING_CONFIG = control.input()?;
                if config.Flags & !TIMESTAMPING_FLAG_RX != 0 {
                    return Err(STATUS_NOT_SUPPORTED);
                }
                self.wire.set(&Setting::Timestamps(config.Flags & TIMESTAMPING_FLAG_RX != 0))?;
                Ok(0)
            }
            SIO_KEEPALIVE_VALS if self.scope.is(Scope::TCP) => self.set_probes(control.input()?),
            // Receives are spread over processors when a socket has several workers.
            SIO_QUERY_RSS_SCALABILITY_INFO => {
                let is_spread = self.client.kernel.provider().workers > 1;
                control.put(RSS_SCALABILITY_INFO { RssEnabled: is_spread.into() })
            }
            SIO_WSK_REGISTER_EXTENSION => register_extension(control),
            // Only of connections that were accepted after an inspection.
            SIO_WSK_QUERY_INSPECT_ID => Err(STATUS_INVALID_DEVICE_REQUEST),
            _ => Err(STATUS_NOT_SUPPORTED),
        }
    }

    /// Times come in milliseconds, and the options have seconds.
    fn set_probes(&self, probes: tcp_keepalive) -> Result<usize, NTSTATUS> {
        if probes.onoff != 0 {
            let seconds = |milliseconds: u32| Ok(milliseconds.div_ceil(1000).max(1));
            self.set((IPPROTO_TCP, TCP_KEEPIDLE), || seconds(probes.keepalivetime))?;
            self.set((IPPROTO_TCP, TCP_KEEPINTVL), || seconds(probes.keepaliveinterval))?;
        }
        self.set((SOL_SOCKET, SO_KEEPALIVE), || Ok(probes.onoff))?;
        Ok(0)
    }

    /// Basic sockets have no address to guard.
    fn is_security(&self, control: &ControlRequest) -> bool {
        (control.level, control.code) == (SOL_SOCKET, SO_WSK_SECURITY) && !self.scope.is_basic
    }

    /// A cached copy, which the client releases; null for the default.
    fn security(&self, control: &ControlRequest) -> Result<usize, NTSTATUS> {
        let security = hold(&self.security).clone();
        let address = security.as_ref().map_or(std::ptr::null_mut(), |security| security.as_ptr());
        let size = control.put(address.expose_provenance())?;
        if let Some(security) = &security {
            self.client.controls.descriptors.lend(&self.client.kernel, security);
        }
        Ok(size)
    }

    fn set_security(&self, control: &ControlRequest) -> Result<usize, NTSTATUS> {
        let security = control.input_pointer()?;
        if self.is_bound() {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        *hold(&self.security) = self.client.controls.descriptor(security.cast())?;
        Ok(0)
    }

    /// What binding to `local` asks for.
    pub(crate) fn claim(
        &self,
        space: Space,
        local: SocketAddr,
        context: &SecurityContext,
        holder: Weak<dyn Holder>,
    ) -> Claim {
        Claim {
            space,
            local,
            serves_both: local.is_ipv6() && self.options.serves_both(),
            sharing: self.options.sharing(),
            security: hold(&self.security).clone(),
            context: context.clone(),
            holder,
        }
    }
}

/// WSK's documentation: "currently no extension interfaces have been defined".
fn register_extension(control: &ControlRequest) -> Result<usize, NTSTATUS> {
    let (input, input_size) = control.raw_input();
    if input.is_null() || input_size < size_of::<WSK_EXTENSION_CONTROL_IN>() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let (output, output_size) = control.raw_output();
    if output.is_null() || output_size < size_of::<WSK_EXTENSION_CONTROL_OUT>() {
        return Err(STATUS_BUFFER_TOO_SMALL);
    }
    // The extension's identifier comes first.
    if control.input_pointer()?.is_null() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    Err(STATUS_NOT_SUPPORTED)
}
