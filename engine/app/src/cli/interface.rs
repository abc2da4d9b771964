//! Network interfaces, by name or index.

use std::fmt;
use std::io;

/// A network interface, as it was named on the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Interface {
    /// By index; every system has those.
    Index(u32),
    /// By name; looked up when the group is joined.
    Name(String),
}

impl Interface {
    /// The interface's index.
    ///
    /// # Errors
    /// There is no interface of that name, or this system has no names for them.
    pub(crate) fn index(&self) -> io::Result<u32> {
        match self {
            Self::Index(index) => Ok(*index),
            Self::Name(name) => names::index_of(name),
        }
    }

    /// The command that lists the interfaces there are.
    pub(crate) const LISTED_BY: &str =
        if cfg!(windows) { "netsh interface show interface" } else { "ip link" };
}

impl From<&str> for Interface {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Index)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(target_os = "linux")]
mod names {
    use std::io;

    pub(super) fn index_of(name: &str) -> io::Result<u32> {
        // The request is answered through any socket.
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        Ok(rustix::net::netdevice::name_to_index(&socket, name)?)
    }
}

#[cfg(windows)]
mod names {
    // UNSAFETY: two system calls that fill in what they are lent.
    #![expect(unsafe_code, reason = "interfaces are looked up through pointers")]

    use std::io;

    use windows_sys::Win32::Foundation::{NO_ERROR, WIN32_ERROR};
    use windows_sys::Win32::NetworkManagement::IpHelper::{
        ConvertInterfaceAliasToLuid, ConvertInterfaceLuidToIndex,
    };
    use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;

    /// By the name that the system shows for it: its alias, such as `Ethernet`.
    pub(super) fn index_of(name: &str) -> io::Result<u32> {
        let alias: Vec<u16> = name.encode_utf16().chain([0]).collect();
        let mut luid = NET_LUID_LH { Value: 0 };
        // SAFETY: the alias ends with a zero, and both live as long as the call.
        check(unsafe { ConvertInterfaceAliasToLuid(alias.as_ptr(), &raw mut luid) })?;
        let mut index = 0;
        // SAFETY: both live as long as the call.
        check(unsafe { ConvertInterfaceLuidToIndex(&raw const luid, &raw mut index) })?;
        Ok(index)
    }

    fn check(error: WIN32_ERROR) -> io::Result<()> {
        if error == NO_ERROR { Ok(()) } else { Err(io::Error::from_raw_os_error(error.cast_signed())) }
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod names {
    use std::io;

    pub(super) fn index_of(_name: &str) -> io::Result<u32> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "give the interface's index instead of its name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_an_index_and_anything_else_a_name() {
        assert_eq!(Interface::from("2").index().unwrap(), 2);
        assert_eq!(Interface::from("eth0"), Interface::Name("eth0".into()));
    }

    #[cfg(any(target_os = "linux", windows))]
    #[test]
    fn names_that_no_interface_has_are_not_found() {
        assert!(Interface::from("no-such-if").index().is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn interfaces_are_found_by_name() {
        assert!(Interface::from("lo").index().unwrap() > 0);
    }
}
