//! C's BOOLEAN, and numbers with a sign that C does not check.

use skua_engine::abi::nt::{BOOLEAN, FALSE, TRUE};

/// A BOOLEAN.
pub(crate) const fn boolean(value: bool) -> BOOLEAN {
    if value { TRUE } else { FALSE }
}

/// NT's time-out behind a pointer that may be null.
///
/// # Safety
/// `timeout` is null or readable.
#[expect(unsafe_code, reason = "reads through a pointer")]
pub(crate) unsafe fn timeout(timeout: *const i64) -> Option<i64> {
    // SAFETY: the caller's promise.
    (!timeout.is_null()).then(|| unsafe { timeout.read_unaligned() })
}
