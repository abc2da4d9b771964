//! WskGetAddressInfo, WskFreeAddressInfo, WskGetNameInfo.

// UNSAFETY: calls functions of the client-level table, and reads the list that it gets.
#![expect(unsafe_code, reason = "WSK's functions take raw pointers")]

use core::net::SocketAddr;
use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::UNICODE_STRING;
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{ADDRINFOEXW, NS_ALL};
use skua_engine::abi::zeroed;

use super::Client;
use super::memory::{Owned, Zeroed};
use super::request::{self, Done};
use crate::outcome::Outcome;

/// A name of a host or a service: in ASCII, which is all that a check needs.
pub(crate) struct Name<'b, K: Kernel> {
    string: Owned<'b, Unicode, K>,
    units: Owned<'b, Unit, K>,
}

#[repr(transparent)]
struct Unit(u16);

// SAFETY: a plain number.
unsafe impl Zeroed for Unit {}

#[repr(transparent)]
struct Unicode(UNICODE_STRING);

// SAFETY: zeroes are the empty string.
unsafe impl Zeroed for Unicode {}

impl<'b, K: Kernel> Name<'b, K> {
    /// `text`.
    fn of(client: &Client<'b, K>, text: &str) -> Result<Self, Outcome> {
        let name = Self::room(client, text.len())?;
        for (index, byte) in text.bytes().enumerate() {
            // SAFETY: as many units as bytes.
            unsafe { name.units.as_ptr().wrapping_add(index).write(Unit(byte.into())) };
        }
        // SAFETY: nobody else has it yet.
        unsafe { (*name.string.as_ptr()).0.Length = bytes(text.len()) };
        Ok(name)
    }

    /// Room for so many units.
    pub(crate) fn room(client: &Client<'b, K>, units: usize) -> Result<Self, Outcome> {
        let name = Self { string: Owned::new(client.bench())?, units: Owned::run(client.bench(), units)? };
        let string =
            UNICODE_STRING { Length: 0, MaximumLength: bytes(units), Buffer: name.units.as_ptr().cast() };
        // SAFETY: nobody else has it yet.
        unsafe { name.string.as_ptr().write(Unicode(string)) };
        Ok(name)
    }

    fn as_ptr(&self) -> *mut UNICODE_STRING {
        self.string.as_ptr().cast()
    }

    /// Whether it is `text`.
    pub(crate) fn is(&self, text: &str) -> bool {
        let length = usize::from(self.string.0.Length) / 2;
        let units = (0..length).map(|index| {
            // SAFETY: within the room, which a provider keeps to.
            unsafe { self.units.as_ptr().wrapping_add(index).cast::<u16>().read() }
        });
        units.eq(text.bytes().map(u16::from))
    }
}

fn bytes(units: usize) -> u16 {
    u16::try_from(units * 2).unwrap_or(u16::MAX)
}

/// What is asked for besides the names: fields of ADDRINFOEXW.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hints {
    pub(crate) flags: i32,
    pub(crate) family: i32,
    pub(crate) socket_type: i32,
}

#[repr(transparent)]
struct Info(ADDRINFOEXW);

// SAFETY: zeroes are hints that ask for nothing.
unsafe impl Zeroed for Info {}

/// Where the list's address is put.
#[repr(transparent)]
struct List(*mut ADDRINFOEXW);

// SAFETY: zeroes are no list.
unsafe impl Zeroed for List {}

/// A list of addresses, freed when dropped.
pub(crate) struct Addresses<'c, 'b, K: Kernel> {
    pub(crate) done: Done,
    list: *mut ADDRINFOEXW,
    client: &'c Client<'b, K>,
}

impl<K: Kernel> Addresses<'_, '_, K> {
    /// The addresses, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        let mut at = self.list;
        core::iter::from_fn(move || {
            loop {
                if at.is_null() {
                    return None;
                }
                // SAFETY: an entry of the list, which is not freed yet.
                let info = unsafe { *at };
                at = info.ai_next;
                // SAFETY: an address of the family it names, or null.
                if let Some(address) = unsafe { SOCKADDR_INET::read(info.ai_addr) } {
                    return address.to_socket_addr();
                }
            }
        })
    }
}

