//! Who may do what: accounts, tokens, security descriptors, and the check of one against the other.
//!
//! It is as much of NT's security as sharing an address takes: discretionary lists with entries that allow or deny, no
//! privileges, no integrity levels, no auditing.

mod access;
mod cache;
mod descriptor;
mod sid;
mod token;

pub(crate) use access::{SHARE_ACCESS, access_check};
pub(crate) use cache::DescriptorCache;
pub(crate) use descriptor::Descriptor;
pub use sid::Sid;
pub use token::Token;
