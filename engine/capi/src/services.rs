//! A kernel as a table of functions in C.

// UNSAFETY: calls a kernel with what the callers of an unsafe trait vouch for.
#![expect(unsafe_code, reason = "functions in C, whose contracts are NT's")]

use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};

use skua_engine::Kernel;
use skua_engine::abi::nt::{IRP, KEVENT, MDL};
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_pools::Tag;

/// The services of the kernel that an engine runs on.
///
/// SkuaKernel() gives those of the library. A host that brings its own fills in every function; each has the name of the routine
/// of Windows whose documentation says what it does, and may be called at the levels said there. Context is passed to each of them as
/// the first argument.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SKUA_KERNEL {
    /// sizeof(SKUA_KERNEL).
    pub Size: u32,
    /// Zero.
    pub Reserved: u32,
    /// The first argument of every function.
    pub Context: *mut c_void,
    /// ExAllocatePool2 with POOL_FLAG_NON_PAGED: zeroed, resident, aligned to 16 bytes; NULL where there is none. PASSIVE_LEVEL.
    pub ExAllocatePool2:
        Option<unsafe extern "C" fn(Context: *mut c_void, NumberOfBytes: usize, Tag: u32) -> *mut c_void>,
    /// ExFreePoolWithTag, with the number of bytes that were asked for. PASSIVE_LEVEL.
    pub ExFreePoolWithTag: Option<
        unsafe extern "C" fn(Context: *mut c_void, Address: *mut c_void, NumberOfBytes: usize, Tag: u32),
    >,
    /// KeGetCurrentIrql. Any level.
    pub KeGetCurrentIrql: Option<unsafe extern "C" fn(Context: *mut c_void) -> u8>,
    /// KeRaiseIrqlToDpcLevel: the level before. At most DISPATCH_LEVEL.
    pub KeRaiseIrqlToDpcLevel: Option<unsafe extern "C" fn(Context: *mut c_void) -> u8>,
    /// KeLowerIrql.
    pub KeLowerIrql: Option<unsafe extern "C" fn(Context: *mut c_void, NewIrql: u8)>,
    /// KeGetCurrentProcessorNumberEx(NULL): an index over all groups.
    pub KeGetCurrentProcessorIndex: Option<unsafe extern "C" fn(Context: *mut c_void) -> u32>,
    /// KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS). The same answer every time.
    pub KeQueryMaximumProcessorCount: Option<unsafe extern "C" fn(Context: *mut c_void) -> u32>,
    /// IoInitializeIrp.
    pub IoInitializeIrp:
        Option<unsafe extern "C" fn(Context: *mut c_void, Irp: *mut IRP, PacketSize: u16, StackSize: i8)>,
    /// IoReuseIrp.
    pub IoReuseIrp: Option<unsafe extern "C" fn(Context: *mut c_void, Irp: *mut IRP, Status: NTSTATUS)>,
    /// IoCancelIrp: nonzero where a cancel routine was called.
    pub IoCancelIrp: Option<unsafe extern "C" fn(Context: *mut c_void, Irp: *mut IRP) -> u8>,
    /// MmBuildMdlForNonPagedPool.
    pub MmBuildMdlForNonPagedPool: Option<unsafe extern "C" fn(Context: *mut c_void, Mdl: *mut MDL)>,
    /// MmMapLockedPagesSpecifyCache(KernelMode, MmCached, NULL, FALSE, NormalPagePriority | MdlMappingNoExecute).
    pub MmMapLockedPagesSpecifyCache:
        Option<unsafe extern "C" fn(Context: *mut c_void, Mdl: *mut MDL) -> *mut c_void>,
    /// KeInitializeEvent(NotificationEvent).
    pub KeInitializeEvent: Option<unsafe extern "C" fn(Context: *mut c_void, Event: *mut KEVENT, State: u8)>,
    /// KeSetEvent(IO_NO_INCREMENT, FALSE).
    pub KeSetEvent: Option<unsafe extern "C" fn(Context: *mut c_void, Event: *mut KEVENT)>,
    /// KeClearEvent.
    pub KeClearEvent: Option<unsafe extern "C" fn(Context: *mut c_void, Event: *mut KEVENT)>,
    /// KeWaitForSingleObject(Executive, KernelMode, FALSE): Timeout is NULL, or points at units of 100 ns, negative from now on.
    /// PASSIVE_LEVEL.
    pub KeWaitForSingleObject: Option<
        unsafe extern "C" fn(Context: *mut c_void, Event: *mut KEVENT, Timeout: *const i64) -> NTSTATUS,
    >,
    /// KeQueryPerformanceCounter: ticks; ticks a second as well where Frequency is not NULL. Any level.
    pub KeQueryPerformanceCounter:
        Option<unsafe extern "C" fn(Context: *mut c_void, Frequency: *mut i64) -> i64>,
    /// KeQueryInterruptTime: units of 100 ns that never run backwards. Any level.
    pub KeQueryInterruptTime: Option<unsafe extern "C" fn(Context: *mut c_void) -> u64>,
    /// WskRegister.
    pub WskRegister: Option<
        unsafe extern "C" fn(
            Context: *mut c_void,
            Npi: *mut WSK_CLIENT_NPI,
            Registration: *mut WSK_REGISTRATION,
        ) -> NTSTATUS,
    >,
    /// WskDeregister.
    pub WskDeregister:
        Option<unsafe extern "C" fn(Context: *mut c_void, Registration: *mut WSK_REGISTRATION)>,
    /// WskCaptureProviderNPI.
    pub WskCaptureProviderNPI: Option<
        unsafe extern "C" fn(
            Context: *mut c_void,
            Registration: *mut WSK_REGISTRATION,
            WaitTimeout: u32,
            Npi: *mut WSK_PROVIDER_NPI,
        ) -> NTSTATUS,
    >,
    /// WskReleaseProviderNPI.
    pub WskReleaseProviderNPI:
        Option<unsafe extern "C" fn(Context: *mut c_void, Registration: *mut WSK_REGISTRATION)>,
    /// WskQueryProviderCharacteristics.
    pub WskQueryProviderCharacteristics: Option<
        unsafe extern "C" fn(
            Context: *mut c_void,
            Registration: *mut WSK_REGISTRATION,
            Characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
        ) -> NTSTATUS,
    >,
}

