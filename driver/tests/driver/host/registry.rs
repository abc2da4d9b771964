//! The registry as a map.

use std::collections::BTreeMap;
use std::sync::Mutex;

use skua_driver::RegistryValue;
use skua_engine::abi::status::{NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_OBJECT_NAME_NOT_FOUND};

/// Type and data by key and name.
type Values = BTreeMap<(String, String), (u32, Vec<u8>)>;

#[derive(Default)]
pub(super) struct Registry {
    values: Mutex<Values>,
}

impl Registry {
    pub(super) fn set(&self, key: &str, name: &str, kind: u32, data: &[u8]) {
        let place = (key.to_ascii_lowercase(), name.to_ascii_lowercase());
        self.values.lock().unwrap().insert(place, (kind, data.to_vec()));
    }

    pub(super) fn query<'b>(
        &self,
        key: &[u16],
        name: &[u16],
        buffer: &'b mut [u32],
    ) -> Result<RegistryValue<'b>, NTSTATUS> {
        let text = |units: &[u16]| String::from_utf16_lossy(units).to_ascii_lowercase();
        let values = self.values.lock().unwrap();
        let (kind, data) = values.get(&(text(key), text(name))).ok_or(STATUS_OBJECT_NAME_NOT_FOUND)?;
        // KEY_VALUE_PARTIAL_INFORMATION: three words before the data.
        let room = bytemuck::cast_slice_mut::<u32, u8>(buffer.get_mut(3..).unwrap_or_default());
        let room = room.get_mut(..data.len()).ok_or(STATUS_BUFFER_OVERFLOW)?;
        room.copy_from_slice(data);
        Ok(RegistryValue { kind: *kind, data: room })
    }
}
