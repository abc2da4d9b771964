//! Imports that are declared here: rustc writes them into the image's import table, no library is needed.

// UNSAFETY: declarations only; each call answers for its own.
#![expect(unsafe_code, reason = "declares the kernel's exports")]

use core::ffi::{c_char, c_int, c_void};

use skua_engine::abi::nt::{
    HANDLE, KIRQL, KPROCESSOR_MODE, LARGE_INTEGER, MDL, OBJECT_ATTRIBUTES, PSECURITY_DESCRIPTOR,
    UNICODE_STRING,
};
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};

#[cfg_attr(windows, link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim"))]
unsafe extern "C" {
    // Levels and locks. On x64 some headers make them inline; a call is what a shim can stand in for.
    pub fn KeGetCurrentIrql() -> KIRQL;
    pub fn KeRaiseIrqlToDpcLevel() -> KIRQL;
    pub fn KeLowerIrql(irql: KIRQL);

    // Which windows-sys imports from user mode's ntdll.dll.
    pub fn ZwClose(handle: HANDLE) -> NTSTATUS;
    pub fn ZwWaitForSingleObject(handle: HANDLE, alertable: u8, timeout: *const LARGE_INTEGER) -> NTSTATUS;
    pub fn ZwCreateSection(
        section: *mut HANDLE,
        access: u32,
        attributes: *const OBJECT_ATTRIBUTES,
        size: *const LARGE_INTEGER,
        protection: u32,
        allocation: u32,
        file: HANDLE,
    ) -> NTSTATUS;
    pub fn ZwMapViewOfSection(
        section: HANDLE,
        process: HANDLE,
        base: *mut *mut c_void,
        zero_bits: usize,
        commit: usize,
        offset: *mut LARGE_INTEGER,
        size: *mut usize,
        inherit: c_int,
        allocation: u32,
        protection: u32,
    ) -> NTSTATUS;
    pub fn ZwUnmapViewOfSection(process: HANDLE, base: *mut c_void) -> NTSTATUS;
    pub fn ZwSetSecurityObject(
        handle: HANDLE,
        information: u32,
        descriptor: PSECURITY_DESCRIPTOR,
    ) -> NTSTATUS;
    pub fn ZwOpenKey(key: *mut HANDLE, access: u32, attributes: *const OBJECT_ATTRIBUTES) -> NTSTATUS;
    pub fn ZwQueryValueKey(
        key: HANDLE,
        name: *const UNICODE_STRING,
        class: c_int,
        information: *mut c_void,
        length: u32,
        needed: *mut u32,
    ) -> NTSTATUS;
    pub fn RtlRandomEx(seed: *mut u32) -> u32;
    pub fn DbgPrintEx(component: u32, level: u32, format: *const c_char, ...) -> u32;

    // Whose priority is a ULONG or an enumeration.
    pub fn MmMapLockedPagesSpecifyCache(
        mdl: *mut MDL,
        mode: KPROCESSOR_MODE,
        cache: c_int,
        address: *mut c_void,
        bug_check_on_failure: u32,
        priority: u32,
    ) -> *mut c_void;

    // Which wdk-sys leaves out as deprecated: for systems without ExAllocatePool2.
    #[cfg(feature = "wdk")]
    pub fn ExAllocatePoolWithTag(pool: c_int, bytes: usize, tag: u32) -> *mut c_void;

    // Whose declarations differ in whether it returns.
    pub fn KeBugCheckEx(code: u32, first: usize, second: usize, third: usize, fourth: usize) -> !;
}

/// What compiled code calls without being told to. Nobody names them here; declaring them puts them into the import table
/// for whoever does.
#[cfg(windows)]
#[expect(dead_code, reason = "called by compiled code and by another crate, which do not name these")]
mod runtime {
    use super::{c_int, c_void};

    #[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
    unsafe extern "C" {
        // rustc and LLVM, for copies and comparisons.
        fn memcpy(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
        fn memmove(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void;
        fn memset(to: *mut c_void, byte: c_int, bytes: usize) -> *mut c_void;
        fn memcmp(left: *const c_void, right: *const c_void, bytes: usize) -> c_int;
        // The guarded thunk's unwind information.
        fn __C_specific_handler();
        // The tracelogging crate, which declares them without saying where they are.
        fn EtwRegister();
        fn EtwUnregister();
        fn EtwWriteTransfer();
        fn EtwSetInformation();
    }
}

#[cfg_attr(
    all(windows, not(feature = "wdk")),
    link(name = "netio.sys", kind = "raw-dylib", modifiers = "+verbatim")
)]
#[cfg_attr(all(windows, feature = "wdk"), link(name = "netio"))]
unsafe extern "C" {
    pub fn WskRegister(npi: *mut WSK_CLIENT_NPI, registration: *mut WSK_REGISTRATION) -> NTSTATUS;
    pub fn WskDeregister(registration: *mut WSK_REGISTRATION);
    pub fn WskCaptureProviderNPI(
        registration: *mut WSK_REGISTRATION,
        timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS;
    pub fn WskReleaseProviderNPI(registration: *mut WSK_REGISTRATION);
    pub fn WskQueryProviderCharacteristics(
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS;
}
