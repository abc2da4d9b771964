//! How a client and a provider find each other.
//!
//! The five functions here are exports of `netio.sys`; everything else is reached through tables.

use core::ffi::c_void;

use bytemuck::{Pod, Zeroable};

use super::WSK_PROVIDER_DISPATCH;
use crate::abi::nt::{GUID, KSPIN_LOCK};
use crate::abi::status::NTSTATUS;

/// The network programming interface of WSK. A static, since its address is what callers pass, and the kernel keeps.
pub static NPI_WSK_INTERFACE_ID: GUID = GUID {
    Data1: 0x2227_E803,
    Data2: 0x8D8B,
    Data3: 0x11D4,
    Data4: [0xAB, 0xAD, 0x00, 0x90, 0x27, 0x71, 0x9E, 0x09],
};

opaque! {
    /// A client, as the provider knows it.
    WSK_CLIENT;
}

/// The client's side of the interface, given to `WskRegister`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_CLIENT_NPI {
    /// Passed to [`WSK_CLIENT_DISPATCH::WskClientEvent`].
    pub ClientContext: *mut c_void,
    /// The client's table; must outlive the registration.
    pub Dispatch: *const WSK_CLIENT_DISPATCH,
}
layout!(WSK_CLIENT_NPI { size: 16, align: 8, ClientContext: 0, Dispatch: 8 });

/// The client's table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_CLIENT_DISPATCH {
    /// The version of WSK that the client wants, see [`make_wsk_version`].
    pub Version: u16,
    /// Zero.
    pub Reserved: u16,
    /// Told of events of the client, or null: none is defined.
    pub WskClientEvent: PFN_WSK_CLIENT_EVENT,
}
layout!(WSK_CLIENT_DISPATCH { size: 16, align: 8, Version: 0, Reserved: 2, WskClientEvent: 8 });

/// `WskClientEvent`. No event is defined; a client answers `STATUS_NOT_IMPLEMENTED`.
///
/// * `ClientContext`: of [`WSK_CLIENT_NPI`].
/// * `EventType`, `Information`, `InformationLength`: the event, its data and their size in bytes.
///
/// # IRQL
/// Called at `DISPATCH_LEVEL` or below.
pub type PFN_WSK_CLIENT_EVENT = Option<
    unsafe extern "C" fn(
        ClientContext: *mut c_void,
        EventType: u32,
        Information: *mut c_void,
        InformationLength: usize,
    ) -> NTSTATUS,
>;

/// The provider's side of the interface, as `WskCaptureProviderNPI` returns it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_PROVIDER_NPI {
    /// The first argument of every function in the table.
    pub Client: *mut WSK_CLIENT,
    /// The provider's table.
    pub Dispatch: *const WSK_PROVIDER_DISPATCH,
}
layout!(WSK_PROVIDER_NPI { size: 16, align: 8, Client: 0, Dispatch: 8 });

/// One registration. The provider's alone from `WskRegister` until `WskDeregister` has returned: it must stay where
/// it is, in nonpaged memory, and nobody else may touch it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct WSK_REGISTRATION {
    /// The provider's.
    pub ReservedRegistrationState: u64,
    /// The provider's.
    pub ReservedRegistrationContext: *mut c_void,
    /// The provider's.
    pub ReservedRegistrationLock: KSPIN_LOCK,
}
layout!(WSK_REGISTRATION {
    size: 24,
    align: 8,
    ReservedRegistrationState: 0,
    ReservedRegistrationContext: 8,
    ReservedRegistrationLock: 16,
});

/// Which versions a provider speaks.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct WSK_PROVIDER_CHARACTERISTICS {
    /// The highest version.
    pub HighestVersion: u16,
    /// The lowest version.
    pub LowestVersion: u16,
}
layout!(WSK_PROVIDER_CHARACTERISTICS { size: 4, align: 2, HighestVersion: 0, LowestVersion: 2 });

/// `MAKE_WSK_VERSION`: the version word. WSK is 1.0.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn make_wsk_version(major: u8, minor: u8) -> u16 {
    u16::from_be_bytes([major, minor])
}

/// `WSK_MAJOR_VERSION` of a version word.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn wsk_major_version(version: u16) -> u8 {
    let [major, _] = version.to_be_bytes();
    major
}

/// `WSK_MINOR_VERSION` of a version word.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn wsk_minor_version(version: u16) -> u8 {
    let [_, minor] = version.to_be_bytes();
    minor
}

/// `WskCaptureProviderNPI`: do not wait.
pub const WSK_NO_WAIT: u32 = 0;
/// `WskCaptureProviderNPI`: wait without limit.
pub const WSK_INFINITE_WAIT: u32 = 0xFFFF_FFFF;

/// `WskRegister`: makes a client known.
///
/// * `WskClientNpi`: the client; read during the call only, except for the table.
/// * `WskRegistration`: filled in, and the provider's from then on.
///
/// # IRQL
/// `PASSIVE_LEVEL`.
pub type PFN_WSK_REGISTER = Option<
    unsafe extern "C" fn(
        WskClientNpi: *mut WSK_CLIENT_NPI,
        WskRegistration: *mut WSK_REGISTRATION,
    ) -> NTSTATUS,
>;

/// `WskDeregister`: ends a registration. Waits until every capture is released, every socket closed and every call
/// through the client-level table complete; cancels `WSK_TRANSPORT_LIST_CHANGE`.
///
/// * `WskRegistration`: the caller's again on return.
///
/// # IRQL
/// `PASSIVE_LEVEL`.
pub type PFN_WSK_DEREGISTER = Option<unsafe extern "C" fn(WskRegistration: *mut WSK_REGISTRATION)>;

/// `WskCaptureProviderNPI`: gets the provider's table. Every success owes a `WskReleaseProviderNPI`.
///
/// * `WskRegistration`: the registration.
/// * `WaitTimeout`: how long to wait for the provider, in milliseconds, or [`WSK_NO_WAIT`], [`WSK_INFINITE_WAIT`].
/// * `WskProviderNpi`: filled in on success.
///
/// `STATUS_DEVICE_NOT_READY`: no provider in time, or being deregistered. `STATUS_NOINTERFACE`: it does not speak the
/// requested version.
///
/// # IRQL
/// `PASSIVE_LEVEL`; with [`WSK_NO_WAIT`] `DISPATCH_LEVEL` or below.
pub type PFN_WSK_CAPTURE_PROVIDER_NPI = Option<
    unsafe extern "C" fn(
        WskRegistration: *mut WSK_REGISTRATION,
        WaitTimeout: u32,
        WskProviderNpi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS,
>;

/// `WskReleaseProviderNPI`: gives the provider's table back. Sockets stay usable.
///
/// * `WskRegistration`: the registration.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_RELEASE_PROVIDER_NPI = Option<unsafe extern "C" fn(WskRegistration: *mut WSK_REGISTRATION)>;

/// `WskQueryProviderCharacteristics`: which versions the provider speaks.
///
/// * `WskRegistration`: the registration.
/// * `WskProviderCharacteristics`: filled in on success.
///
/// `STATUS_DEVICE_NOT_READY`: no provider.
///
/// # IRQL
/// `DISPATCH_LEVEL` or below.
pub type PFN_WSK_QUERY_PROVIDER_CHARACTERISTICS = Option<
    unsafe extern "C" fn(
        WskRegistration: *mut WSK_REGISTRATION,
        WskProviderCharacteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS,
>;
