//! Rules of MDLs and of the buffers they describe.

// UNSAFETY: reads the headers of a client's MDLs.
#![expect(unsafe_code, reason = "MDLs are reached by address")]

use std::ffi::c_void;
use std::ptr;

use skua_engine::abi::nt::{MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_SOURCE_IS_NONPAGED_POOL};

use super::{Object, ObjectKind, Rule, Verifier};

impl Verifier {
    /// An MDL is to be mapped. What to answer instead of mapping it, when that breaks a rule.
    ///
    /// # Safety
    /// `mdl` is readable.
    pub(crate) unsafe fn mdl_mapped(&self, mdl: *const MDL) -> Option<*mut c_void> {
        // SAFETY: the caller's promise.
        let flags = unsafe { (*mdl).MdlFlags };
        let object = Object::at(ObjectKind::Mdl, mdl);
        if flags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL) == 0 {
            let message = format!(
                "MmMapLockedPagesSpecifyCache of the MDL at {mdl:p} with flags {flags:#06x}: its pages are not locked"
            );
            self.find(Rule::MdlNotLocked, object, None, message);
            return Some(ptr::null_mut());
        }
        if flags & MDL_MAPPED_TO_SYSTEM_VA != 0 {
            let message = format!("MmMapLockedPagesSpecifyCache of the MDL at {mdl:p}, which is mapped");
            self.find(Rule::MdlMappedTwice, object, None, message);
            // SAFETY: the caller's promise.
            return Some(unsafe { (*mdl).MappedSystemVa });
        }
        None
    }
}
