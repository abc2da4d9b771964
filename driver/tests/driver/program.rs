//! A program that has the device open: makes packets as the I/O manager does, and gets them back completed.

// UNSAFETY: builds packets in memory of its own.
#![expect(unsafe_code, reason = "packets are what a dispatch routine takes")]

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bytemuck::{NoUninit, Pod};
use skua_driver::Device;
use skua_engine::Kernel as _;
use skua_engine::abi::nt::{
    DEVICE_OBJECT, DISPATCH_LEVEL, EmbeddedIrp, FILE_OBJECT, IO_PARAMETERS_DEVICE_IO_CONTROL,
    IO_SIZE_OF_IRP_1, IRP, IRP_ASSOCIATED, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE,
    IRP_MJ_DEVICE_CONTROL, MDL, PAGE_SIZE, io_get_next_irp_stack_location, io_set_completion_routine,
    io_set_next_irp_stack_location, mdl_size_for_any_address, mm_initialize_mdl,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::zeroed;
use skua_protocol::{ControlCode, Method};

use crate::host::HostExecutive;

/// How long a request may take that is not to wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What buffers are filled with.
const FILL: u8 = 0xa5;

/// An open handle.
pub(crate) struct Program {
    executive: HostExecutive,
    device: Arc<Device<HostExecutive>>,
    file: Arc<File>,
    closed: bool,
}

/// A FILE_OBJECT, of which the driver has one field.
struct File(UnsafeCell<FILE_OBJECT>);

// SAFETY: the field is the driver's to guard.
unsafe impl Send for File {}
// SAFETY: as above.
unsafe impl Sync for File {}

/// A request that the device has.
pub(crate) struct Pending {
    executive: HostExecutive,
    packet: Arc<Packet>,
    returned: NTSTATUS,
}

/// A packet, its buffers, and where its completion is told.
struct Packet {
    irp: UnsafeCell<EmbeddedIrp>,
    /// Input, then output, as METHOD_BUFFERED shares it; 8-aligned.
    buffer: UnsafeCell<Vec<u64>>,
    /// The output of METHOD_OUT_DIRECT.
    direct: UnsafeCell<Vec<u64>>,
    mdl: UnsafeCell<Vec<u64>>,
    /// The length of `buffer`.
    shared_bytes: usize,
    output_bytes: usize,
    is_direct: bool,
    done: Mutex<u32>,
    told: Condvar,
    executive: HostExecutive,
    /// At which level it was completed.
    level: AtomicU8,
}

// SAFETY: the driver and the test take turns: the test looks at the buffers only when the packet is completed.
unsafe impl Send for Packet {}
// SAFETY: as above.
unsafe impl Sync for Packet {}

impl Program {
    /// Opens the device.
    pub(crate) fn open(
        executive: &HostExecutive,
        device: &Arc<Device<HostExecutive>>,
    ) -> Result<Self, NTSTATUS> {
        Self::open_below(executive, device, 0)
    }

    /// Opens a name below the device, of so many bytes.
    pub(crate) fn open_below(
        executive: &HostExecutive,
        device: &Arc<Device<HostExecutive>>,
        name_bytes: u16,
    ) -> Result<Self, NTSTATUS> {
        let mut file: FILE_OBJECT = zeroed();
        file.FileName.Length = name_bytes;
        let file = Arc::new(File(UnsafeCell::new(file)));
        let mut program =
            Self { executive: executive.clone(), device: Arc::clone(device), file, closed: true };
        let status = program.send(IRP_MJ_CREATE, 0, &[], 0, false).wait().0;
        program.closed = !status.is_success();
        status.is_success().then_some(program).ok_or(status)
    }

    /// One request to its end: its status, and what it put out.
    pub(crate) fn control(&self, code: u32, input: &[u8], output_bytes: usize) -> (NTSTATUS, Vec<u8>) {
        self.begin(code, input, output_bytes).wait()
    }

    /// A request that succeeds and puts out one structure.
    #[track_caller]
    pub(crate) fn ask<T: Pod>(&self, code: ControlCode, input: &[u8]) -> T {
        let (status, output) = self.control(code as u32, input, size_of::<T>());
        assert_eq!(status, STATUS_SUCCESS, "{code:?}");
        bytemuck::pod_read_unaligned(&output)
    }

    /// A request without output.
    pub(crate) fn tell<T: NoUninit>(&self, code: ControlCode, input: &T) -> NTSTATUS {
        self.control(code as u32, bytemuck::bytes_of(input), 0).0
    }

    /// Hands a request over.
    pub(crate) fn begin(&self, code: u32, input: &[u8], output_bytes: usize) -> Pending {
        // What the I/O manager reads out of the code.
        let direct = code & 3 == Method::OutDirect as u32;
        self.send(IRP_MJ_DEVICE_CONTROL, code, input, output_bytes, direct)
    }

    /// A packet of another major function than those that this has methods for.
    pub(crate) fn other(&self, major: u8) -> NTSTATUS {
        self.send(major, 0, &[], 0, false).wait().0
    }

    /// The last handle is closed: Windows sends CLEANUP and then CLOSE, Wine CLOSE alone.
    pub(crate) fn close(mut self, majors: &[u8]) {
        self.send_all(majors);
    }

    /// The last handle is closed; what is sent after that was on its way, and CLOSE comes when it is completed.
    pub(crate) fn close_handle(&self) {
        assert_eq!(self.send(IRP_MJ_CLEANUP, 0, &[], 0, false).wait().0, STATUS_SUCCESS);
    }

    fn send_all(&mut self, majors: &[u8]) {
        for &major in majors {
            assert_eq!(self.send(major, 0, &[], 0, false).wait().0, STATUS_SUCCESS);
        }
        self.closed = true;
    }

    fn send(&self, major: u8, code: u32, input: &[u8], output_bytes: usize, is_direct: bool) -> Pending {
        let packet = Packet::new(&self.executive, input, output_bytes, is_direct);
        let irp = packet.irp();
        // SAFETY: the packet's own memory, of that size.
        unsafe { self.executive.io_initialize_irp(irp, IO_SIZE_OF_IRP_1, 1) };
        packet.describe(&self.executive);
        // SAFETY: initialised with one location, which is still the next.
        let location = unsafe { io_get_next_irp_stack_location(irp) };
        // SAFETY: in the packet, which is this function's.
        let location = unsafe { &mut *location };
        location.MajorFunction = major;
        location.FileObject = self.file.0.get();
        location.Parameters.DeviceIoControl = IO_PARAMETERS_DEVICE_IO_CONTROL {
            OutputBufferLength: u32::try_from(output_bytes).unwrap(),
            InputBufferLength: u32::try_from(input.len()).unwrap(),
            IoControlCode: code,
            ..zeroed()
        };
        let context = ptr::from_ref(&*packet).cast_mut().cast();
        // SAFETY: the packet is not moved before it is completed: it lies in an Arc, and `Pending` waits for it.
        unsafe { io_set_completion_routine(irp, Some(complete), context, true, true, true) };
        // SAFETY: the location that was filled in.
        unsafe { io_set_next_irp_stack_location(irp) };
        // SAFETY: a packet as the I/O manager gives it.
        let returned = unsafe { self.device.dispatch(NonNull::new(irp).unwrap()) };
        Pending { executive: self.executive.clone(), packet, returned }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.closed && !std::thread::panicking() {
            self.send_all(&[IRP_MJ_CLEANUP, IRP_MJ_CLOSE]);
        }
    }
}

impl Pending {
    /// Whether it is completed, within `limit`.
    pub(crate) fn is_done(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut done = self.packet.done.lock().unwrap();
        while *done == 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            done = self.packet.told.wait_timeout(done, left).unwrap().0;
        }
        true
    }

    /// CancelIo.
    pub(crate) fn cancel(&self) {
        // SAFETY: the packet is there as long as this value.
        unsafe { self.executive.io_cancel_irp(self.packet.irp()) };
    }

    /// Waits for its end: status and output.
    #[track_caller]
    pub(crate) fn wait(self) -> (NTSTATUS, Vec<u8>) {
        assert!(self.is_done(PATIENCE), "the request is not completed");
        assert_eq!(*self.packet.done.lock().unwrap(), 1, "completed more than once");
        // Lower, the file's last reference could be given up in place, and CLOSE come on the control thread.
        assert_eq!(self.packet.level.load(Ordering::Relaxed), DISPATCH_LEVEL, "completed at another level");
        // SAFETY: completed, so it is this side's.
        let status = unsafe { (*self.packet.irp()).IoStatus };
        let pending = self.returned == STATUS_PENDING;
        assert!(
            pending || self.returned == status.Status,
            "returned {}, completed {}",
            self.returned,
            status.Status
        );
        assert!(status.Information <= self.packet.output_bytes, "more output than there is room for");
        let output = if self.packet.is_direct { &self.packet.direct } else { &self.packet.buffer };
        // SAFETY: as above.
        let output: &[u8] = bytemuck::cast_slice(unsafe { &*output.get() });
        let behind = if self.packet.is_direct { self.packet.output_bytes } else { self.packet.shared_bytes };
        assert!(output[behind..].iter().all(|byte| *byte == FILL), "written beyond the buffer");
        (status.Status, output[..status.Information].to_vec())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // The packet's memory must outlive the packet.
        while *self.packet.done.lock().unwrap() == 0 {
            if std::thread::panicking() {
                // The test has failed; the driver may still complete it.
                std::mem::forget(Arc::clone(&self.packet));
                break;
            }
            self.cancel();
            self.is_done(Duration::from_millis(1));
        }
    }
}

