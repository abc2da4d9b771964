//! A packet that the I/O manager gave to the device.

// UNSAFETY: reads the packet's fields and its buffers by address, and gives it back.
#![expect(unsafe_code, reason = "IRPs are the I/O manager's memory, lent until they are completed")]

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use bytemuck::NoUninit;
use skua_engine::abi::nt::{
    FILE_OBJECT, IO_NO_INCREMENT, IO_PARAMETERS_DEVICE_IO_CONTROL, IO_STACK_LOCATION, IRP, MDL,
    io_get_current_irp_stack_location, io_mark_irp_pending,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_SUCCESS};
use skua_engine::{Dispatch, Kernel};

/// An open file of the device, by the address of its FILE_OBJECT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileId(usize);

/// A packet of the device's, owned until it is completed.
///
/// # Invariants
/// The packet is this driver's: nobody else completes it, so its fields and buffers are there. It is completed once,
/// because completing consumes the value; one that is merely dropped would hang its caller.
#[must_use = "a packet that is not completed hangs its caller"]
pub(crate) struct Request {
    irp: NonNull<IRP>,
}

// SAFETY: a packet may be served in any thread.
unsafe impl Send for Request {}

impl Request {
    /// Takes a packet.
    ///
    /// # Safety
    /// The I/O manager gave `irp` to a dispatch routine, or [`Request::into_irp`] gave it away; it has a current stack
    /// location and is nobody else's.
    pub(crate) unsafe fn from_irp(irp: NonNull<IRP>) -> Self {
        Self { irp }
    }

    /// Gives the packet away uncompleted.
    pub(crate) fn into_irp(self) -> NonNull<IRP> {
        self.irp
    }

    /// The packet, still this value's.
    pub(crate) fn irp(&self) -> NonNull<IRP> {
        self.irp
    }

    /// What is asked: `IRP_MJ_`.
    pub(crate) fn major(&self) -> u8 {
        self.location().MajorFunction
    }

    /// The file it is asked on.
    pub(crate) fn file(&self) -> FileId {
        let file: *mut FILE_OBJECT = self.location().FileObject;
        FileId(file.addr())
    }

    /// Whether the file to be opened has a name below the device's.
    pub(crate) fn has_name(&self) -> bool {
        NonNull::new(self.location().FileObject).is_some_and(|file| {
            // SAFETY: a packet keeps its file until it is completed.
            let name = unsafe { (*file.as_ptr()).FileName };
            name.Length != 0
        })
    }

    /// The file has just been opened.
    pub(crate) fn enter_file(&self) {
        if let Some(mark) = self.file_mark() {
            mark.store(ptr::null_mut(), Ordering::Relaxed);
        }
    }

    /// The file's last handle is closed; whether that was known. Requests that were on their way may still come.
    pub(crate) fn leave_file(&self) -> bool {
        let left = ptr::without_provenance_mut(1);
        self.file_mark().is_some_and(|mark| !mark.swap(left, Ordering::AcqRel).is_null())
    }

    /// Whether the file's last handle is closed.
    pub(crate) fn has_left_file(&self) -> bool {
        self.file_mark().is_some_and(|mark| !mark.load(Ordering::Acquire).is_null())
    }

    /// FsContext2, which is the driver's: null while the file has handles. `None` for a packet without a file, which
    /// another driver made.
    fn file_mark(&self) -> Option<&AtomicPtr<c_void>> {
        let file = NonNull::new(self.location().FileObject)?;
        // SAFETY: a packet keeps its file until it is completed.
        let mark = unsafe { &raw mut (*file.as_ptr()).FsContext2 };
        // SAFETY: aligned, there as long as the packet, and accessed here alone.
        Some(unsafe { AtomicPtr::from_ptr(mark) })
    }

    /// The control code of an IRP_MJ_DEVICE_CONTROL.
    pub(crate) fn code(&self) -> u32 {
        self.control().IoControlCode
    }

    /// The input of an IRP_MJ_DEVICE_CONTROL that is not METHOD_NEITHER: the I/O manager's copy, which the caller cannot
    /// change any more. It shares its memory with the output.
    pub(crate) fn input(&self) -> &[u8] {
        let bytes = usize::try_from(self.control().InputBufferLength).unwrap_or(0);
        self.system_buffer(bytes)
    }

    /// Bytes that the caller has room for.
    pub(crate) fn output_bytes(&self) -> usize {
        usize::try_from(self.control().OutputBufferLength).unwrap_or(0)
    }

    /// The caller's locked output of METHOD_OUT_DIRECT; null for an empty one.
    pub(crate) fn output_mdl(&self) -> *mut MDL {
        // SAFETY: the packet is this value's.
        unsafe { (*self.irp.as_ptr()).MdlAddress }
    }

