/*
 * A WSK client that knows nothing of Skua: it sends every datagram back to where it came from. Port 17007 of IPv4, where
 * each datagram is copied into memory of the driver's own, and of IPv6, where the indication is kept and its own memory
 * sent. Loading it first tries what asynchronous requests promise; it fails to load when one of them is not kept.
 *
 * Everything is as in a driver for Windows: packets from IoAllocateIrp, completion routines that keep the packet and ones
 * that leave it to the I/O manager, a dynamic event, teardown in DriverUnload.
 */
#include <ntddk.h>
#include <wsk.h>

#define PORT 17007
#define PORT_ON_WIRE ((USHORT)(PORT >> 8 | (PORT & 0xff) << 8))
#define TAG 0x6f686345u /* Echo */

static const WSK_CLIENT_DISPATCH client_dispatch = { MAKE_WSK_VERSION(1, 0), 0, NULL };

static WSK_CLIENT_NPI client = { NULL, &client_dispatch };
static WSK_REGISTRATION registration;
static WSK_PROVIDER_NPI provider;
static BOOLEAN is_registered, is_captured;
static PWSK_SOCKET echo_v4, echo_v6, quiet;
static volatile LONG received, sent, failed, under_way;
static KEVENT idle;

static const WSK_PROVIDER_DATAGRAM_DISPATCH *table(PWSK_SOCKET socket)
{
    return socket->Dispatch;
}

/* Requests that are waited for. */

