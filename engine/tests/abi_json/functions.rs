//! Every function of the fact sheet, as the crate declares its prototype.

use std::any::type_name;

use skua_engine::abi::wsk::*;

/// A prototype: the fact sheet's name, the bytes of each parameter, and the type returned.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) parameters: Vec<usize>,
    pub(crate) returns: &'static str,
}

/// What can be read off a pointer to a C function.
trait Prototype {
    fn parameters() -> Vec<usize>;
    fn returns() -> &'static str;
}

macro_rules! prototypes {
    ($(($($parameter:ident),*))+) => {$(
        impl<Returned, $($parameter),*> Prototype for Option<unsafe extern "C" fn($($parameter),*) -> Returned> {
            fn parameters() -> Vec<usize> {
                vec![$(size_of::<$parameter>()),*]
            }

            fn returns() -> &'static str {
                match type_name::<Returned>().rsplit("::").next() {
                    None | Some("()") => "void",
                    Some(name) => name,
                }
            }
        }
    )+};
}
prototypes! {
    (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H) (A, B, C, D, E, F, G, H, I) (A, B, C, D, E, F, G, H, I, J)
    (A, B, C, D, E, F, G, H, I, J, K) (A, B, C, D, E, F, G, H, I, J, K, L)
}

macro_rules! functions {
    ($($name:literal: $ty:ident),+ $(,)?) => {
        vec![$(Function {
            name: $name,
            parameters: <$ty as Prototype>::parameters(),
            returns: <$ty as Prototype>::returns(),
        }),+]
    };
}

/// All of them.
pub(crate) fn functions() -> Vec<Function> {
    functions! {
        "WskRegister": PFN_WSK_REGISTER,
        "WskDeregister": PFN_WSK_DEREGISTER,
        "WskCaptureProviderNPI": PFN_WSK_CAPTURE_PROVIDER_NPI,
        "WskReleaseProviderNPI": PFN_WSK_RELEASE_PROVIDER_NPI,
        "WskQueryProviderCharacteristics": PFN_WSK_QUERY_PROVIDER_CHARACTERISTICS,
        "WskClientEvent": PFN_WSK_CLIENT_EVENT,
        "WskSocket": PFN_WSK_SOCKET,
        "WskSocketConnect": PFN_WSK_SOCKET_CONNECT,
        "WskControlClient": PFN_WSK_CONTROL_CLIENT,
        "WskGetAddressInfo": PFN_WSK_GET_ADDRESS_INFO,
        "WskFreeAddressInfo": PFN_WSK_FREE_ADDRESS_INFO,
        "WskGetNameInfo": PFN_WSK_GET_NAME_INFO,
        "WskControlSocket": PFN_WSK_CONTROL_SOCKET,
        "WskCloseSocket": PFN_WSK_CLOSE_SOCKET,
        "WskBind": PFN_WSK_BIND,
        "WskSendTo": PFN_WSK_SEND_TO,
        "WskSendMessages": PFN_WSK_SEND_MESSAGES,
        "WskReceiveFrom": PFN_WSK_RECEIVE_FROM,
        "WskReceiveFromEvent": PFN_WSK_RECEIVE_FROM_EVENT,
        "WskRelease (datagram)": PFN_WSK_RELEASE_DATAGRAM_INDICATION_LIST,
        "WskRelease (data)": PFN_WSK_RELEASE_DATA_INDICATION_LIST,
        "WskGetLocalAddress": PFN_WSK_GET_LOCAL_ADDRESS,
        "WskGetRemoteAddress": PFN_WSK_GET_REMOTE_ADDRESS,
        "WskAccept": PFN_WSK_ACCEPT,
        "WskInspectComplete": PFN_WSK_INSPECT_COMPLETE,
        "WskListen": PFN_WSK_LISTEN,
        "WskConnect": PFN_WSK_CONNECT,
        "WskConnectEx": PFN_WSK_CONNECT_EX,
        "WskSend": PFN_WSK_SEND,
        "WskSendEx": PFN_WSK_SEND_EX,
        "WskReceive": PFN_WSK_RECEIVE,
        "WskReceiveEx": PFN_WSK_RECEIVE_EX,
        "WskDisconnect": PFN_WSK_DISCONNECT,
        "WskAcceptEvent": PFN_WSK_ACCEPT_EVENT,
        "WskInspectEvent": PFN_WSK_INSPECT_EVENT,
        "WskAbortEvent": PFN_WSK_ABORT_EVENT,
        "WskReceiveEvent": PFN_WSK_RECEIVE_EVENT,
        "WskDisconnectEvent": PFN_WSK_DISCONNECT_EVENT,
        "WskSendBacklogEvent": PFN_WSK_SEND_BACKLOG_EVENT,
    }
}
