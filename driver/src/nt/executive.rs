//! What the driver asks of NT beyond the engine's needs.

// UNSAFETY: calls the kernel with what the callers of an unsafe trait vouch for.
#![expect(unsafe_code, reason = "kernel calls take raw pointers, their contracts are NT's")]

use core::ffi::c_void;
use core::ptr::NonNull;

use skua_engine::abi::nt::{KIRQL, PEPROCESS};
use skua_engine::abi::status::NTSTATUS;
use skua_nt::bindings as sys;
use skua_nt::{NtKernel, NtThread, debug_print};

use super::section::NtSection;
use super::{guarded, registry, unguessable};
use crate::executive::{Executive, PoolUse, RegistryValue, SectionAccess, StartRoutine};

// SAFETY: these are the routines themselves; a section's address is its MDL's in system space.
unsafe impl Executive for NtKernel {
    type Thread = NtThread;
    type Section = NtSection;

    fn io_acquire_cancel_spin_lock(&self) -> KIRQL {
        let mut irql = 0;
        // SAFETY: the place of a level.
        unsafe { sys::IoAcquireCancelSpinLock(&raw mut irql) };
        irql
    }

    unsafe fn io_release_cancel_spin_lock(&self, irql: KIRQL) {
        // SAFETY: the caller holds the lock and returns to the level from before.
        unsafe { sys::IoReleaseCancelSpinLock(irql) }
    }

    fn ke_flush_queued_dpcs(&self) {
        // SAFETY: it takes nothing.
        unsafe { sys::KeFlushQueuedDpcs() }
    }

    unsafe fn ps_create_system_thread(
        &self,
        start: StartRoutine,
        context: *mut c_void,
    ) -> Result<NtThread, NTSTATUS> {
        // SAFETY: the caller's contract is the same.
        unsafe { NtThread::start(start, context) }
    }

    fn io_get_current_process(&self) -> PEPROCESS {
        // SAFETY: it takes nothing.
        sys::process(unsafe { sys::IoGetCurrentProcess() })
    }

    fn create_section(
        &self,
        name: &[u16],
        bytes: usize,
        access: SectionAccess,
    ) -> Result<NtSection, NTSTATUS> {
        NtSection::create(name, bytes, access)
    }

    fn section_address(section: &NtSection) -> NonNull<u8> {
        section.address()
    }

    fn zw_query_value_key<'b>(
        &self,
        key: &[u16],
        name: &[u16],
        buffer: &'b mut [u32],
    ) -> Result<RegistryValue<'b>, NTSTATUS> {
        registry::query(key, name, buffer)
    }

    fn unguessable_128(&self) -> u128 {
        unguessable::bits_128()
    }

    fn dbg_print(&self, line: &str) {
        debug_print::line(line);
    }

    fn pool_use(&self, index: usize) -> Option<PoolUse> {
        Self::pool_use(self, index)
    }

    fn raise_guarded(&self, status: NTSTATUS) -> NTSTATUS {
        guarded::raise(status)
    }
}
