/* What a client asks before it has a socket: versions, transports, settings. */
#include "client.h"

int main(void)
{
    WSK_PROVIDER_CHARACTERISTICS versions;
    WSK_TRANSPORT *transports;
    SIZE_T bytes = 0, more = 0, index;
    ULONG bypass = WSK_TDI_BEHAVIOR_BYPASS_TDI;
    BOOLEAN has_udp = FALSE, has_tcp = FALSE;
    PWSK_SOCKET any;
    NTSTATUS status;

    start_client();
    CHECK_STATUS(WskQueryProviderCharacteristics(&registration, &versions), STATUS_SUCCESS);
    CHECK(versions.LowestVersion <= MAKE_WSK_VERSION(1, 0) && versions.HighestVersion >= MAKE_WSK_VERSION(1, 0));
    CHECK(WSK_MAJOR_VERSION(provider.Dispatch->Version) == 1);
    CHECK_STATUS(provider.Dispatch->WskControlClient(provider.Client, WSK_TDI_BEHAVIOR, sizeof(bypass), &bypass, 0, NULL,
        NULL, NULL), STATUS_SUCCESS);

    /* How much room is needed, then the list. */
    CHECK_STATUS(provider.Dispatch->WskControlClient(provider.Client, WSK_TRANSPORT_LIST_QUERY, 0, NULL, 0, NULL, &bytes,
        NULL), STATUS_BUFFER_OVERFLOW);
    CHECK(bytes > 0 && bytes % sizeof(WSK_TRANSPORT) == 0);
    transports = (WSK_TRANSPORT *)ExAllocatePoolWithTag(NonPagedPoolNx, bytes, TAG);
    REQUIRE(transports);
    CHECK_STATUS(provider.Dispatch->WskControlClient(provider.Client, WSK_TRANSPORT_LIST_QUERY, 0, NULL, bytes, transports,
        &more, NULL), STATUS_SUCCESS);
    CHECK(more == bytes);
    for (index = 0; index < bytes / sizeof(WSK_TRANSPORT); index++) {
        has_udp |= transports[index].SocketType == SOCK_DGRAM && transports[index].Protocol == IPPROTO_UDP;
        has_tcp |= transports[index].SocketType == SOCK_STREAM && transports[index].Protocol == IPPROTO_TCP;
    }
    CHECK(has_udp && has_tcp);
    ExFreePool(transports);

    /* A combination that is not in it. */
    WAIT_FOR(status, NULL, irp, provider.Dispatch->WskSocket(provider.Client, AF_INET, SOCK_STREAM, IPPROTO_UDP,
        WSK_FLAG_CONNECTION_SOCKET, NULL, NULL, NULL, NULL, NULL, irp));
    CHECK(!NT_SUCCESS(status));

    /* A basic socket is for controls. */
    CHECK_STATUS(create(&any, SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_BASIC_SOCKET, NULL, NULL), STATUS_SUCCESS);
    close_socket(any);
    return end_client();
}
