//! ExQueueWorkItem, which Wine has no more than the name of.

// UNSAFETY: exports under NT's names.
#![expect(unsafe_code, reason = "items live in the driver's memory")]

use skua_hosted::ntoskrnl::WORK_QUEUE_ITEM;

use crate::host::kernel;

/// ExQueueWorkItem.
///
/// # Safety
/// `item` is initialised and stays until its routine has begun.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ExQueueWorkItem(item: *mut WORK_QUEUE_ITEM, _queue: i32) {
    // SAFETY: the same contract.
    unsafe { kernel().ex_queue_work_item(item) };
}
