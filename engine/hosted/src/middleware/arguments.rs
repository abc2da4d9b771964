//! The functions of WSK's tables, and what they are called with.

use std::ffi::c_void;
use std::fmt;

use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::nt::{GUID, PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR, UNICODE_STRING};
use skua_engine::abi::sockaddr::{ADDRESS_FAMILY, PSOCKADDR};
use skua_engine::abi::wsk::{
    ADDRINFOEXW, WSK_BUF, WSK_BUF_LIST, WSK_CLIENT_CONNECTION_DISPATCH, WSK_CONTROL_SOCKET_TYPE,
    WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION, WSK_INSPECT_ACTION, WSK_INSPECT_ID,
};

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $wsk:literal { $($field:ident: $kind:ty,)* })*) => {
        /// A function of a provider's table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Function {
            $($(#[$doc])* $name,)*
        }

        impl Function {
            /// Every function.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in WSK.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $wsk,)*
                }
            }
        }

        /// A function with its arguments, except the first, which is the client or the socket, and the packet. Named, in
        /// their order, as the prototypes of [`skua_engine::abi::wsk`] name them.
        #[derive(Clone, Copy, Debug)]
        #[expect(missing_docs, reason = "the fields are the arguments of the prototypes")]
        pub enum Arguments {
            $($(#[$doc])* $name { $($field: $kind,)* },)*
        }

        impl Arguments {
            /// The function.
            #[must_use]
            pub const fn function(&self) -> Function {
                match self {
                    $(Self::$name { .. } => Function::$name,)*
                }
            }
        }
    };
}

