//! Structures that both declare.

use skua_engine::abi::cmsg::*;
use skua_engine::abi::nt::*;
use skua_engine::abi::sockaddr::*;
use skua_engine::abi::wsk::*;
use windows_sys::Wdk::Foundation as wdk;
use windows_sys::Wdk::System::SystemServices as services;
use windows_sys::Win32::Foundation as win32;
use windows_sys::Win32::Networking::WinSock as winsock;
use windows_sys::Win32::Security as security;
use windows_sys::Win32::System::{IO as io, Kernel as kernel};

/// One number of both: what it is, ours, theirs.
pub(crate) struct Pair {
    pub(crate) what: String,
    pub(crate) ours: usize,
    pub(crate) theirs: usize,
}

/// The size of what a pointer to a field points to.
const fn size_behind<S, F>(_: impl FnOnce(*const S) -> *const F + Copy) -> usize {
    size_of::<F>()
}

/// Offset and size of a field as one number: two fields agree if they agree in both.
macro_rules! place {
    ($ty:ty, $($field:ident).+) => {{
        #[expect(unsafe_code, reason = "a place behind a union field, named and never evaluated")]
        let size = size_behind(|s: *const $ty| {
            // SAFETY: never called.
            unsafe { &raw const (*s).$($field).+ }
        });
        core::mem::offset_of!($ty, $($field).+) * 0x1_0000 + size
    }};
}

macro_rules! pairs {
    ($($ours:ident is $($theirs:ident)::+ { $($($field:ident).+ $(is $($other:ident).+)?),* $(,)? })+) => {{
        let mut pairs = Vec::new();
        $({
            type Theirs = $($theirs)::+;
            let name = stringify!($ours);
            let mut pair = |what: &str, ours, theirs| {
                let what = format!("{name} {what}").replace("r#", "");
                pairs.push(Pair { what, ours, theirs });
            };
            pair("size", size_of::<$ours>(), size_of::<Theirs>());
            pair("align", align_of::<$ours>(), align_of::<Theirs>());
            $(pair(
                stringify!($($field).+),
                place!($ours, $($field).+),
                pairs!(@other Theirs, ($($field).+) $(, $($other).+)?),
            );)*
        })+
        pairs
    }};
    (@other $ty:ty, ($($field:ident).+)) => { place!($ty, $($field).+) };
    (@other $ty:ty, ($($field:ident).+), $($other:ident).+) => { place!($ty, $($other).+) };
}

/// All of them.
pub(crate) fn pairs() -> Vec<Pair> {
    let mut all = kernel_pairs();
    all.extend(socket_pairs());
    all
}

