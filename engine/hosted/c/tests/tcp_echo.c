/*
 * Listening and connection sockets: a server of WskAcceptEvent and WskReceiveEvent, which retains data and releases it from
 * a work item; a client of WskConnect, WskSend, WskReceive and WskDisconnect; a second server of WskAccept.
 */
#include "client.h"

#define BYTES 100000

static LONG disconnects, received_bytes;
static KEVENT over;

typedef struct _PEER {
    PWSK_SOCKET Socket;
    WORK_QUEUE_ITEM Work;
    KSPIN_LOCK Lock;
    PWSK_DATA_INDICATION Retained;
    BOOLEAN Working, Gone;
} PEER;

static PEER peer;

static VOID answer(PVOID context)
{
    PEER *p = (PEER *)context;
    for (;;) {
        PWSK_DATA_INDICATION list;
        BUFFER reply;
        NTSTATUS status;
        BOOLEAN gone;
        KIRQL irql;
        PWSK_DATA_INDICATION each;
        SIZE_T bytes = 0, at = 0;
        KeAcquireSpinLock(&p->Lock, &irql);
        list = p->Retained;
        p->Retained = NULL;
        gone = p->Gone;
        if (!list)
            p->Working = FALSE;
        KeReleaseSpinLock(&p->Lock, irql);
        if (!list) {
            if (gone)
                KeSetEvent(&over, IO_NO_INCREMENT, FALSE);
            return;
        }
        for (each = list; each; each = each->Next)
            bytes += each->Buffer.Length;
        reply = allocate(bytes);
        for (each = list; each; each = each->Next)
            at += gather(&each->Buffer, reply.Data + at, bytes - at);
        CHECK_STATUS(connection(p->Socket)->WskRelease(p->Socket, list), STATUS_SUCCESS);
        WAIT_FOR(status, NULL, irp, connection(p->Socket)->WskSend(p->Socket, &reply.Wsk, 0, irp));
        CHECK_STATUS(status, STATUS_SUCCESS);
        InterlockedExchangeAdd(&received_bytes, (LONG)bytes);
        release(&reply);
    }
}

static VOID work(PEER *p, PWSK_DATA_INDICATION list, BOOLEAN gone)
{
    KLOCK_QUEUE_HANDLE lock;
    BOOLEAN queue;
    KeAcquireInStackQueuedSpinLock(&p->Lock, &lock);
    if (list) {
        PWSK_DATA_INDICATION *end = &p->Retained;
        while (*end)
            end = &(*end)->Next;
        *end = list;
    }
    p->Gone |= gone;
    queue = !p->Working;
    p->Working = TRUE;
    KeReleaseInStackQueuedSpinLock(&lock);
    if (queue)
        ExQueueWorkItem(&p->Work, DelayedWorkQueue);
}

static NTSTATUS peer_received(PVOID context, ULONG flags, PWSK_DATA_INDICATION list, SIZE_T bytes, SIZE_T *accepted)
{
    UNREFERENCED_PARAMETER(flags);
    UNREFERENCED_PARAMETER(bytes);
    UNREFERENCED_PARAMETER(accepted);
    if (!list)
        return STATUS_SUCCESS;
    work((PEER *)context, list, FALSE);
    return STATUS_PENDING;
}

static NTSTATUS peer_disconnected(PVOID context, ULONG flags)
{
    CHECK(!(flags & WSK_FLAG_ABORTIVE));
    InterlockedIncrement(&disconnects);
    work((PEER *)context, NULL, TRUE);
    return STATUS_SUCCESS;
}

static const WSK_CLIENT_CONNECTION_DISPATCH peer_events = { peer_received, peer_disconnected, NULL };

static NTSTATUS accepted(PVOID context, ULONG flags, PSOCKADDR local, PSOCKADDR remote, PWSK_SOCKET socket,
    PVOID *socket_context, const WSK_CLIENT_CONNECTION_DISPATCH **dispatch)
{
    UNREFERENCED_PARAMETER(flags);
    CHECK(context == &peer);
    if (!socket)
        return STATUS_REQUEST_NOT_ACCEPTED;
    CHECK(local->sa_family == AF_INET && remote->sa_family == AF_INET);
    peer.Socket = socket;
    *socket_context = &peer;
    *dispatch = &peer_events;
    return STATUS_SUCCESS;
}

static const WSK_CLIENT_LISTEN_DISPATCH listen_events = { accepted, NULL, NULL };

