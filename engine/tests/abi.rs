//! What the declared C ABI does besides being laid out: the inline functions, conversions and names.

#[path = "abi/cmsg.rs"]
mod cmsg;
#[path = "abi/irp.rs"]
mod irp;
#[path = "abi/mdl.rs"]
mod mdl;
#[path = "abi/sockaddr.rs"]
mod sockaddr;
#[path = "abi/status.rs"]
mod status;
