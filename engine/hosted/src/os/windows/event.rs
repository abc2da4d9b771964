//! Event objects of the host.

// UNSAFETY: calls the host with handles that it gave.
#![expect(unsafe_code, reason = "handles are raw")]

use std::io::{Error, Result};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{CreateEventW, INFINITE, SetEvent, WaitForMultipleObjects};

/// How many waits a signal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wakes {
    /// The first, which takes the signal.
    One,
    /// All, from then on.
    All,
}

/// An event, not signalled when new.
pub(super) struct Event(OwnedHandle);

impl Event {
    pub(super) fn new(wakes: Wakes) -> Result<Self> {
        let manual = i32::from(wakes == Wakes::All);
        // SAFETY: no attributes and no name.
        let handle = unsafe { CreateEventW(std::ptr::null(), manual, 0, std::ptr::null()) };
        if handle.is_null() {
            return Err(Error::last_os_error());
        }
        // SAFETY: the host has just given it to this function.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(handle) }))
    }

    pub(super) fn raw(&self) -> HANDLE {
        self.0.as_raw_handle()
    }

    pub(super) fn set(&self) {
        // SAFETY: an event of this value's. Setting one that exists does not fail.
        unsafe { SetEvent(self.raw()) };
    }

    /// Waits for this or `other`. False when the host cannot wait for them.
    pub(super) fn wait_or(&self, other: &Self) -> bool {
        let handles = [self.raw(), other.raw()];
        // SAFETY: two handles that outlive the call.
        let waited = unsafe { WaitForMultipleObjects(2, handles.as_ptr(), 0, INFINITE) };
        waited.wrapping_sub(WAIT_OBJECT_0) < 2
    }
}
