//! From names to addresses.

// UNSAFETY: WskGetAddressInfo with what lies in the request's slot, and the list that it gives.
#![expect(
    unsafe_code,
    reason = "the list is the provider's until WskFreeAddressInfo, which its guard calls once"
)]

use core::mem::ManuallyDrop;
use core::net::SocketAddr;
use core::ptr::{NonNull, null_mut};

use crate::abi::nt::{IRP, PASSIVE_LEVEL, UNICODE_STRING};
use crate::abi::sockaddr::{AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_INET};
use crate::abi::status::{STATUS_NO_MATCH, STATUS_NOT_SUPPORTED};
use crate::abi::wsk::{ADDRINFOEXW, NS_ALL};
use crate::abi::zeroed;
use crate::client::Family;
use crate::kernel::Kernel;
use crate::names::text::{Writer, decode};
use crate::operation::Completion;
use crate::registration::Provider;
use crate::request::pool::RequestsBlock;
use crate::request::slot::Slot;
use crate::request::{Buffer, Finish, Pending, RequestError, Requests, Targets};
use crate::socket::Owner;

/// Addresses of one list that are looked at, which also ends one that runs in a circle.
const ADDRESSES: usize = 1024;

/// What is asked about a name.
#[derive(Clone, Copy, Debug)]
pub struct NameQuery<'a> {
    /// The host's name, or an address as text. This or the service must be there.
    pub node: Option<&'a str>,
    /// The service's name, or a port as text.
    pub service: Option<&'a str>,
    /// Addresses of one family only.
    pub family: Option<Family>,
    /// SOCK_STREAM and the like; 0 for any.
    pub socket_type: u16,
    /// IPPROTO_TCP and the like; 0 for any.
    pub protocol: u32,
    /// AI_PASSIVE and the like.
    pub flags: i32,
    /// On whose behalf; by default that of a local account with few rights.
    pub owner: Owner<'static>,
}

impl<'a> NameQuery<'a> {
    /// Every address of a name.
    #[must_use]
    pub const fn new(node: &'a str) -> Self {
        let owner = Owner::CALLER;
        Self { node: Some(node), service: None, family: None, socket_type: 0, protocol: 0, flags: 0, owner }
    }
}

/// What WskGetAddressInfo takes by address.
#[repr(C)]
struct Parameters {
    node: UNICODE_STRING,
    service: UNICODE_STRING,
    hints: ADDRINFOEXW,
    result: *mut ADDRINFOEXW,
}

impl<K: Kernel> Provider<K> {
    /// Asks for the addresses of a name (WskGetAddressInfo). The request has a capture of its own.
    ///
    /// One that is dropped is cancelled; what it found all the same is freed by
    /// [`Requests::serve`](crate::Requests::serve).
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn address_info(&self, requests: &Requests<K>, query: &NameQuery<'_>) -> Pending<K, Resolving<K>> {
        match self.ask_for_addresses(requests, query) {
            Ok(pending) => pending,
            Err(error) => Pending::failed(error),
        }
    }

