//! Names and addresses: WskGetAddressInfo, WskGetNameInfo. Windows 7 and later.

mod address_info;
mod name_info;
mod text;

pub use address_info::{AddressList, NameQuery, Resolving};
pub use name_info::{Names, Naming};
