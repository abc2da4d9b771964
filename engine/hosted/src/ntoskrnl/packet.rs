//! Packets that the kernel allocates.

// UNSAFETY: packets are reached by address.
#![expect(unsafe_code, reason = "IRPs are reached by address")]

use std::ptr::{self, NonNull};

use skua_engine::Kernel;
use skua_engine::abi::nt::{DISPATCH_LEVEL, IRP, io_size_of_irp};
use skua_pools::Tag;

use crate::HostKernel;
use crate::verifier::{Object, ObjectKind, Rule, Stack};

/// What allocated packets are charged to.
const TAG: Tag = Tag::new(b"Irp ");

/// IRPs.
impl HostKernel {
    /// IoAllocateIrp: null when there is no memory.
    #[must_use]
    pub fn io_allocate_irp(&self, stack_size: i8) -> *mut IRP {
        if !self.require_at_most("IoAllocateIrp", DISPATCH_LEVEL) || stack_size <= 0 {
            return ptr::null_mut();
        }
        let size = io_size_of_irp(stack_size);
        let created = self.is_verified().then(Stack::capture);
        let Some(memory) = self.memory().allocate(usize::from(size), TAG, created) else {
            return ptr::null_mut();
        };
        let irp: *mut IRP = memory.as_ptr().cast();
        // SAFETY: as large as it needs to be, and aligned to 16 bytes.
        unsafe { self.io_initialize_irp(irp, size, stack_size) };
        irp
    }

    /// IoFreeIrp.
    ///
    /// # Safety
    /// Nobody uses the packet any more, unless that is to be found.
    pub unsafe fn io_free_irp(&self, irp: *mut IRP) {
        let found = NonNull::new(irp.cast::<u8>()).and_then(|irp| Some((irp, self.memory().find(irp)?)));
        match found {
            Some((memory, live)) if live.tag == TAG => {
                // SAFETY: the caller's promise.
                unsafe { self.free_memory(memory, live.bytes, TAG, "IoFreeIrp") };
            }
            _ => {
                let what = format!("IoFreeIrp of {irp:p}, which IoAllocateIrp has not returned or is freed");
                self.breach(Rule::MemoryFreedWrongly, Object::at(ObjectKind::Irp, irp), what);
            }
        }
    }
}
