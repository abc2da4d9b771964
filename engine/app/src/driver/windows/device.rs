//! The device, as the I/O manager hands it requests.

// UNSAFETY: requests are system calls on addresses.
#![expect(unsafe_code, reason = "requests and their buffers are handed over by address")]

use std::fs::File;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;

use skua_engine::abi::status::{NTSTATUS, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES};
use skua_protocol::{ControlCode, ReaderAttached, WIN32_NAME};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_IO_PENDING, ERROR_PATH_NOT_FOUND,
    ERROR_SHUTDOWN_IN_PROGRESS, FALSE, HANDLE, TRUE, WAIT_OBJECT_0,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, FILE_SHARE_READ, FILE_SHARE_WRITE};
use windows_sys::Win32::System::IO::{CancelIoEx, DeviceIoControl, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent, WaitForMultipleObjects};
use windows_sys::core::BOOL;

use super::mapping;
use crate::driver::error::DriverError;
use crate::driver::link::{Link, Refusal};
use crate::shared::{AttachError, MappedReader};

/// Opens the device.
///
/// # Errors
/// [`DriverError`] says why not.
pub(in crate::driver) fn open() -> Result<Box<dyn Link>, DriverError> {
    let file = File::options()
        .read(true)
        .write(true)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
        .custom_flags(FILE_FLAG_OVERLAPPED)
        .open(WIN32_NAME)
        .map_err(|source| match code_of(&source) {
            ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => DriverError::NotRunning,
            ERROR_ACCESS_DENIED => DriverError::NotAdministrator,
            ERROR_SHUTDOWN_IN_PROGRESS => DriverError::Stopping,
            _ => DriverError::Open { source },
        })?;
    let interrupt = event(false).map_err(|source| DriverError::Open { source })?;
    Ok(Box::new(Device { file, interrupt }))
}

/// An open file of the device, for overlapped requests.
struct Device {
    file: File,
    // Set by whoever ends a wait; a wait that it ends resets it.
    interrupt: OwnedHandle,
}

impl Link for Device {
    fn ask(&self, code: ControlCode, input: &[u8], output: &mut [u8]) -> Result<usize, Refusal> {
        let mut request = Request::new(self)?;
        request.send(code, input, output)?;
        request.finish()
    }

    fn wait(&self, code: ControlCode, input: &[u8], span: Duration) -> Result<(), Refusal> {
        let mut request = Request::new(self)?;
        request.send(code, input, &mut [])?;
        let handles: [HANDLE; 2] = [request.done.as_raw_handle(), self.interrupt.as_raw_handle()];
        let milliseconds = u32::try_from(span.as_millis()).unwrap_or(u32::MAX - 1).max(1);
        // SAFETY: two handles that are open as long as the call.
        let woken = unsafe { WaitForMultipleObjects(2, handles.as_ptr(), FALSE, milliseconds) };
        if woken != WAIT_OBJECT_0 {
            request.cancel();
        }
        match request.finish() {
            Ok(_) => Ok(()),
            Err(Refusal(STATUS_CANCELLED)) if woken != WAIT_OBJECT_0 => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    fn interrupt(&self) {
        // SAFETY: an event of this value's. It cannot fail then.
        unsafe { SetEvent(self.interrupt.as_raw_handle()) };
    }

    fn map(&self, attached: &ReaderAttached, ring: u16) -> Result<MappedReader, AttachError> {
        mapping::map(attached, ring)
    }
}

/// A request under way. The system writes to `overlapped` and to the request's output until it is finished.
///
/// # Invariants
/// `overlapped` stays where it is, boxed, and with the buffers, until the request is finished: [`Request::finish`] waits,
/// and so does dropping one that was sent.
struct Request<'d> {
    device: &'d Device,
    done: OwnedHandle,
    overlapped: Box<OVERLAPPED>,
    sent: bool,
}

impl<'d> Request<'d> {
    fn new(device: &'d Device) -> Result<Self, Refusal> {
        let done = event(true).map_err(|error| refusal(&error))?;
        let overlapped = Box::new(OVERLAPPED { hEvent: done.as_raw_handle(), ..OVERLAPPED::default() });
        Ok(Self { device, done, overlapped, sent: false })
    }

    /// Hands it over. The caller finishes the request before it lets go of the buffers.
    fn send(&mut self, code: ControlCode, input: &[u8], output: &mut [u8]) -> Result<(), Refusal> {
        let length = |bytes: usize| u32::try_from(bytes).map_err(|_| Refusal(STATUS_INSUFFICIENT_RESOURCES));
        let (input_bytes, output_bytes) = (length(input.len())?, length(output.len())?);
        // SAFETY: the buffers are as long as said and outlive the request, by the callers above, which finish it before they
        // return; so does `overlapped`. The input is only read.
        let sent = unsafe {
            DeviceIoControl(
                self.device.file.as_raw_handle(),
                code as u32,
                input.as_ptr().cast(),
                input_bytes,
                output.as_mut_ptr().cast(),
                output_bytes,
                ptr::null_mut(),
                &raw mut *self.overlapped,
            )
        };
        let error = io::Error::last_os_error();
        if sent == FALSE && code_of(&error) != ERROR_IO_PENDING {
            return Err(refusal(&error));
        }
        self.sent = true;
        Ok(())
    }

    fn cancel(&self) {
        // SAFETY: the file is open, and the request is this value's. One that is completed already is not found, which is
        // as good.
        unsafe { CancelIoEx(self.device.file.as_raw_handle(), &raw const *self.overlapped) };
    }

    /// Waits for its end, and says how many bytes of output were set.
    fn finish(mut self) -> Result<usize, Refusal> {
        self.wait_for_end()
    }

    fn wait_for_end(&mut self) -> Result<usize, Refusal> {
        self.sent = false;
        let mut bytes = 0;
        // SAFETY: the request was sent with this structure, which is there until it has ended.
        let ended: BOOL = unsafe {
            GetOverlappedResult(
                self.device.file.as_raw_handle(),
                &raw const *self.overlapped,
                &raw mut bytes,
                TRUE,
            )
        };
        if ended == FALSE {
            // The status with which the driver completed the request (OVERLAPPED docs).
            let status = u32::try_from(self.overlapped.Internal & 0xffff_ffff).unwrap_or(0);
            return Err(Refusal(NTSTATUS::from_bits(status)));
        }
        usize::try_from(bytes).map_err(|_| Refusal(STATUS_INSUFFICIENT_RESOURCES))
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        if self.sent {
            self.cancel();
            // Whatever it ended with.
            let _ = self.wait_for_end();
        }
    }
}

/// An event that is not set; one that resets itself serves one waiter.
fn event(manual_reset: bool) -> io::Result<OwnedHandle> {
    let manual_reset = if manual_reset { TRUE } else { FALSE };
    // SAFETY: a new, nameless event with the usual security takes no pointers.
    let event = unsafe { CreateEventW(ptr::null(), manual_reset, FALSE, ptr::null()) };
    if event.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a handle that was just opened and is nobody else's.
    Ok(unsafe { OwnedHandle::from_raw_handle(event) })
}

/// An error of a call that did not reach the driver, as NTSTATUS_FROM_WIN32 has it.
fn refusal(error: &io::Error) -> Refusal {
    Refusal(NTSTATUS::from_bits(code_of(error) & 0xffff | 0xC007_0000))
}

/// The system's number for an error; 0 if it has none.
fn code_of(error: &io::Error) -> u32 {
    error.raw_os_error().unwrap_or(0).cast_unsigned()
}
