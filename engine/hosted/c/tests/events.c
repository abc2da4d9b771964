/* Event callbacks: static ones, and one that runs while it is disabled. */
#include "client.h"

static KEVENT entered, may_return;
static LONG calls;

static NTSTATUS received(PVOID context, ULONG flags, PWSK_DATAGRAM_INDICATION indication)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(flags);
    CHECK(indication);
    if (InterlockedIncrement(&calls) == 1) {
        LARGE_INTEGER at_once;
        at_once.QuadPart = 0;
        KeSetEvent(&entered, IO_NO_INCREMENT, FALSE);
        /* A callback does not wait; this one looks again and again, as one that is slow. */
        while (KeWaitForSingleObject(&may_return, Executive, KernelMode, FALSE, &at_once) == STATUS_TIMEOUT)
            KeStallExecutionProcessor(50);
    }
    return STATUS_SUCCESS;
}

static const WSK_CLIENT_DATAGRAM_DISPATCH events = { received };

static VOID send_to(PWSK_SOCKET socket, SOCKADDR_IN *address)
{
    BUFFER message = text("to the event");
    NTSTATUS status;
    WAIT_FOR(status, NULL, irp, datagram(socket)->WskSendTo(socket, &message.Wsk, 0, (PSOCKADDR)address, 0, NULL, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    release(&message);
}

static PWSK_SOCKET bound(const VOID *dispatch, SOCKADDR_IN *address)
{
    PWSK_SOCKET socket;
    NTSTATUS status;
    *address = loopback(0);
    CHECK_STATUS(create(&socket, SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET, NULL, dispatch), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, datagram(socket)->WskBind(socket, (PSOCKADDR)address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, datagram(socket)->WskGetLocalAddress(socket, (PSOCKADDR)address, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    return socket;
}

static VOID dynamic(VOID)
{
    WSK_EVENT_CALLBACK_CONTROL off = { &NPI_WSK_INTERFACE_ID, WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE };
    SOCKADDR_IN address, own;
    PWSK_SOCKET receiver = bound(&events, &address), sender = bound(NULL, &own);
    REQUEST drain;
    KeInitializeEvent(&entered, SynchronizationEvent, FALSE);
    KeInitializeEvent(&may_return, NotificationEvent, FALSE);
    CHECK_STATUS(enable(receiver, WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);
    send_to(sender, &address);
    CHECK(signalled(&entered));
    /* Without an IRP it is told that a callback runs, and not when it has returned; with one it is. */
    CHECK_STATUS(basic(receiver)->WskControlSocket(receiver, WskSetOption, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, sizeof(off),
        &off, 0, NULL, NULL, NULL), STATUS_EVENT_PENDING);
    CHECK_STATUS(enable(receiver, WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);
    request(&drain);
    drain.Returned = basic(receiver)->WskControlSocket(receiver, WskSetOption, SO_WSK_EVENT_CALLBACK, SOL_SOCKET,
        sizeof(off), &off, 0, NULL, NULL, drain.Irp);
    CHECK_STATUS(drain.Returned, STATUS_PENDING);
    CHECK(!KeReadStateEvent(&drain.Done));
    KeSetEvent(&may_return, IO_NO_INCREMENT, FALSE);
    CHECK_STATUS(finish(&drain, NULL), STATUS_SUCCESS);
    CHECK(ReadAcquire(&calls) == 1);
    close_socket(sender);
    close_socket(receiver);
}

static VOID statically(VOID)
{
    WSK_EVENT_CALLBACK_CONTROL control = { &NPI_WSK_INTERFACE_ID, WSK_EVENT_RECEIVE_FROM };
    SOCKADDR_IN address, own;
    PWSK_SOCKET receiver, sender;
    CHECK_STATUS(provider.Dispatch->WskControlClient(provider.Client, WSK_SET_STATIC_EVENT_CALLBACKS, sizeof(control),
        &control, 0, NULL, NULL, NULL), STATUS_SUCCESS);
    receiver = bound(&events, &address);
    sender = bound(&events, &own);
    calls = 1;
    send_to(sender, &address);
    while (ReadAcquire(&calls) < 2)
        KeStallExecutionProcessor(1000);
    close_socket(sender);
    close_socket(receiver);
}

int main(void)
{
    start_client();
    dynamic();
    if (end_client())
        return 1;
    start_client();
    statically();
    return end_client();
}