impl SKUA_KERNEL {
    /// The table of `kernel`, for the libraries that bring one. It holds the address of `kernel`.
    #[must_use]
    pub const fn over<K: Kernel>(kernel: &'static K) -> Self {
        // SAFETY: borrowed for good.
        unsafe { Self::at(core::ptr::from_ref(kernel)) }
    }

    /// The table of the kernel at `kernel`.
    ///
    /// # Safety
    /// It stays there for as long as an engine uses the table.
    #[must_use]
    pub const unsafe fn at<K: Kernel>(kernel: *const K) -> Self {
        Self {
            #[expect(clippy::cast_possible_truncation, reason = "a few hundred bytes")]
            Size: size_of::<Self>() as u32,
            Reserved: 0,
            Context: kernel.cast_mut().cast(),
            ExAllocatePool2: Some(allocate::<K>),
            ExFreePoolWithTag: Some(free::<K>),
            KeGetCurrentIrql: Some(current_irql::<K>),
            KeRaiseIrqlToDpcLevel: Some(raise::<K>),
            KeLowerIrql: Some(lower::<K>),
            KeGetCurrentProcessorIndex: Some(processor_index::<K>),
            KeQueryMaximumProcessorCount: Some(processor_count::<K>),
            IoInitializeIrp: Some(initialize_irp::<K>),
            IoReuseIrp: Some(reuse_irp::<K>),
            IoCancelIrp: Some(cancel_irp::<K>),
            MmBuildMdlForNonPagedPool: Some(build_mdl::<K>),
            MmMapLockedPagesSpecifyCache: Some(map::<K>),
            KeInitializeEvent: Some(initialize_event::<K>),
            KeSetEvent: Some(set_event::<K>),
            KeClearEvent: Some(clear_event::<K>),
            KeWaitForSingleObject: Some(wait::<K>),
            KeQueryPerformanceCounter: Some(performance_counter::<K>),
            KeQueryInterruptTime: Some(interrupt_time::<K>),
            WskRegister: Some(register::<K>),
            WskDeregister: Some(deregister::<K>),
            WskCaptureProviderNPI: Some(capture::<K>),
            WskReleaseProviderNPI: Some(release::<K>),
            WskQueryProviderCharacteristics: Some(characteristics::<K>),
        }
    }

