//! NTSTATUS: how a kernel function ended.
//!
//! The upper two bits are the severity: 0 success, 1 informational, 2 warning, 3 error. Success and informational
//! values count as success, so `STATUS_PENDING` and `STATUS_EVENT_PENDING` do, and `STATUS_BUFFER_OVERFLOW`, a
//! warning, does not.

use core::fmt;

use bytemuck::{Pod, Zeroable};

/// How a kernel function ended.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Pod, Zeroable)]
#[must_use = "a status says whether the call did anything"]
pub struct NTSTATUS(pub i32);
layout!(NTSTATUS { size: 4, align: 4 });

impl NTSTATUS {
    /// The status with this value, written as in the WDK: `0xC000_000D` for `STATUS_INVALID_PARAMETER`.
    ///
    /// # IRQL
    /// Any.
    pub const fn from_bits(value: u32) -> Self {
        Self(value.cast_signed())
    }

    /// The value as the WDK writes it.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        self.0.cast_unsigned()
    }

    /// `NT_SUCCESS`: success or informational.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 >= 0
    }

    /// The WDK's name of the value, if it is one of those declared here.
    ///
    /// # IRQL
    /// Any.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NTSTATUS_NAMES.iter().find(|(status, _)| *status == self).map(|(_, name)| *name)
    }
}

impl fmt::Display for NTSTATUS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:08X})", self.to_bits()),
            None => write!(f, "NTSTATUS 0x{:08X}", self.to_bits()),
        }
    }
}