impl Packet {
    fn new(executive: &HostExecutive, input: &[u8], output_bytes: usize, is_direct: bool) -> Arc<Self> {
        // A word more than anybody may write.
        let words = |bytes: usize| vec![u64::from_ne_bytes([FILL; 8]); bytes.div_ceil(8) + 1];
        let buffered = if is_direct { 0 } else { output_bytes };
        let shared_bytes = input.len().max(buffered);
        let mut buffer = words(shared_bytes);
        bytemuck::cast_slice_mut(&mut buffer)[..input.len()].copy_from_slice(input);
        let direct = words(if is_direct { output_bytes } else { 0 });
        let mdl = words(mdl_size_for_any_address(output_bytes + PAGE_SIZE).unwrap());
        Arc::new(Self {
            irp: UnsafeCell::new(zeroed()),
            buffer: UnsafeCell::new(buffer),
            direct: UnsafeCell::new(direct),
            mdl: UnsafeCell::new(mdl),
            shared_bytes,
            output_bytes,
            is_direct,
            done: Mutex::new(0),
            told: Condvar::new(),
            executive: executive.clone(),
            level: AtomicU8::new(0),
        })
    }

    fn irp(&self) -> *mut IRP {
        EmbeddedIrp::as_irp(self.irp.get())
    }

