//! Processors: the virtual ones, all in one group.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "outputs are reached by address")]

use skua_engine::Kernel;
use skua_engine::abi::nt::PROCESSOR_NUMBER;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::host::kernel;

/// ALL_PROCESSOR_GROUPS.
const ALL_GROUPS: u16 = 0xFFFF;

routines! {
    /// KeGetCurrentProcessorNumberEx.
    contract fn KeGetCurrentProcessorNumberEx(number: *mut PROCESSOR_NUMBER) -> u32 {
        current(number)
    }

    /// KeGetCurrentProcessorNumber.
    fn KeGetCurrentProcessorNumber() -> u32 {
        kernel().ke_get_current_processor_index()
    }

    /// KeQueryMaximumProcessorCount.
    fn KeQueryMaximumProcessorCount() -> u32 {
        count_in(0)
    }

    /// KeQueryMaximumProcessorCountEx.
    fn KeQueryMaximumProcessorCountEx(group: u16) -> u32 {
        count_in(group)
    }

    /// KeQueryActiveProcessorCount.
    contract fn KeQueryActiveProcessorCount(active: *mut usize) -> u32 {
        write(active, KeQueryActiveProcessors());
        count_in(0)
    }

    /// KeQueryActiveProcessorCountEx.
    fn KeQueryActiveProcessorCountEx(group: u16) -> u32 {
        count_in(group)
    }

    /// KeQueryActiveProcessors.
    fn KeQueryActiveProcessors() -> usize {
        usize::MAX >> (usize::BITS - count_in(0).clamp(1, usize::BITS))
    }

    /// KeQueryActiveGroupCount.
    fn KeQueryActiveGroupCount() -> u16 {
        1
    }

    /// KeQueryMaximumGroupCount.
    fn KeQueryMaximumGroupCount() -> u16 {
        1
    }

    /// KeGetProcessorNumberFromIndex.
    contract fn KeGetProcessorNumberFromIndex(index: u32, number: *mut PROCESSOR_NUMBER) -> NTSTATUS {
        if index >= count_in(0) {
            return STATUS_INVALID_PARAMETER;
        }
        write(number, number_of(index));
        STATUS_SUCCESS
    }

    /// KeGetProcessorIndexFromNumber.
    contract fn KeGetProcessorIndexFromNumber(number: *mut PROCESSOR_NUMBER) -> u32 {
        let number = number.read();
        if number.Group == 0 { u32::from(number.Number) } else { u32::MAX }
    }
}

fn count_in(group: u16) -> u32 {
    if group == 0 || group == ALL_GROUPS { kernel().ke_query_maximum_processor_count() } else { 0 }
}

fn number_of(index: u32) -> PROCESSOR_NUMBER {
    PROCESSOR_NUMBER { Group: 0, Number: u8::try_from(index).unwrap_or(u8::MAX), Reserved: 0 }
}

/// # Safety
/// `number` is null or writable.
unsafe fn current(number: *mut PROCESSOR_NUMBER) -> u32 {
    let index = kernel().ke_get_current_processor_index();
    // SAFETY: the caller's promise.
    unsafe { write(number, number_of(index)) };
    index
}

/// # Safety
/// `to` is null or writable.
unsafe fn write<T>(to: *mut T, value: T) {
    if !to.is_null() {
        // SAFETY: the caller's promise.
        unsafe { to.write(value) };
    }
}
