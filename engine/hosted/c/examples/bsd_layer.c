/*
 * A driver in the manner of the layers that give WSK the names of BSD sockets: one packet and one event for each socket,
 * pages of the caller's probed and locked for each call, a time-out that cancels. DriverEntry connects to a listening socket
 * of its own and sends lines to and fro.
 */
#include <ntddk.h>
#include <wsk.h>

#define POOL_TAG 'LdsB'
#define CALL_TIMEOUT_MS 10000

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD DriverUnload;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, DriverUnload)
#endif

typedef struct _KSOCK {
    PWSK_SOCKET Socket;
    PIRP Irp;
    KEVENT Event;
    union {
        CONST VOID *Any;
        CONST WSK_PROVIDER_BASIC_DISPATCH *Basic;
        CONST WSK_PROVIDER_LISTEN_DISPATCH *Listen;
        CONST WSK_PROVIDER_CONNECTION_DISPATCH *Connection;
    } Dispatch;
} KSOCK, *PKSOCK;

static WSK_REGISTRATION g_Registration;
static WSK_PROVIDER_NPI g_Provider;
static CONST WSK_CLIENT_DISPATCH g_ClientDispatch = { MAKE_WSK_VERSION(1, 0), 0, NULL };
static BOOLEAN g_Registered, g_Captured;

static
_Function_class_(IO_COMPLETION_ROUTINE)
NTSTATUS
NTAPI
KsockComplete(
    _In_ PDEVICE_OBJECT DeviceObject,
    _In_ PIRP Irp,
    _In_opt_ PVOID Context
    )
{
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Irp);

    if (Context != NULL)
    {
        KeSetEvent((PKEVENT)Context, IO_NO_INCREMENT, FALSE);
    }
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static VOID KsockPrepare(_Inout_ PKSOCK Sock)
{
    KeResetEvent(&Sock->Event);
    IoReuseIrp(Sock->Irp, STATUS_UNSUCCESSFUL);
    IoSetCompletionRoutine(Sock->Irp, KsockComplete, &Sock->Event, TRUE, TRUE, TRUE);
}

_IRQL_requires_max_(APC_LEVEL)
static NTSTATUS KsockWait(_Inout_ PKSOCK Sock, _In_ NTSTATUS Status)
{
    if (Status == STATUS_PENDING)
    {
        LARGE_INTEGER Timeout;
        Timeout.QuadPart = -10000LL * CALL_TIMEOUT_MS;
        if (KeWaitForSingleObject(&Sock->Event, Executive, KernelMode, FALSE, &Timeout) == STATUS_TIMEOUT)
        {
            IoCancelIrp(Sock->Irp);
            KeWaitForSingleObject(&Sock->Event, Executive, KernelMode, FALSE, NULL);
        }
        Status = Sock->Irp->IoStatus.Status;
    }
    return Status;
}

static NTSTATUS KsockAllocate(_Outptr_ PKSOCK *Result)
{
    PKSOCK Sock = (PKSOCK)ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(KSOCK), POOL_TAG);
    if (Sock == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Sock, sizeof(*Sock));
    KeInitializeEvent(&Sock->Event, NotificationEvent, FALSE);
    Sock->Irp = IoAllocateIrp(1, FALSE);
    if (Sock->Irp == NULL)
    {
        ExFreePoolWithTag(Sock, POOL_TAG);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *Result = Sock;
    return STATUS_SUCCESS;
}

static VOID KsockFree(_In_ PKSOCK Sock)
{
    IoFreeIrp(Sock->Irp);
    ExFreePoolWithTag(Sock, POOL_TAG);
}

static NTSTATUS KsockCreate(_In_ ULONG Flags, _Outptr_ PKSOCK *Result)
{
    PKSOCK Sock;
    NTSTATUS Status = KsockAllocate(&Sock);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    KsockPrepare(Sock);
    Status = KsockWait(Sock, g_Provider.Dispatch->WskSocket(g_Provider.Client, AF_INET, SOCK_STREAM, IPPROTO_TCP, Flags,
        NULL, NULL, PsGetCurrentProcess(), NULL, NULL, Sock->Irp));
    if (!NT_SUCCESS(Status))
    {
        KsockFree(Sock);
        return Status;
    }
    Sock->Socket = (PWSK_SOCKET)Sock->Irp->IoStatus.Information;
    Sock->Dispatch.Any = Sock->Socket->Dispatch;
    *Result = Sock;
    return STATUS_SUCCESS;
}

static VOID KsockClose(_In_opt_ PKSOCK Sock)
{
    if (Sock == NULL)
    {
        return;
    }
    KsockPrepare(Sock);
    KsockWait(Sock, Sock->Dispatch.Basic->WskCloseSocket(Sock->Socket, Sock->Irp));
    KsockFree(Sock);
}

