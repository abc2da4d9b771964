//! Kernels in user mode, as C asks for them.

// UNSAFETY: exports functions in C, which are given addresses.
#![expect(unsafe_code, reason = "memory of the program's is met by address")]

use std::ffi::{c_char, c_void};
use std::io::Write as _;
use std::ptr::{NonNull, null_mut};

use skua_capi::SKUA_KERNEL;
use skua_engine::Kernel as _;
use skua_engine::abi::nt::{MDL, mdl_size_for_any_address, mm_initialize_mdl};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_hosted::{Finding, HostConfig, HostKernel, OnFinding, ProviderConfig, Transport, VerifierConfig};

use crate::kernel::host_or_default;

/// The host's sockets, in batches and with control messages.
pub const SKUA_TRANSPORT_OS: u32 = 0;
/// The host's sockets as every host has them.
pub const SKUA_TRANSPORT_PORTABLE: u32 = 1;
/// Memory of this process.
pub const SKUA_TRANSPORT_LOOPBACK: u32 = 2;

/// Each finding is a report on standard error, and execution goes on without what broke the rule.
pub const SKUA_FINDINGS_REPORT: u32 = 0;
/// The first finding ends the process.
pub const SKUA_FINDINGS_ABORT: u32 = 1;
/// Findings are kept, silently.
pub const SKUA_FINDINGS_RECORD: u32 = 2;
/// There is no verifier.
pub const SKUA_FINDINGS_OFF: u32 = 3;

/// What a kernel is made with. Zero is a good value for everything but Size.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SKUA_HOST_CONFIG {
    /// sizeof(SKUA_HOST_CONFIG).
    pub Size: u32,
    /// Virtual processors, 1 to 64; 2 if 0.
    pub Processors: u32,
    /// Receive threads of a socket, 1 to 64; 1 if 0.
    pub Workers: u32,
    /// SKUA_TRANSPORT_OS and the like.
    pub Transport: u32,
    /// SKUA_FINDINGS_REPORT and the like.
    pub OnFinding: u32,
}

impl Default for SKUA_HOST_CONFIG {
    fn default() -> Self {
        let size = u32::try_from(size_of::<Self>()).unwrap_or_default();
        Self {
            Size: size,
            Processors: 0,
            Workers: 0,
            Transport: SKUA_TRANSPORT_OS,
            OnFinding: SKUA_FINDINGS_REPORT,
        }
    }
}

/// A kernel in user mode, with its WSK provider and its verifier. NULL stands for that of SkuaKernel.
pub struct SKUA_HOST {
    table: SKUA_KERNEL,
    /// At an address of its own, which the table holds.
    kernel: Box<HostKernel>,
}

// SAFETY: the table is constant, and the kernel is Sync.
unsafe impl Sync for SKUA_HOST {}
// SAFETY: as for Sync.
unsafe impl Send for SKUA_HOST {}

impl SKUA_HOST {
    pub(crate) fn new(config: &SKUA_HOST_CONFIG) -> Result<Self, NTSTATUS> {
        let transport = match config.Transport {
            SKUA_TRANSPORT_OS => Transport::Os,
            SKUA_TRANSPORT_PORTABLE => Transport::Portable,
            SKUA_TRANSPORT_LOOPBACK => Transport::Loopback,
            _ => return Err(STATUS_INVALID_PARAMETER),
        };
        let on_finding = match config.OnFinding {
            SKUA_FINDINGS_REPORT => Some(OnFinding::Tell(tell)),
            SKUA_FINDINGS_ABORT => Some(OnFinding::Abort),
            SKUA_FINDINGS_RECORD => Some(OnFinding::Record),
            SKUA_FINDINGS_OFF => None,
            _ => return Err(STATUS_INVALID_PARAMETER),
        };
        let or = |value, default| if value == 0 { default } else { value };
        let kernel = Box::new(HostKernel::new(HostConfig {
            processors: or(config.Processors, 2).min(64),
            provider: ProviderConfig {
                transport,
                workers: or(config.Workers, 1).min(64),
                ..ProviderConfig::default()
            },
            verifier: on_finding.map(|on_finding| VerifierConfig { on_finding, ..VerifierConfig::default() }),
            ..HostConfig::default()
        }));
        // SAFETY: the box stays where it is for this value's life.
        let table = unsafe { SKUA_KERNEL::at(&raw const *kernel) };
        Ok(Self { table, kernel })
    }

    pub(crate) fn table(&self) -> *const SKUA_KERNEL {
        &raw const self.table
    }
}