static PWSK_SOCKET listener(const WSK_CLIENT_LISTEN_DISPATCH *events, SOCKADDR_IN *address)
{
    PWSK_SOCKET socket;
    NTSTATUS status;
    *address = loopback(0);
    CHECK_STATUS(create(&socket, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET, &peer, events), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, listening(socket)->WskBind(socket, (PSOCKADDR)address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, listening(socket)->WskGetLocalAddress(socket, (PSOCKADDR)address, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    return socket;
}

static PWSK_SOCKET connected(SOCKADDR_IN *to)
{
    PWSK_SOCKET socket;
    NTSTATUS status;
    SOCKADDR_IN any = loopback(0);
    CHECK_STATUS(create(&socket, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_CONNECTION_SOCKET, NULL, NULL), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, connection(socket)->WskBind(socket, (PSOCKADDR)&any, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, connection(socket)->WskConnect(socket, (PSOCKADDR)to, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, connection(socket)->WskGetRemoteAddress(socket, (PSOCKADDR)&any, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(any.sin_port == to->sin_port);
    return socket;
}

static VOID by_events(VOID)
{
    SOCKADDR_IN address;
    PWSK_SOCKET server = listener(&listen_events, &address), client;
    BUFFER sent = allocate(BYTES), got = allocate(BYTES);
    REQUEST send;
    NTSTATUS status;
    ULONG_PTR bytes;
    ULONG at;
    for (at = 0; at < BYTES; at++)
        sent.Data[at] = (UCHAR)(at * 7 + at / 251);
    KeInitializeSpinLock(&peer.Lock);
    KeInitializeEvent(&over, NotificationEvent, FALSE);
    ExInitializeWorkItem(&peer.Work, answer, &peer);
    /* The defaults of what WskAcceptEvent accepts. */
    CHECK_STATUS(enable(server, WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT), STATUS_SUCCESS);
    client = connected(&address);
    request(&send);
    send.Returned = connection(client)->WskSend(client, &sent.Wsk, WSK_FLAG_NODELAY, send.Irp);
    WAIT_FOR(status, &bytes, irp, connection(client)->WskReceive(client, &got.Wsk, WSK_FLAG_WAITALL, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(bytes == BYTES && RtlEqualMemory(sent.Data, got.Data, BYTES));
    CHECK_STATUS(finish(&send, &bytes), STATUS_SUCCESS);
    CHECK(bytes == BYTES);
    WAIT_FOR(status, NULL, irp, connection(client)->WskDisconnect(client, NULL, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(signalled(&over));
    CHECK(ReadAcquire(&disconnects) == 1 && ReadAcquire(&received_bytes) == BYTES);
    close_socket(peer.Socket);
    close_socket(client);
    close_socket(server);
    release(&sent);
    release(&got);
}

static VOID by_accept(VOID)
{
    SOCKADDR_IN address, local, remote;
    PWSK_SOCKET server = listener(NULL, &address), client, server_side;
    REQUEST accept;
    NTSTATUS status;
    ULONG_PTR information;
    BUFFER hello = text("hello"), got = allocate(5);
    request(&accept);
    accept.Returned = listening(server)->WskAccept(
        server, 0, NULL, NULL, (PSOCKADDR)&local, (PSOCKADDR)&remote, accept.Irp);
    CHECK_STATUS(accept.Returned, STATUS_PENDING);
    client = connected(&address);
    CHECK_STATUS(finish(&accept, &information), STATUS_SUCCESS);
    server_side = (PWSK_SOCKET)information;
    CHECK(local.sin_port == address.sin_port && remote.sin_port != 0);
    WAIT_FOR(status, NULL, irp, connection(server_side)->WskSend(server_side, &hello.Wsk, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, &information, irp, connection(client)->WskReceive(client, &got.Wsk, WSK_FLAG_WAITALL, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(information == 5 && RtlEqualMemory(got.Data, "hello", 5));
    /* The end of the stream is a receive of nothing. */
    WAIT_FOR(status, NULL, irp, connection(server_side)->WskDisconnect(server_side, NULL, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, &information, irp, connection(client)->WskReceive(client, &got.Wsk, 0, irp));
    CHECK(information == 0);
    close_socket(client);
    close_socket(server_side);
    close_socket(server);
    release(&hello);
    release(&got);
}

int main(void)
{
    start_client();
    by_events();
    by_accept();
    return end_client();
}
