/* Datagram sockets: an echo by WskReceiveFromEvent and WskSendTo, asked by WskSendMessages and WskReceiveFrom. */
#include "client.h"

#define MESSAGES 3

static PWSK_SOCKET server;
static LONG echoed;

typedef struct _ECHO {
    PIRP Irp;
    BUFFER Buffer;
    SOCKADDR_IN Remote;
} ECHO;

static NTSTATUS echo_sent(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    ECHO *echo = (ECHO *)context;
    UNREFERENCED_PARAMETER(device);
    CHECK_STATUS(irp->IoStatus.Status, STATUS_SUCCESS);
    release(&echo->Buffer);
    IoFreeIrp(echo->Irp);
    ExFreePoolWithTag(echo, TAG);
    InterlockedIncrement(&echoed);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS received(PVOID context, ULONG flags, PWSK_DATAGRAM_INDICATION indication)
{
    CHECK(context == &server);
    if (flags & WSK_FLAG_AT_DISPATCH_LEVEL)
        CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
    for (; indication; indication = indication->Next) {
        ECHO *echo = (ECHO *)ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*echo), TAG);
        REQUIRE(echo);
        echo->Irp = IoAllocateIrp(1, FALSE);
        REQUIRE(echo->Irp);
        echo->Buffer = allocate(indication->Buffer.Length);
        CHECK(gather(&indication->Buffer, echo->Buffer.Data, echo->Buffer.Wsk.Length) == indication->Buffer.Length);
        echo->Remote = *(PSOCKADDR_IN)indication->RemoteAddress;
        IoSetCompletionRoutine(echo->Irp, echo_sent, echo, TRUE, TRUE, TRUE);
        datagram(server)->WskSendTo(server, &echo->Buffer.Wsk, 0, (PSOCKADDR)&echo->Remote, 0, NULL, echo->Irp);
    }
    return STATUS_SUCCESS;
}

/* What came with a datagram that was asked for its destination. */
static VOID check_destination(PCMSGHDR control, ULONG length)
{
    WSAMSG message;
    PWSACMSGHDR header;
    ULONG found = 0;
    RtlZeroMemory(&message, sizeof(message));
    message.Control.buf = (CHAR *)control;
    message.Control.len = length;
    for (header = WSA_CMSG_FIRSTHDR(&message); header; header = WSA_CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            PIN_PKTINFO info = (PIN_PKTINFO)(PVOID)WSA_CMSG_DATA(header);
            CHECK(info->ipi_addr.s_addr == RtlUlongByteSwap(INADDR_LOOPBACK));
            found++;
        }
    }
    CHECK(found == 1);
}

int main(void)
{
    static const WSK_CLIENT_DATAGRAM_DISPATCH events = { received };
    static const PCSTR texts[MESSAGES] = { "one", "two, longer", "three" };
    SOCKADDR_IN address = loopback(0), from;
    PWSK_SOCKET client;
    BUFFER messages[MESSAGES], answer;
    WSK_BUF_LIST list[MESSAGES];
    NTSTATUS status;
    ULONG_PTR bytes;
    ULONG on = 1, index, seen = 0;

    start_client();
    CHECK_STATUS(create(&server, SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET, &server, &events), STATUS_SUCCESS);
    CHECK_STATUS(create(&client, SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET, NULL, NULL), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, datagram(server)->WskBind(server, (PSOCKADDR)&address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, datagram(client)->WskBind(client, (PSOCKADDR)&address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK_STATUS(set_option(client, IPPROTO_IP, IP_PKTINFO, sizeof(on), &on), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, datagram(server)->WskGetLocalAddress(server, (PSOCKADDR)&address, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(address.sin_port != 0);
    CHECK_STATUS(enable(server, WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);

    for (index = 0; index < MESSAGES; index++) {
        messages[index] = text(texts[index]);
        list[index].Buffer = messages[index].Wsk;
        list[index].Next = index + 1 < MESSAGES ? &list[index + 1] : NULL;
    }
    WAIT_FOR(status, &bytes, irp, datagram(client)->WskSendMessages(client, list, 0, (PSOCKADDR)&address, 0, NULL, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(bytes == 3 + 11 + 5);

    answer = allocate(100);
    for (index = 0; index < MESSAGES; index++) {
        UCHAR control[128];
        ULONG control_length = sizeof(control), flags = 0, which;
        WAIT_FOR(status, &bytes, irp, datagram(client)->WskReceiveFrom(client, &answer.Wsk, 0, (PSOCKADDR)&from,
            &control_length, (PCMSGHDR)(PVOID)control, &flags, irp));
        CHECK_STATUS(status, STATUS_SUCCESS);
        CHECK(from.sin_port == address.sin_port && !flags);
        check_destination((PCMSGHDR)(PVOID)control, control_length);
        for (which = 0; which < MESSAGES; which++)
            if (bytes == strlen(texts[which]) && RtlEqualMemory(answer.Data, texts[which], bytes))
                seen |= 1u << which;
    }
    CHECK(seen == 7);
    CHECK_STATUS(disable(server, WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);

    close_socket(client);
    close_socket(server);
    CHECK(ReadAcquire(&echoed) == MESSAGES);
    release(&answer);
    for (index = 0; index < MESSAGES; index++)
        release(&messages[index]);
    return end_client();
}