    /// Whether every function is there.
    pub(crate) fn is_complete(&self) -> bool {
        self.ExAllocatePool2.is_some()
            && self.ExFreePoolWithTag.is_some()
            && self.KeGetCurrentIrql.is_some()
            && self.KeRaiseIrqlToDpcLevel.is_some()
            && self.KeLowerIrql.is_some()
            && self.KeGetCurrentProcessorIndex.is_some()
            && self.KeQueryMaximumProcessorCount.is_some()
            && self.IoInitializeIrp.is_some()
            && self.IoReuseIrp.is_some()
            && self.IoCancelIrp.is_some()
            && self.MmBuildMdlForNonPagedPool.is_some()
            && self.MmMapLockedPagesSpecifyCache.is_some()
            && self.KeInitializeEvent.is_some()
            && self.KeSetEvent.is_some()
            && self.KeClearEvent.is_some()
            && self.KeWaitForSingleObject.is_some()
            && self.KeQueryPerformanceCounter.is_some()
            && self.KeQueryInterruptTime.is_some()
            && self.WskRegister.is_some()
            && self.WskDeregister.is_some()
            && self.WskCaptureProviderNPI.is_some()
            && self.WskReleaseProviderNPI.is_some()
            && self.WskQueryProviderCharacteristics.is_some()
    }
}

/// # Safety
/// `context` is that of a table made by [`SKUA_KERNEL::at`] for this kernel.
unsafe fn kernel<'a, K: Kernel>(context: *mut c_void) -> &'a K {
    // SAFETY: the caller's promise.
    unsafe { &*context.cast_const().cast::<K>() }
}

unsafe extern "C" fn allocate<K: Kernel>(context: *mut c_void, bytes: usize, tag: u32) -> *mut c_void {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    kernel.allocate(bytes, Tag(tag)).map_or(null_mut(), |address| address.as_ptr().cast())
}

unsafe extern "C" fn free<K: Kernel>(context: *mut c_void, address: *mut c_void, bytes: usize, tag: u32) {
    let Some(address) = NonNull::new(address.cast::<u8>()) else { return };
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller gives back what it was given, with the same numbers.
    unsafe { kernel.free(address, bytes, Tag(tag)) }
}

unsafe extern "C" fn current_irql<K: Kernel>(context: *mut c_void) -> u8 {
    // SAFETY: the table's own context.
    unsafe { kernel::<K>(context) }.ke_get_current_irql()
}

unsafe extern "C" fn raise<K: Kernel>(context: *mut c_void) -> u8 {
    // SAFETY: the table's own context.
    unsafe { kernel::<K>(context) }.ke_raise_irql_to_dpc_level()
}

unsafe extern "C" fn lower<K: Kernel>(context: *mut c_void, irql: u8) {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.ke_lower_irql(irql) }
}

unsafe extern "C" fn processor_index<K: Kernel>(context: *mut c_void) -> u32 {
    // SAFETY: the table's own context.
    unsafe { kernel::<K>(context) }.ke_get_current_processor_index()
}

unsafe extern "C" fn processor_count<K: Kernel>(context: *mut c_void) -> u32 {
    // SAFETY: the table's own context.
    unsafe { kernel::<K>(context) }.ke_query_maximum_processor_count()
}

