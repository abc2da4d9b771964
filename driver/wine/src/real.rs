//! Routines of Wine's own ntoskrnl.exe, found by name.
//!
//! This image exports the same names, so it cannot import them.

// UNSAFETY: turns addresses of exports into function pointers.
#![expect(unsafe_code, reason = "exports are found by name and have the type that the caller says")]

use std::ffi::CStr;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};

use crate::report;

/// An export, looked up at its first use.
///
/// # Invariants
/// `address` is 0 or that of the export `name`, whose type is `F`, a function pointer.
pub(crate) struct Routine<F> {
    name: &'static CStr,
    address: AtomicUsize,
    kind: PhantomData<fn() -> F>,
}

impl<F: Copy> Routine<F> {
    /// # Safety
    /// `F` is the function pointer type of the export `name`.
    pub(crate) const unsafe fn new(name: &'static CStr) -> Self {
        assert!(size_of::<F>() == size_of::<usize>(), "a function pointer");
        Self { name, address: AtomicUsize::new(0), kind: PhantomData }
    }

    /// The export. One that Wine lacks ends the process.
    pub(crate) fn get(&self) -> F {
        let mut address = self.address.load(Ordering::Relaxed);
        if address == 0 {
            address = find(self.name);
            if address == 0 {
                report::fatal(format_args!("ntoskrnl.exe has no {}", self.name.to_string_lossy()));
            }
            self.address.store(address, Ordering::Relaxed);
        }
        // SAFETY: not 0, so the address of the export, whose type is F; both are as large as an address.
        unsafe { std::mem::transmute_copy::<usize, F>(&address) }
    }
}

/// The address of an export of ntoskrnl.exe, 0 for none. The module is there as long as a driver can call.
fn find(name: &CStr) -> usize {
    // SAFETY: a C string.
    let module = unsafe { GetModuleHandleA(c"ntoskrnl.exe".as_ptr().cast()) };
    if module.is_null() {
        return 0;
    }
    // SAFETY: a module that stays, and a C string.
    unsafe { GetProcAddress(module, name.as_ptr().cast()) }.map_or(0, |routine| routine as usize)
}
