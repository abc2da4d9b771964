//! Network programming interfaces: how a network module attaches to another through the network module registrar.
//!
//! `WskRegister` does this on a client's behalf. A WSK client that wants to be told when the provider comes and goes
//! registers these characteristics itself.

use core::ffi::c_void;

use bytemuck::Zeroable;

use super::{GUID, HANDLE};
use crate::abi::status::NTSTATUS;

/// Identifies a network module.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct NPI_MODULEID {
    /// Size of this structure in bytes.
    pub Length: u16,
    /// Which arm of the identifier is meant: 1 `MIT_GUID`, 2 `MIT_IF_LUID`.
    pub Type: i32,
    /// The identifier; C overlays a locally unique one of 8 bytes.
    pub Guid: GUID,
}
layout!(NPI_MODULEID { size: 24, align: 4, Length: 0, Type: 4, Guid: 8 });

/// [`NPI_MODULEID`]: identified by a [`GUID`].
pub const MIT_GUID: i32 = 1;

/// One implementation of a network programming interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct NPI_REGISTRATION_INSTANCE {
    /// Version of this structure, 0.
    pub Version: u16,
    /// Size of this structure in bytes.
    pub Size: u16,
    /// The interface.
    pub NpiId: *const GUID,
    /// The module that implements it.
    pub ModuleId: *const NPI_MODULEID,
    /// Tells several implementations of one module apart.
    pub Number: u32,
    /// What the interface defines: for WSK a `WSK_PROVIDER_CHARACTERISTICS`, or null.
    pub NpiSpecificCharacteristics: *const c_void,
}
layout!(NPI_REGISTRATION_INSTANCE {
    size: 40,
    align: 8,
    Version: 0,
    Size: 2,
    NpiId: 8,
    ModuleId: 16,
    Number: 24,
    NpiSpecificCharacteristics: 32,
});

/// Offers a provider to a client: binding handle, the client's context, the provider's registration.
pub type PNPI_CLIENT_ATTACH_PROVIDER_FN = Option<
    unsafe extern "C" fn(
        NmrBindingHandle: HANDLE,
        ClientContext: *mut c_void,
        ProviderRegistrationInstance: *mut NPI_REGISTRATION_INSTANCE,
    ) -> NTSTATUS,
>;

/// Tells a client that a provider goes away: the client's context of the binding.
pub type PNPI_CLIENT_DETACH_PROVIDER_FN =
    Option<unsafe extern "C" fn(ClientBindingContext: *mut c_void) -> NTSTATUS>;

/// Lets a client free its context of a binding that is gone.
pub type PNPI_CLIENT_CLEANUP_BINDING_CONTEXT_FN =
    Option<unsafe extern "C" fn(ClientBindingContext: *mut c_void)>;

/// What a client module registers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct NPI_CLIENT_CHARACTERISTICS {
    /// Version of this structure, 0.
    pub Version: u16,
    /// Size of this structure in bytes.
    pub Length: u16,
    /// Called for every provider that appears.
    pub ClientAttachProvider: PNPI_CLIENT_ATTACH_PROVIDER_FN,
    /// Called for every attached provider that goes away.
    pub ClientDetachProvider: PNPI_CLIENT_DETACH_PROVIDER_FN,
    /// Called when a binding is gone, or null.
    pub ClientCleanupBindingContext: PNPI_CLIENT_CLEANUP_BINDING_CONTEXT_FN,
    /// What is registered.
    pub ClientRegistrationInstance: NPI_REGISTRATION_INSTANCE,
}
layout!(NPI_CLIENT_CHARACTERISTICS {
    size: 72,
    align: 8,
    Version: 0,
    Length: 2,
    ClientAttachProvider: 8,
    ClientDetachProvider: 16,
    ClientCleanupBindingContext: 24,
    ClientRegistrationInstance: 32,
});

/// Asks a provider to accept a client: binding handle, the provider's context, the client's registration, binding
/// context and dispatch table; the provider returns its own binding context and dispatch table.
pub type PNPI_PROVIDER_ATTACH_CLIENT_FN = Option<
    unsafe extern "C" fn(
        NmrBindingHandle: HANDLE,
        ProviderContext: *mut c_void,
        ClientRegistrationInstance: *mut NPI_REGISTRATION_INSTANCE,
        ClientBindingContext: *mut c_void,
        ClientDispatch: *const c_void,
        ProviderBindingContext: *mut *mut c_void,
        ProviderDispatch: *mut *const c_void,
    ) -> NTSTATUS,
>;

/// Tells a provider that a client goes away: the provider's context of the binding.
pub type PNPI_PROVIDER_DETACH_CLIENT_FN =
    Option<unsafe extern "C" fn(ProviderBindingContext: *mut c_void) -> NTSTATUS>;

/// Lets a provider free its context of a binding that is gone.
pub type PNPI_PROVIDER_CLEANUP_BINDING_CONTEXT_FN =
    Option<unsafe extern "C" fn(ProviderBindingContext: *mut c_void)>;

/// What a provider module registers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct NPI_PROVIDER_CHARACTERISTICS {
    /// Version of this structure, 0.
    pub Version: u16,
    /// Size of this structure in bytes.
    pub Length: u16,
    /// Called for every client that appears.
    pub ProviderAttachClient: PNPI_PROVIDER_ATTACH_CLIENT_FN,
    /// Called for every attached client that goes away.
    pub ProviderDetachClient: PNPI_PROVIDER_DETACH_CLIENT_FN,
    /// Called when a binding is gone, or null.
    pub ProviderCleanupBindingContext: PNPI_PROVIDER_CLEANUP_BINDING_CONTEXT_FN,
    /// What is registered.
    pub ProviderRegistrationInstance: NPI_REGISTRATION_INSTANCE,
}
layout!(NPI_PROVIDER_CHARACTERISTICS {
    size: 72,
    align: 8,
    Version: 0,
    Length: 2,
    ProviderAttachClient: 8,
    ProviderDetachClient: 16,
    ProviderCleanupBindingContext: 24,
    ProviderRegistrationInstance: 32,
});
