/*
 * A driver in the manner of tunnels: a datagram socket with a static event and no TDI, opened at first use under a
 * mutex; sends from a lookaside list whose entries embed their packet; datagrams kept past the callback, under run-down
 * protection, and released one by one by a thread that is pinned to a processor; the socket swapped out before it is closed.
 */
#include <ntddk.h>
#include <wsk.h>

#define MEMORY_TAG 'nnuT'
#define DATAGRAMS 200
#define PAYLOAD 64

typedef struct _SEND_CTX {
    WSK_BUF_LIST List;
    SOCKADDR_INET Remote;
    MDL *Mdl;
    UCHAR Data[PAYLOAD];
    /* With room for its one stack location. */
    DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) UCHAR IrpBuffer[sizeof(IRP) + sizeof(IO_STACK_LOCATION)];
} SEND_CTX;

typedef struct _RECEIVED {
    SLIST_ENTRY Entry;
    PWSK_DATAGRAM_INDICATION Indication;
} RECEIVED;

static WSK_REGISTRATION Registration;
static WSK_PROVIDER_NPI Npi;
static CONST WSK_CLIENT_DISPATCH ClientDispatch = { MAKE_WSK_VERSION(1, 0), 0, NULL };
static KMUTEX InitLock;
static NTSTATUS InitStatus = STATUS_RETRY;
static LOOKASIDE_LIST_EX SendCtxCache;
static PWSK_SOCKET volatile Sock;
static SOCKADDR_INET Own;
static EX_RUNDOWN_REF ItemsInFlight;
static SLIST_HEADER Received;
static KSEMAPHORE Arrived;
static PETHREAD Worker;
static BOOLEAN Stopping;
static LONG Sent, Consumed, Bad;

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD Unload;

static NTSTATUS NTAPI RaiseEvent(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Irp);
    KeSetEvent((PRKEVENT)Context, IO_NETWORK_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* A packet on the stack, with its location behind it. */
typedef struct _SYNC_IRP {
    DECLSPEC_ALIGN(MEMORY_ALLOCATION_ALIGNMENT) UCHAR Buffer[sizeof(IRP) + sizeof(IO_STACK_LOCATION)];
    KEVENT Done;
} SYNC_IRP;

static PIRP SyncIrp(SYNC_IRP *Sync)
{
    PIRP Irp = (PIRP)(PVOID)Sync->Buffer;
    KeInitializeEvent(&Sync->Done, SynchronizationEvent, FALSE);
    IoInitializeIrp(Irp, IoSizeOfIrp(1), 1);
    IoSetCompletionRoutine(Irp, RaiseEvent, &Sync->Done, TRUE, TRUE, TRUE);
    return Irp;
}

static NTSTATUS SyncWait(SYNC_IRP *Sync, NTSTATUS Status)
{
    if (Status == STATUS_PENDING)
        KeWaitForSingleObject(&Sync->Done, Executive, KernelMode, FALSE, NULL);
    return ((PIRP)(PVOID)Sync->Buffer)->IoStatus.Status;
}

static VOID CloseSocket(PWSK_SOCKET Socket)
{
    SYNC_IRP Sync;
    if (Socket == NULL)
        return;
    SyncWait(&Sync, ((WSK_PROVIDER_BASIC_DISPATCH *)(PVOID)(ULONG_PTR)Socket->Dispatch)->WskCloseSocket(Socket, SyncIrp(&Sync)));
}

/* At DISPATCH_LEVEL or below it; several at once. Every node is kept. */
static _Function_class_(PFN_WSK_RECEIVE_FROM_EVENT) NTSTATUS NTAPI
Receive(_In_opt_ PVOID SocketContext, _In_ ULONG Flags, _In_opt_ PWSK_DATAGRAM_INDICATION Indication)
{
    UNREFERENCED_PARAMETER(SocketContext);
    UNREFERENCED_PARAMETER(Flags);
    while (Indication != NULL) {
        PWSK_DATAGRAM_INDICATION Next = Indication->Next;
        RECEIVED *Item = (RECEIVED *)ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*Item), MEMORY_TAG);
        Indication->Next = NULL;
        if (Item == NULL || !ExAcquireRundownProtection(&ItemsInFlight)) {
            PWSK_SOCKET Socket = (PWSK_SOCKET)ReadPointerNoFence((PVOID volatile *)&Sock);
            if (Item != NULL)
                ExFreePoolWithTag(Item, MEMORY_TAG);
            ((WSK_PROVIDER_DATAGRAM_DISPATCH *)(PVOID)(ULONG_PTR)Socket->Dispatch)->WskRelease(Socket, Indication);
        } else {
            Item->Indication = Indication;
            InterlockedPushEntrySList(&Received, &Item->Entry);
            KeReleaseSemaphore(&Arrived, IO_NETWORK_INCREMENT, 1, FALSE);
        }
        Indication = Next;
    }
    return STATUS_PENDING;
}

static CONST WSK_CLIENT_DATAGRAM_DISPATCH WskClientDatagramDispatch = { Receive };

