//! What the driver may rely on in the kernel around it, proved for the kernel that the other tests use.

#![expect(unsafe_code, reason = "the kernel's routines take raw pointers")]

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use skua_driver::{Executive, REG_DWORD, SectionAccess};
use skua_engine::Kernel;
use skua_engine::abi::nt::{DISPATCH_LEVEL, PASSIVE_LEVEL};
use skua_engine::abi::status::{
    STATUS_ACCESS_DENIED, STATUS_BUFFER_OVERFLOW, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY, STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_NOT_FOUND,
};
use skua_hosted::HostConfig;
use skua_pools::{Memory as _, Tag};

use crate::host::{HostExecutive, OpenSection};

fn executive() -> HostExecutive {
    HostExecutive::new(HostConfig::loopback(2))
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn random_name(executive: &HostExecutive) -> Vec<u16> {
    units(&format!(r"\BaseNamedObjects\Skua-{:032x}", executive.unguessable_128()))
}

unsafe extern "C" fn count(context: *mut c_void) {
    // SAFETY: the tests pass a counter that outlives the thread.
    unsafe { &*context.cast::<AtomicU32>() }.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn dropping_a_thread_waits_for_its_end() {
    let (executive, ran) = (executive(), AtomicU32::new(0));
    let context = ptr::from_ref(&ran).cast_mut().cast();
    // SAFETY: the counter outlives the thread, which is dropped here.
    drop(unsafe { executive.ps_create_system_thread(count, context) }.unwrap());
    assert_eq!(ran.load(Ordering::Relaxed), 1);

    executive.fail_thread(1);
    // SAFETY: as above.
    let refused = unsafe { executive.ps_create_system_thread(count, context) };
    assert_eq!(refused.err(), Some(STATUS_INSUFFICIENT_RESOURCES));
    assert_eq!(ran.load(Ordering::Relaxed), 1);
}

#[test]
fn a_section_is_opened_by_its_name_until_the_last_user_is_gone() {
    let executive = executive();
    let name = random_name(&executive);
    executive.in_system_process(|| {
        let section = executive.create_section(&name, 5000, SectionAccess::MapRead).unwrap();
        let address = HostExecutive::section_address(&section);
        assert_eq!(address.addr().get() % 4096, 0);
        // SAFETY: 8192 zeroed bytes begin there.
        unsafe { address.as_ptr().wrapping_add(8191).write(7) };

        let reader = OpenSection::open(&name).unwrap();
        assert_eq!((reader.bytes(), reader.access()), (8192, SectionAccess::MapRead));
        // SAFETY: as above.
        assert_eq!(unsafe { reader.address().as_ptr().wrapping_add(8191).read() }, 7);
        let taken = executive.create_section(&name, 1, SectionAccess::MapRead);
        assert_eq!(taken.err(), Some(STATUS_OBJECT_NAME_COLLISION));

        drop(section);
        // SAFETY: the reader still has it.
        assert_eq!(unsafe { reader.address().as_ptr().wrapping_add(8191).read() }, 7);
        drop(reader);
        assert!(OpenSection::open(&name).is_none());
        drop(executive.create_section(&name, 1, SectionAccess::MapWrite).unwrap());
    });
}

#[test]
fn a_section_that_cannot_be_made_leaves_no_name() {
    let executive = executive();
    let name = random_name(&executive);
    executive.in_system_process(|| {
        for bytes in [0, usize::MAX, u32::MAX as usize] {
            let refused = executive.create_section(&name, bytes, SectionAccess::MapRead);
            assert_eq!(refused.err(), Some(STATUS_INVALID_PARAMETER));
        }
        executive.fail_section(1);
        let refused = executive.create_section(&name, 1, SectionAccess::MapRead);
        assert_eq!(refused.err(), Some(STATUS_NO_MEMORY));
        assert!(OpenSection::open(&name).is_none());
    });
}

#[test]
fn a_value_is_found_whatever_the_case_and_fits_or_is_refused() {
    let executive = executive();
    executive.set_value(r"\Registry\X\Parameters", "Port", REG_DWORD, &514u32.to_le_bytes());
    let key = units(r"\registry\x\parameters");
    let mut buffer = [0; 4];
    let value = executive.zw_query_value_key(&key, &units("port"), &mut buffer).unwrap();
    assert_eq!(value.dword(), Some(514));
    let short = executive.zw_query_value_key(&key, &units("port"), &mut buffer[..3]);
    assert_eq!(short.err(), Some(STATUS_BUFFER_OVERFLOW));
    let absent = executive.zw_query_value_key(&key, &units("ports"), &mut buffer);
    assert_eq!(absent.err(), Some(STATUS_OBJECT_NAME_NOT_FOUND));
}

#[test]
fn the_cancel_lock_raises_and_returns_to_the_level_before() {
    let executive = executive();
    let irql = executive.io_acquire_cancel_spin_lock();
    assert_eq!((irql, executive.ke_get_current_irql()), (PASSIVE_LEVEL, DISPATCH_LEVEL));
    // SAFETY: held, with the level from before.
    unsafe { executive.io_release_cancel_spin_lock(irql) };
    assert_eq!(executive.ke_get_current_irql(), PASSIVE_LEVEL);
    executive.ke_flush_queued_dpcs();
}

#[test]
fn pool_is_accounted_by_tag() {
    let executive = executive();
    let tag = Tag::new(b"Sktt");
    assert_eq!(executive.pool_use(0), None);
    executive.kernel().fail_allocation(1);
    assert!(executive.allocate(32, tag).is_none());
    let address = executive.allocate(32, tag).unwrap();
    // SAFETY: allocated with these numbers, and used by nobody.
    unsafe { executive.free(address, 32, tag) };
    let account = executive.pool_use(0).unwrap();
    assert_eq!((account.tag, account.in_use, account.high_water), (tag, 0, 32));
    assert_eq!(executive.pool_use(1), None);
}

#[test]
fn what_is_printed_and_what_is_raised_can_be_seen() {
    let executive = executive();
    executive.dbg_print("started");
    assert_eq!(executive.lines(), ["started"]);
    assert_eq!(executive.raise_guarded(STATUS_ACCESS_DENIED), STATUS_ACCESS_DENIED);
    assert_ne!(executive.unguessable_128(), executive.unguessable_128());
    let outside = executive.io_get_current_process();
    assert_ne!(executive.in_system_process(|| executive.io_get_current_process()), outside);
}