fn tell(finding: &Finding) {
    let line = format!("skua: finding: {finding}\n");
    // There is nobody to tell that standard error is closed.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Makes a kernel of its own: nothing is shared with others in the process but the host's network.
///
/// Returns STATUS_INVALID_PARAMETER for NULL and values that are none, STATUS_INFO_LENGTH_MISMATCH for an unknown Size.
///
/// # Safety
/// `Config` is null or a structure of its Size; `Host` is null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostOpen(
    Config: *const SKUA_HOST_CONFIG,
    Host: *mut *mut SKUA_HOST,
) -> NTSTATUS {
    if Config.is_null() || Host.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the caller's promise.
    let size = unsafe { Config.cast::<u32>().read() };
    if size as usize != size_of::<SKUA_HOST_CONFIG>() {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    // SAFETY: as many bytes as the structure has.
    let config = unsafe { Config.read() };
    match SKUA_HOST::new(&config) {
        Ok(host) => {
            // SAFETY: not null, so the caller's.
            unsafe { Host.write(Box::into_raw(Box::new(host))) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// Ends a kernel that no engine runs on any more. What was not given back is a finding. Returns how many findings there are in all; NULL
/// is left as it is.
///
/// # Safety
/// `Host` is null or was opened and not closed.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostClose(Host: *mut SKUA_HOST) -> u32 {
    // SAFETY: the caller's promise.
    let host = unsafe { host_or_default(Host) };
    host.kernel.look_for_leaks();
    let findings = count(host);
    if let Some(host) = NonNull::new(Host) {
        // SAFETY: made by SkuaHostOpen, and closed once.
        drop(unsafe { Box::from_raw(host.as_ptr()) });
    }
    findings
}

/// The services of a kernel, for SKUA_ENGINE_CONFIG. The table stays until SkuaHostClose.
///
/// # Safety
/// `Host` is null or was opened and not closed.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostKernel(Host: *const SKUA_HOST) -> *const SKUA_KERNEL {
    // SAFETY: the caller's promise.
    unsafe { host_or_default(Host) }.table()
}

/// How many findings the verifier has so far.
///
/// # Safety
/// `Host` is null or was opened and not closed.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostFindings(Host: *const SKUA_HOST) -> u32 {
    // SAFETY: the caller's promise.
    count(unsafe { host_or_default(Host) })
}

fn count(host: &SKUA_HOST) -> u32 {
    u32::try_from(host.kernel.findings().len()).unwrap_or(u32::MAX)
}

/// Writes a finding, from 0 on, to Text, cut to Bytes with its terminating zero. Returns the characters of the whole; 0 for a number that no
/// finding has.
///
/// # Safety
/// `Host` is null or was opened and not closed; `Text` is null or writable for `Bytes`.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostFinding(
    Host: *const SKUA_HOST,
    Index: u32,
    Text: *mut c_char,
    Bytes: usize,
) -> usize {
    // SAFETY: the caller's promise.
    let host = unsafe { host_or_default(Host) };
    let Some(text) = host.kernel.findings().get(Index as usize).map(ToString::to_string) else { return 0 };
    if !Text.is_null() && Bytes != 0 {
        let length = text.len().min(Bytes - 1);
        // SAFETY: writable for `Bytes`, of which these are fewer.
        unsafe { Text.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), length) };
        // SAFETY: below `Bytes`.
        let end = unsafe { Text.add(length) };
        // SAFETY: as above.
        unsafe { end.write(0) };
    }
    text.len()
}

/// Bytes of nonpaged pool that are allocated.
///
/// # Safety
/// `Host` is null or was opened and not closed.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostMemory(Host: *const SKUA_HOST) -> usize {
    // SAFETY: the caller's promise.
    unsafe { host_or_default(Host) }.kernel.memory_in_use()
}

/// Lets the Nth allocation from now fail, once; 0 calls it off.
///
/// # Safety
/// `Host` is null or was opened and not closed.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostFailAllocation(Host: *const SKUA_HOST, Nth: u64) {
    // SAFETY: the caller's promise.
    unsafe { host_or_default(Host) }.kernel.fail_allocation(Nth);
}

/// Lets every send wait, as if the socket's buffer was full, until it is called with 0.
///
/// # Safety
/// `Host` is null or was opened and not closed.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostCongest(Host: *const SKUA_HOST, IsCongested: u32) {
    // SAFETY: the caller's promise.
    unsafe { host_or_default(Host) }.kernel.set_congested(IsCongested != 0);
}

/// Takes the WSK provider away, as it is early in boot, or brings it back with 0.
///
/// # Safety
/// `Host` is null or was opened and not closed.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostProviderAway(Host: *const SKUA_HOST, IsAway: u32) {
    // SAFETY: the caller's promise.
    unsafe { host_or_default(Host) }.kernel.set_provider_away(IsAway != 0);
}

/// Makes an MDL of Bytes at Data in MdlBytes at Mdl, aligned to 16: what IoAllocateMdl and MmBuildMdlForNonPagedPool do in a driver. NULL
/// where MdlBytes are too few: 64, and 8 for every 4096 Bytes begun, are enough.
///
/// # Safety
/// `Host` is null or was opened and not closed; `Mdl` is writable for `MdlBytes`; `Data` has `Bytes` bytes for the MDL's life.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaHostBuildMdl(
    Host: *const SKUA_HOST,
    Mdl: *mut c_void,
    MdlBytes: usize,
    Data: *mut c_void,
    Bytes: u32,
) -> *mut MDL {
    let mdl = Mdl.cast::<MDL>();
    if mdl.is_null()
        || !mdl.is_aligned()
        || mdl_size_for_any_address(Bytes as usize).is_none_or(|size| size > MdlBytes)
    {
        return null_mut();
    }
    // SAFETY: the caller's promise.
    let host = unsafe { host_or_default(Host) };
    // SAFETY: there is room for an MDL over so many bytes wherever they begin.
    unsafe { mm_initialize_mdl(mdl, Data, Bytes) };
    // SAFETY: initialised just now, over memory that is always there.
    unsafe { host.kernel.mm_build_mdl_for_non_paged_pool(mdl) };
    mdl
}