unsafe extern "C" fn initialize_irp<K: Kernel>(context: *mut c_void, irp: *mut IRP, bytes: u16, stack: i8) {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.io_initialize_irp(irp, bytes, stack) }
}

unsafe extern "C" fn reuse_irp<K: Kernel>(context: *mut c_void, irp: *mut IRP, status: NTSTATUS) {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.io_reuse_irp(irp, status) }
}

unsafe extern "C" fn cancel_irp<K: Kernel>(context: *mut c_void, irp: *mut IRP) -> u8 {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    u8::from(unsafe { kernel.io_cancel_irp(irp) })
}

unsafe extern "C" fn build_mdl<K: Kernel>(context: *mut c_void, mdl: *mut MDL) {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.mm_build_mdl_for_non_paged_pool(mdl) }
}

unsafe extern "C" fn map<K: Kernel>(context: *mut c_void, mdl: *mut MDL) -> *mut c_void {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.mm_map_locked_pages_specify_cache(mdl) }
}

unsafe extern "C" fn initialize_event<K: Kernel>(context: *mut c_void, event: *mut KEVENT, state: u8) {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.ke_initialize_event(event, state != 0) }
}

unsafe extern "C" fn set_event<K: Kernel>(context: *mut c_void, event: *mut KEVENT) {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.ke_set_event(event) }
}

unsafe extern "C" fn clear_event<K: Kernel>(context: *mut c_void, event: *mut KEVENT) {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.ke_clear_event(event) }
}

unsafe extern "C" fn wait<K: Kernel>(
    context: *mut c_void,
    event: *mut KEVENT,
    timeout: *const i64,
) -> NTSTATUS {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: null, or a number of the caller's. The engine waits from now on only: a point in time is none.
    let timeout = unsafe { timeout.as_ref() }.map(|units| units.min(&0).unsigned_abs());
    // SAFETY: the caller's contract is the same.
    unsafe {
        kernel.ke_wait_for_single_object(event, timeout.map(|units| units.min(i64::MAX.unsigned_abs())))
    }
}

unsafe extern "C" fn performance_counter<K: Kernel>(context: *mut c_void, frequency: *mut i64) -> i64 {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: null, or room for a number.
    if let Some(frequency) = unsafe { frequency.as_mut() } {
        *frequency = kernel.performance_frequency().cast_signed();
    }
    kernel.ke_query_performance_counter().cast_signed()
}

unsafe extern "C" fn interrupt_time<K: Kernel>(context: *mut c_void) -> u64 {
    // SAFETY: the table's own context.
    unsafe { kernel::<K>(context) }.ke_query_interrupt_time()
}

unsafe extern "C" fn register<K: Kernel>(
    context: *mut c_void,
    npi: *mut WSK_CLIENT_NPI,
    registration: *mut WSK_REGISTRATION,
) -> NTSTATUS {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.wsk_register(npi, registration) }
}

unsafe extern "C" fn deregister<K: Kernel>(context: *mut c_void, registration: *mut WSK_REGISTRATION) {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.wsk_deregister(registration) }
}

unsafe extern "C" fn capture<K: Kernel>(
    context: *mut c_void,
    registration: *mut WSK_REGISTRATION,
    timeout: u32,
    npi: *mut WSK_PROVIDER_NPI,
) -> NTSTATUS {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.wsk_capture_provider_npi(registration, timeout, npi) }
}

unsafe extern "C" fn release<K: Kernel>(context: *mut c_void, registration: *mut WSK_REGISTRATION) {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.wsk_release_provider_npi(registration) }
}

unsafe extern "C" fn characteristics<K: Kernel>(
    context: *mut c_void,
    registration: *mut WSK_REGISTRATION,
    characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
) -> NTSTATUS {
    // SAFETY: the table's own context.
    let kernel = unsafe { kernel::<K>(context) };
    // SAFETY: the caller's contract is the same.
    unsafe { kernel.wsk_query_provider_characteristics(registration, characteristics) }
}