static KSTART_ROUTINE Consume;
static VOID NTAPI Consume(PVOID Context)
{
    GROUP_AFFINITY Affinity = { 0 };
    UNREFERENCED_PARAMETER(Context);
    Affinity.Mask = 1;
    KeSetSystemGroupAffinityThread(&Affinity, NULL);
    for (;;) {
        PSLIST_ENTRY Entry;
        KeWaitForSingleObject(&Arrived, Executive, KernelMode, FALSE, NULL);
        Entry = InterlockedPopEntrySList(&Received);
        if (Entry == NULL)
            break;
        {
            RECEIVED *Item = CONTAINING_RECORD(Entry, RECEIVED, Entry);
            PWSK_DATAGRAM_INDICATION Indication = Item->Indication;
            PWSK_SOCKET Socket = Sock;
            PUCHAR Data = (PUCHAR)MmGetSystemAddressForMdlSafe(
                Indication->Buffer.Mdl, NormalPagePriority | MdlMappingNoExecute | MdlMappingNoWrite);
            if (Data == NULL || Indication->Buffer.Length != PAYLOAD || Data[Indication->Buffer.Offset + 1] != 0x5A)
                InterlockedIncrement(&Bad);
            ((WSK_PROVIDER_DATAGRAM_DISPATCH *)(PVOID)(ULONG_PTR)Socket->Dispatch)->WskRelease(Socket, Indication);
            InterlockedIncrement(&Consumed);
            ExFreePoolWithTag(Item, MEMORY_TAG);
            ExReleaseRundownProtection(&ItemsInFlight);
        }
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static IO_COMPLETION_ROUTINE SendComplete;
static NTSTATUS NTAPI SendComplete(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    SEND_CTX *Ctx = (SEND_CTX *)Context;
    UNREFERENCED_PARAMETER(Device);
    if (NT_SUCCESS(Irp->IoStatus.Status))
        InterlockedIncrement(&Sent);
    IoFreeMdl(Ctx->Mdl);
    ExFreeToLookasideListEx(&SendCtxCache, Ctx);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS Send(_In_ UCHAR Number)
{
    PIRP Irp;
    PWSK_SOCKET Socket = Sock;
    SEND_CTX *Ctx = (SEND_CTX *)ExAllocateFromLookasideListEx(&SendCtxCache);
    if (Ctx == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    Ctx->Mdl = IoAllocateMdl(Ctx->Data, PAYLOAD, FALSE, FALSE, NULL);
    if (Ctx->Mdl == NULL) {
        ExFreeToLookasideListEx(&SendCtxCache, Ctx);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    MmBuildMdlForNonPagedPool(Ctx->Mdl);
    RtlFillMemory(Ctx->Data, PAYLOAD, 0x5A);
    Ctx->Data[0] = Number;
    Ctx->Remote = Own;
    Ctx->List.Next = NULL;
    Ctx->List.Buffer.Mdl = Ctx->Mdl;
    Ctx->List.Buffer.Offset = 0;
    Ctx->List.Buffer.Length = PAYLOAD;
    Irp = (PIRP)(PVOID)Ctx->IrpBuffer;
    IoInitializeIrp(Irp, sizeof(Ctx->IrpBuffer), 1);
    IoSetCompletionRoutine(Irp, SendComplete, Ctx, TRUE, TRUE, TRUE);
    /* The context may be gone when this returns. */
    return ((WSK_PROVIDER_DATAGRAM_DISPATCH *)(PVOID)(ULONG_PTR)Socket->Dispatch)
        ->WskSendMessages(Socket, &Ctx->List, 0, (PSOCKADDR)&Ctx->Remote, 0, NULL, Irp);
}

static NTSTATUS Init(VOID)
{
    NTSTATUS Status = (NTSTATUS)ReadAcquire((LONG *)&InitStatus);
    WSK_CLIENT_NPI Client = { NULL, &ClientDispatch };
    WSK_EVENT_CALLBACK_CONTROL Events = { &NPI_WSK_INTERFACE_ID, WSK_EVENT_RECEIVE_FROM };
    ULONG Bypass = WSK_TDI_BEHAVIOR_BYPASS_TDI;
    if (Status != STATUS_RETRY)
        return Status;
    KeWaitForSingleObject(&InitLock, Executive, KernelMode, FALSE, NULL);
    Status = InitStatus;
    if (Status != STATUS_RETRY)
        goto Done;
    Status = WskRegister(&Client, &Registration);
    if (!NT_SUCCESS(Status))
        goto Store;
    Status = WskCaptureProviderNPI(&Registration, WSK_INFINITE_WAIT, &Npi);
    if (!NT_SUCCESS(Status)) {
        WskDeregister(&Registration);
        goto Store;
    }
    Npi.Dispatch->WskControlClient(Npi.Client, WSK_TDI_BEHAVIOR, sizeof(Bypass), &Bypass, 0, NULL, NULL, NULL);
    Status = Npi.Dispatch->WskControlClient(
        Npi.Client, WSK_SET_STATIC_EVENT_CALLBACKS, sizeof(Events), &Events, 0, NULL, NULL, NULL);
    if (!NT_SUCCESS(Status)) {
        WskReleaseProviderNPI(&Registration);
        WskDeregister(&Registration);
    }
Store:
    WriteRelease((LONG *)&InitStatus, Status);
Done:
    KeReleaseMutex(&InitLock, FALSE);
    return Status;
}

static NTSTATUS Open(VOID)
{
    SYNC_IRP Sync;
    PWSK_SOCKET New;
    CONST WSK_PROVIDER_DATAGRAM_DISPATCH *Dispatch;
    ULONG On = 1;
    NTSTATUS Status = SyncWait(&Sync, Npi.Dispatch->WskSocket(Npi.Client, AF_INET, SOCK_DGRAM, IPPROTO_UDP,
        WSK_FLAG_DATAGRAM_SOCKET, NULL, &WskClientDatagramDispatch, PsInitialSystemProcess, NULL, NULL, SyncIrp(&Sync)));
    if (!NT_SUCCESS(Status))
        return Status;
    New = (PWSK_SOCKET)((PIRP)(PVOID)Sync.Buffer)->IoStatus.Information;
    Dispatch = (CONST WSK_PROVIDER_DATAGRAM_DISPATCH *)New->Dispatch;
    Sock = New;
    Own.Ipv4.sin_family = AF_INET;
    Own.Ipv4.sin_addr.s_addr = RtlUlongByteSwap(INADDR_LOOPBACK);
    Status = SyncWait(&Sync, Dispatch->WskControlSocket(New, WskSetOption, IP_PKTINFO, IPPROTO_IP, sizeof(On), &On, 0, NULL,
        NULL, SyncIrp(&Sync)));
    if (NT_SUCCESS(Status))
        Status = SyncWait(&Sync, Dispatch->WskBind(New, (PSOCKADDR)&Own, 0, SyncIrp(&Sync)));
    if (NT_SUCCESS(Status))
        Status = SyncWait(&Sync, Dispatch->WskGetLocalAddress(New, (PSOCKADDR)&Own, SyncIrp(&Sync)));
    return Status;
}

static VOID Stop(VOID)
{
    PWSK_SOCKET Socket = Sock;
    /* What is kept is released before the close. */
    ExWaitForRundownProtectionRelease(&ItemsInFlight);
    CloseSocket(Socket);
    Sock = NULL;
    if (Worker != NULL) {
        Stopping = TRUE;
        KeReleaseSemaphore(&Arrived, IO_NO_INCREMENT, 1, FALSE);
        KeWaitForSingleObject(Worker, Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(Worker);
    }
    if (InitStatus == STATUS_SUCCESS) {
        WskReleaseProviderNPI(&Registration);
        WskDeregister(&Registration);
    }
    ExDeleteLookasideListEx(&SendCtxCache);
}

VOID NTAPI Unload(_In_ PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    Stop();
    DbgPrint("tunnel: sent %d, consumed %d, bad %d\n", Sent, Consumed, Bad);
}

NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT DriverObject, _In_ PUNICODE_STRING RegistryPath)
{
    HANDLE Handle;
    LARGE_INTEGER Moment;
    NTSTATUS Status;
    ULONG Number, Waits;
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    KeInitializeMutex(&InitLock, 0);
    ExInitializeRundownProtection(&ItemsInFlight);
    InitializeSListHead(&Received);
    KeInitializeSemaphore(&Arrived, 0, MAXLONG);
    Status = ExInitializeLookasideListEx(&SendCtxCache, NULL, NULL, NonPagedPoolNx, 0, sizeof(SEND_CTX), MEMORY_TAG, 0);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Consume, NULL);
    if (NT_SUCCESS(Status)) {
        Status = ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, NULL, KernelMode, (PVOID *)&Worker, NULL);
        ZwClose(Handle);
    }
    if (NT_SUCCESS(Status))
        Status = Init();
    if (NT_SUCCESS(Status))
        Status = Open();
    Moment.QuadPart = -10000;
    for (Number = 0; Number < DATAGRAMS && NT_SUCCESS(Status); Number++) {
        Status = Send((UCHAR)Number);
        /* No more than the socket buffers. */
        for (Waits = 0; (ULONG)ReadAcquire(&Consumed) + 50 < Number && Waits < 10000; Waits++)
            KeDelayExecutionThread(KernelMode, FALSE, &Moment);
    }
    for (Waits = 0; ReadAcquire(&Consumed) < DATAGRAMS && Waits < 10000 && NT_SUCCESS(Status); Waits++)
        KeDelayExecutionThread(KernelMode, FALSE, &Moment);
    if (NT_SUCCESS(Status) && (Consumed != DATAGRAMS || Bad != 0))
        Status = STATUS_DATA_ERROR;
    DbgPrint("tunnel: loaded: %08x\n", Status);
    if (!NT_SUCCESS(Status))
        Stop();
    return Status;
}
