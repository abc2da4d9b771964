//! Every structure of the fact sheet, as the crate declares it.

use skua_engine::abi::cmsg::*;
use skua_engine::abi::nt::*;
use skua_engine::abi::sockaddr::*;
use skua_engine::abi::wsk::*;

/// A structure: name, size, alignment, and the fields that were registered.
pub(crate) struct Struct {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    pub(crate) align: usize,
    pub(crate) fields: Vec<Field>,
}

/// A field: its path, where it is, and how many bytes it has.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) offset: usize,
    pub(crate) size: usize,
}

/// The size of what a pointer to a field points to.
const fn size_behind<S, F>(_: impl FnOnce(*const S) -> *const F + Copy) -> usize {
    size_of::<F>()
}

/// The name by which the fact sheet knows a field: members of `Basic` are the table's own there.
fn path(tokens: &str) -> String {
    let path: String = tokens.split_whitespace().collect::<String>().replace("r#", "");
    path.strip_prefix("Basic.").map(str::to_owned).unwrap_or(path)
}

macro_rules! structs {
    ($($name:ident { $($($field:ident).+),* $(,)? })+) => {
        vec![$(Struct {
            name: stringify!($name),
            size: size_of::<$name>(),
            align: align_of::<$name>(),
            fields: vec![$(Field {
                name: path(stringify!($($field).+)),
                offset: core::mem::offset_of!($name, $($field).+),
                #[expect(unsafe_code, reason = "a place behind a union field, named and never evaluated")]
                size: size_behind(|s: *const $name| {
                    // SAFETY: never called.
                    unsafe { &raw const (*s).$($field).+ }
                }),
            }),*],
        }),+]
    };
}

