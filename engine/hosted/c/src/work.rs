//! Work items.

// UNSAFETY: exports under NT's names; items are reached by address.
#![expect(unsafe_code, reason = "items live in the driver's memory")]

use std::ffi::c_void;
use std::ptr;

use skua_engine::abi::nt::DEVICE_OBJECT;
use skua_engine::abi::zeroed;
use skua_hosted::ntoskrnl::WORK_QUEUE_ITEM;
use skua_hosted::{Object, ObjectKind, Rule};

use crate::host::kernel;
use crate::pool::{ExAllocatePoolWithTag, ExFreePool};

const TAG: u32 = u32::from_le_bytes(*b"Work");

/// What IoQueueWorkItem calls, with the device and the context.
type Routine = unsafe extern "C" fn(*mut c_void, *mut c_void);
/// What IoQueueWorkItemEx calls, with the item too.
type RoutineEx = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut IO_WORKITEM);

/// IO_WORKITEM: its contents are the kernel's. It begins with what is queued.
#[repr(C)]
pub(crate) struct IO_WORKITEM {
    item: WORK_QUEUE_ITEM,
    object: *mut c_void,
    routine: Option<Routine>,
    routine_ex: Option<RoutineEx>,
    context: *mut c_void,
}

routines! {
    /// ExQueueWorkItem.
    contract fn ExQueueWorkItem(item: *mut WORK_QUEUE_ITEM, _queue: i32) {
        kernel().ex_queue_work_item(item)
    }

    /// IoAllocateWorkItem.
    fn IoAllocateWorkItem(device: *mut DEVICE_OBJECT) -> *mut IO_WORKITEM {
        let item: *mut IO_WORKITEM =
            ExAllocatePoolWithTag(0, size_of::<IO_WORKITEM>(), TAG).cast();
        if !item.is_null() {
            // SAFETY: just allocated.
            unsafe { IoInitializeWorkItem(device.cast(), item) };
        }
        item
    }

    /// IoFreeWorkItem.
    contract fn IoFreeWorkItem(item: *mut IO_WORKITEM) {
        IoUninitializeWorkItem(item);
        ExFreePool(item.cast())
    }

    /// IoQueueWorkItem.
    contract fn IoQueueWorkItem(
        item: *mut IO_WORKITEM,
        routine: Option<Routine>,
        _queue: i32,
        context: *mut c_void,
    ) {
        queue(item, routine, None, context)
    }

    /// IoQueueWorkItemEx.
    contract fn IoQueueWorkItemEx(
        item: *mut IO_WORKITEM,
        routine: Option<RoutineEx>,
        _queue: i32,
        context: *mut c_void,
    ) {
        queue(item, None, routine, context)
    }

    /// IoSizeofWorkItem.
    fn IoSizeofWorkItem() -> u32 {
        u32::try_from(size_of::<IO_WORKITEM>()).unwrap_or(u32::MAX)
    }

    /// IoInitializeWorkItem.
    contract fn IoInitializeWorkItem(object: *mut c_void, item: *mut IO_WORKITEM) {
        item.write(IO_WORKITEM {
            item: WORK_QUEUE_ITEM { list: zeroed(), routine: None, parameter: ptr::null_mut() },
            object,
            routine: None,
            routine_ex: None,
            context: ptr::null_mut(),
        })
    }

    /// IoUninitializeWorkItem.
    contract fn IoUninitializeWorkItem(item: *mut IO_WORKITEM) {
        if !(*item).item.list.Flink.is_null() {
            let what = format!("IoFreeWorkItem of {item:p}, which is queued");
            kernel().breach(Rule::WorkItemQueued, Object::at(ObjectKind::WorkItem, item), what);
        }
    }
}

/// # Safety
/// `item` is initialised and stays until its routine has begun.
unsafe fn queue(
    item: *mut IO_WORKITEM,
    routine: Option<Routine>,
    routine_ex: Option<RoutineEx>,
    context: *mut c_void,
) {
    // SAFETY: the caller's promise.
    let work = unsafe { &mut *item };
    if work.item.list.Flink.is_null() {
        (work.routine, work.routine_ex, work.context) = (routine, routine_ex, context);
        work.item.routine = Some(run);
        work.item.parameter = item.cast();
    }
    // SAFETY: the caller's promise; what is queued already is reported.
    unsafe { kernel().ex_queue_work_item(item.cast()) };
}

/// # Safety
/// `parameter` is an IO_WORKITEM whose routine begins here; the routine may free it.
unsafe extern "C" fn run(parameter: *mut c_void) {
    let item: *mut IO_WORKITEM = parameter.cast();
    // SAFETY: the caller's promise.
    let work = unsafe { &*item };
    let (object, context) = (work.object, work.context);
    if let Some(routine) = work.routine {
        // SAFETY: the driver's routine with what it asked for.
        unsafe { routine(object, context) };
    } else if let Some(routine) = work.routine_ex {
        // SAFETY: as above.
        unsafe { routine(object, context, item) };
    }
}
