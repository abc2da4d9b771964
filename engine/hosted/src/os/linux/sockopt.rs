//! setsockopt and getsockopt with values that socket2 has no calls for.

// UNSAFETY: passes values to system calls by address.
#![expect(unsafe_code, reason = "system calls take pointers")]

use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, BorrowedFd};

use bytemuck::NoUninit;

/// setsockopt.
pub(in crate::os) fn set<T: NoUninit>(
    descriptor: BorrowedFd<'_>,
    level: i32,
    option: i32,
    value: T,
) -> Result<()> {
    let size = libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default();
    let value = (&raw const value).cast::<libc::c_void>();
    // SAFETY: the value is readable for its size.
    check(unsafe { libc::setsockopt(descriptor.as_raw_fd(), level, option, value, size) })
}

/// getsockopt of so many words. An error too when the kernel has fewer.
pub(in crate::os) fn words<const N: usize>(
    descriptor: BorrowedFd<'_>,
    level: i32,
    option: i32,
) -> Result<[u32; N]> {
    let mut words = [0u32; N];
    let mut size = libc::socklen_t::try_from(size_of_val(&words)).unwrap_or_default();
    let value = words.as_mut_ptr().cast::<libc::c_void>();
    // SAFETY: the array is writable for the size given.
    check(unsafe { libc::getsockopt(descriptor.as_raw_fd(), level, option, value, &raw mut size) })?;
    if size as usize == size_of_val(&words) { Ok(words) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

fn check(result: libc::c_int) -> Result<()> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
}
