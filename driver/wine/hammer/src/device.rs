//! The driver's device: handles of any access, and requests that are always waited for.

// UNSAFETY: Windows takes raw handles and buffers.
#![expect(unsafe_code, reason = "system calls on handles and buffers")]

use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr;

use anyhow::{Result, bail};
use skua_protocol::{ControlCode, WIN32_NAME};
use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, GENERIC_READ, GENERIC_WRITE, GetLastError, INVALID_HANDLE_VALUE, WAIT_OBJECT_0,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_OVERLAPPED, FILE_SHARE_READ, FILE_SHARE_WRITE, OPEN_EXISTING,
};
use windows_sys::Win32::System::IO::{CancelIoEx, DeviceIoControl, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::{CreateEventW, WaitForSingleObject};

/// What a handle is opened for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rights {
    Read,
    Write,
    Both,
}

/// Longest that a request may pend before it is cancelled, in ms.
const PATIENCE: u32 = 20;
/// Longest that a cancelled request may take to end, in ms.
const CANCELLED: u32 = 30_000;

/// An open device.
pub(crate) struct Device {
    handle: OwnedHandle,
    /// Set when the request that is under way ends; there is one at a time.
    event: OwnedHandle,
}

/// How a request ended: the bytes it answered, or the Windows error.
pub(crate) type Ended = std::result::Result<usize, u32>;

impl Device {
    /// Opens it. The error is Windows'.
    pub(crate) fn open(rights: Rights) -> std::result::Result<Self, u32> {
        let access = match rights {
            Rights::Read => GENERIC_READ,
            Rights::Write => GENERIC_WRITE,
            Rights::Both => GENERIC_READ | GENERIC_WRITE,
        };
        let name: Vec<u16> = WIN32_NAME.encode_utf16().chain([0]).collect();
        // SAFETY: a string with a zero at its end, and no other pointers.
        let handle = unsafe {
            CreateFileW(
                name.as_ptr(),
                access,
                FILE_SHARE_READ | FILE_SHARE_WRITE,
                ptr::null(),
                OPEN_EXISTING,
                FILE_FLAG_OVERLAPPED,
                ptr::null_mut(),
            )
        };
        if handle == INVALID_HANDLE_VALUE {
            return Err(last_error());
        }
        // SAFETY: just opened, and nobody else's.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        // SAFETY: no pointers.
        let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        if event.is_null() {
            return Err(last_error());
        }
        // SAFETY: just created, and nobody else's.
        let event = unsafe { OwnedHandle::from_raw_handle(event) };
        Ok(Self { handle, event })
    }

    /// Sends a request and waits for its end, cancelling it if that takes long. An error is a request that does not end
    /// even so.
    pub(crate) fn request(&self, code: u32, input: &[u8], output: &mut [u8]) -> Result<Ended> {
        let mut overlapped = OVERLAPPED { hEvent: self.event.as_raw_handle(), ..Default::default() };
        let mut answered = 0;
        let (input_bytes, output_bytes) = (u32::try_from(input.len())?, u32::try_from(output.len())?);
        // SAFETY: both buffers and the OVERLAPPED are there until the request has ended: this function waits for it.
        let done = unsafe {
            DeviceIoControl(
                self.handle.as_raw_handle(),
                code,
                input.as_ptr().cast(),
                input_bytes,
                output.as_mut_ptr().cast(),
                output_bytes,
                &raw mut answered,
                &raw mut overlapped,
            )
        };
        if done == 0 {
            let error = last_error();
            if error != ERROR_IO_PENDING {
                return Ok(Err(error));
            }
            if !self.ends_within(PATIENCE) {
                // SAFETY: the request's handle and OVERLAPPED. It may have ended just now, which is no error.
                unsafe { CancelIoEx(self.handle.as_raw_handle(), &raw const overlapped) };
                if !self.ends_within(CANCELLED) {
                    // The buffers must outlive the request, and nothing is known to end it.
                    eprintln!("hammer: request {code:#x} does not end, cancelled as it is");
                    std::process::abort();
                }
            }
        }
        // SAFETY: the request's handle and OVERLAPPED, and room for the count.
        let done = unsafe {
            GetOverlappedResult(self.handle.as_raw_handle(), &raw const overlapped, &raw mut answered, 0)
        };
        if done == 0 {
            return Ok(Err(last_error()));
        }
        let answered = usize::try_from(answered)?;
        if answered > output.len() {
            bail!("request {code:#x} answers {answered} bytes where there is room for {}", output.len());
        }
        Ok(Ok(answered))
    }

    /// Sends a request that must succeed; the answer's bytes.
    pub(crate) fn ask(&self, code: ControlCode, input: &[u8], room: usize) -> Result<Vec<u8>> {
        let mut output = vec![0; room];
        match self.request(code as u32, input, &mut output)? {
            Ok(answered) => {
                output.truncate(answered);
                Ok(output)
            }
            Err(error) => bail!("{code:?} fails with Windows' error {error}"),
        }
    }

    fn ends_within(&self, milliseconds: u32) -> bool {
        // SAFETY: an event of this value's.
        unsafe { WaitForSingleObject(self.event.as_raw_handle(), milliseconds) == WAIT_OBJECT_0 }
    }
}

fn last_error() -> u32 {
    // SAFETY: no arguments.
    unsafe { GetLastError() }
}
