//! Deferred procedure calls.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "calls live in the driver's memory")]

use std::ffi::c_void;

use skua_engine::abi::nt::{BOOLEAN, KDPC, PKDEFERRED_ROUTINE, PROCESSOR_NUMBER};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};

use crate::host::kernel;
use crate::number::boolean;

routines! {
    /// KeInitializeDpc.
    contract fn KeInitializeDpc(dpc: *mut KDPC, routine: PKDEFERRED_ROUTINE, context: *mut c_void) {
        kernel().ke_initialize_dpc(dpc, routine, context)
    }

    /// KeInsertQueueDpc.
    contract fn KeInsertQueueDpc(dpc: *mut KDPC, first: *mut c_void, second: *mut c_void) -> BOOLEAN {
        boolean(kernel().ke_insert_queue_dpc(dpc, first, second))
    }

    /// KeRemoveQueueDpc.
    contract fn KeRemoveQueueDpc(dpc: *mut KDPC) -> BOOLEAN {
        boolean(kernel().ke_remove_queue_dpc(dpc))
    }

    /// KeFlushQueuedDpcs.
    fn KeFlushQueuedDpcs() {
        kernel().ke_flush_queued_dpcs();
    }

    /// KeSetImportanceDpc: order is kept whatever it is.
    fn KeSetImportanceDpc(_dpc: *mut KDPC, _importance: i32) {}

    /// KeSetTargetProcessorDpc: calls run on whichever processor is free.
    fn KeSetTargetProcessorDpc(_dpc: *mut KDPC, _number: i8) {}

    /// KeSetTargetProcessorDpcEx.
    fn KeSetTargetProcessorDpcEx(_dpc: *mut KDPC, _number: *mut PROCESSOR_NUMBER) -> NTSTATUS {
        STATUS_SUCCESS
    }
}
