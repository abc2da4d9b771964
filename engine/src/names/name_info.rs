//! From addresses to names.

// UNSAFETY: WskGetNameInfo with what lies in the request's slot.
#![expect(unsafe_code, reason = "address, strings and their room lie in the slot")]

use core::mem::offset_of;
use core::net::SocketAddr;
use core::ptr::null_mut;

use crate::abi::nt::{IRP, UNICODE_STRING};
use crate::abi::sockaddr::SOCKADDR_INET;
use crate::abi::status::STATUS_NOT_SUPPORTED;
use crate::kernel::Kernel;
use crate::names::text::{Writer, characters};
use crate::operation::Completion;
use crate::registration::Provider;
use crate::request::slot::Slot;
use crate::request::{Buffer, Finish, Pending, RequestError, Requests, Targets};

/// Bytes of a service's name.
const SERVICE_BYTES: usize = 64;

/// Bytes of a host's name at most: 255 characters and an end.
const NODE_BYTES: usize = 512;

#[repr(C)]
struct Parameters {
    address: SOCKADDR_INET,
    node: UNICODE_STRING,
    service: UNICODE_STRING,
}

impl<K: Kernel> Provider<K> {
    /// Asks for the names of an address and its port (WskGetNameInfo); `flags` are NI_NUMERICHOST and the like.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn name_info(&self, requests: &Requests<K>, address: SocketAddr, flags: u32) -> Pending<K, Naming> {
        match self.ask_for_names(requests, address, flags) {
            Ok(pending) => pending,
            Err(error) => Pending::failed(error),
        }
    }

    fn ask_for_names(
        &self,
        requests: &Requests<K>,
        address: SocketAddr,
        flags: u32,
    ) -> Result<Pending<K, Naming>, RequestError> {
        if requests.kernel().instance() != self.kernel().instance() {
            return Err(RequestError::OtherKernel);
        }
        let mut buffer = requests.take().ok_or(RequestError::NoSlot)?;
        let node_bytes = buffer.capacity().saturating_sub(SERVICE_BYTES).min(NODE_BYTES) & !1;
        let mut writer = Writer::new(&mut buffer);
        let node = writer.reserve(node_bytes)?;
        let service = writer.reserve(SERVICE_BYTES)?;
        let parameters = Parameters { address: address.into(), node, service };
        let bytes = u32::try_from(parameters.address.len()).unwrap_or_default();
        let (function, client) = (self.dispatch().WskGetNameInfo, self.npi().Client);
        let call = |slot: &Slot<K>, irp: *mut IRP| {
            let Some(get) = function else { return STATUS_NOT_SUPPORTED };
            let place = slot.parameters::<Parameters>();
            // SAFETY: the slot is the caller's until the call.
            unsafe { place.write(parameters) };
            let node = place.wrapping_byte_add(offset_of!(Parameters, node)).cast();
            let service = place.wrapping_byte_add(offset_of!(Parameters, service)).cast();
            // SAFETY: everything it is given lies in the slot.
            unsafe { get(client, place.cast(), bytes, node, service, flags, null_mut(), null_mut(), irp) }
        };
        let targets = Targets { of: core::ptr::null(), made: core::ptr::null() };
        // SAFETY: one function, with what lies in the slot.
        Ok(unsafe { Pending::begin(buffer, Naming { node_bytes }, targets, call) })
    }
}

/// An address that is being named.
pub struct Naming {
    node_bytes: usize,
}

impl<K: Kernel> Finish<K> for Naming {
    type Output = Names<K>;

    fn finish(self, completion: Completion, buffer: Buffer<K>) -> Result<Names<K>, RequestError> {
        if !completion.status.is_success() {
            return Err(RequestError::of("WskGetNameInfo", completion.status));
        }
        let place = buffer.slot().parameters::<Parameters>();
        // SAFETY: the request is done, and was made with this there.
        let node = usize::from(unsafe { (*place).node.Length });
        // SAFETY: as above.
        let service = usize::from(unsafe { (*place).service.Length });
        let Self { node_bytes } = self;
        let (node, service) = (node.min(node_bytes), service.min(SERVICE_BYTES));
        let mut buffer = buffer;
        buffer.set_filled(node_bytes + service);
        Ok(Names { buffer, node, service_at: node_bytes })
    }
}

/// The names of an address. Keeps a slot.
///
/// # Invariants
/// The buffer holds the host's name from its start on, and the service's from `service_at` to its end.
pub struct Names<K: Kernel> {
    buffer: Buffer<K>,
    node: usize,
    service_at: usize,
}

impl<K: Kernel> Names<K> {
    /// The host's name, or its address as text.
    pub fn node(&self) -> impl Iterator<Item = char> + '_ {
        characters(self.buffer.get(..self.node).unwrap_or_default())
    }

    /// The service's name, or its port as text.
    pub fn service(&self) -> impl Iterator<Item = char> + '_ {
        characters(self.buffer.get(self.service_at..).unwrap_or_default())
    }
}
