/* IoCancelIrp: of a receive, of an accept; and a close, which cancels. */
#include "client.h"

int main(void)
{
    SOCKADDR_IN address = loopback(0);
    PWSK_SOCKET receiver, listener;
    REQUEST receives[3], accept, change;
    NTSTATUS status;
    LARGE_INTEGER at_once;
    BUFFER buffer = allocate(100);
    ULONG index;

    at_once.QuadPart = 0;
    start_client();
    CHECK_STATUS(create(&receiver, SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET, NULL, NULL), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, datagram(receiver)->WskBind(receiver, (PSOCKADDR)&address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    for (index = 0; index < 3; index++) {
        request(&receives[index]);
        receives[index].Returned = datagram(receiver)->WskReceiveFrom(
            receiver, &buffer.Wsk, 0, NULL, NULL, NULL, NULL, receives[index].Irp);
        CHECK_STATUS(receives[index].Returned, STATUS_PENDING);
    }
    /* The one in the middle; the others stay. */
    CHECK(IoCancelIrp(receives[1].Irp));
    CHECK_STATUS(finish(&receives[1], NULL), STATUS_CANCELLED);
    CHECK_STATUS(KeWaitForSingleObject(&receives[0].Done, Executive, KernelMode, FALSE, &at_once), STATUS_TIMEOUT);
    close_socket(receiver);
    CHECK_STATUS(finish(&receives[0], NULL), STATUS_CANCELLED);
    CHECK_STATUS(finish(&receives[2], NULL), STATUS_CANCELLED);

    CHECK_STATUS(create(&listener, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET, NULL, NULL), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, listening(listener)->WskBind(listener, (PSOCKADDR)&address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    request(&accept);
    accept.Returned = listening(listener)->WskAccept(listener, 0, NULL, NULL, NULL, NULL, accept.Irp);
    CHECK_STATUS(accept.Returned, STATUS_PENDING);
    CHECK(IoCancelIrp(accept.Irp));
    CHECK_STATUS(finish(&accept, NULL), STATUS_CANCELLED);
    close_socket(listener);

    /* Waits until the list of transports changes, or the client is gone. */
    request(&change);
    change.Returned = provider.Dispatch->WskControlClient(
        provider.Client, WSK_TRANSPORT_LIST_CHANGE, 0, NULL, 0, NULL, NULL, change.Irp);
    CHECK_STATUS(change.Returned, STATUS_PENDING);
    CHECK(IoCancelIrp(change.Irp));
    CHECK_STATUS(finish(&change, NULL), STATUS_CANCELLED);

    release(&buffer);
    return end_client();
}
