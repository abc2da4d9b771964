//! From the host's errors to NTSTATUS, in one table.

use std::io::{Error, ErrorKind};

use skua_engine::abi::status::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_CONNECTION_ABORTED,
    STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_RESET, STATUS_HOST_UNREACHABLE,
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_ADDRESS_COMPONENT, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_IO_TIMEOUT, STATUS_NETWORK_UNREACHABLE, STATUS_NOT_FOUND,
    STATUS_NOT_SUPPORTED, STATUS_UNSUCCESSFUL,
};
#[cfg(any(target_os = "linux", windows))]
use skua_engine::abi::status::{STATUS_INVALID_BUFFER_SIZE, STATUS_PORT_UNREACHABLE};

/// The status of a failed call to the host's stack.
pub(crate) fn of(error: &Error) -> NTSTATUS {
    by_number(error).unwrap_or_else(|| by_kind(error.kind()))
}

/// The same of a connection, where the host uses some numbers for something else.
pub(crate) fn of_stream(error: &Error) -> NTSTATUS {
    match error.kind() {
        ErrorKind::ConnectionRefused => STATUS_CONNECTION_REFUSED,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => STATUS_CONNECTION_RESET,
        ErrorKind::ConnectionAborted => STATUS_CONNECTION_ABORTED,
        ErrorKind::NotConnected => STATUS_INVALID_DEVICE_STATE,
        ErrorKind::TimedOut => STATUS_IO_TIMEOUT,
        _ => of(error),
    }
}

/// Errors whose kind says too little, by the host's own number.
#[cfg(target_os = "linux")]
fn by_number(error: &Error) -> Option<NTSTATUS> {
    Some(match error.raw_os_error()? {
        libc::EMSGSIZE => STATUS_INVALID_BUFFER_SIZE,
        libc::ENOBUFS | libc::EMFILE | libc::ENFILE => STATUS_INSUFFICIENT_RESOURCES,
        libc::EAFNOSUPPORT | libc::EOPNOTSUPP | libc::ENOPROTOOPT | libc::EPROTONOSUPPORT => {
            STATUS_NOT_SUPPORTED
        }
        libc::ENODEV | libc::ENXIO => STATUS_INVALID_ADDRESS_COMPONENT,
        // A UDP socket hears of ICMP port unreachable by this.
        libc::ECONNREFUSED => STATUS_PORT_UNREACHABLE,
        _ => return None,
    })
}

/// The same by the numbers of winsock2.h.
#[cfg(windows)]
fn by_number(error: &Error) -> Option<NTSTATUS> {
    Some(match error.raw_os_error()? {
        // WSAEMSGSIZE
        10_040 => STATUS_INVALID_BUFFER_SIZE,
        // WSAENOPROTOOPT, WSAEPROTONOSUPPORT, WSAEOPNOTSUPP, WSAEAFNOSUPPORT
        10_042 | 10_043 | 10_045 | 10_047 => STATUS_NOT_SUPPORTED,
        // WSAEMFILE, WSAENOBUFS
        10_024 | 10_055 => STATUS_INSUFFICIENT_RESOURCES,
        // WSAECONNRESET: ICMP port unreachable.
        10_054 => STATUS_PORT_UNREACHABLE,
        _ => return None,
    })
}

#[cfg(not(any(target_os = "linux", windows)))]
fn by_number(_error: &Error) -> Option<NTSTATUS> {
    None
}

fn by_kind(kind: ErrorKind) -> NTSTATUS {
    match kind {
        ErrorKind::AddrInUse => STATUS_ADDRESS_ALREADY_EXISTS,
        ErrorKind::AddrNotAvailable => STATUS_INVALID_ADDRESS_COMPONENT,
        ErrorKind::PermissionDenied => STATUS_ACCESS_DENIED,
        ErrorKind::NetworkUnreachable => STATUS_NETWORK_UNREACHABLE,
        ErrorKind::HostUnreachable => STATUS_HOST_UNREACHABLE,
        ErrorKind::ConnectionRefused => STATUS_CONNECTION_REFUSED,
        ErrorKind::InvalidInput => STATUS_INVALID_PARAMETER,
        ErrorKind::OutOfMemory => STATUS_INSUFFICIENT_RESOURCES,
        ErrorKind::Unsupported => STATUS_NOT_SUPPORTED,
        ErrorKind::NotFound => STATUS_NOT_FOUND,
        _ => STATUS_UNSUCCESSFUL,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn each_error_a_datagram_socket_meets_has_its_status() {
        for (error, status) in [
            (libc::EADDRINUSE, STATUS_ADDRESS_ALREADY_EXISTS),
            (libc::EACCES, STATUS_ACCESS_DENIED),
            (libc::EPERM, STATUS_ACCESS_DENIED),
            (libc::EADDRNOTAVAIL, STATUS_INVALID_ADDRESS_COMPONENT),
            (libc::EMSGSIZE, STATUS_INVALID_BUFFER_SIZE),
            (libc::ENETUNREACH, STATUS_NETWORK_UNREACHABLE),
            (libc::EHOSTUNREACH, STATUS_HOST_UNREACHABLE),
            (libc::ECONNREFUSED, STATUS_PORT_UNREACHABLE),
            (libc::EINVAL, STATUS_INVALID_PARAMETER),
            (libc::ENOMEM, STATUS_INSUFFICIENT_RESOURCES),
            (libc::ENOBUFS, STATUS_INSUFFICIENT_RESOURCES),
            (libc::EAFNOSUPPORT, STATUS_NOT_SUPPORTED),
            (libc::EIO, STATUS_UNSUCCESSFUL),
        ] {
            assert_eq!(of(&Error::from_raw_os_error(error)), status, "errno {error}");
        }
    }

    #[test]
    fn each_error_a_connection_meets_has_its_status() {
        for (error, status) in [
            (libc::ECONNREFUSED, STATUS_CONNECTION_REFUSED),
            (libc::ECONNRESET, STATUS_CONNECTION_RESET),
            (libc::EPIPE, STATUS_CONNECTION_RESET),
            (libc::ECONNABORTED, STATUS_CONNECTION_ABORTED),
            (libc::ENOTCONN, STATUS_INVALID_DEVICE_STATE),
            (libc::ETIMEDOUT, STATUS_IO_TIMEOUT),
            (libc::EHOSTUNREACH, STATUS_HOST_UNREACHABLE),
            (libc::EADDRINUSE, STATUS_ADDRESS_ALREADY_EXISTS),
        ] {
            assert_eq!(of_stream(&Error::from_raw_os_error(error)), status, "errno {error}");
        }
    }
}