fn kernel_pairs() -> Vec<Pair> {
    pairs! {
        IRP is wdk::IRP {
            Type, Size, MdlAddress, Flags, AssociatedIrp, AssociatedIrp.MasterIrp, AssociatedIrp.IrpCount,
            AssociatedIrp.SystemBuffer, ThreadListEntry, IoStatus, IoStatus.Information, RequestorMode,
            PendingReturned, StackCount, CurrentLocation, Cancel, CancelIrql, ApcEnvironment, AllocationFlags,
            UserIosb is Anonymous.UserIosb, UserEvent, Overlay, Overlay.AllocationSize,
            Overlay.AsynchronousParameters, CancelRoutine, UserBuffer, Tail, Tail.Apc, Tail.CompletionKey,
            Tail.Overlay.DriverContext is Tail.Overlay.Anonymous1.Anonymous.DriverContext, Tail.Overlay.Thread,
            Tail.Overlay.AuxiliaryBuffer, Tail.Overlay.ListEntry is Tail.Overlay.Anonymous2.ListEntry,
            Tail.Overlay.CurrentStackLocation is Tail.Overlay.Anonymous2.Anonymous.CurrentStackLocation,
            Tail.Overlay.OriginalFileObject,
        }
        IO_STACK_LOCATION is wdk::IO_STACK_LOCATION {
            MajorFunction, MinorFunction, Flags, Control, Parameters, DeviceObject, FileObject, CompletionRoutine,
            Context,
        }
        IO_PARAMETERS_CREATE is wdk::IO_STACK_LOCATION_0_0 {
            SecurityContext, Options, FileAttributes, ShareAccess, EaLength,
        }
        IO_PARAMETERS_READ_WRITE is wdk::IO_STACK_LOCATION_0_3 { Length, Key, ByteOffset }
        IO_PARAMETERS_DEVICE_IO_CONTROL is wdk::IO_STACK_LOCATION_0_16 {
            OutputBufferLength, InputBufferLength, IoControlCode, Type3InputBuffer,
        }
        IO_PARAMETERS_OTHERS is wdk::IO_STACK_LOCATION_0_38 { Argument1, Argument2, Argument3, Argument4 }
        MDL is wdk::MDL { Next, Size, MdlFlags, Process, MappedSystemVa, StartVa, ByteCount, ByteOffset }
        DRIVER_OBJECT is wdk::DRIVER_OBJECT {
            Type, Size, DeviceObject, Flags, DriverStart, DriverSize, DriverSection, DriverExtension, DriverName,
            HardwareDatabase, FastIoDispatch, DriverInit, DriverStartIo, DriverUnload, MajorFunction,
        }
        DRIVER_EXTENSION is wdk::DRIVER_EXTENSION { DriverObject, AddDevice, Count, ServiceKeyName }
        DEVICE_OBJECT is wdk::DEVICE_OBJECT {
            Type, Size, ReferenceCount, DriverObject, NextDevice, AttachedDevice, CurrentIrp, Timer, Flags,
            Characteristics, Vpb, DeviceExtension, DeviceType, StackSize, Queue, AlignmentRequirement, DeviceQueue,
            Dpc, ActiveThreadCount, SecurityDescriptor, DeviceLock, SectorSize, Spare1, DeviceObjectExtension, Reserved,
        }
        FILE_OBJECT is wdk::FILE_OBJECT {
            Type, Size, DeviceObject, Vpb, FsContext, FsContext2, SectionObjectPointer, PrivateCacheMap, FinalStatus,
            RelatedFileObject, LockOperation, DeletePending, ReadAccess, WriteAccess, DeleteAccess, SharedRead,
            SharedWrite, SharedDelete, Flags, FileName, CurrentByteOffset, Waiters, Busy, LastLock, Lock, Event,
            CompletionContext, IrpListLock, IrpList, FileObjectExtension,
        }
        DISPATCHER_HEADER is wdk::DISPATCHER_HEADER { SignalState, WaitListHead }
        KEVENT is wdk::KEVENT { Header }
        KSEMAPHORE is services::KSEMAPHORE { Header, Limit }
        KMUTEX is wdk::KMUTANT { Header, MutantListEntry, OwnerThread, ApcDisable }
        FAST_MUTEX is wdk::FAST_MUTEX { Count, Owner, Contention, Event, OldIrql }
        KTIMER is services::KTIMER { Header, DueTime, TimerListEntry, Dpc, Period }
        KDPC is wdk::KDPC {
            DpcListEntry, ProcessorHistory, DeferredRoutine, DeferredContext, SystemArgument1, SystemArgument2, DpcData,
        }
        KAPC is services::KAPC {
            Type, AllFlags, Size, SpareByte1, SpareLong0, Thread, ApcListEntry, Reserved, NormalContext,
            SystemArgument1, SystemArgument2, ApcStateIndex, ApcMode, Inserted,
        }
        KDEVICE_QUEUE is wdk::KDEVICE_QUEUE { Type, Size, DeviceListHead, Lock, Busy }
        WAIT_CONTEXT_BLOCK is services::WAIT_CONTEXT_BLOCK {
            WaitQueueEntry is Anonymous, DeviceRoutine, DeviceContext, NumberOfMapRegisters, DeviceObject, CurrentIrp,
            BufferChainingDpc,
        }
        EX_RUNDOWN_REF is services::EX_RUNDOWN_REF { Count is Anonymous.Count }
        GUID is windows_sys::core::GUID { Data1 is data1, Data2 is data2, Data3 is data3, Data4 is data4 }
        UNICODE_STRING is win32::UNICODE_STRING { Length, MaximumLength, Buffer }
        LIST_ENTRY is kernel::LIST_ENTRY { Flink, Blink }
        SINGLE_LIST_ENTRY is kernel::SINGLE_LIST_ENTRY { Next }
        SLIST_ENTRY is kernel::SLIST_ENTRY { Next }
        SLIST_HEADER is kernel::SLIST_HEADER { Alignment is Anonymous.Alignment, Region is Anonymous.Region }
        PROCESSOR_NUMBER is kernel::PROCESSOR_NUMBER { Group, Number, Reserved }
        IO_STATUS_BLOCK is io::IO_STATUS_BLOCK { Status is Anonymous.Status, Information }
        OBJECT_ATTRIBUTES is wdk::OBJECT_ATTRIBUTES {
            Length, RootDirectory, ObjectName, Attributes, SecurityDescriptor, SecurityQualityOfService,
        }
        NPI_MODULEID is winsock::NPI_MODULEID { Length, Type, Guid is Anonymous.Guid }
    }
}

