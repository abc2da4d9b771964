//! Security descriptors of the raw client, written byte by byte.

use std::ffi::c_void;

use skua_engine::abi::nt::SE_SELF_RELATIVE;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_CACHE_SD, WSK_RELEASE_SD};
use skua_hosted::Sid;

use super::{Client, bytes_of};

/// An entry of a list: whether it allows, what, and whom.
pub(crate) type Entry = (bool, u32, Sid);

/// A self-relative descriptor.
pub(crate) struct Descriptor {
    pub(crate) words: Vec<u64>,
}

impl Descriptor {
    /// One with an owner or without, and with a list or without, which lets everybody do everything.
    pub(crate) fn new(owner: Option<Sid>, entries: Option<&[Entry]>) -> Self {
        let owner = owner.map(|owner| owner.to_bytes()).unwrap_or_default();
        let mut bytes = vec![1, 0];
        let present = if entries.is_some() { 4 } else { 0 };
        bytes.extend((SE_SELF_RELATIVE | present).to_le_bytes());
        let at = |there: bool, at: usize| if there { u32::try_from(at).unwrap() } else { 0 };
        for offset in [at(!owner.is_empty(), 20), 0, 0, at(entries.is_some(), 20 + owner.len())] {
            bytes.extend(offset.to_le_bytes());
        }
        bytes.extend(owner);
        if let Some(entries) = entries {
            let body: Vec<u8> = entries.iter().flat_map(entry).collect();
            bytes.extend([2, 0]);
            bytes.extend(u16::try_from(8 + body.len()).unwrap().to_le_bytes());
            bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
            bytes.extend([0, 0]);
            bytes.extend(body);
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        Self { words: bytes.chunks(8).map(|chunk| u64::from_ne_bytes(chunk.try_into().unwrap())).collect() }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.words.as_ptr().cast_mut().cast()
    }
}

fn entry(&(allows, mask, sid): &Entry) -> Vec<u8> {
    let sid = sid.to_bytes();
    let mut bytes = vec![u8::from(!allows), 0];
    bytes.extend(u16::try_from(8 + sid.len()).unwrap().to_le_bytes());
    bytes.extend(mask.to_le_bytes());
    bytes.extend(sid);
    bytes
}

impl Client {
    /// WSK_CACHE_SD.
    pub(crate) fn cache(&self, descriptor: &Descriptor) -> Result<*mut c_void, NTSTATUS> {
        let mut own = descriptor.as_ptr();
        let mut cached: *mut c_void = std::ptr::null_mut();
        let (input, output) = (Some(bytes_of(&mut own)), Some(bytes_of(&mut cached)));
        let (status, _) = self.control(WSK_CACHE_SD, input, output, std::ptr::null_mut());
        if status == STATUS_SUCCESS { Ok(cached) } else { Err(status) }
    }

    /// WSK_RELEASE_SD.
    pub(crate) fn release_descriptor(&self, mut cached: *mut c_void) -> NTSTATUS {
        self.control(WSK_RELEASE_SD, Some(bytes_of(&mut cached)), None, std::ptr::null_mut()).0
    }
}