    fn ask_for_addresses(
        &self,
        requests: &Requests<K>,
        query: &NameQuery<'_>,
    ) -> Result<Pending<K, Resolving<K>>, RequestError> {
        if requests.kernel().instance() != self.kernel().instance() {
            return Err(RequestError::OtherKernel);
        }
        let provider =
            self.duplicate().map_err(|status| RequestError::of("WskCaptureProviderNPI", status))?;
        let mut buffer = requests.take().ok_or(RequestError::NoSlot)?;
        let mut writer = Writer::new(&mut buffer);
        let node = query.node.map(|text| writer.push(text)).transpose()?;
        let service = query.service.map(|text| writer.push(text)).transpose()?;
        let mut hints: ADDRINFOEXW = zeroed();
        hints.ai_flags = query.flags;
        hints.ai_family = i32::from(match query.family {
            None => AF_UNSPEC,
            Some(Family::Inet) => AF_INET,
            Some(Family::Inet6) => AF_INET6,
        });
        hints.ai_socktype = query.socket_type.into();
        hints.ai_protocol = query.protocol.cast_signed();
        let parameters = Parameters {
            node: node.unwrap_or_else(zeroed),
            service: service.unwrap_or_else(zeroed),
            hints,
            result: null_mut(),
        };
        let (function, client) = (provider.dispatch().WskGetAddressInfo, provider.npi().Client);
        let owner = query.owner;
        let call = |slot: &Slot<K>, irp: *mut IRP| {
            let Some(get) = function else { return STATUS_NOT_SUPPORTED };
            let place = slot.parameters::<Parameters>();
            // SAFETY: the slot is the caller's until the call.
            unsafe { place.write(parameters) };
            let at = |offset: usize| place.wrapping_byte_add(offset);
            let node =
                if node.is_some() { at(core::mem::offset_of!(Parameters, node)).cast() } else { null_mut() };
            let service = if service.is_some() {
                at(core::mem::offset_of!(Parameters, service)).cast()
            } else {
                null_mut()
            };
            let hints = at(core::mem::offset_of!(Parameters, hints)).cast();
            let result = at(core::mem::offset_of!(Parameters, result)).cast();
            // SAFETY: everything it is given lies in the slot.
            unsafe {
                get(
                    client,
                    node,
                    service,
                    NS_ALL,
                    null_mut(),
                    hints,
                    result,
                    owner.process,
                    owner.thread,
                    irp,
                )
            }
        };
        let targets = Targets { of: core::ptr::null(), made: core::ptr::null() };
        // SAFETY: one function, with what lies in the slot.
        Ok(unsafe { Pending::begin(buffer, Resolving { provider }, targets, call) })
    }
}

/// A name that is being resolved.
pub struct Resolving<K: Kernel> {
    provider: Provider<K>,
}

impl<K: Kernel> Finish<K> for Resolving<K> {
    type Output = AddressList<K>;

    fn finish(self, completion: Completion, buffer: Buffer<K>) -> Result<AddressList<K>, RequestError> {
        const CALL: &str = "WskGetAddressInfo";
        if !completion.status.is_success() {
            return Err(RequestError::of(CALL, completion.status));
        }
        // SAFETY: the request is done, and was made with this there.
        let list = unsafe { result_of(buffer.slot()) };
        let list = list.ok_or(RequestError::Refused { call: CALL, status: STATUS_NO_MATCH })?;
        Ok(AddressList {
            found: ManuallyDrop::new(Found { provider: self.provider, list }),
            buffer: ManuallyDrop::new(buffer),
        })
    }

    fn abandon(self, buffer: &Buffer<K>) {
        let slot = buffer.slot();
        // SAFETY: room that nobody else uses before the request is detached.
        unsafe { slot.remains::<Provider<K>>().write(self.provider) };
        // SAFETY: this is the asker and has not detached. WskFreeAddressInfo runs at PASSIVE_LEVEL.
        unsafe { slot.end_with(free_unseen::<K>, true) };
    }
}

/// A list of addresses, and the capture that its provider is reached by.
struct Found<K: Kernel> {
    provider: Provider<K>,
    list: NonNull<ADDRINFOEXW>,
}

impl<K: Kernel> Drop for Found<K> {
    /// WskFreeAddressInfo. PASSIVE_LEVEL.
    fn drop(&mut self) {
        if let Some(free) = self.provider.dispatch().WskFreeAddressInfo {
            // SAFETY: the list came from this client's WskGetAddressInfo, and is freed once.
            unsafe { free(self.provider.npi().Client, self.list.as_ptr()) };
        }
    }
}

/// The addresses of a name. Dropping it is WskFreeAddressInfo: at once at PASSIVE_LEVEL, else by
/// [`Requests::serve`](crate::Requests::serve). It keeps a slot and a capture.
///
/// # Invariants
/// The list is the provider's, and is not changed before it is freed.
pub struct AddressList<K: Kernel> {
    /// Taken once, by the drop.
    found: ManuallyDrop<Found<K>>,
    buffer: ManuallyDrop<Buffer<K>>,
}

// SAFETY: the list belongs to no thread.
unsafe impl<K: Kernel> Send for AddressList<K> {}
// SAFETY: shared, it is only read.
unsafe impl<K: Kernel> Sync for AddressList<K> {}

