//! Processors: the virtual ones, all in one group.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "outputs are reached by address")]

use skua_engine::Kernel;
use skua_engine::abi::nt::PROCESSOR_NUMBER;

use crate::host::kernel;

/// ALL_PROCESSOR_GROUPS.
const ALL_GROUPS: u16 = 0xFFFF;

fn count_in(group: u16) -> u32 {
    if group == 0 || group == ALL_GROUPS { kernel().ke_query_maximum_processor_count() } else { 0 }
}

/// KeGetCurrentProcessorNumberEx.
///
/// # Safety
/// `number` is null or writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeGetCurrentProcessorNumberEx(number: *mut PROCESSOR_NUMBER) -> u32 {
    let index = kernel().ke_get_current_processor_index();
    if !number.is_null() {
        let value =
            PROCESSOR_NUMBER { Group: 0, Number: u8::try_from(index).unwrap_or(u8::MAX), Reserved: 0 };
        // SAFETY: not null, so writable.
        unsafe { number.write(value) };
    }
    index
}

/// KeGetCurrentProcessorNumber.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeGetCurrentProcessorNumber() -> u32 {
    kernel().ke_get_current_processor_index()
}

/// KeQueryMaximumProcessorCountEx.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeQueryMaximumProcessorCountEx(group: u16) -> u32 {
    count_in(group)
}

/// KeQueryMaximumProcessorCount.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeQueryMaximumProcessorCount() -> u32 {
    count_in(0)
}

/// KeQueryActiveProcessorCountEx.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeQueryActiveProcessorCountEx(group: u16) -> u32 {
    count_in(group)
}

/// KeQueryActiveProcessorCount.
///
/// # Safety
/// `active` is null or writable.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn KeQueryActiveProcessorCount(active: *mut usize) -> u32 {
    if !active.is_null() {
        // SAFETY: not null, so writable.
        unsafe { active.write(KeQueryActiveProcessors()) };
    }
    count_in(0)
}

/// KeQueryActiveProcessors.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn KeQueryActiveProcessors() -> usize {
    usize::MAX >> (usize::BITS - count_in(0).clamp(1, usize::BITS))
}
