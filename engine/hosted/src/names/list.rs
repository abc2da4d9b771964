//! The lists that WskGetAddressInfo gives: one block of memory each, which WskFreeAddressInfo frees.
//!
//! ```text
//! | ADDRINFOEXW | ADDRINFOEXW | ... | address | address | ... | canonical name |
//!      ai_next ---^  ai_addr ---------^                          ^--- ai_canonname of the first
//! ```

// UNSAFETY: lays the list out in raw memory that a client reads.
#![expect(unsafe_code, reason = "a list is found and freed by address")]

use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::Mutex;

use skua_engine::abi::sockaddr::{SOCKADDR, SOCKADDR_INET};
use skua_engine::abi::wsk::ADDRINFOEXW;
use skua_engine::abi::zeroed;

use crate::kernel::lock::hold;
use crate::os::names::Answer;

/// Bytes that an address takes: SOCKADDR_INET, aligned.
const ADDRESS_BYTES: usize = 32;
const _: () = assert!(ADDRESS_BYTES >= size_of::<SOCKADDR_INET>());

/// The lists of one kernel that are not freed, by address.
#[derive(Debug, Default)]
pub(crate) struct AddressLists {
    lent: Mutex<HashMap<usize, Block>>,
}

/// The memory of one list.
///
/// # Invariants
/// It came from a box, which the drop makes it again.
#[derive(Debug)]
struct Block(NonNull<[u64]>);

// SAFETY: memory without an owner but this value.
unsafe impl Send for Block {}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: came from a box, once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl AddressLists {
    /// Lends a list of `answers`, which are not empty.
    pub(super) fn lend(&self, answers: &[Answer]) -> *mut ADDRINFOEXW {
        let name: Vec<u16> = answers
            .first()
            .and_then(|answer| answer.canonical_name.as_deref())
            .map(|name| name.encode_utf16().chain([0]).collect())
            .unwrap_or_default();
        let entries = answers.len() * size_of::<ADDRINFOEXW>();
        let addresses = answers.len() * ADDRESS_BYTES;
        let bytes = entries + addresses + size_of_val(name.as_slice());
        let memory = Box::into_raw(vec![0u64; bytes.div_ceil(8)].into_boxed_slice());
        let at = |offset: usize| memory.cast::<u8>().wrapping_add(offset);
        let canonical_name = at(entries + addresses).cast::<u16>();
        // SAFETY: the end of the block, as long as the name.
        unsafe { std::ptr::copy_nonoverlapping(name.as_ptr(), canonical_name, name.len()) };
        let entry = |index: usize| at(index * size_of::<ADDRINFOEXW>()).cast::<ADDRINFOEXW>();
        for (index, answer) in answers.iter().enumerate() {
            let address = SOCKADDR_INET::from(answer.address);
            let place = at(entries + index * ADDRESS_BYTES).cast::<SOCKADDR_INET>();
            // SAFETY: room for one address of each entry, aligned to 8.
            unsafe { place.write(address) };
            let mut info: ADDRINFOEXW = zeroed();
            info.ai_family = address.family().into();
            info.ai_socktype = answer.socket_type;
            info.ai_protocol = answer.protocol;
            info.ai_addrlen = address.len();
            info.ai_addr = place.cast::<SOCKADDR>();
            if index == 0 && !name.is_empty() {
                info.ai_canonname = canonical_name;
            }
            if index + 1 < answers.len() {
                info.ai_next = entry(index + 1);
            }
            // SAFETY: room for one entry of each answer.
            unsafe { entry(index).write(info) };
        }
        if let Some(block) = NonNull::new(memory) {
            hold(&self.lent).insert(block.cast::<u8>().as_ptr().addr(), Block(block));
        }
        entry(0)
    }

    /// Frees a list; null is none.
    pub(crate) fn free(&self, list: *mut ADDRINFOEXW) {
        if list.is_null() {
            return;
        }
        let freed = hold(&self.lent).remove(&list.addr());
        assert!(
            freed.is_some(),
            "WskFreeAddressInfo: the list at {list:p} did not come from WskGetAddressInfo, or is freed already"
        );
    }

    /// Lists that are not freed.
    pub(crate) fn count(&self) -> usize {
        hold(&self.lent).len()
    }
}
