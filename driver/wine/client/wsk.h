/* The part of Winsock Kernel that this client uses, after the WDK's documentation: mingw-w64 has no wsk.h. */
#ifndef WSK_H
#define WSK_H

#include <ntddk.h>

#define MAKE_WSK_VERSION(major, minor) ((USHORT)(((major) << 8) | (minor)))
#define WSK_NO_WAIT 0u
#define WSK_INFINITE_WAIT 0xffffffffu
#define WSK_FLAG_DATAGRAM_SOCKET 4u
#define WSK_FLAG_AT_DISPATCH_LEVEL 8u
#define WSK_EVENT_RECEIVE_FROM 0x100u
#define WSK_EVENT_DISABLE 0x80000000u
#define SO_WSK_EVENT_CALLBACK 0x4002u

#define AF_INET 2
#define AF_INET6 23
#define SOCK_DGRAM 2
#define IPPROTO_UDP 17
#define SOL_SOCKET 0xffff

typedef struct { USHORT sa_family; CHAR sa_data[14]; } SOCKADDR, *PSOCKADDR;
typedef struct { USHORT family; USHORT port; UCHAR address[4]; CHAR zero[8]; } SOCKADDR_IN;
typedef struct { USHORT family; USHORT port; ULONG flow; UCHAR address[16]; ULONG scope; } SOCKADDR_IN6;
typedef union { SOCKADDR any; SOCKADDR_IN v4; SOCKADDR_IN6 v6; } SOCKADDR_INET;

typedef struct WSK_CLIENT WSK_CLIENT, *PWSK_CLIENT;
typedef struct { const VOID *Dispatch; } WSK_SOCKET, *PWSK_SOCKET;
typedef struct { MDL *Mdl; ULONG Offset; SIZE_T Length; } WSK_BUF, *PWSK_BUF;
typedef struct { SIZE_T cmsg_len; INT cmsg_level; INT cmsg_type; } CMSGHDR, *PCMSGHDR;

typedef struct WSK_DATAGRAM_INDICATION {
    struct WSK_DATAGRAM_INDICATION *Next;
    WSK_BUF Buffer;
    PCMSGHDR ControlInfo;
    ULONG ControlInfoLength;
    PSOCKADDR RemoteAddress;
} WSK_DATAGRAM_INDICATION, *PWSK_DATAGRAM_INDICATION;

typedef struct {
    USHORT Version;
    USHORT Reserved;
    NTSTATUS (NTAPI *WskClientEvent)(PVOID, ULONG, PVOID, SIZE_T);
} WSK_CLIENT_DISPATCH;
typedef struct { PVOID ClientContext; const WSK_CLIENT_DISPATCH *Dispatch; } WSK_CLIENT_NPI;
typedef struct { ULONGLONG State; PVOID Context; KSPIN_LOCK Lock; } WSK_REGISTRATION;

typedef struct {
    USHORT Version;
    USHORT Reserved;
    NTSTATUS (NTAPI *WskSocket)(PWSK_CLIENT, USHORT, USHORT, ULONG, ULONG, PVOID, const VOID *, PEPROCESS, PETHREAD,
        PSECURITY_DESCRIPTOR, PIRP);
    PVOID WskSocketConnect;
    NTSTATUS (NTAPI *WskControlClient)(PWSK_CLIENT, ULONG, SIZE_T, PVOID, SIZE_T, PVOID, SIZE_T *, PIRP);
    PVOID WskGetAddressInfo;
    PVOID WskFreeAddressInfo;
    PVOID WskGetNameInfo;
} WSK_PROVIDER_DISPATCH;
typedef struct { PWSK_CLIENT Client; const WSK_PROVIDER_DISPATCH *Dispatch; } WSK_PROVIDER_NPI;

typedef enum { WskSetOption, WskGetOption, WskIoctl, WskControlMax } WSK_CONTROL_SOCKET_TYPE;

typedef struct {
    NTSTATUS (NTAPI *WskControlSocket)(PWSK_SOCKET, WSK_CONTROL_SOCKET_TYPE, ULONG, ULONG, SIZE_T, PVOID, SIZE_T,
        PVOID, SIZE_T *, PIRP);
    NTSTATUS (NTAPI *WskCloseSocket)(PWSK_SOCKET, PIRP);
    NTSTATUS (NTAPI *WskBind)(PWSK_SOCKET, PSOCKADDR, ULONG, PIRP);
    NTSTATUS (NTAPI *WskSendTo)(PWSK_SOCKET, PWSK_BUF, ULONG, PSOCKADDR, ULONG, PCMSGHDR, PIRP);
    NTSTATUS (NTAPI *WskReceiveFrom)(PWSK_SOCKET, PWSK_BUF, ULONG, PSOCKADDR, PULONG, PCMSGHDR, PULONG, PIRP);
    NTSTATUS (NTAPI *WskRelease)(PWSK_SOCKET, PWSK_DATAGRAM_INDICATION);
    NTSTATUS (NTAPI *WskGetLocalAddress)(PWSK_SOCKET, PSOCKADDR, PIRP);
} WSK_PROVIDER_DATAGRAM_DISPATCH;

typedef struct {
    NTSTATUS (NTAPI *WskReceiveFromEvent)(PVOID, ULONG, PWSK_DATAGRAM_INDICATION);
} WSK_CLIENT_DATAGRAM_DISPATCH;
typedef struct { const GUID *NpiId; ULONG EventMask; } WSK_EVENT_CALLBACK_CONTROL;

NTSTATUS NTAPI WskRegister(WSK_CLIENT_NPI *, WSK_REGISTRATION *);
VOID NTAPI WskDeregister(WSK_REGISTRATION *);
NTSTATUS NTAPI WskCaptureProviderNPI(WSK_REGISTRATION *, ULONG, WSK_PROVIDER_NPI *);
VOID NTAPI WskReleaseProviderNPI(WSK_REGISTRATION *);

#endif