    /// Marks the packet pending: its dispatch routine returns STATUS_PENDING.
    pub(crate) fn mark_pending(&self) {
        // SAFETY: the packet is this value's and has a current location.
        unsafe { io_mark_irp_pending(self.irp.as_ptr()) }
    }

    /// Completes it without output.
    pub(crate) fn complete<K: Kernel>(self, kernel: &K, status: NTSTATUS) {
        self.finish(kernel, status, 0);
    }

    /// Completes it with one structure as its output, or STATUS_BUFFER_TOO_SMALL.
    ///
    /// # Errors
    /// That status, if the structure did not fit.
    pub(crate) fn answer<K: Kernel, T: NoUninit>(self, kernel: &K, output: &T) -> Result<(), NTSTATUS> {
        let mut answer = Answer::new(self);
        let pushed = answer.push(output).ok_or(STATUS_BUFFER_TOO_SMALL);
        answer.finish(kernel, pushed.err().unwrap_or(STATUS_SUCCESS));
        pushed
    }

    /// Completes it; `information` bytes of its output are set.
    pub(crate) fn finish<K: Kernel>(self, kernel: &K, status: NTSTATUS, information: usize) {
        let irp = self.irp.as_ptr();
        // SAFETY: the packet is this value's.
        unsafe { (*irp).IoStatus.Status = status };
        // SAFETY: as above.
        unsafe { (*irp).IoStatus.Information = information };
        // Raised, because this may give up the file's last reference: CLOSE, and an unload that waited for it, then come in
        // another thread. In this one, if it is the control thread, the unload would wait for itself; in any other, it flushes
        // queued DPCs, and so waits for what is raised.
        Dispatch::with(kernel, |_| {
            // SAFETY: the packet is given up here, with its status filled in.
            unsafe { kernel.io_complete_request(irp, IO_NO_INCREMENT) }
        });
    }

    fn location(&self) -> IO_STACK_LOCATION {
        // SAFETY: the packet is this value's and has a current location.
        let location = unsafe { io_get_current_irp_stack_location(self.irp.as_ptr()) };
        // SAFETY: as above.
        unsafe { *location }
    }

    fn control(&self) -> IO_PARAMETERS_DEVICE_IO_CONTROL {
        // SAFETY: every arm of the union is made of words, so any bytes are a value.
        unsafe { self.location().Parameters.DeviceIoControl }
    }

    fn system_buffer(&self, bytes: usize) -> &[u8] {
        match NonNull::new(self.system_address()) {
            // SAFETY: the I/O manager's buffer is as long as the longer of input and output, and set up to the input's
            // length; it is this value's, and written through `Answer` alone, which owns the value.
            Some(start) if bytes > 0 => unsafe { core::slice::from_raw_parts(start.as_ptr(), bytes) },
            _ => &[],
        }
    }

    fn system_address(&self) -> *mut u8 {
        // SAFETY: the packet is this value's.
        let associated = unsafe { (*self.irp.as_ptr()).AssociatedIrp };
        // SAFETY: every arm is a word, and with buffered I/O it is this one.
        unsafe { associated.SystemBuffer }.cast()
    }
}

/// The output of a buffered request, written from front to back. The input is gone from the first byte on.
#[must_use = "a packet that is not completed hangs its caller"]
pub(crate) struct Answer {
    request: Request,
    written: usize,
}

impl Answer {
    /// An empty output.
    pub(crate) fn new(request: Request) -> Self {
        Self { request, written: 0 }
    }

    /// How many more bytes fit.
    pub(crate) fn room(&self) -> usize {
        self.request.output_bytes().saturating_sub(self.written)
    }

    /// Adds a structure; `None` if it does not fit.
    pub(crate) fn push<T: NoUninit>(&mut self, value: &T) -> Option<()> {
        let bytes = bytemuck::bytes_of(value);
        let start = NonNull::new(self.request.system_address())?;
        if bytes.len() > self.room() {
            return None;
        }
        // SAFETY: the buffer is as long as the output at least, and `written + bytes.len()` does not exceed that.
        let place = unsafe { start.add(self.written) };
        // SAFETY: as above; a structure of the caller's does not lie in the I/O manager's buffer.
        unsafe { place.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        self.written += bytes.len();
        Some(())
    }

    /// Writes over what was pushed first; nothing if it is not there.
    pub(crate) fn replace_front<T: NoUninit>(&mut self, value: &T) {
        let written = self.written;
        if size_of::<T>() <= written {
            self.written = 0;
            // It fits: it did before.
            let _fits = self.push(value);
            self.written = written;
        }
    }

    /// Completes the request with what was written, or without output if it failed.
    pub(crate) fn finish<K: Kernel>(self, kernel: &K, status: NTSTATUS) {
        let information = if status.is_success() { self.written } else { 0 };
        self.request.finish(kernel, status, information);
    }
}
