//! Asking for a cache line ahead of use.

// UNSAFETY: prefetch instructions are intrinsics or assembly; they access nothing that the program could observe.
#![expect(unsafe_code, reason = "no stable safe prefetch exists")]

/// Asks for the line of `address` to be brought near, for reading or writing. No address is wrong: one that is not mapped
/// is ignored by the processor.
///
/// # IRQL
/// Any.
#[inline]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has SSE, and PREFETCHT0 faults on no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: PRFM faults on no address and changes neither memory nor registers nor flags.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
    let _ = address;
}
