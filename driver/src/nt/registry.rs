//! One value of the registry.

// UNSAFETY: gives the kernel a buffer to fill.
#![expect(unsafe_code, reason = "a key is opened and a value is read into a buffer")]

use core::ffi::c_int;
use core::ptr;

use skua_engine::abi::status::{NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL};
use skua_nt::bindings::imports;
use skua_nt::{Handle, attributes, unicode};

use crate::executive::RegistryValue;

/// Reading values of a key (winnt.h).
const KEY_QUERY_VALUE: u32 = 0x0001;
/// KEY_VALUE_PARTIAL_INFORMATION (wdm.h): a title index, the type, the length of the data, the data.
const PARTIAL_INFORMATION: c_int = 2;
const HEADER_WORDS: usize = 3;

/// ZwOpenKey and ZwQueryValueKey.
pub(super) fn query<'b>(
    key: &[u16],
    name: &[u16],
    buffer: &'b mut [u32],
) -> Result<RegistryValue<'b>, NTSTATUS> {
    let key = open(key)?;
    let mut name = unicode::borrowed(name)?;
    // Of more than 4 GiB the whole words below are used.
    let length = u32::try_from(size_of_val(buffer)).unwrap_or(!3);
    let mut needed = 0;
    // SAFETY: an open key, a name that lives until the call returns, and `length` writable bytes.
    let status = unsafe {
        imports::ZwQueryValueKey(
            key.get(),
            &raw mut name,
            PARTIAL_INFORMATION,
            buffer.as_mut_ptr().cast(),
            length,
            &raw mut needed,
        )
    };
    if status == STATUS_BUFFER_TOO_SMALL {
        return Err(STATUS_BUFFER_OVERFLOW);
    }
    if !status.is_success() {
        return Err(status);
    }
    let (header, data) = buffer.split_at_checked(HEADER_WORDS).ok_or(STATUS_BUFFER_OVERFLOW)?;
    let data = bytemuck::cast_slice(data).get(..header[2] as usize).ok_or(STATUS_BUFFER_OVERFLOW)?;
    Ok(RegistryValue { kind: header[1], data })
}

fn open(path: &[u16]) -> Result<Handle, NTSTATUS> {
    let mut path = unicode::borrowed(path)?;
    let attributes = attributes(&raw mut path);
    let mut handle = ptr::null_mut();
    // SAFETY: the path lives until the call returns.
    let status = unsafe { imports::ZwOpenKey(&raw mut handle, KEY_QUERY_VALUE, &raw const attributes) };
    // SAFETY: a kernel handle, as the attributes say.
    unsafe { Handle::opened(status, handle) }
}