impl<K: Kernel> Drop for Addresses<'_, '_, K> {
    fn drop(&mut self) {
        if let (false, Some(free)) = (self.list.is_null(), self.client.functions().WskFreeAddressInfo) {
            // SAFETY: a list of this client's, freed once.
            unsafe { free(self.client.npi().Client, self.list) };
        }
    }
}

impl<'b, K: Kernel> Client<'b, K> {
    /// WskGetAddressInfo as a local account of few rights.
    pub(crate) fn addresses(
        &self,
        node: Option<&str>,
        service: Option<&str>,
        hints: Hints,
    ) -> Result<Addresses<'_, 'b, K>, Outcome> {
        let call = self.functions().WskGetAddressInfo.ok_or(NO_RESOLVER)?;
        let node = node.map(|text| Name::of(self, text)).transpose()?;
        let service = service.map(|text| Name::of(self, text)).transpose()?;
        let asked = Owned::<Info, K>::new(self.bench())?;
        let wanted = ADDRINFOEXW {
            ai_flags: hints.flags,
            ai_family: hints.family,
            ai_socktype: hints.socket_type,
            ..zeroed()
        };
        // SAFETY: nobody else has it yet.
        unsafe { asked.as_ptr().write(Info(wanted)) };
        let list = Owned::<List, K>::new(self.bench())?;
        let name = |name: &Option<Name<'b, K>>| name.as_ref().map_or(ptr::null_mut(), Name::as_ptr);
        let (client, nobody) = (self.npi().Client, ptr::null_mut());
        let done = request::run(self.bench(), "WskGetAddressInfo", |irp| {
            let (node, service, provider) = (name(&node), name(&service), ptr::null_mut());
            let (hints, result) = (asked.as_ptr().cast(), list.as_ptr().cast());
            // SAFETY: a captured client; names, hints and result outlive the request.
            unsafe {
                call(client, node, service, NS_ALL, provider, hints, result, nobody, ptr::null_mut(), irp)
            }
        })?;
        if matches!(done.status, STATUS_NOT_IMPLEMENTED | STATUS_NOT_SUPPORTED) {
            return Err(NO_RESOLVER);
        }
        let list = if done.status == STATUS_SUCCESS { list.0 } else { ptr::null_mut() };
        Ok(Addresses { done, list, client: self })
    }

    /// WskGetNameInfo of an address, of which `length` bytes are given, as a local account of few rights.
    pub(crate) fn names(
        &self,
        address: SocketAddr,
        length: u32,
        node: Option<&Name<'b, K>>,
        service: Option<&Name<'b, K>>,
        flags: u32,
    ) -> Result<Done, Outcome> {
        let call = self.functions().WskGetNameInfo.ok_or(NO_RESOLVER)?;
        let socket_address = super::datagram::Address::new(self.bench(), address)?;
        let (client, nobody) = (self.npi().Client, ptr::null_mut());
        let done = request::run(self.bench(), "WskGetNameInfo", |irp| {
            let name = |name: Option<&Name<'b, K>>| name.map_or(ptr::null_mut(), Name::as_ptr);
            let (address, node, service) = (socket_address.as_ptr().cast(), name(node), name(service));
            // SAFETY: a captured client; address and names outlive the request.
            unsafe { call(client, address, length, node, service, flags, nobody, ptr::null_mut(), irp) }
        })?;
        if matches!(done.status, STATUS_NOT_IMPLEMENTED | STATUS_NOT_SUPPORTED) {
            return Err(NO_RESOLVER);
        }
        Ok(done)
    }
}

/// The table has no such function, or it does nothing.
const NO_RESOLVER: Outcome = Outcome::NotApplicable { why: "no name resolution here" };