static NTSTATUS KsockTransfer(_In_ PKSOCK Sock, _Inout_updates_bytes_(Length) PVOID Data, _In_ ULONG Length, _In_ BOOLEAN Send)
{
    WSK_BUF Buffer;
    NTSTATUS Status = STATUS_SUCCESS;

    Buffer.Offset = 0;
    Buffer.Length = Length;
    Buffer.Mdl = IoAllocateMdl(Data, Length, FALSE, FALSE, NULL);
    if (Buffer.Mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
#ifdef __MINGW32__
    MmProbeAndLockPages(Buffer.Mdl, KernelMode, Send ? IoReadAccess : IoWriteAccess);
#else
    __try
    {
        MmProbeAndLockPages(Buffer.Mdl, KernelMode, Send ? IoReadAccess : IoWriteAccess);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Status = GetExceptionCode();
    }
#endif
    if (NT_SUCCESS(Status))
    {
        KsockPrepare(Sock);
        Status = KsockWait(Sock, Send ? Sock->Dispatch.Connection->WskSend(Sock->Socket, &Buffer, WSK_FLAG_NODELAY, Sock->Irp)
                                      : Sock->Dispatch.Connection->WskReceive(Sock->Socket, &Buffer, WSK_FLAG_WAITALL, Sock->Irp));
        MmUnlockPages(Buffer.Mdl);
        if (NT_SUCCESS(Status) && Sock->Irp->IoStatus.Information != Length)
        {
            Status = STATUS_CONNECTION_DISCONNECTED;
        }
    }
    IoFreeMdl(Buffer.Mdl);
    return Status;
}

static NTSTATUS Talk(VOID)
{
    PKSOCK Server = NULL, Client = NULL, Accepted = NULL;
    SOCKADDR_IN Address = { 0 };
    CHAR Line[] = "a line of the caller's stack", Copy[sizeof(Line)];
    NTSTATUS Status;
    ULONG Round;

    Address.sin_family = AF_INET;
    Address.sin_addr.S_un.S_un_b.s_b1 = 127;
    Address.sin_addr.S_un.S_un_b.s_b4 = 1;

    Status = KsockCreate(WSK_FLAG_LISTEN_SOCKET, &Server);
    if (!NT_SUCCESS(Status)) goto Exit;
    KsockPrepare(Server);
    Status = KsockWait(Server, Server->Dispatch.Listen->WskBind(Server->Socket, (PSOCKADDR)&Address, 0, Server->Irp));
    if (!NT_SUCCESS(Status)) goto Exit;
    KsockPrepare(Server);
    Status = KsockWait(Server, Server->Dispatch.Listen->WskGetLocalAddress(Server->Socket, (PSOCKADDR)&Address, Server->Irp));
    if (!NT_SUCCESS(Status)) goto Exit;

    Status = KsockCreate(WSK_FLAG_CONNECTION_SOCKET, &Client);
    if (!NT_SUCCESS(Status)) goto Exit;
    {
        SOCKADDR_IN Any = { 0 };
        Any.sin_family = AF_INET;
        KsockPrepare(Client);
        Status = KsockWait(Client, Client->Dispatch.Connection->WskBind(Client->Socket, (PSOCKADDR)&Any, 0, Client->Irp));
        if (!NT_SUCCESS(Status)) goto Exit;
    }
    KsockPrepare(Client);
    Status = KsockWait(Client, Client->Dispatch.Connection->WskConnect(Client->Socket, (PSOCKADDR)&Address, 0, Client->Irp));
    if (!NT_SUCCESS(Status)) goto Exit;

    Status = KsockAllocate(&Accepted);
    if (!NT_SUCCESS(Status)) goto Exit;
    KsockPrepare(Server);
    Status = KsockWait(Server, Server->Dispatch.Listen->WskAccept(Server->Socket, 0, NULL, NULL, NULL, NULL, Server->Irp));
    if (!NT_SUCCESS(Status))
    {
        KsockFree(Accepted);
        Accepted = NULL;
        goto Exit;
    }
    Accepted->Socket = (PWSK_SOCKET)Server->Irp->IoStatus.Information;
    Accepted->Dispatch.Any = Accepted->Socket->Dispatch;

    for (Round = 0; Round < 100; Round++)
    {
        Status = KsockTransfer(Client, Line, sizeof(Line), TRUE);
        if (!NT_SUCCESS(Status)) goto Exit;
        Status = KsockTransfer(Accepted, Copy, sizeof(Copy), FALSE);
        if (!NT_SUCCESS(Status)) goto Exit;
        if (RtlCompareMemory(Line, Copy, sizeof(Line)) != sizeof(Line))
        {
            Status = STATUS_DATA_ERROR;
            goto Exit;
        }
    }

Exit:
    KsockClose(Accepted);
    KsockClose(Client);
    KsockClose(Server);
    return Status;
}

VOID NTAPI DriverUnload(_In_ PDRIVER_OBJECT DriverObject)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DriverObject);
    if (g_Captured)
    {
        WskReleaseProviderNPI(&g_Registration);
    }
    if (g_Registered)
    {
        WskDeregister(&g_Registration);
    }
}

NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT DriverObject, _In_ PUNICODE_STRING RegistryPath)
{
    WSK_CLIENT_NPI Client;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = DriverUnload;
    Client.ClientContext = NULL;
    Client.Dispatch = &g_ClientDispatch;
    Status = WskRegister(&Client, &g_Registration);
    if (NT_SUCCESS(Status))
    {
        g_Registered = TRUE;
        Status = WskCaptureProviderNPI(&g_Registration, 1000, &g_Provider);
        if (NT_SUCCESS(Status))
        {
            g_Captured = TRUE;
            Status = Talk();
        }
    }
    KdPrintEx((DPFLTR_IHVDRIVER_ID, DPFLTR_INFO_LEVEL, "bsd_layer: %08X\n", Status));
    if (!NT_SUCCESS(Status))
    {
        DriverUnload(DriverObject);
    }
    return Status;
}