impl<K: Kernel> AddressList<K> {
    /// The addresses, in the provider's order. What is no IP address is left out.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.entries().filter_map(|entry| {
            let family = u16::try_from(entry.ai_family).ok()?;
            let length = match family {
                AF_INET => size_of::<SOCKADDR_IN>(),
                AF_INET6 => size_of::<SOCKADDR_IN6>(),
                _ => return None,
            };
            if entry.ai_addrlen < length {
                return None;
            }
            // SAFETY: an address of the list, of the length that was checked, if it is of the family that it says.
            let address = unsafe { SOCKADDR_INET::read(entry.ai_addr) }?;
            (address.family() == family).then(|| address.to_socket_addr()).flatten()
        })
    }

    /// The name's canonical form, if AI_CANONNAME asked for it.
    pub fn canonical_name(&self) -> Option<impl Iterator<Item = char> + '_> {
        let mut at = self.entries().next()?.ai_canonname;
        if at.is_null() {
            return None;
        }
        let units = core::iter::from_fn(move || {
            // SAFETY: the name ends with a 0, and this ends there.
            let unit = unsafe { at.read() };
            at = at.wrapping_add(1);
            (unit != 0).then_some(unit)
        });
        Some(decode(units.fuse()))
    }

    fn entries(&self) -> impl Iterator<Item = ADDRINFOEXW> + '_ {
        let mut next = self.found.list.as_ptr();
        let entries = core::iter::from_fn(move || {
            let entry = NonNull::new(next)?;
            // SAFETY: an entry of the list.
            let entry = unsafe { entry.read() };
            next = entry.ai_next;
            Some(entry)
        });
        entries.take(ADDRESSES)
    }
}

impl<K: Kernel> Drop for AddressList<K> {
    fn drop(&mut self) {
        // SAFETY: taken once, by the drop.
        let found = unsafe { ManuallyDrop::take(&mut self.found) };
        // SAFETY: as above.
        let buffer = unsafe { ManuallyDrop::take(&mut self.buffer) };
        if found.provider.kernel().ke_get_current_irql() == PASSIVE_LEVEL {
            return;
        }
        let slot = buffer.slot();
        // SAFETY: the slot is this guard's, its request done.
        unsafe { slot.remains::<Found<K>>().write(found) };
        // SAFETY: as above.
        unsafe { slot.end_with(free_seen::<K>, true) };
        // SAFETY: as above.
        let home = unsafe { slot.home() };
        let raw = buffer.into_raw();
        // SAFETY: done and on no list; the slot keeps its pool.
        unsafe { RequestsBlock::defer(home, raw) };
    }
}

/// The list that a request found.
///
/// # Safety
/// The request is done, and was made with [`Parameters`].
unsafe fn result_of<K: Kernel>(slot: &Slot<K>) -> Option<NonNull<ADDRINFOEXW>> {
    // SAFETY: the caller's promise.
    NonNull::new(unsafe { (*slot.parameters::<Parameters>()).result })
}

/// Frees what an abandoned request found.
///
/// # Safety
/// The slot is the caller's, its remains a [`Provider`].
unsafe fn free_unseen<K: Kernel>(slot: NonNull<Slot<K>>) {
    // SAFETY: the caller's promise.
    let buffer = unsafe { Buffer::from_raw(slot) };
    // SAFETY: written by `abandon`, read once.
    let provider = unsafe { buffer.slot().remains::<Provider<K>>().read() };
    // SAFETY: the request is done.
    let completion = unsafe { buffer.slot().completion() };
    // SAFETY: as above.
    let list = unsafe { result_of(buffer.slot()) };
    if let Some(list) = list.filter(|_| completion.status.is_success()) {
        drop(Found { provider, list });
    }
}

/// Frees a list whose guard was dropped above PASSIVE_LEVEL.
///
/// # Safety
/// The slot is the caller's, its remains a [`Found`].
unsafe fn free_seen<K: Kernel>(slot: NonNull<Slot<K>>) {
    // SAFETY: the caller's promise.
    let buffer = unsafe { Buffer::from_raw(slot) };
    // SAFETY: written by the drop, read once.
    drop(unsafe { buffer.slot().remains::<Found<K>>().read() });
}
