//! WskControlClient.

// UNSAFETY: calls a function of the client-level table.
#![expect(unsafe_code, reason = "WSK's functions take raw pointers")]

use core::ffi::c_void;
use core::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{GUID, IRP};
use skua_engine::abi::sockaddr::SOCK_DGRAM;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_HANDLE};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_CACHE_SD, WSK_EVENT_CALLBACK_CONTROL, WSK_RELEASE_SD,
    WSK_SET_STATIC_EVENT_CALLBACKS, WSK_TRANSPORT, WSK_TRANSPORT_LIST_QUERY,
};

use super::Client;
use super::memory::{Owned, Zeroed};
use crate::outcome::Outcome;

/// No buffer.
pub(crate) const NOTHING: (*mut c_void, usize) = (ptr::null_mut(), 0);

/// A security descriptor in absolute form (SECURITY_DESCRIPTOR, winnt.h), owned by nobody, that denies nothing.
#[repr(C)]
pub(crate) struct Descriptor {
    revision: u8,
    reserved: u8,
    control: u16,
    owner: *mut c_void,
    group: *mut c_void,
    system_list: *mut c_void,
    access_list: *mut c_void,
}

// SAFETY: zeroes are a value of every field.
unsafe impl Zeroed for Descriptor {}

impl Descriptor {
    /// A descriptor whose access list is there and NULL: everybody may do everything.
    pub(crate) fn open<'b, K: Kernel>(client: &Client<'b, K>) -> Result<Owned<'b, Self, K>, Outcome> {
        /// SE_DACL_PRESENT (winnt.h).
        const ACCESS_LIST_PRESENT: u16 = 0x0004;
        let descriptor = Owned::<Self, K>::new(client.bench())?;
        let null = ptr::null_mut();
        let value = Self {
            revision: 1,
            reserved: 0,
            control: ACCESS_LIST_PRESENT,
            owner: null,
            group: null,
            system_list: null,
            access_list: null,
        };
        // SAFETY: nobody else has it yet.
        unsafe { descriptor.as_ptr().write(value) };
        Ok(descriptor)
    }
}

/// The transports that a client was told of.
pub(crate) struct Transports<'b, K: Kernel> {
    pub(crate) status: NTSTATUS,
    /// The size that was returned, in bytes.
    pub(crate) size: usize,
    list: Owned<'b, u8, K>,
}

impl<K: Kernel> Transports<'_, K> {
    /// Those that were written into `room` bytes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = WSK_TRANSPORT> {
        let bytes = self.list.bytes();
        let count = self.size.min(bytes.len()) / size_of::<WSK_TRANSPORT>();
        (0..count).map(|index| {
            // SAFETY: so many entries lie within the bytes, of which any are a value.
            unsafe { bytes.as_ptr().cast::<WSK_TRANSPORT>().wrapping_add(index).read_unaligned() }
        })
    }

    /// Whether sockets of the family over datagrams are among them; a family of 0 stands for both.
    pub(crate) fn has_datagrams(&self, family: u16) -> bool {
        self.entries().any(|entry| {
            entry.SocketType == SOCK_DGRAM && (entry.AddressFamily == family || entry.AddressFamily == 0)
        })
    }
}

impl<'b, K: Kernel> Client<'b, K> {
    /// WskControlClient: the status, and the size returned. Buffers are of the caller, and outlive a pending IRP.
    pub(crate) fn control(
        &self,
        code: u32,
        input: (*mut c_void, usize),
        output: (*mut c_void, usize),
        irp: *mut IRP,
    ) -> (NTSTATUS, usize) {
        let Some(call) = self.functions().WskControlClient else { return (STATUS_INVALID_HANDLE, 0) };
        let mut returned = 0;
        let client = self.npi().Client;
        let status = self.bench().at_level(|| {
            // SAFETY: buffers of these sizes.
            unsafe { call(client, code, input.1, input.0, output.1, output.0, &raw mut returned, irp) }
        });
        (status, returned)
    }

    /// A code that takes a ULONG, without an IRP.
    pub(crate) fn control_word(&self, code: u32, mut word: u32) -> NTSTATUS {
        self.control(code, ((&raw mut word).cast(), size_of::<u32>()), NOTHING, ptr::null_mut()).0
    }

    /// WSK_SET_STATIC_EVENT_CALLBACKS.
    pub(crate) fn set_static_events(&self, mask: u32) -> NTSTATUS {
        self.set_static_events_as(&NPI_WSK_INTERFACE_ID, mask, size_of::<WSK_EVENT_CALLBACK_CONTROL>())
    }

    /// The same, under any interface and with a size that may be too short.
    pub(crate) fn set_static_events_as(&self, interface: &GUID, mask: u32, size: usize) -> NTSTATUS {
        let mut control = WSK_EVENT_CALLBACK_CONTROL { NpiId: interface, EventMask: mask };
        let input = ((&raw mut control).cast(), size);
        self.control(WSK_SET_STATIC_EVENT_CALLBACKS, input, NOTHING, ptr::null_mut()).0
    }

    /// WSK_TRANSPORT_LIST_QUERY into `room` bytes; 0 for no buffer.
    pub(crate) fn transports(&self, room: usize) -> Result<Transports<'b, K>, Outcome> {
        let list = Owned::<u8, K>::run(self.bench(), room)?;
        let output = if room == 0 { NOTHING } else { (list.as_ptr().cast(), room) };
        let (status, size) = self.control(WSK_TRANSPORT_LIST_QUERY, NOTHING, output, ptr::null_mut());
        Ok(Transports { status, size, list })
    }

    /// WSK_CACHE_SD: the status, and the cached descriptor, which a success owes the release of.
    pub(crate) fn cache(&self, descriptor: *mut Descriptor) -> (NTSTATUS, *mut c_void) {
        let (mut own, mut cached) = (descriptor.cast::<c_void>(), ptr::null_mut::<c_void>());
        let input = ((&raw mut own).cast(), size_of::<*mut c_void>());
        let output = ((&raw mut cached).cast(), size_of::<*mut c_void>());
        (self.control(WSK_CACHE_SD, input, output, ptr::null_mut()).0, cached)
    }

    /// WSK_RELEASE_SD.
    pub(crate) fn release_descriptor(&self, mut cached: *mut c_void) -> NTSTATUS {
        let input = ((&raw mut cached).cast(), size_of::<*mut c_void>());
        self.control(WSK_RELEASE_SD, input, NOTHING, ptr::null_mut()).0
    }
}
