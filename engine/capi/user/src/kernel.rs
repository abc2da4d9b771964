//! The kernel of a program that asks for none.

// UNSAFETY: exports a function in C.
#![expect(unsafe_code, reason = "C finds SkuaKernel by its name")]

use std::ptr::NonNull;
use std::sync::OnceLock;

use skua_capi::SKUA_KERNEL;

use crate::host::{SKUA_HOST, SKUA_HOST_CONFIG};

static HOST: OnceLock<SKUA_HOST> = OnceLock::new();

/// The host of [`SkuaKernel`], made when it is first asked for. It stays until the process ends.
pub(crate) fn host() -> &'static SKUA_HOST {
    HOST.get_or_init(|| SKUA_HOST::new(&SKUA_HOST_CONFIG::default()).unwrap_or_else(|_| unreachable!()))
}

/// The host at `host`, or that of [`SkuaKernel`].
///
/// # Safety
/// `host` is null or was opened and not closed.
pub(crate) unsafe fn host_or_default<'a>(host: *const SKUA_HOST) -> &'a SKUA_HOST {
    match NonNull::new(host.cast_mut()) {
        // SAFETY: the caller's promise.
        Some(host) => unsafe { host.as_ref() },
        None => self::host(),
    }
}

/// The services of the kernel that is made for this process.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn SkuaKernel() -> *const SKUA_KERNEL {
    host().table()
}