impl fmt::Debug for NTSTATUS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One table makes the constants and the names, so that they cannot differ.
macro_rules! statuses {
    ($($(#[$meta:meta])* $name:ident = $value:literal;)+) => {
        $($(#[$meta])* pub const $name: NTSTATUS = NTSTATUS::from_bits($value);)+

        /// Every status declared here, with its name, in the order of their values.
        pub const NTSTATUS_NAMES: &[(NTSTATUS, &str)] = &[$(($name, stringify!($name))),+];
    };
}

statuses! {
    /// Done; the IRP, if any, is complete as well. From a callback: consumed.
    STATUS_SUCCESS = 0x0000_0000;
    /// The time-out of a wait passed. Counts as success.
    STATUS_TIMEOUT = 0x0000_0102;
    /// Accepted, the IRP completes later. From a callback: retained. Counts as success.
    STATUS_PENDING = 0x0000_0103;
    /// More is available than was returned. Counts as success.
    STATUS_MORE_ENTRIES = 0x0000_0105;
    /// A section was mapped at another address than asked for. Counts as success.
    STATUS_IMAGE_NOT_AT_BASE = 0x4000_0003;
    /// A part of a message was received. Counts as success.
    STATUS_RECEIVE_PARTIAL = 0x4000_000F;
    /// An event was disabled without an IRP while its callback ran. Counts as success.
    STATUS_EVENT_PENDING = 0x4000_0013;
    /// Only part of the data fitted; the size needed is returned. Counts as failure.
    STATUS_BUFFER_OVERFLOW = 0x8000_0005;
    /// Only part of the data could be copied.
    STATUS_PARTIAL_COPY = 0x8000_000D;
    /// The device is in use.
    STATUS_DEVICE_BUSY = 0x8000_0011;
    /// There is nothing more to return.
    STATUS_NO_MORE_ENTRIES = 0x8000_001A;
    /// Failed, without saying why.
    STATUS_UNSUCCESSFUL = 0xC000_0001;
    /// Not implemented. What a WSK client's `WskClientEvent` answers.
    STATUS_NOT_IMPLEMENTED = 0xC000_0002;
    /// The size of the data is not that of the information asked for.
    STATUS_INFO_LENGTH_MISMATCH = 0xC000_0004;
    /// An access to memory was not allowed.
    STATUS_ACCESS_VIOLATION = 0xC000_0005;
    /// Not a handle of the right kind.
    STATUS_INVALID_HANDLE = 0xC000_0008;
    /// An argument is wrong, or a released list is.
    STATUS_INVALID_PARAMETER = 0xC000_000D;
    /// No such device.
    STATUS_NO_SUCH_DEVICE = 0xC000_000E;
    /// The request does not apply to this device or socket.
    STATUS_INVALID_DEVICE_REQUEST = 0xC000_0010;
    /// There is nothing more, and nothing more will come.
    STATUS_END_OF_FILE = 0xC000_0011;
    /// From a completion routine: stop here, the packet is its owner's again.
    STATUS_MORE_PROCESSING_REQUIRED = 0xC000_0016;
    /// Out of memory.
    STATUS_NO_MEMORY = 0xC000_0017;
    /// The view conflicts with another.
    STATUS_CONFLICTING_ADDRESSES = 0xC000_0018;
    /// Not allowed. From a bind: the address may not be shared.
    STATUS_ACCESS_DENIED = 0xC000_0022;
    /// The buffer is too small for any answer.
    STATUS_BUFFER_TOO_SMALL = 0xC000_0023;
    /// The object has another type.
    STATUS_OBJECT_TYPE_MISMATCH = 0xC000_0024;
    /// No object has the name.
    STATUS_OBJECT_NAME_NOT_FOUND = 0xC000_0034;
    /// Another object has the name.
    STATUS_OBJECT_NAME_COLLISION = 0xC000_0035;
    /// More data arrived than fitted.
    STATUS_DATA_OVERRUN = 0xC000_003C;
    /// Someone else has it open.
    STATUS_SHARING_VIOLATION = 0xC000_0043;
    /// A quota is used up.
    STATUS_QUOTA_EXCEEDED = 0xC000_0044;
    /// The object is going away.
    STATUS_DELETE_PENDING = 0xC000_0056;
    /// The two sides are of different versions.
    STATUS_REVISION_MISMATCH = 0xC000_0059;
    /// The caller lacks a privilege.
    STATUS_PRIVILEGE_NOT_HELD = 0xC000_0061;
    /// A security descriptor is not one.
    STATUS_INVALID_SECURITY_DESCR = 0xC000_0079;
    /// Out of memory or of another resource.
    STATUS_INSUFFICIENT_RESOURCES = 0xC000_009A;
    /// The memory is not allocated.
    STATUS_MEMORY_NOT_ALLOCATED = 0xC000_00A0;
    /// The provider is not there: not yet in time, or no more.
    STATUS_DEVICE_NOT_READY = 0xC000_00A3;
    /// The operation timed out.
    STATUS_IO_TIMEOUT = 0xC000_00B5;
    /// The socket is dead; all that is left is to close it.
    STATUS_FILE_FORCED_CLOSED = 0xC000_00B6;
    /// The transport does not support the call or the flag.
    STATUS_NOT_SUPPORTED = 0xC000_00BB;
    /// Nobody listens at the other end.
    STATUS_REMOTE_NOT_LISTENING = 0xC000_00BC;
    /// The network path is not there.
    STATUS_BAD_NETWORK_PATH = 0xC000_00BE;
    /// The network answered nonsense.
    STATUS_INVALID_NETWORK_RESPONSE = 0xC000_00C3;
    /// Not accepted; or a control request that needs an IRP came without one.
    STATUS_REQUEST_NOT_ACCEPTED = 0xC000_00D0;
    /// An error inside the provider.
    STATUS_INTERNAL_ERROR = 0xC000_00E5;
    /// A name is longer than there is room for.
    STATUS_NAME_TOO_LONG = 0xC000_0106;
    /// The IRP was cancelled, or its socket closed.
    STATUS_CANCELLED = 0xC000_0120;
    /// This side disconnected.
    STATUS_LOCAL_DISCONNECT = 0xC000_013B;
    /// The other side disconnected.
    STATUS_REMOTE_DISCONNECT = 0xC000_013C;
    /// Not an address.
    STATUS_INVALID_ADDRESS = 0xC000_0141;
    /// Not bound, not connected, or already so.
    STATUS_INVALID_DEVICE_STATE = 0xC000_0184;
    /// The datagram is too large.
    STATUS_INVALID_BUFFER_SIZE = 0xC000_0206;
    /// The address is none of this machine's.
    STATUS_INVALID_ADDRESS_COMPONENT = 0xC000_0207;
    /// No free port.
    STATUS_TOO_MANY_ADDRESSES = 0xC000_0209;
    /// The address is in use.
    STATUS_ADDRESS_ALREADY_EXISTS = 0xC000_020A;
    /// The address was closed.
    STATUS_ADDRESS_CLOSED = 0xC000_020B;
    /// The connection was ended.
    STATUS_CONNECTION_DISCONNECTED = 0xC000_020C;
    /// The other side reset the connection.
    STATUS_CONNECTION_RESET = 0xC000_020D;
    /// The transport gave up.
    STATUS_TRANSACTION_ABORTED = 0xC000_020F;
    /// From a callback: not taken.
    STATUS_DATA_NOT_ACCEPTED = 0xC000_021B;
    /// Not found.
    STATUS_NOT_FOUND = 0xC000_0225;
    /// To be tried again.
    STATUS_RETRY = 0xC000_022D;
    /// The other side refused the connection.
    STATUS_CONNECTION_REFUSED = 0xC000_0236;
    /// The other side closed the connection.
    STATUS_GRACEFUL_DISCONNECT = 0xC000_0237;
    /// The address belongs to another socket.
    STATUS_ADDRESS_ALREADY_ASSOCIATED = 0xC000_0238;
    /// The socket has no address.
    STATUS_ADDRESS_NOT_ASSOCIATED = 0xC000_0239;
    /// Not a connection.
    STATUS_CONNECTION_INVALID = 0xC000_023A;
    /// Already connected.
    STATUS_CONNECTION_ACTIVE = 0xC000_023B;
    /// No route to the network.
    STATUS_NETWORK_UNREACHABLE = 0xC000_023C;
    /// No route to the host, or it does not answer.
    STATUS_HOST_UNREACHABLE = 0xC000_023D;
    /// The host does not speak the protocol.
    STATUS_PROTOCOL_UNREACHABLE = 0xC000_023E;
    /// Nobody has the port.
    STATUS_PORT_UNREACHABLE = 0xC000_023F;
    /// The request was aborted.
    STATUS_REQUEST_ABORTED = 0xC000_0240;
    /// This side aborted the connection.
    STATUS_CONNECTION_ABORTED = 0xC000_0241;
    /// The name is not known.
    STATUS_NO_MATCH = 0xC000_0272;
    /// The device was removed.
    STATUS_DEVICE_REMOVED = 0xC000_02B6;
    /// The provider does not speak the requested version.
    STATUS_NOINTERFACE = 0xC000_02B9;
    /// It is being shut down.
    STATUS_SHUTDOWN_IN_PROGRESS = 0xC000_02FE;
    /// The host is down.
    STATUS_HOST_DOWN = 0xC000_0350;
    /// The hop limit was used up on the way.
    STATUS_HOPLIMIT_EXCEEDED = 0xC000_A012;
    /// No provider for the protocol.
    STATUS_PROTOCOL_NOT_SUPPORTED = 0xC000_A013;
}
