/* WskGetAddressInfo, WskGetNameInfo, WskFreeAddressInfo, by the host's resolver. */
#include "client.h"

int main(void)
{
    UNICODE_STRING node, service, host, port;
    WCHAR host_room[NI_MAXHOST], port_room[NI_MAXSERV];
    ADDRINFOEXW hints, *result = NULL, *each;
    BOOLEAN found = FALSE;
    NTSTATUS status;

    start_client();
    RtlInitUnicodeString(&node, L"localhost");
    RtlInitUnicodeString(&service, L"7");
    RtlZeroMemory(&hints, sizeof(hints));
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_protocol = IPPROTO_UDP;
    WAIT_FOR(status, NULL, irp, provider.Dispatch->WskGetAddressInfo(provider.Client, &node, &service, NS_ALL, NULL, &hints,
        &result, NULL, NULL, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    for (each = result; each; each = each->ai_next) {
        PSOCKADDR_IN address = (PSOCKADDR_IN)(PVOID)each->ai_addr;
        CHECK(each->ai_family == AF_INET && each->ai_addrlen == sizeof(SOCKADDR_IN));
        if (address->sin_addr.s_addr == RtlUlongByteSwap(INADDR_LOOPBACK) && address->sin_port == RtlUshortByteSwap(7)) {
            found = TRUE;
            host.Buffer = host_room;
            host.Length = 0;
            host.MaximumLength = sizeof(host_room);
            port.Buffer = port_room;
            port.Length = 0;
            port.MaximumLength = sizeof(port_room);
            WAIT_FOR(status, NULL, irp, provider.Dispatch->WskGetNameInfo(provider.Client, (PSOCKADDR)address,
                sizeof(*address), &host, &port, NI_NUMERICHOST | NI_NUMERICSERV, NULL, NULL, irp));
            CHECK_STATUS(status, STATUS_SUCCESS);
            DbgPrint("%wZ port %wZ\n", &host, &port);
            RtlInitUnicodeString(&node, L"127.0.0.1");
            CHECK(RtlEqualUnicodeString(&host, &node, FALSE));
            RtlInitUnicodeString(&service, L"7");
            CHECK(RtlEqualUnicodeString(&port, &service, FALSE));
        }
    }
    CHECK(found);
    provider.Dispatch->WskFreeAddressInfo(provider.Client, result);
    return end_client();
}