functions! {
    /// Creates a socket.
    Socket = "WskSocket" {
        address_family: ADDRESS_FAMILY,
        socket_type: u16,
        protocol: u32,
        flags: u32,
        socket_context: *mut c_void,
        dispatch: *const c_void,
        owning_process: PEPROCESS,
        owning_thread: PETHREAD,
        security_descriptor: PSECURITY_DESCRIPTOR,
    }
    /// Creates, binds and connects a connection socket.
    SocketConnect = "WskSocketConnect" {
        socket_type: u16,
        protocol: u32,
        local_address: PSOCKADDR,
        remote_address: PSOCKADDR,
        flags: u32,
        socket_context: *mut c_void,
        dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
        owning_process: PEPROCESS,
        owning_thread: PETHREAD,
        security_descriptor: PSECURITY_DESCRIPTOR,
    }
    /// Controls the client as a whole.
    ControlClient = "WskControlClient" {
        control_code: u32,
        input_size: usize,
        input_buffer: *mut c_void,
        output_size: usize,
        output_buffer: *mut c_void,
        output_size_returned: *mut usize,
    }
    /// Finds the addresses of a name.
    GetAddressInfo = "WskGetAddressInfo" {
        node_name: *mut UNICODE_STRING,
        service_name: *mut UNICODE_STRING,
        name_space: u32,
        provider: *mut GUID,
        hints: *mut ADDRINFOEXW,
        result: *mut *mut ADDRINFOEXW,
        owning_process: PEPROCESS,
        owning_thread: PETHREAD,
    }
    /// Frees such addresses. Takes no packet and returns nothing.
    FreeAddressInfo = "WskFreeAddressInfo" {
        addr_info: *mut ADDRINFOEXW,
    }
    /// Finds the name of an address.
    GetNameInfo = "WskGetNameInfo" {
        sock_addr: PSOCKADDR,
        sock_addr_length: u32,
        node_name: *mut UNICODE_STRING,
        service_name: *mut UNICODE_STRING,
        flags: u32,
        owning_process: PEPROCESS,
        owning_thread: PETHREAD,
    }
    /// Sets or gets an option, or does an I/O control.
    ControlSocket = "WskControlSocket" {
        request_type: WSK_CONTROL_SOCKET_TYPE,
        control_code: u32,
        level: u32,
        input_size: usize,
        input_buffer: *mut c_void,
        output_size: usize,
        output_buffer: *mut c_void,
        output_size_returned: *mut usize,
    }
    /// Closes a socket.
    CloseSocket = "WskCloseSocket" {}
    /// Binds a socket.
    Bind = "WskBind" {
        local_address: PSOCKADDR,
        flags: u32,
    }
    /// The local address.
    GetLocalAddress = "WskGetLocalAddress" {
        local_address: PSOCKADDR,
    }
    /// The remote address.
    GetRemoteAddress = "WskGetRemoteAddress" {
        remote_address: PSOCKADDR,
    }
    /// Sends a datagram.
    SendTo = "WskSendTo" {
        buffer: *mut WSK_BUF,
        flags: u32,
        remote_address: PSOCKADDR,
        control_info_length: u32,
        control_info: *mut CMSGHDR,
    }
    /// Receives a datagram.
    ReceiveFrom = "WskReceiveFrom" {
        buffer: *mut WSK_BUF,
        flags: u32,
        remote_address: PSOCKADDR,
        control_length: *mut u32,
        control_info: *mut CMSGHDR,
        control_flags: *mut u32,
    }
    /// WskRelease of a datagram socket. Takes no packet.
    ReleaseDatagrams = "WskRelease" {
        datagram_indication: *mut WSK_DATAGRAM_INDICATION,
    }
    /// Sends datagrams.
    SendMessages = "WskSendMessages" {
        buffer_list: *mut WSK_BUF_LIST,
        flags: u32,
        remote_address: PSOCKADDR,
        control_info_length: u32,
        control_info: *mut CMSGHDR,
    }
    /// Accepts a connection.
    Accept = "WskAccept" {
        flags: u32,
        accept_socket_context: *mut c_void,
        accept_socket_dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
        local_address: PSOCKADDR,
        remote_address: PSOCKADDR,
    }
    /// Decides on a connection that was left pending.
    InspectComplete = "WskInspectComplete" {
        inspect_id: *mut WSK_INSPECT_ID,
        action: WSK_INSPECT_ACTION,
    }
    /// Makes a stream socket listen.
    Listen = "WskListen" {}
    /// Connects.
    Connect = "WskConnect" {
        remote_address: PSOCKADDR,
        flags: u32,
    }
    /// Connects, and sends.
    ConnectEx = "WskConnectEx" {
        remote_address: PSOCKADDR,
        buffer: *mut WSK_BUF,
        flags: u32,
    }
    /// Sends over a connection.
    Send = "WskSend" {
        buffer: *mut WSK_BUF,
        flags: u32,
    }
    /// Receives over a connection.
    Receive = "WskReceive" {
        buffer: *mut WSK_BUF,
        flags: u32,
    }
    /// Ends a connection.
    Disconnect = "WskDisconnect" {
        buffer: *mut WSK_BUF,
        flags: u32,
    }
    /// WskRelease of a connection or stream socket. Takes no packet.
    ReleaseData = "WskRelease" {
        data_indication: *mut WSK_DATA_INDICATION,
    }
    /// Sends over a connection, with control messages.
    SendEx = "WskSendEx" {
        buffer: *mut WSK_BUF,
        flags: u32,
        control_info_length: u32,
        control_info: *mut CMSGHDR,
    }
    /// Receives over a connection, with control messages.
    ReceiveEx = "WskReceiveEx" {
        buffer: *mut WSK_BUF,
        flags: u32,
        control_info_length: *mut u32,
        control_info: *mut CMSGHDR,
        control_flags: *mut u32,
    }
}

impl Arguments {
    /// The code of WskControlClient and WskControlSocket.
    #[must_use]
    pub const fn control_code(&self) -> Option<u32> {
        match *self {
            Self::ControlClient { control_code, .. } | Self::ControlSocket { control_code, .. } => {
                Some(control_code)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
