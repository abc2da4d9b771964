//! From a configuration to an engine.

// UNSAFETY: reads the caller's structures, and writes the engine's block.
#![expect(unsafe_code, reason = "structures are met by address")]

use core::alloc::Layout;
use core::time::Duration;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_DEVICE_NOT_READY, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_engine::{CaptureError, Engine, Events, Kernel as _, Passive, Registration};
use skua_pools::{PoolError, Region, Tag};

use crate::admission::Prefixes;
use crate::config::{SKUA_DYNAMIC_EVENTS, SKUA_ENGINE_CONFIG};
use crate::engine::{SKUA_ENGINE, enter, publish, reserve};
use crate::handler::CallbackHandler;
use crate::instance::{CEngine, CSocket, Client, Instance};
use crate::kernel::TableKernel;
use crate::nbl::Source;
use crate::table::{Kind, Table};

/// Where the memory of each processor's handler begins: on a cache line of its own.
const HANDLER_ALIGN: usize = 64;

/// Opens an engine: takes all its memory, registers with WSK, and fixes the handler. The handler is not called before a socket is
/// opened.
///
/// Engine is memory of the caller's, zero before the first open. Config is copied, and so is the table of services in it.
///
/// IRQL: PASSIVE_LEVEL. It does not wait: DriverEntry may call it.
///
/// Returns STATUS_INVALID_PARAMETER for NULL, flags that are none, and settings that contradict each other; STATUS_INFO_LENGTH_MISMATCH for a
/// Size that no version has, of Config, of its Limits or of its Kernel; STATUS_INVALID_HANDLE where an engine is open in this
/// memory already, or it was not zero; STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL; STATUS_INSUFFICIENT_RESOURCES; or what
/// WskRegister returned. Nothing is held then.
///
/// # Safety
/// `Engine` is null or as [`SKUA_ENGINE`] says. `Config` is null, or its Size at least can be read, and as many bytes as that; what it
/// points at is what it says.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaOpen(Engine: *mut SKUA_ENGINE, Config: *const SKUA_ENGINE_CONFIG) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let config = match unsafe { SKUA_ENGINE_CONFIG::read(Config) } {
        Ok(config) => config,
        Err(status) => return status,
    };
    // SAFETY: the caller's promise.
    if let Err(status) = unsafe { reserve(Engine) } {
        return status;
    }
    // SAFETY: reserved just now.
    match unsafe { open(&config) } {
        Ok(block) => {
            // SAFETY: reserved just now.
            unsafe { publish(Engine, Some(block)) };
            STATUS_SUCCESS
        }
        Err(status) => {
            // SAFETY: reserved just now.
            unsafe { publish(Engine, None) };
            status
        }
    }
}

/// # Safety
/// As for [`SkuaOpen`].
unsafe fn open(config: &SKUA_ENGINE_CONFIG) -> Result<core::ptr::NonNull<Instance>, NTSTATUS> {
    // SAFETY: the caller's promise.
    let kernel = unsafe { TableKernel::begin(config.Kernel, config.tag()) }?;
    // SAFETY: the caller's promise.
    unsafe { open_on(kernel, config) }.inspect_err(|_status| {
        // SAFETY: nothing is held of what was made on it.
        unsafe { kernel.end() }
    })
}

/// # Safety
/// As for [`SkuaOpen`].
#[inline(never)]
unsafe fn open_on(
    kernel: TableKernel,
    config: &SKUA_ENGINE_CONFIG,
) -> Result<core::ptr::NonNull<Instance>, NTSTATUS> {
    let passive = Passive::acquire(&kernel).ok_or(STATUS_INVALID_DEVICE_STATE)?;
    let receive = config.Receive.ok_or(STATUS_INVALID_PARAMETER)?;
    // SAFETY: the caller's promise.
    let allow = unsafe { Prefixes::read(kernel, config.AllowList, config.AllowCount) }?;
    let settings = config.settings(allow.get())?;
    let shards = CEngine::shards(&kernel, &settings).map_err(|error| error.status())?;
    let refused = |_refused| STATUS_INSUFFICIENT_RESOURCES;
    let region = Region::new(kernel, Tag(0), Layout::new::<Instance>()).map_err(refused)?;
    let block = region.start().cast::<Instance>();
    let (each, layout) = handler_memory(config, shards)?;
    let memory = Region::new(kernel, Tag(0), layout).map_err(refused)?;
    let handler =
        CallbackHandler { receive, context: config.Context, instance: block, memory: memory.start(), each };
    let engine = Engine::open(kernel, handler, &settings, &passive).map_err(|error| error.status())?;
    #[expect(clippy::cast_possible_truncation, reason = "the fast-changing half is the seed")]
    let seed = kernel.ke_query_performance_counter() as u32 ^ block.addr().get() as u32;
    let retained = Table::new(kernel, Kind::Retained, config.retained(shards)?, seed).map_err(pool_status)?;
    let sockets = Table::new(kernel, Kind::Socket, config.sockets(), seed).map_err(pool_status)?;
    let sources = Table::new(kernel, Kind::Source, config.MaxSources, seed).map_err(pool_status)?;
    let events = if config.has(SKUA_DYNAMIC_EVENTS) { Events::Dynamic } else { Events::Static };
    let registration =
        Registration::register(kernel, events, &passive).map_err(skua_engine::RegisterError::status)?;
    let instance = Instance::new(kernel, registration, engine, retained, sockets, sources, memory, region);
    // SAFETY: the region is as large as an instance, aligned for it, and nobody else's.
    unsafe { block.write(instance) };
    Ok(block)
}

