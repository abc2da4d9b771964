/* SO_CONDITIONAL_ACCEPT: WskInspectEvent rejects one connection, accepts one, and lets one wait for WskInspectComplete. */
#include "client.h"

static LONG inspected;
static WSK_INSPECT_ID pended;
static KEVENT asked;

static WSK_INSPECT_ACTION inspect(PVOID context, PSOCKADDR local, PSOCKADDR remote, PWSK_INSPECT_ID id)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(local);
    UNREFERENCED_PARAMETER(remote);
    if (!id)
        return WskInspectReject;
    switch (InterlockedIncrement(&inspected)) {
    case 1:
        return WskInspectReject;
    case 2:
        return WskInspectAccept;
    default:
        pended = *id;
        KeSetEvent(&asked, IO_NO_INCREMENT, FALSE);
        return WskInspectPend;
    }
}

static NTSTATUS aborted(PVOID context, PWSK_INSPECT_ID id)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(id);
    return STATUS_SUCCESS;
}

static const WSK_CLIENT_LISTEN_DISPATCH events = { NULL, inspect, aborted };

static VOID open(PWSK_SOCKET *socket)
{
    SOCKADDR_IN any = loopback(0);
    NTSTATUS status;
    CHECK_STATUS(create(socket, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_CONNECTION_SOCKET, NULL, NULL), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, connection(*socket)->WskBind(*socket, (PSOCKADDR)&any, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
}

int main(void)
{
    SOCKADDR_IN address = loopback(0);
    PWSK_SOCKET server, refused, taken, waiting, accepted;
    REQUEST accept, connect;
    NTSTATUS status;
    ULONG_PTR information;
    ULONG on = 1;
    BUFFER nothing = allocate(1);

    start_client();
    KeInitializeEvent(&asked, SynchronizationEvent, FALSE);
    CHECK_STATUS(create(&server, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET, NULL, &events), STATUS_SUCCESS);
    CHECK_STATUS(set_option(server, SOL_SOCKET, SO_CONDITIONAL_ACCEPT, sizeof(on), &on), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, listening(server)->WskBind(server, (PSOCKADDR)&address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, listening(server)->WskGetLocalAddress(server, (PSOCKADDR)&address, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);

    /* Refused: the connection fails, or is reset. */
    open(&refused);
    WAIT_FOR(status, NULL, irp, connection(refused)->WskConnect(refused, (PSOCKADDR)&address, 0, irp));
    if (NT_SUCCESS(status)) {
        WAIT_FOR(status, NULL, irp, connection(refused)->WskReceive(refused, &nothing.Wsk, 0, irp));
        CHECK(!NT_SUCCESS(status));
    }
    close_socket(refused);

    /* Accepted. */
    request(&accept);
    accept.Returned = listening(server)->WskAccept(server, 0, NULL, NULL, NULL, NULL, accept.Irp);
    open(&taken);
    WAIT_FOR(status, NULL, irp, connection(taken)->WskConnect(taken, (PSOCKADDR)&address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK_STATUS(finish(&accept, &information), STATUS_SUCCESS);
    close_socket((PWSK_SOCKET)information);
    close_socket(taken);

    /* Pended, and accepted later. */
    request(&accept);
    accept.Returned = listening(server)->WskAccept(server, 0, NULL, NULL, NULL, NULL, accept.Irp);
    open(&waiting);
    request(&connect);
    connect.Returned = connection(waiting)->WskConnect(waiting, (PSOCKADDR)&address, 0, connect.Irp);
    CHECK(signalled(&asked));
    CHECK(KeReadStateEvent(&accept.Done) == 0);
    WAIT_FOR(status, NULL, irp, listening(server)->WskInspectComplete(server, &pended, WskInspectAccept, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK_STATUS(finish(&connect, NULL), STATUS_SUCCESS);
    CHECK_STATUS(finish(&accept, &information), STATUS_SUCCESS);
    accepted = (PWSK_SOCKET)information;
    close_socket(accepted);
    close_socket(waiting);
    close_socket(server);
    release(&nothing);
    CHECK(ReadAcquire(&inspected) == 3);
    return end_client();
}
