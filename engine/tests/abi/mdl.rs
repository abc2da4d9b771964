//! Describing memory.
#![expect(unsafe_code, reason = "MDLs are reached by address")]

use std::ptr;

use proptest::prelude::*;
use skua_engine::abi::nt::{
    MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_SOURCE_IS_NONPAGED_POOL, PAGE_SIZE, PFN_NUMBER,
    address_and_size_to_span_pages, mdl_size_for_any_address, mm_get_mapped_system_address,
    mm_get_mdl_byte_count, mm_get_mdl_byte_offset, mm_get_mdl_pfn_array, mm_get_mdl_virtual_address,
    mm_initialize_mdl, mm_size_of_mdl,
};
use skua_engine::abi::zeroed;

/// Pages touched, counted by their numbers in arithmetic that cannot overflow.
fn pages_touched(address: usize, size: usize) -> u128 {
    let (address, size, page) = (address as u128, size as u128, PAGE_SIZE as u128);
    if size == 0 { 0 } else { (address + size - 1) / page - address / page + 1 }
}

proptest! {
    #[test]
    fn spans_are_counted_page_by_page(address in any::<usize>(), size in any::<usize>(), small in 0_usize..20_000) {
        for size in [size, small] {
            prop_assert_eq!(address_and_size_to_span_pages(address, size) as u128, pages_touched(address, size));
        }
    }

    #[test]
    fn a_descriptor_has_room_for_every_page(address in any::<usize>(), size in any::<usize>(), small in 0_usize..20_000) {
        for size in [size, small] {
            let bytes = size_of::<MDL>() as u128 + size_of::<PFN_NUMBER>() as u128 * pages_touched(address, size);
            prop_assert_eq!(mm_size_of_mdl(address, size).map(|bytes| bytes as u128), Some(bytes));
            prop_assert!(mdl_size_for_any_address(size) >= mm_size_of_mdl(address, size));
        }
    }

    #[test]
    fn a_new_descriptor_describes_its_range(address in any::<usize>(), length in any::<u32>()) {
        let mut mdl = MDL { MdlFlags: u16::MAX, Next: ptr::dangling_mut(), ..zeroed() };
        // SAFETY: the header is ours.
        unsafe { mm_initialize_mdl(&raw mut mdl, ptr::without_provenance_mut(address), length) };
        prop_assert!(mdl.Next.is_null());
        prop_assert_eq!(mdl.MdlFlags, 0);
        prop_assert!(mdl.StartVa.addr().is_multiple_of(PAGE_SIZE));
        // SAFETY: the descriptor was just initialised.
        let offset = unsafe { mm_get_mdl_byte_offset(&raw const mdl) };
        prop_assert!((offset as usize) < PAGE_SIZE);
        // SAFETY: as above.
        prop_assert_eq!(unsafe { mm_get_mdl_virtual_address(&raw const mdl) }.addr(), address);
        // SAFETY: as above.
        prop_assert_eq!(unsafe { mm_get_mdl_byte_count(&raw const mdl) }, length);
        let expected = mm_size_of_mdl(address, length as usize);
        if expected <= Some(0x7FFF) {
            prop_assert_eq!(usize::try_from(mdl.Size).ok(), expected);
        }
        // SAFETY: as above.
        let mapped = unsafe { mm_get_mapped_system_address(&raw const mdl) };
        prop_assert!(mapped.is_null());
    }
}

#[test]
fn a_mapped_descriptor_or_one_of_nonpaged_pool_has_a_system_address() {
    let mut byte = 0_u8;
    for (flags, mapped) in
        [(0, false), (MDL_MAPPED_TO_SYSTEM_VA, true), (MDL_SOURCE_IS_NONPAGED_POOL, true), (0x0002, false)]
    {
        let mdl = MDL { MdlFlags: flags, MappedSystemVa: (&raw mut byte).cast(), ..zeroed() };
        // SAFETY: a whole descriptor of our own.
        let address = unsafe { mm_get_mapped_system_address(&raw const mdl) };
        assert_eq!(address, if mapped { mdl.MappedSystemVa } else { ptr::null_mut() }, "{flags:#x}");
    }
}

#[test]
fn page_numbers_follow_the_header() {
    let mut mdl: MDL = zeroed();
    let array = mm_get_mdl_pfn_array(&raw mut mdl);
    assert_eq!(array.addr(), (&raw const mdl).addr() + 48);
}
