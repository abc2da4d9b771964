//! Pool as drivers use it: freed by address, at DISPATCH_LEVEL too.

// UNSAFETY: frees memory by address.
#![expect(unsafe_code, reason = "pool is raw memory")]

use std::ptr::NonNull;

use skua_engine::abi::nt::DISPATCH_LEVEL;
use skua_pools::Tag;

use crate::HostKernel;
use crate::verifier::{Object, ObjectKind, Rule, Stack};

/// Pool.
impl HostKernel {
    /// ExAllocatePoolWithTag of nonpaged pool: zeroed, aligned to 16 bytes. An empty allocation gets memory too.
    #[must_use]
    pub fn ex_allocate_pool_with_tag(&self, bytes: usize, tag: Tag) -> Option<NonNull<u8>> {
        if !self.require_at_most("ExAllocatePoolWithTag", DISPATCH_LEVEL) {
            return None;
        }
        let created = self.is_verified().then(Stack::capture);
        self.memory().allocate(bytes.max(1), tag, created)
    }

    /// ExFreePoolWithTag, or ExFreePool without a tag.
    ///
    /// # Safety
    /// Nobody uses the memory any more.
    pub unsafe fn ex_free_pool_with_tag(&self, address: *mut u8, tag: Option<Tag>) {
        self.require_at_most("ExFreePoolWithTag", DISPATCH_LEVEL);
        let found = NonNull::new(address).and_then(|address| Some((address, self.memory().find(address)?)));
        let Some((address, live)) = found else {
            let what = format!("ExFreePool of {address:p}, where nothing is allocated");
            let object = Object::at(ObjectKind::Memory, address);
            return self.breach(Rule::MemoryFreedWrongly, object, what);
        };
        // A tag that differs is what `free_memory` reports.
        // SAFETY: the caller's promise.
        unsafe { self.free_memory(address, live.bytes, tag.unwrap_or(live.tag), "ExFreePoolWithTag") };
    }
}
