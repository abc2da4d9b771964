/* What the tests share: one registration, requests that are waited for, buffers, and checks that count. */
#ifndef CLIENT_H
#define CLIENT_H

#include <ntddk.h>
#include <wsk.h>

#include <skua_wsk.h>

#define TAG 0x74736554u /* Test */

static LONG wrong;

#define CHECK(Condition)                                                                        \
    do {                                                                                        \
        if (!(Condition)) {                                                                     \
            DbgPrint("%s:%d: %s\n", __FILE__, __LINE__, #Condition);                            \
            InterlockedIncrement(&wrong);                                                       \
        }                                                                                       \
    } while (0)
#define CHECK_STATUS(Expression, Expected)                                                      \
    do {                                                                                        \
        NTSTATUS seen_ = (Expression);                                                          \
        if (seen_ != (Expected)) {                                                              \
            DbgPrint("%s:%d: %s is %08x, not %s\n", __FILE__, __LINE__, #Expression, seen_, #Expected); \
            InterlockedIncrement(&wrong);                                                       \
        }                                                                                       \
    } while (0)
#define REQUIRE(Condition)                                                                      \
    do {                                                                                        \
        if (!(Condition)) {                                                                     \
            DbgPrint("%s:%d: %s\n", __FILE__, __LINE__, #Condition);                            \
            KeBugCheck(MANUALLY_INITIATED_CRASH);                                               \
        }                                                                                       \
    } while (0)

/* A request and what it ended with. */
typedef struct _REQUEST {
    PIRP Irp;
    KEVENT Done;
    NTSTATUS Returned;
} REQUEST;

static inline NTSTATUS request_completed(PDEVICE_OBJECT device, PIRP irp, PVOID done)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent((PRKEVENT)done, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static inline PIRP request(REQUEST *r)
{
    r->Irp = IoAllocateIrp(1, FALSE);
    REQUIRE(r->Irp);
    KeInitializeEvent(&r->Done, NotificationEvent, FALSE);
    IoSetCompletionRoutine(r->Irp, request_completed, &r->Done, TRUE, TRUE, TRUE);
    return r->Irp;
}

/* Ten seconds are for ever on a machine that does other things. */
static inline BOOLEAN signalled(PVOID object)
{
    LARGE_INTEGER time;
    time.QuadPart = -100000000ll;
    return (BOOLEAN)(KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &time) == STATUS_SUCCESS);
}

static inline NTSTATUS finish(REQUEST *r, ULONG_PTR *information)
{
    NTSTATUS status;
    REQUIRE(signalled(&r->Done));
    status = r->Irp->IoStatus.Status;
    if (information)
        *information = r->Irp->IoStatus.Information;
    CHECK(r->Returned == STATUS_PENDING || r->Returned == status);
    IoFreeIrp(r->Irp);
    return status;
}

/* A call that takes an IRP, waited for: WAIT_FOR(status, &bytes, irp, table(s)->WskBind(s, address, 0, irp)). */
#define WAIT_FOR(Status, Information, IrpName, Call)   \
    do {                                               \
        REQUEST request_;                              \
        PIRP IrpName = request(&request_);             \
        request_.Returned = (Call);                    \
        (Status) = finish(&request_, (Information));   \
    } while (0)

static WSK_REGISTRATION registration;
static WSK_PROVIDER_NPI provider;

static inline VOID start_client(VOID)
{
    static const WSK_CLIENT_DISPATCH dispatch = { MAKE_WSK_VERSION(1, 0), 0, NULL };
    WSK_CLIENT_NPI client = { NULL, &dispatch };
    REQUIRE(NT_SUCCESS(WskRegister(&client, &registration)));
    REQUIRE(NT_SUCCESS(WskCaptureProviderNPI(&registration, WSK_INFINITE_WAIT, &provider)));
}

/* Everything is given back by now; the exit code of the test. */
static inline int end_client(VOID)
{
    SKUA_OUTSTANDING left;
    WskReleaseProviderNPI(&registration);
    WskDeregister(&registration);
    SkuaQueryOutstanding(&left);
    CHECK(!left.Irps && !left.Sockets && !left.Indications && !left.Captures && !left.Memory);
    CHECK(SkuaCheckLeaks() == 0);
    return wrong != 0;
}

static inline SOCKADDR_IN loopback(USHORT port)
{
    SOCKADDR_IN address;
    RtlZeroMemory(&address, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = RtlUlongByteSwap(INADDR_LOOPBACK);
    address.sin_port = port;
    return address;
}

static inline NTSTATUS create(PWSK_SOCKET *socket, USHORT type, ULONG protocol, ULONG flags, PVOID context, const VOID *dispatch)
{
    NTSTATUS status;
    ULONG_PTR information = 0;
    WAIT_FOR(status, &information, irp,
        provider.Dispatch->WskSocket(provider.Client, AF_INET, type, protocol, flags, context, dispatch, NULL, NULL, NULL, irp));
    *socket = (PWSK_SOCKET)information;
    return status;
}

static inline const WSK_PROVIDER_BASIC_DISPATCH *basic(PWSK_SOCKET socket)
{
    return (const WSK_PROVIDER_BASIC_DISPATCH *)socket->Dispatch;
}

static inline const WSK_PROVIDER_DATAGRAM_DISPATCH *datagram(PWSK_SOCKET socket)
{
    return (const WSK_PROVIDER_DATAGRAM_DISPATCH *)socket->Dispatch;
}

static inline const WSK_PROVIDER_LISTEN_DISPATCH *listening(PWSK_SOCKET socket)
{
    return (const WSK_PROVIDER_LISTEN_DISPATCH *)socket->Dispatch;
}

static inline const WSK_PROVIDER_CONNECTION_DISPATCH *connection(PWSK_SOCKET socket)
{
    return (const WSK_PROVIDER_CONNECTION_DISPATCH *)socket->Dispatch;
}

static inline const WSK_PROVIDER_STREAM_DISPATCH *stream(PWSK_SOCKET socket)
{
    return (const WSK_PROVIDER_STREAM_DISPATCH *)socket->Dispatch;
}

static inline VOID close_socket(PWSK_SOCKET socket)
{
    NTSTATUS status;
    WAIT_FOR(status, NULL, irp, basic(socket)->WskCloseSocket(socket, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
}

static inline NTSTATUS set_option(PWSK_SOCKET socket, ULONG level, ULONG option, SIZE_T size, PVOID value)
{
    NTSTATUS status;
    WAIT_FOR(status, NULL, irp,
        basic(socket)->WskControlSocket(socket, WskSetOption, option, level, size, value, 0, NULL, NULL, irp));
    return status;
}

/* Enabling takes no IRP. */
static inline NTSTATUS enable(PWSK_SOCKET socket, ULONG events)
{
    WSK_EVENT_CALLBACK_CONTROL control = { &NPI_WSK_INTERFACE_ID, events };
    return basic(socket)->WskControlSocket(
        socket, WskSetOption, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, sizeof(control), &control, 0, NULL, NULL, NULL);
}

/* Disabling with one waits until no callback runs. */
static inline NTSTATUS disable(PWSK_SOCKET socket, ULONG event)
{
    WSK_EVENT_CALLBACK_CONTROL control = { &NPI_WSK_INTERFACE_ID, event | WSK_EVENT_DISABLE };
    return set_option(socket, SOL_SOCKET, SO_WSK_EVENT_CALLBACK, sizeof(control), &control);
}

/* Nonpaged memory and its description. */
typedef struct _BUFFER {
    PUCHAR Data;
    WSK_BUF Wsk;
} BUFFER;

static inline BUFFER allocate(SIZE_T bytes)
{
    BUFFER buffer;
    buffer.Data = (PUCHAR)ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG);
    REQUIRE(buffer.Data);
    buffer.Wsk.Mdl = IoAllocateMdl(buffer.Data, (ULONG)bytes, FALSE, FALSE, NULL);
    REQUIRE(buffer.Wsk.Mdl);
    MmBuildMdlForNonPagedPool(buffer.Wsk.Mdl);
    buffer.Wsk.Offset = 0;
    buffer.Wsk.Length = bytes;
    return buffer;
}

static inline BUFFER text(PCSTR characters)
{
    BUFFER buffer = allocate(strlen(characters));
    RtlCopyMemory(buffer.Data, characters, buffer.Wsk.Length);
    return buffer;
}

static inline VOID release(BUFFER *buffer)
{
    IoFreeMdl(buffer->Wsk.Mdl);
    ExFreePoolWithTag(buffer->Data, TAG);
}

/* Copies what an indication describes; how many bytes. */
static inline SIZE_T gather(const WSK_BUF *from, PUCHAR to, SIZE_T room)
{
    PMDL mdl;
    ULONG offset = from->Offset;
    SIZE_T copied = 0;
    for (mdl = from->Mdl; mdl && copied < from->Length; mdl = mdl->Next, offset = 0) {
        PUCHAR data = (PUCHAR)MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
        SIZE_T bytes = MmGetMdlByteCount(mdl) - offset;
        if (bytes > from->Length - copied)
            bytes = from->Length - copied;
        REQUIRE(data && copied + bytes <= room);
        RtlCopyMemory(to + copied, data + offset, bytes);
        copied += bytes;
    }
    return copied;
}

#endif /* CLIENT_H */
