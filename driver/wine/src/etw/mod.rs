//! Event tracing, which Wine's kernel lacks: events become lines of JSON in the file that the setting `EtwFile` names, and
//! without it providers stay disabled.

// UNSAFETY: exports under NT's names; reads descriptors and what they lead to.
#![expect(unsafe_code, reason = "events are described by address")]

pub(crate) mod decode;

use std::collections::HashMap;
use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use skua_engine::abi::nt::{BOOLEAN, DISPATCH_LEVEL, GUID, PASSIVE_LEVEL};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use self::decode::{EventDescriptor, Part};
use crate::{level, report, settings};

/// ETWENABLECALLBACK.
type EnableCallback = Option<unsafe extern "C" fn(*const GUID, u32, u8, u64, u64, *mut c_void, *mut c_void)>;

/// EVENT_CONTROL_CODE_ENABLE_PROVIDER.
const ENABLE: u32 = 1;

/// EVENT_DATA_DESCRIPTOR.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct EVENT_DATA_DESCRIPTOR {
    /// Address of the data.
    pub(crate) ptr: u64,
    /// Its bytes.
    pub(crate) size: u32,
    /// In the low byte, what it is: see [`decode`].
    pub(crate) kind: u32,
}

/// A registered provider.
struct Provider {
    id: GUID,
    /// `None` while it is disabled.
    file: Option<File>,
    level: u8,
    keyword: u64,
}

impl Provider {
    fn is_enabled(&self, level: u8, keyword: u64) -> bool {
        self.file.is_some() && level <= self.level && (keyword == 0 || keyword & self.keyword != 0)
    }
}

/// The providers by handle, and the last handle that was given.
type Providers = Option<(u64, HashMap<u64, Provider>)>;

static PROVIDERS: Mutex<Providers> = Mutex::new(None);

fn providers() -> MutexGuard<'static, Providers> {
    PROVIDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// EtwRegister. An enabled provider is told so before this returns.
///
/// # Safety
/// `id` is readable and `handle` writable; `callback` takes `context` until EtwUnregister.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn EtwRegister(
    id: *const GUID,
    callback: EnableCallback,
    context: *mut c_void,
    handle: *mut u64,
) -> NTSTATUS {
    level::require("EtwRegister", PASSIVE_LEVEL);
    if id.is_null() || handle.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    let file = settings::etw_file().and_then(|path| {
        match OpenOptions::new().create(true).append(true).open(&path) {
            Ok(file) => Some(file),
            Err(error) => {
                report::note(format_args!("events are dropped: {path}: {error}"));
                None
            }
        }
    });
    let enabled = file.is_some();
    let (enabled_level, keyword) = (settings::etw_level(), settings::etw_keyword());
    // SAFETY: the caller's promise.
    let provider = Provider { id: unsafe { id.read() }, file, level: enabled_level, keyword };
    let mut providers = providers();
    let (last, table) = providers.get_or_insert_default();
    *last += 1;
    let number = *last;
    table.insert(number, provider);
    // The callback may write an event.
    drop(providers);
    // SAFETY: the caller's promise.
    unsafe { handle.write(number) };
    if let (true, Some(callback)) = (enabled, callback) {
        // SAFETY: the caller's promise.
        unsafe { callback(id, ENABLE, enabled_level, keyword, 0, std::ptr::null_mut(), context) };
    }
    STATUS_SUCCESS
}

/// EtwUnregister.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn EtwUnregister(handle: u64) -> NTSTATUS {
    level::require("EtwUnregister", PASSIVE_LEVEL);
    let known = providers().as_mut().and_then(|(_, table)| table.remove(&handle));
    if known.is_some() { STATUS_SUCCESS } else { STATUS_INVALID_HANDLE }
}

/// EtwWriteTransfer.
///
/// # Safety
/// `descriptor` is readable, `data` leads to `count` descriptors of readable memory.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn EtwWriteTransfer(
    handle: u64,
    descriptor: *const EventDescriptor,
    _activity: *const GUID,
    _related: *const GUID,
    count: u32,
    data: *const EVENT_DATA_DESCRIPTOR,
) -> NTSTATUS {
    level::require("EtwWriteTransfer", DISPATCH_LEVEL);
    // SAFETY: the caller's promise.
    let event = unsafe { descriptor.read() };
    let parts: Vec<Part<'_>> = (0..count as usize)
        .map(|index| {
            // SAFETY: the caller's promise.
            let part = unsafe { data.wrapping_add(index).read() };
            let at = std::ptr::with_exposed_provenance::<u8>(usize::try_from(part.ptr).unwrap_or_default());
            let bytes = if part.size == 0 {
                &[][..]
            } else {
                // SAFETY: the caller's promise.
                unsafe { std::slice::from_raw_parts(at, part.size as usize) }
            };
            Part { kind: part.kind, bytes }
        })
        .collect();
    write(handle, &event, &parts)
}

/// EtwWriteEx.
///
/// # Safety
/// As for [`EtwWriteTransfer`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn EtwWriteEx(
    handle: u64,
    descriptor: *const EventDescriptor,
    _filter: u64,
    _flags: u32,
    activity: *const GUID,
    related: *const GUID,
    count: u32,
    data: *const EVENT_DATA_DESCRIPTOR,
) -> NTSTATUS {
    // SAFETY: the same contract.
    unsafe { EtwWriteTransfer(handle, descriptor, activity, related, count, data) }
}

/// EtwWrite.
///
/// # Safety
/// As for [`EtwWriteTransfer`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn EtwWrite(
    handle: u64,
    descriptor: *const EventDescriptor,
    activity: *const GUID,
    count: u32,
    data: *const EVENT_DATA_DESCRIPTOR,
) -> NTSTATUS {
    // SAFETY: the same contract.
    unsafe { EtwWriteTransfer(handle, descriptor, activity, std::ptr::null(), count, data) }
}

fn write(handle: u64, event: &EventDescriptor, parts: &[Part<'_>]) -> NTSTATUS {
    let mut providers = providers();
    let Some(provider) = providers.as_mut().and_then(|(_, table)| table.get_mut(&handle)) else {
        return STATUS_INVALID_HANDLE;
    };
    if !provider.is_enabled(event.level, event.keyword) {
        return STATUS_SUCCESS;
    }
    let line = decode::line(&provider.id, event, parts);
    if let Some(Err(error)) = provider.file.as_mut().map(|file| file.write_all(line.as_bytes())) {
        report::note(format_args!("an event was dropped: {error}"));
    }
    STATUS_SUCCESS
}

/// EtwEventEnabled.
///
/// # Safety
/// `descriptor` is readable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn EtwEventEnabled(handle: u64, descriptor: *const EventDescriptor) -> BOOLEAN {
    // SAFETY: the caller's promise.
    let event = unsafe { descriptor.read() };
    EtwProviderEnabled(handle, event.level, event.keyword)
}

/// EtwProviderEnabled.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn EtwProviderEnabled(handle: u64, level: u8, keyword: u64) -> BOOLEAN {
    let providers = providers();
    let provider = providers.as_ref().and_then(|(_, table)| table.get(&handle));
    BOOLEAN::from(provider.is_some_and(|provider| provider.is_enabled(level, keyword)))
}

/// EtwSetInformation: taken, and of no effect.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn EtwSetInformation(
    _handle: u64,
    _class: u32,
    _information: *const c_void,
    _length: u32,
) -> NTSTATUS {
    STATUS_SUCCESS
}

/// EtwActivityIdControl: taken, and of no effect.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn EtwActivityIdControl(_code: u32, _activity: *mut GUID) -> NTSTATUS {
    STATUS_SUCCESS
}
