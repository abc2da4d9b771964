//! Datagrams beyond their batch.

// UNSAFETY: bytes go where the host says.
#![expect(unsafe_code, reason = "memory of the host's is met by address")]

use core::ffi::c_void;

use skua_engine::Retained;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::config::has_size;
use crate::datagram::{SKUA_DATAGRAM_INFO, SKUA_DATAGRAM_LENT, copy, flags};
use crate::engine::{SKUA_ENGINE, enter};
use crate::instance::Instance;
use crate::kernel::TableKernel;

/// A datagram that a handler retained: a number that names it until it is given back, once. Zero names none.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_RETAINED {
    /// The library's.
    pub Value: u64,
}

impl Instance {
    /// Takes back what `number` names; `None` where another call still uses it, with which it ends.
    ///
    /// # Errors
    /// STATUS_INVALID_HANDLE.
    pub(crate) fn take_retained(
        &self,
        number: SKUA_RETAINED,
    ) -> Result<Option<Retained<TableKernel>>, NTSTATUS> {
        let table = self.retained.as_ref().ok_or(STATUS_INVALID_HANDLE)?;
        table.take(number.Value).map_err(|_none| STATUS_INVALID_HANDLE)
    }
}

/// Gives a retained datagram back.
///
/// IRQL: at most DISPATCH_LEVEL, also in the handler, also while the engine closes.
///
/// Returns STATUS_INVALID_HANDLE for a number that was given back before or never given out, and after SkuaClose.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaRelease(Engine: *mut SKUA_ENGINE, Retained: SKUA_RETAINED) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let released = unsafe { enter(Engine) }.and_then(|inside| inside.take_retained(Retained).map(drop));
    released.err().unwrap_or(STATUS_SUCCESS)
}

/// Copies bytes of a retained datagram, from Offset on, to Buffer: as many as there are, at most Bytes. Returns how many; 0 for a
/// number that names none.
///
/// IRQL: at most DISPATCH_LEVEL.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says. `Buffer` is writable for `Bytes`, and none of it is lent memory.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaCopyRetained(
    Engine: *mut SKUA_ENGINE,
    Retained: SKUA_RETAINED,
    Offset: u32,
    Buffer: *mut c_void,
    Bytes: u32,
) -> u32 {
    // SAFETY: the caller's promise.
    let Ok(inside) = (unsafe { enter(Engine) }) else { return 0 };
    let Some(used) = inside.retained.as_ref().and_then(|table| table.enter(Retained.Value)) else { return 0 };
    // SAFETY: the caller's promise.
    used.get().map_or(0, |retained| unsafe { copy(&retained.payload(), Offset, Buffer, Bytes) })
}

/// Everything that is known of a retained datagram. Info->Size is the caller's to set before.
///
/// IRQL: at most DISPATCH_LEVEL.
///
/// Returns STATUS_INVALID_HANDLE for a number that names none, STATUS_INFO_LENGTH_MISMATCH for an unknown Size,
/// STATUS_INVALID_PARAMETER for NULL.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Info` is null or a writable structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaDescribeRetained(
    Engine: *mut SKUA_ENGINE,
    Retained: SKUA_RETAINED,
    Info: *mut SKUA_DATAGRAM_INFO,
) -> NTSTATUS {
    if Info.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    let describe = || {
        // SAFETY: the caller's promise.
        unsafe { has_size(Info) }?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let table = inside.retained.as_ref().ok_or(STATUS_INVALID_HANDLE)?;
        let used = table.enter(Retained.Value).ok_or(STATUS_INVALID_HANDLE)?;
        let retained = used.get().ok_or(STATUS_INVALID_HANDLE)?;
        #[expect(clippy::cast_possible_truncation, reason = "a few bytes, and at most 65,535")]
        let info = SKUA_DATAGRAM_INFO {
            Size: size_of::<SKUA_DATAGRAM_INFO>() as u32,
            Length: retained.payload().len() as u32,
            Remote: retained.remote().into(),
            Local: retained.local().into(),
            Time: retained.time(),
            Flags: flags(retained.flags()) | if retained.is_lent() { SKUA_DATAGRAM_LENT } else { 0 },
            Interface: retained.interface(),
            TypeOfService: retained.type_of_service(),
            HopLimit: 0,
            Reserved: [0; 6],
        };
        // SAFETY: writable, and of this size.
        unsafe { Info.write(info) };
        Ok(())
    };
    describe().err().unwrap_or(STATUS_SUCCESS)
}