/// All of them.
pub(crate) fn structs() -> Vec<Struct> {
    structs! {
        ADDRINFOEXW {
            ai_flags, ai_family, ai_socktype, ai_protocol, ai_addrlen, ai_canonname, ai_addr, ai_blob, ai_bloblen,
            ai_provider, ai_next,
        }
        CMSGHDR { cmsg_len, cmsg_level, cmsg_type }
        DEVICE_OBJECT {
            Type, Size, ReferenceCount, DriverObject, NextDevice, AttachedDevice, CurrentIrp, Timer, Flags,
            Characteristics, Vpb, DeviceExtension, DeviceType, StackSize, Queue, AlignmentRequirement, DeviceQueue, Dpc,
            ActiveThreadCount, SecurityDescriptor, DeviceLock, SectorSize, Spare1, DeviceObjectExtension, Reserved,
        }
        DRIVER_OBJECT {
            Type, Size, DeviceObject, Flags, DriverStart, DriverSize, DriverSection, DriverExtension, DriverName,
            HardwareDatabase, FastIoDispatch, DriverInit, DriverStartIo, DriverUnload, MajorFunction,
        }
        EX_RUNDOWN_REF {}
        FAST_MUTEX {}
        FILE_OBJECT {}
        GUID {}
        IN6_ADDR {}
        IN6_PKTINFO { ipi6_addr, ipi6_ifindex }
        IN_ADDR {}
        IN_PKTINFO { ipi_addr, ipi_ifindex }
        IN_RECVERR { protocol, info, r#type, code }
        IO_STACK_LOCATION {
            MajorFunction, MinorFunction, Flags, Control, Parameters, DeviceObject, FileObject, CompletionRoutine,
            Context,
        }
        IO_STATUS_BLOCK { Status, Information }
        IRP {
            Type, Size, AllocationProcessorNumber, Reserved, MdlAddress, Flags, AssociatedIrp,
            AssociatedIrp.SystemBuffer, ThreadListEntry, IoStatus, IoStatus.Information, RequestorMode, PendingReturned,
            StackCount, CurrentLocation, Cancel, CancelIrql, ApcEnvironment, AllocationFlags, UserIosb, UserEvent,
            Overlay, CancelRoutine, UserBuffer, Tail, Tail.Overlay.DriverContext, Tail.Overlay.Thread,
            Tail.Overlay.AuxiliaryBuffer, Tail.Overlay.ListEntry, Tail.Overlay.CurrentStackLocation,
            Tail.Overlay.OriginalFileObject, Tail.Overlay.IrpExtension,
        }
        KAPC {}
        KDPC {}
        KEVENT { Header, Header.SignalState, Header.WaitListHead }
        KMUTEX {}
        KSEMAPHORE {}
        KSPIN_LOCK {}
        KTIMER {}
        LARGE_INTEGER {}
        LIST_ENTRY {}
        LOOKASIDE_LIST_EX {}
        MDL {
            Next, Size, MdlFlags, AllocationProcessorNumber, Reserved, Process, MappedSystemVa, StartVa, ByteCount,
            ByteOffset,
        }
        NPAGED_LOOKASIDE_LIST {}
        NPI_CLIENT_CHARACTERISTICS { ClientRegistrationInstance }
        NPI_PROVIDER_CHARACTERISTICS { ProviderRegistrationInstance }
        NPI_REGISTRATION_INSTANCE { Version, Size, NpiId, ModuleId, Number, NpiSpecificCharacteristics }
        PROCESSOR_NUMBER {}
        RSS_SCALABILITY_INFO { RssEnabled }
        SLIST_ENTRY {}
        SLIST_HEADER {}
        SOCKADDR { sa_family, sa_data }
        SOCKADDR_IN { sin_family, sin_port, sin_addr, sin_zero }
        SOCKADDR_IN6 { sin6_family, sin6_port, sin6_flowinfo, sin6_addr, sin6_scope_id }
        SOCKADDR_INET {}
        SOCKADDR_STORAGE {}
        SOCKET_PROCESSOR_AFFINITY { Processor, NumaNodeId, Reserved }
        UNICODE_STRING { Length, MaximumLength, Buffer }
        WSABUF { len, buf }
        WSAMSG { Control, dwFlags }
        WSK_BUF { Mdl, Offset, Length }
        WSK_BUF_LIST { Next, Buffer }
        WSK_CLIENT_CONNECTION_DISPATCH { WskReceiveEvent, WskDisconnectEvent, WskSendBacklogEvent }
        WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent }
        WSK_CLIENT_DISPATCH { Version, Reserved, WskClientEvent }
        WSK_CLIENT_LISTEN_DISPATCH { WskAcceptEvent, WskInspectEvent, WskAbortEvent }
        WSK_CLIENT_NPI { ClientContext, Dispatch }
        WSK_CLIENT_STREAM_DISPATCH { Listen, Connect }
        WSK_CONTROL_SOCKET_TYPE {}
        WSK_DATAGRAM_INDICATION { Next, Buffer, ControlInfo, ControlInfoLength, RemoteAddress }
        WSK_DATA_INDICATION { Next, Buffer }
        WSK_EVENT_CALLBACK_CONTROL { NpiId, EventMask }
        WSK_EXTENSION_CONTROL_IN { NpiId, ClientContext, ClientDispatch }
        WSK_EXTENSION_CONTROL_OUT { ProviderContext, ProviderDispatch }
        WSK_INSPECT_ACTION {}
        WSK_INSPECT_ID { Key, SerialNumber }
        WSK_PROVIDER_BASIC_DISPATCH { WskControlSocket, WskCloseSocket }
        WSK_PROVIDER_CHARACTERISTICS { HighestVersion, LowestVersion }
        WSK_PROVIDER_CONNECTION_DISPATCH {
            Basic.WskControlSocket, Basic.WskCloseSocket, WskBind, WskConnect, WskGetLocalAddress,
            WskGetRemoteAddress, WskSend, WskReceive, WskDisconnect, WskRelease, WskConnectEx, WskSendEx, WskReceiveEx,
        }
        WSK_PROVIDER_DATAGRAM_DISPATCH {
            Basic.WskControlSocket, Basic.WskCloseSocket, WskBind, WskSendTo, WskReceiveFrom, WskRelease,
            WskGetLocalAddress, WskSendMessages,
        }
        WSK_PROVIDER_DISPATCH {
            Version, Reserved, WskSocket, WskSocketConnect, WskControlClient, WskGetAddressInfo, WskFreeAddressInfo,
            WskGetNameInfo,
        }
        WSK_PROVIDER_LISTEN_DISPATCH {
            Basic.WskControlSocket, Basic.WskCloseSocket, WskBind, WskAccept, WskInspectComplete, WskGetLocalAddress,
        }
        WSK_PROVIDER_NPI { Client, Dispatch }
        WSK_PROVIDER_STREAM_DISPATCH {
            Basic.WskControlSocket, Basic.WskCloseSocket, WskBind, WskAccept, WskConnect, WskListen, WskSend,
            WskReceive, WskDisconnect, WskRelease, WskGetLocalAddress, WskGetRemoteAddress, WskConnectEx, WskSendEx,
            WskReceiveEx,
        }
        WSK_REGISTRATION { ReservedRegistrationState, ReservedRegistrationContext, ReservedRegistrationLock }
        WSK_SOCKET { Dispatch }
        WSK_TDI_MAP { SocketType, AddressFamily, Protocol, TdiDeviceName }
        WSK_TDI_MAP_INFO { ElementCount, Map }
        WSK_TRANSPORT { Version, SocketType, Protocol, AddressFamily, ProviderId }
    }
}