/// Bytes of one processor's handler, and the layout of all.
fn handler_memory(config: &SKUA_ENGINE_CONFIG, shards: u32) -> Result<(usize, Layout), NTSTATUS> {
    let each = (config.HandlerBytes as usize).next_multiple_of(HANDLER_ALIGN);
    let bytes = each.checked_mul(shards as usize).ok_or(STATUS_INVALID_PARAMETER)?;
    let layout = Layout::from_size_align(bytes, HANDLER_ALIGN).map_err(|_| STATUS_INVALID_PARAMETER)?;
    Ok((each, layout))
}

fn pool_status(error: PoolError) -> NTSTATUS {
    match error {
        PoolError::OutOfMemory(_) => STATUS_INSUFFICIENT_RESOURCES,
        _ => STATUS_INVALID_PARAMETER,
    }
}

/// How many bytes of nonpaged pool an engine of this configuration takes in all on a machine of so many processors, with every socket
/// open. Config->Kernel and its AllowList may be NULL.
///
/// IRQL: any.
///
/// Returns STATUS_INVALID_PARAMETER and STATUS_INFO_LENGTH_MISMATCH as SkuaOpen.
///
/// # Safety
/// `Config` is as for [`SkuaOpen`]; `Bytes` is null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaEngineBytes(
    Config: *const SKUA_ENGINE_CONFIG,
    Processors: u32,
    Bytes: *mut u64,
) -> NTSTATUS {
    let count = || {
        // SAFETY: the caller's promise.
        let config = unsafe { SKUA_ENGINE_CONFIG::read(Config) }?;
        // SAFETY: the caller's promise.
        let to = unsafe { Bytes.as_mut() }.ok_or(STATUS_INVALID_PARAMETER)?;
        *to = bytes(&config, Processors)? as u64;
        Ok(())
    };
    count().err().unwrap_or(STATUS_SUCCESS)
}

fn bytes(config: &SKUA_ENGINE_CONFIG, shards: u32) -> Result<usize, NTSTATUS> {
    let (_, memory) = handler_memory(config, shards)?;
    let sockets = CEngine::socket_bytes(shards).and_then(|one| one.checked_mul(config.sockets() as usize));
    let parts = [
        TableKernel::BYTES,
        Region::<TableKernel>::bytes_for(Layout::new::<Instance>()),
        Region::<TableKernel>::bytes_for(memory),
        CEngine::bytes(&config.settings(&[])?, shards).map_err(|error| error.status())?,
        Table::<skua_engine::Retained<TableKernel>>::bytes(config.retained(shards)?).map_err(pool_status)?,
        Table::<CSocket>::bytes(config.sockets()).map_err(pool_status)?,
        Table::<Source>::bytes(config.MaxSources).map_err(pool_status)?,
        Registration::<TableKernel>::bytes(),
        sockets.ok_or(STATUS_INVALID_PARAMETER)?,
    ];
    let sum = parts.into_iter().try_fold(0_usize, usize::checked_add);
    sum.ok_or(STATUS_INVALID_PARAMETER)
}

/// Waits for WSK's provider, at most so many milliseconds: it may come up only after the driver. Once is enough for an engine; after that it
/// returns at once.
///
/// IRQL: PASSIVE_LEVEL. Not in DriverEntry, unless Milliseconds is 0.
///
/// Returns STATUS_DEVICE_NOT_READY while there is no provider: try again. STATUS_DEVICE_BUSY while another call configures the engine,
/// STATUS_DELETE_PENDING while it closes, STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaCaptureProvider(Engine: *mut SKUA_ENGINE, Milliseconds: u32) -> NTSTATUS {
    let wait = || {
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let passive = inside.passive()?;
        inside.is_open()?;
        let mut configuring = inside.configure()?;
        capture(configuring.client(), Duration::from_millis(Milliseconds.into()), &passive)
    };
    wait().err().unwrap_or(STATUS_SUCCESS)
}

/// Captures the provider unless that was done.
pub(crate) fn capture(client: &mut Client, wait: Duration, passive: &Passive<'_>) -> Result<(), NTSTATUS> {
    if client.provider.is_some() {
        return Ok(());
    }
    let registration = client.registration.as_ref().ok_or(STATUS_DEVICE_NOT_READY)?;
    client.provider = Some(registration.capture(wait, passive).map_err(CaptureError::status)?);
    Ok(())
}
