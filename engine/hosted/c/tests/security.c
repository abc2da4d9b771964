/* Security descriptors: built, cached, given to a socket, asked for again, released; and who may share an address. */
#include "client.h"

static PSECURITY_DESCRIPTOR cache(PSECURITY_DESCRIPTOR descriptor)
{
    PSECURITY_DESCRIPTOR cached = NULL;
    SIZE_T bytes = 0;
    CHECK_STATUS(provider.Dispatch->WskControlClient(provider.Client, WSK_CACHE_SD, sizeof(descriptor), &descriptor,
        sizeof(cached), &cached, &bytes, NULL), STATUS_SUCCESS);
    CHECK(cached && cached != descriptor);
    return cached;
}

static VOID uncache(PSECURITY_DESCRIPTOR cached)
{
    CHECK_STATUS(provider.Dispatch->WskControlClient(provider.Client, WSK_RELEASE_SD, sizeof(cached), &cached, 0, NULL, NULL,
        NULL), STATUS_SUCCESS);
}

static PWSK_SOCKET open(PSECURITY_DESCRIPTOR descriptor)
{
    NTSTATUS status;
    ULONG_PTR information;
    WAIT_FOR(status, &information, irp, provider.Dispatch->WskSocket(provider.Client, AF_INET, SOCK_DGRAM, IPPROTO_UDP,
        WSK_FLAG_DATAGRAM_SOCKET, NULL, NULL, PsInitialSystemProcess, NULL, descriptor, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    return (PWSK_SOCKET)information;
}

static NTSTATUS bind(PWSK_SOCKET socket, SOCKADDR_IN *address)
{
    NTSTATUS status;
    WAIT_FOR(status, NULL, irp, datagram(socket)->WskBind(socket, (PSOCKADDR)address, 0, irp));
    return status;
}

int main(void)
{
    static SID_IDENTIFIER_AUTHORITY world = { SECURITY_WORLD_SID_AUTHORITY };
    UCHAR everyone[12], list[64], relative[200];
    ULONG relative_bytes = sizeof(relative), on = 1;
    SECURITY_DESCRIPTOR descriptor;
    PACL acl = NULL, dacl = (PACL)(PVOID)list;
    BOOLEAN present = FALSE, defaulted = TRUE;
    PSECURITY_DESCRIPTOR all, of_socket = NULL;
    PWSK_SOCKET first, second, third;
    SOCKADDR_IN address = loopback(0);
    NTSTATUS status;
    ULONG_PTR bytes;

    CHECK(RtlLengthRequiredSid(1) == sizeof(everyone));
    CHECK_STATUS(RtlInitializeSid(everyone, &world, 1), STATUS_SUCCESS);
    *RtlSubAuthoritySid(everyone, 0) = SECURITY_WORLD_RID;
    CHECK(RtlValidSid(everyone) && RtlLengthSid(everyone) == 12 && *RtlSubAuthorityCountSid(everyone) == 1);
    CHECK_STATUS(RtlCreateAcl(dacl, sizeof(list), ACL_REVISION), STATUS_SUCCESS);
    CHECK_STATUS(RtlAddAccessAllowedAce(dacl, ACL_REVISION, GENERIC_ALL, everyone), STATUS_SUCCESS);
    CHECK(dacl->AceCount == 1);
    CHECK_STATUS(RtlCreateSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION), STATUS_SUCCESS);
    CHECK_STATUS(RtlSetOwnerSecurityDescriptor(&descriptor, everyone, FALSE), STATUS_SUCCESS);
    CHECK_STATUS(RtlSetGroupSecurityDescriptor(&descriptor, everyone, FALSE), STATUS_SUCCESS);
    CHECK_STATUS(RtlSetDaclSecurityDescriptor(&descriptor, TRUE, dacl, FALSE), STATUS_SUCCESS);
    CHECK(RtlValidSecurityDescriptor(&descriptor));
    CHECK_STATUS(RtlAbsoluteToSelfRelativeSD(&descriptor, relative, &relative_bytes), STATUS_SUCCESS);
    CHECK(RtlLengthSecurityDescriptor(relative) == relative_bytes);
    CHECK_STATUS(RtlGetDaclSecurityDescriptor(relative, &present, &acl, &defaulted), STATUS_SUCCESS);
    CHECK(present && !defaulted && acl && RtlEqualMemory(acl, dacl, dacl->AclSize));

    start_client();
    all = cache(&descriptor);
    first = open(all);
    CHECK_STATUS(set_option(first, SOL_SOCKET, SO_REUSEADDR, sizeof(on), &on), STATUS_SUCCESS);
    CHECK_STATUS(bind(first, &address), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, datagram(first)->WskGetLocalAddress(first, (PSOCKADDR)&address, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    /* Shared by those who ask to share, and by nobody who does not. */
    second = open(NULL);
    CHECK_STATUS(set_option(second, SOL_SOCKET, SO_REUSEADDR, sizeof(on), &on), STATUS_SUCCESS);
    CHECK_STATUS(bind(second, &address), STATUS_SUCCESS);
    third = open(NULL);
    CHECK_STATUS(set_option(third, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, sizeof(on), &on), STATUS_SUCCESS);
    CHECK(!NT_SUCCESS(bind(third, &address)));

    WAIT_FOR(status, &bytes, irp, basic(first)->WskControlSocket(first, WskGetOption, SO_WSK_SECURITY, SOL_SOCKET, 0, NULL,
        sizeof(of_socket), &of_socket, NULL, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(of_socket && bytes == sizeof(of_socket));
    close_socket(third);
    close_socket(second);
    close_socket(first);
    uncache(of_socket);
    uncache(all);
    return end_client();
}