static NTSTATUS NTAPI keep(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
    KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static PIRP begin(PKEVENT event)
{
    PIRP irp = IoAllocateIrp(1, FALSE);
    KeInitializeEvent(event, NotificationEvent, FALSE);
    if (irp)
        IoSetCompletionRoutine(irp, keep, event, TRUE, TRUE, TRUE);
    return irp;
}

static NTSTATUS end(PIRP irp, PKEVENT event, ULONG_PTR *information)
{
    NTSTATUS status;
    KeWaitForSingleObject(event, Executive, KernelMode, FALSE, NULL);
    status = irp->IoStatus.Status;
    if (information)
        *information = irp->IoStatus.Information;
    IoFreeIrp(irp);
    return status;
}

static NTSTATUS close(PWSK_SOCKET *socket)
{
    KEVENT event;
    PIRP irp;
    if (!*socket)
        return STATUS_SUCCESS;
    irp = begin(&event);
    if (!irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    table(*socket)->WskCloseSocket(*socket, irp);
    *socket = NULL;
    return end(irp, &event, NULL);
}

static NTSTATUS open(PWSK_SOCKET *socket, SOCKADDR_INET *local, PVOID context, const WSK_CLIENT_DATAGRAM_DISPATCH *events)
{
    KEVENT event;
    ULONG_PTR opened = 0;
    NTSTATUS status;
    PIRP irp = begin(&event);
    if (!irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    provider.Dispatch->WskSocket(provider.Client, local->si_family, SOCK_DGRAM, IPPROTO_UDP,
        WSK_FLAG_DATAGRAM_SOCKET, context, events, NULL, NULL, NULL, irp);
    status = end(irp, &event, &opened);
    if (!NT_SUCCESS(status))
        return status;
    *socket = (PWSK_SOCKET)opened;
    irp = begin(&event);
    if (!irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    table(*socket)->WskBind(*socket, (PSOCKADDR)local, 0, irp);
    return end(irp, &event, NULL);
}

static NTSTATUS set_event(PWSK_SOCKET socket, ULONG mask)
{
    KEVENT event;
    WSK_EVENT_CALLBACK_CONTROL control = { &NPI_WSK_INTERFACE_ID, mask };
    PIRP irp = begin(&event);
    if (!irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    table(socket)->WskControlSocket(socket, WskSetOption, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, sizeof(control), &control,
        0, NULL, NULL, irp);
    return end(irp, &event, NULL);
}

/* The echo. */

struct echo {
    PWSK_SOCKET socket;
    PWSK_DATAGRAM_INDICATION kept; /* NULL where the datagram was copied */
    WSK_BUF buffer;
    SOCKADDR_INET remote;
    UCHAR data[];
};

static VOID leave(VOID)
{
    if (!InterlockedDecrement(&under_way))
        KeSetEvent(&idle, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS NTAPI echoed(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    struct echo *echo = context;
    UNREFERENCED_PARAMETER(device);
    if (NT_SUCCESS(irp->IoStatus.Status))
        InterlockedIncrement(&sent);
    else
        InterlockedIncrement(&failed);
    if (echo->kept)
        table(echo->socket)->WskRelease(echo->socket, echo->kept);
    else
        IoFreeMdl(echo->buffer.Mdl);
    ExFreePoolWithTag(echo, TAG);
    IoFreeIrp(irp);
    leave();
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static BOOLEAN copy(const WSK_BUF *from, UCHAR *to)
{
    MDL *mdl;
    ULONG offset = from->Offset;
    SIZE_T left = from->Length;
    for (mdl = from->Mdl; left && mdl; mdl = mdl->Next, offset = 0) {
        SIZE_T bytes = min(left, MmGetMdlByteCount(mdl) - offset);
        const UCHAR *data = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        if (!data)
            return FALSE;
        RtlCopyMemory(to, data + offset, bytes);
        to += bytes;
        left -= bytes;
    }
    return !left;
}

/* Sends one datagram back; whether its indication is kept. */
static BOOLEAN send_back(PWSK_SOCKET socket, PWSK_DATAGRAM_INDICATION indication, BOOLEAN keeps)
{
    SIZE_T length = indication->Buffer.Length;
    SIZE_T room = keeps ? 0 : max(length, 1);
    struct echo *echo = ExAllocatePoolWithTag(NonPagedPool, sizeof(*echo) + room, TAG);
    PIRP irp = echo ? IoAllocateIrp(1, FALSE) : NULL;
    if (!irp)
        goto fail;
    echo->socket = socket;
    echo->kept = keeps ? indication : NULL;
    echo->buffer = indication->Buffer;
    if (indication->RemoteAddress->sa_family == AF_INET6)
        RtlCopyMemory(&echo->remote, indication->RemoteAddress, sizeof(SOCKADDR_IN6));
    else
        RtlCopyMemory(&echo->remote, indication->RemoteAddress, sizeof(SOCKADDR_IN));
    if (!keeps) {
        echo->buffer.Mdl = IoAllocateMdl(echo->data, (ULONG)room, FALSE, FALSE, NULL);
        echo->buffer.Offset = 0;
        if (!echo->buffer.Mdl)
            goto fail;
        MmBuildMdlForNonPagedPool(echo->buffer.Mdl);
        if (!copy(&indication->Buffer, echo->data)) {
            IoFreeMdl(echo->buffer.Mdl);
            goto fail;
        }
    }
    InterlockedIncrement(&under_way);
    IoSetCompletionRoutine(irp, echoed, echo, TRUE, TRUE, TRUE);
    table(socket)->WskSendTo(socket, &echo->buffer, 0, (PSOCKADDR)&echo->remote, 0, NULL, irp);
    return keeps;
fail:
    InterlockedIncrement(&failed);
    if (irp)
        IoFreeIrp(irp);
    if (echo)
        ExFreePoolWithTag(echo, TAG);
    return FALSE;
}

/* A list that is kept is released one by one, by the sends; so that its fate is one, the rest of it is kept as well. */
static NTSTATUS NTAPI receive_from(PVOID context, ULONG flags, PWSK_DATAGRAM_INDICATION list)
{
    PWSK_SOCKET *socket = context;
    BOOLEAN keeps = socket == &echo_v6;
    UNREFERENCED_PARAMETER(flags);
    while (list) {
        PWSK_DATAGRAM_INDICATION indication = list;
        list = list->Next;
        indication->Next = NULL;
        InterlockedIncrement(&received);
        if (!send_back(*socket, indication, keeps) && keeps)
            table(*socket)->WskRelease(*socket, indication);
    }
    return keeps ? STATUS_PENDING : STATUS_SUCCESS;
}

static const WSK_CLIENT_DATAGRAM_DISPATCH echo_events = { receive_from };
static const WSK_CLIENT_DATAGRAM_DISPATCH no_events = { NULL };

/* What requests promise. */

static NTSTATUS try_cancel(MDL *mdl)
{
    KEVENT event;
    LARGE_INTEGER at_once = { .QuadPart = 0 };
    WSK_BUF buffer = { mdl, 0, MmGetMdlByteCount(mdl) };
    NTSTATUS status;
    PIRP irp = begin(&event);
    if (!irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    status = table(quiet)->WskReceiveFrom(quiet, &buffer, 0, NULL, NULL, NULL, NULL, irp);
    if (status != STATUS_PENDING
        || KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &at_once) != STATUS_TIMEOUT) {
        DbgPrint("echo: a receive did not wait: %08x\n", status);
        end(irp, &event, NULL);
        return STATUS_UNSUCCESSFUL;
    }
    if (!IoCancelIrp(irp))
        DbgPrint("echo: a receive that waits could not be cancelled\n");
    status = end(irp, &event, NULL);
    if (status != STATUS_CANCELLED) {
        DbgPrint("echo: a cancelled receive ended with %08x\n", status);
        return STATUS_UNSUCCESSFUL;
    }
    return STATUS_SUCCESS;
}

/*
 * No completion routine: the I/O manager writes the status block, sets the event and frees the packet. Wine's does; WSK asks
 * for a completion routine always, and skua's verifier insists on it.
 */
#ifdef _WIN32
static NTSTATUS try_user_event(MDL *mdl, SOCKADDR_INET *local)
{
    KEVENT event, sent_event;
    IO_STATUS_BLOCK block = { .Information = 0 };
    WSK_BUF buffer = { mdl, 0, 5 };
    SOCKADDR_INET remote;
    NTSTATUS status;
    PIRP irp = IoAllocateIrp(1, FALSE), send;
    if (!irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    irp->UserEvent = &event;
    irp->UserIosb = &block;
    status = table(quiet)->WskReceiveFrom(quiet, &buffer, 0, (PSOCKADDR)&remote, NULL, NULL, NULL, irp);
    send = begin(&sent_event);
    if (!send)
        return STATUS_INSUFFICIENT_RESOURCES;
    table(quiet)->WskSendTo(quiet, &buffer, 0, (PSOCKADDR)local, 0, NULL, send);
    end(send, &sent_event, NULL);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    if (status != STATUS_PENDING || block.Status != STATUS_SUCCESS || block.Information != 5
        || remote.Ipv4.sin_port != local->Ipv4.sin_port) {
        DbgPrint("echo: a receive ended with %08x, %d bytes\n", block.Status, (int)block.Information);
        return STATUS_UNSUCCESSFUL;
    }
    return STATUS_SUCCESS;
}

#endif

static NTSTATUS try_requests(VOID)
{
    static UCHAR data[64];
    KEVENT event;
    SOCKADDR_INET local = { .Ipv4 = { .sin_family = AF_INET, .sin_addr.s_addr = RtlUlongByteSwap(INADDR_LOOPBACK) } };
    NTSTATUS status = open(&quiet, &local, NULL, &no_events);
    PIRP irp;
    MDL *mdl;
    if (!NT_SUCCESS(status))
        return status;
    irp = begin(&event);
    mdl = IoAllocateMdl(data, sizeof(data), FALSE, FALSE, NULL);
    if (!irp || !mdl)
        return STATUS_INSUFFICIENT_RESOURCES;
    MmBuildMdlForNonPagedPool(mdl);
    table(quiet)->WskGetLocalAddress(quiet, (PSOCKADDR)&local, irp);
    status = end(irp, &event, NULL);
    if (NT_SUCCESS(status))
        status = try_cancel(mdl);
#ifdef _WIN32
    if (NT_SUCCESS(status))
        status = try_user_event(mdl, &local);
#endif
    close(&quiet);
    IoFreeMdl(mdl);
    return status;
}

/* The driver. */

static VOID stop(VOID)
{
    if (echo_v4)
        set_event(echo_v4, WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE);
    if (echo_v6)
        set_event(echo_v6, WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE);
    /* Every list that was kept is to be released before its socket closes. */
    leave();
    KeWaitForSingleObject(&idle, Executive, KernelMode, FALSE, NULL);
    close(&echo_v4);
    close(&echo_v6);
    close(&quiet);
    if (is_captured)
        WskReleaseProviderNPI(&registration);
    if (is_registered)
        WskDeregister(&registration);
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
    stop();
    DbgPrint("echo: unloaded: received %d, sent %d, failed %d\n", received, sent, failed);
}

static NTSTATUS start(VOID)
{
    SOCKADDR_INET v4 = { .Ipv4 = { .sin_family = AF_INET, .sin_port = PORT_ON_WIRE } };
    SOCKADDR_INET v6 = { .Ipv6 = { .sin6_family = AF_INET6, .sin6_port = PORT_ON_WIRE } };
    NTSTATUS status = WskRegister(&client, &registration);
    if (!NT_SUCCESS(status))
        return status;
    is_registered = TRUE;
    status = WskCaptureProviderNPI(&registration, WSK_INFINITE_WAIT, &provider);
    if (!NT_SUCCESS(status))
        return status;
    is_captured = TRUE;
    status = try_requests();
    if (NT_SUCCESS(status))
        status = open(&echo_v4, &v4, &echo_v4, &echo_events);
    if (NT_SUCCESS(status))
        status = open(&echo_v6, &v6, &echo_v6, &echo_events);
    if (NT_SUCCESS(status))
        status = set_event(echo_v4, WSK_EVENT_RECEIVE_FROM);
    if (NT_SUCCESS(status))
        status = set_event(echo_v6, WSK_EVENT_RECEIVE_FROM);
    return status;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    NTSTATUS status;
    UNREFERENCED_PARAMETER(path);
    KeInitializeEvent(&idle, NotificationEvent, FALSE);
    /* One for the driver itself, until it stops. */
    under_way = 1;
    status = start();
    if (NT_SUCCESS(status))
        driver->DriverUnload = unload;
    else
        stop();
    DbgPrint("echo: loaded: %08x\n", status);
    return status;
}
