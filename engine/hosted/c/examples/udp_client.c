/*
 * A UDP client, from nothing: registers, opens a socket, sends a datagram to itself and receives it. Every request is waited
 * for. The README walks through it.
 */
#include <ntddk.h>
#include <wsk.h>

static NTSTATUS NTAPI Completed(PDEVICE_OBJECT Device, PIRP Irp, PVOID Event)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Irp);
    KeSetEvent((PRKEVENT)Event, IO_NO_INCREMENT, FALSE);
    /* The packet is this program's, not the I/O manager's. */
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Readies the packet for the next request. */
static PIRP Begin(PIRP Irp, PKEVENT Event)
{
    IoReuseIrp(Irp, STATUS_UNSUCCESSFUL);
    KeClearEvent(Event);
    IoSetCompletionRoutine(Irp, Completed, Event, TRUE, TRUE, TRUE);
    return Irp;
}

/* A function that takes a packet completes it, whatever it returns. */
static NTSTATUS End(PIRP Irp, PKEVENT Event)
{
    KeWaitForSingleObject(Event, Executive, KernelMode, FALSE, NULL);
    return Irp->IoStatus.Status;
}

int main(void)
{
    static const WSK_CLIENT_DISPATCH ClientDispatch = { MAKE_WSK_VERSION(1, 0), 0, NULL };
    WSK_CLIENT_NPI Client = { NULL, &ClientDispatch };
    WSK_REGISTRATION Registration;
    WSK_PROVIDER_NPI Provider;
    const WSK_PROVIDER_DATAGRAM_DISPATCH *Dispatch;
    PWSK_SOCKET Socket;
    SOCKADDR_IN Address;
    KEVENT Event;
    WSK_BUF Buffer;
    PUCHAR Data;
    NTSTATUS Status;
    PIRP Irp = IoAllocateIrp(1, FALSE);

    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    if (!Irp || !NT_SUCCESS(WskRegister(&Client, &Registration)))
        return 1;
    if (!NT_SUCCESS(WskCaptureProviderNPI(&Registration, WSK_INFINITE_WAIT, &Provider)))
        return 1;

    Provider.Dispatch->WskSocket(Provider.Client, AF_INET, SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET, NULL, NULL,
        NULL, NULL, NULL, Begin(Irp, &Event));
    if (!NT_SUCCESS(End(Irp, &Event)))
        return 1;
    Socket = (PWSK_SOCKET)Irp->IoStatus.Information;
    Dispatch = (const WSK_PROVIDER_DATAGRAM_DISPATCH *)Socket->Dispatch;

    RtlZeroMemory(&Address, sizeof(Address));
    Address.sin_family = AF_INET;
    Address.sin_addr.s_addr = RtlUlongByteSwap(INADDR_LOOPBACK);
    Dispatch->WskBind(Socket, (PSOCKADDR)&Address, 0, Begin(Irp, &Event));
    Status = End(Irp, &Event);
    Dispatch->WskGetLocalAddress(Socket, (PSOCKADDR)&Address, Begin(Irp, &Event));
    End(Irp, &Event);
    DbgPrint("bound to port %u: %08x\n", RtlUshortByteSwap(Address.sin_port), Status);

    /* Data is nonpaged memory that an MDL describes. */
    Data = (PUCHAR)ExAllocatePool2(POOL_FLAG_NON_PAGED, 1500, 'pdUS');
    Buffer.Mdl = Data ? IoAllocateMdl(Data, 1500, FALSE, FALSE, NULL) : NULL;
    if (!Buffer.Mdl)
        return 1;
    MmBuildMdlForNonPagedPool(Buffer.Mdl);
    Buffer.Offset = 0;
    Buffer.Length = 5;
    RtlCopyMemory(Data, "hello", 5);
    Dispatch->WskSendTo(Socket, &Buffer, 0, (PSOCKADDR)&Address, 0, NULL, Begin(Irp, &Event));
    DbgPrint("sent: %08x\n", End(Irp, &Event));

    RtlZeroMemory(Data, 1500);
    Buffer.Length = 1500;
    Dispatch->WskReceiveFrom(Socket, &Buffer, 0, NULL, NULL, NULL, NULL, Begin(Irp, &Event));
    Status = End(Irp, &Event);
    DbgPrint("received: %08x, %Iu bytes: %s\n", Status, Irp->IoStatus.Information, Data);

    Dispatch->WskCloseSocket(Socket, Begin(Irp, &Event));
    End(Irp, &Event);
    WskReleaseProviderNPI(&Registration);
    WskDeregister(&Registration);
    IoFreeMdl(Buffer.Mdl);
    ExFreePoolWithTag(Data, 'pdUS');
    IoFreeIrp(Irp);
    return NT_SUCCESS(Status) ? 0 : 1;
}