fn socket_pairs() -> Vec<Pair> {
    pairs! {
        IN_ADDR is winsock::IN_ADDR { S_addr is S_un.S_addr }
        IN6_ADDR is winsock::IN6_ADDR { Word is u.Word }
        SOCKADDR is winsock::SOCKADDR { sa_family, sa_data }
        SOCKADDR_IN is winsock::SOCKADDR_IN { sin_family, sin_port, sin_addr, sin_zero }
        SOCKADDR_IN6 is winsock::SOCKADDR_IN6 {
            sin6_family, sin6_port, sin6_flowinfo, sin6_addr, sin6_scope_id is Anonymous.sin6_scope_id,
        }
        SOCKADDR_INET is winsock::SOCKADDR_INET {}
        SOCKADDR_STORAGE is winsock::SOCKADDR_STORAGE { ss_family, __ss_pad1, __ss_align, __ss_pad2 }
        SOCKET_ADDRESS is winsock::SOCKET_ADDRESS { lpSockaddr, iSockaddrLength }
        SOCKET_ADDRESS_LIST is winsock::SOCKET_ADDRESS_LIST { iAddressCount, Address }
        SOCKET_PROCESSOR_AFFINITY is winsock::SOCKET_PROCESSOR_AFFINITY { Processor, NumaNodeId, Reserved }
        tcp_keepalive is winsock::tcp_keepalive { onoff, keepalivetime, keepaliveinterval }
        RSS_SCALABILITY_INFO is winsock::RSS_SCALABILITY_INFO { RssEnabled }
        TIMESTAMPING_CONFIG is winsock::TIMESTAMPING_CONFIG { Flags, TxTimestampsBuffered }
        IP_MREQ is winsock::IP_MREQ { imr_multiaddr, imr_interface }
        IP_MREQ_SOURCE is winsock::IP_MREQ_SOURCE { imr_multiaddr, imr_sourceaddr, imr_interface }
        IPV6_MREQ is winsock::IPV6_MREQ { ipv6mr_multiaddr, ipv6mr_interface }
        GROUP_REQ is winsock::GROUP_REQ { gr_interface, gr_group }
        GROUP_SOURCE_REQ is winsock::GROUP_SOURCE_REQ { gsr_interface, gsr_group, gsr_source }
        CMSGHDR is winsock::CMSGHDR { cmsg_len, cmsg_level, cmsg_type }
        IN_PKTINFO is winsock::IN_PKTINFO { ipi_addr, ipi_ifindex }
        IN6_PKTINFO is winsock::IN6_PKTINFO { ipi6_addr, ipi6_ifindex }
        IN_RECVERR is winsock::IN_RECVERR { protocol, info, r#type, code }
        WSABUF is winsock::WSABUF { len, buf }
        WSAMSG is winsock::WSAMSG { name, namelen, lpBuffers, dwBufferCount, Control, dwFlags }
        SECURITY_DESCRIPTOR is security::SECURITY_DESCRIPTOR {
            Revision, Sbz1, Control, Owner, Group, Sacl, Dacl,
        }
        SID is security::SID { Revision, SubAuthorityCount, IdentifierAuthority, SubAuthority }
        ACL is security::ACL { AclRevision, Sbz1, AclSize, AceCount, Sbz2 }
        ACE_HEADER is security::ACE_HEADER { AceType, AceFlags, AceSize }
        ACCESS_ALLOWED_ACE is security::ACCESS_ALLOWED_ACE { Header, Mask, SidStart }
        ADDRINFOEXW is winsock::ADDRINFOEXW {
            ai_flags, ai_family, ai_socktype, ai_protocol, ai_addrlen, ai_canonname, ai_addr, ai_blob, ai_bloblen,
            ai_provider, ai_next,
        }
    }
}