    /// Points the packet at its buffers.
    fn describe(&self, executive: &HostExecutive) {
        // SAFETY: nobody else has the packet yet.
        let buffer = unsafe { &mut *self.buffer.get() };
        let system: *mut c_void =
            if self.shared_bytes == 0 { ptr::null_mut() } else { buffer.as_mut_ptr().cast() };
        // SAFETY: as above.
        unsafe { (*self.irp()).AssociatedIrp = IRP_ASSOCIATED { SystemBuffer: system } };
        if self.is_direct && self.output_bytes > 0 {
            // SAFETY: as above.
            let direct = unsafe { (*self.direct.get()).as_mut_ptr() };
            // SAFETY: as above.
            let mdl: *mut MDL = unsafe { (*self.mdl.get()).as_mut_ptr() }.cast();
            let bytes = u32::try_from(self.output_bytes).unwrap();
            // SAFETY: long enough for that many bytes at any address.
            unsafe { mm_initialize_mdl(mdl, direct.cast(), bytes) };
            // SAFETY: as above.
            unsafe { executive.mm_build_mdl_for_non_paged_pool(mdl) };
            // SAFETY: nobody else has the packet yet.
            unsafe { (*self.irp()).MdlAddress = mdl };
        }
    }
}

unsafe extern "C" fn complete(_device: *mut DEVICE_OBJECT, _irp: *mut IRP, context: *mut c_void) -> NTSTATUS {
    // SAFETY: `send` passed a packet that stays until it is completed.
    let packet = unsafe { &*context.cast::<Packet>() };
    packet.level.store(packet.executive.ke_get_current_irql(), Ordering::Relaxed);
    let mut done = packet.done.lock().unwrap();
    *done += 1;
    packet.told.notify_all();
    STATUS_MORE_PROCESSING_REQUIRED
}
