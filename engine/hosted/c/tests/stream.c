/* Stream sockets: one listens, one connects with data. */
#include "client.h"

static const WSK_CLIENT_LISTEN_DISPATCH listen_events = { NULL, NULL, NULL };
static const WSK_CLIENT_CONNECTION_DISPATCH connect_events = { NULL, NULL, NULL };
static const WSK_CLIENT_STREAM_DISPATCH events = { &listen_events, &connect_events };

int main(void)
{
    SOCKADDR_IN address = loopback(0), any = loopback(0);
    PWSK_SOCKET server, client, server_side;
    REQUEST accept;
    NTSTATUS status;
    ULONG_PTR information;
    BUFFER first = text("first bytes"), got = allocate(11);

    start_client();
    CHECK_STATUS(create(&server, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_STREAM_SOCKET, NULL, &events), STATUS_SUCCESS);
    CHECK_STATUS(create(&client, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_STREAM_SOCKET, NULL, &events), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, stream(server)->WskBind(server, (PSOCKADDR)&address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, stream(server)->WskListen(server, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, stream(server)->WskGetLocalAddress(server, (PSOCKADDR)&address, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    request(&accept);
    accept.Returned = stream(server)->WskAccept(server, 0, NULL, NULL, NULL, NULL, accept.Irp);
    WAIT_FOR(status, NULL, irp, stream(client)->WskBind(client, (PSOCKADDR)&any, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, stream(client)->WskConnectEx(client, (PSOCKADDR)&address, &first.Wsk, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK_STATUS(finish(&accept, &information), STATUS_SUCCESS);
    server_side = (PWSK_SOCKET)information;
    WAIT_FOR(status, &information, irp, stream(server_side)->WskReceive(server_side, &got.Wsk, WSK_FLAG_WAITALL, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(information == 11 && RtlEqualMemory(got.Data, "first bytes", 11));
    close_socket(server_side);
    close_socket(client);
    close_socket(server);
    release(&first);
    release(&got);
    return end_client();
}
