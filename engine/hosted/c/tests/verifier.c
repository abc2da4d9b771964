/* Programs that break one rule each, and get exactly that finding. */
#include "client.h"

static VOID expect(PCSTR rule)
{
    SKUA_FINDING finding;
    ULONG findings = SkuaFindings(), index;
    for (index = 0; SkuaQueryFinding(index, &finding); index++)
        if (strcmp(finding.Rule, rule) || findings != 1)
            DbgPrint("%s: %s\n", finding.Rule, finding.Message);
    CHECK(findings == 1 && SkuaQueryFinding(0, &finding) && !strcmp(finding.Rule, rule) && strstr(finding.Report, "verifier.c:"));
    SkuaForgetFindings();
    CHECK(SkuaFindings() == 0);
}

static VOID waiting_at_dispatch_level(VOID)
{
    KEVENT event;
    KIRQL irql;
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    KeLowerIrql(irql);
    expect("wait-at-dispatch-level");
}

static VOID a_wait_for_what_is_no_event(VOID)
{
    KEVENT event;
    RtlFillMemory(&event, sizeof(event), 0xEE);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    expect("event-not-initialized");
}

static VOID pageable_code_at_dispatch_level(VOID)
{
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    PAGED_CODE();
    KeLowerIrql(irql);
    expect("irql-too-high");
}

static VOID pool_freed_twice(VOID)
{
    PVOID memory = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG);
    ExFreePoolWithTag(memory, TAG);
    ExFreePoolWithTag(memory, TAG);
    expect("memory-freed-wrongly");
}

static VOID pool_freed_under_another_tag(VOID)
{
    PVOID memory = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG);
    ExFreePoolWithTag(memory, TAG + 1);
    expect("memory-freed-wrongly");
    ExFreePoolWithTag(memory, TAG);
}

static PWSK_SOCKET bound(VOID)
{
    SOCKADDR_IN address = loopback(0);
    PWSK_SOCKET socket;
    NTSTATUS status;
    CHECK_STATUS(create(&socket, SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET, NULL, NULL), STATUS_SUCCESS);
    WAIT_FOR(status, NULL, irp, datagram(socket)->WskBind(socket, (PSOCKADDR)&address, 0, irp));
    CHECK_STATUS(status, STATUS_SUCCESS);
    return socket;
}

static VOID an_irp_freed_while_it_is_in_use(VOID)
{
    PWSK_SOCKET socket = bound();
    BUFFER buffer = allocate(10);
    REQUEST receive;
    request(&receive);
    receive.Returned = datagram(socket)->WskReceiveFrom(socket, &buffer.Wsk, 0, NULL, NULL, NULL, NULL, receive.Irp);
    IoFreeIrp(receive.Irp);
    expect("irp-freed-in-use");
    /* It had no effect. */
    CHECK(IoCancelIrp(receive.Irp));
    CHECK_STATUS(finish(&receive, NULL), STATUS_CANCELLED);
    close_socket(socket);
    release(&buffer);
}

static VOID an_irp_reused_while_it_is_in_use(VOID)
{
    PWSK_SOCKET socket = bound();
    BUFFER buffer = allocate(10);
    REQUEST receive;
    request(&receive);
    receive.Returned = datagram(socket)->WskReceiveFrom(socket, &buffer.Wsk, 0, NULL, NULL, NULL, NULL, receive.Irp);
    IoReuseIrp(receive.Irp, STATUS_SUCCESS);
    expect("irp-reused-in-use");
    CHECK(IoCancelIrp(receive.Irp));
    CHECK_STATUS(finish(&receive, NULL), STATUS_CANCELLED);
    close_socket(socket);
    release(&buffer);
}

static VOID a_send_of_pages_that_are_not_locked(VOID)
{
    SOCKADDR_IN address = loopback(RtlUshortByteSwap(9));
    PWSK_SOCKET socket = bound();
    BUFFER buffer = text("unlocked");
    PMDL mdl = buffer.Wsk.Mdl;
    PIRP irp = IoAllocateIrp(1, FALSE);
    KEVENT done;
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoSetCompletionRoutine(irp, request_completed, &done, TRUE, TRUE, TRUE);
    buffer.Wsk.Mdl = IoAllocateMdl(buffer.Data, 8, FALSE, FALSE, NULL);
    datagram(socket)->WskSendTo(socket, &buffer.Wsk, 0, (PSOCKADDR)&address, 0, NULL, irp);
    expect("mdl-not-locked");
    IoFreeMdl(buffer.Wsk.Mdl);
    buffer.Wsk.Mdl = mdl;
    close_socket(socket);
    IoFreeIrp(irp);
    release(&buffer);
}

static VOID an_npi_released_twice(VOID)
{
    WskReleaseProviderNPI(&registration);
    WskReleaseProviderNPI(&registration);
    expect("npi-not-captured");
    REQUIRE(NT_SUCCESS(WskCaptureProviderNPI(&registration, WSK_NO_WAIT, &provider)));
}

int main(void)
{
    SKUA_CONFIG config = { .Size = sizeof(config), .OnFinding = SkuaFindingsRecord };
    CHECK_STATUS(SkuaConfigure(&config), STATUS_SUCCESS);
    waiting_at_dispatch_level();
    CHECK_STATUS(SkuaConfigure(&config), STATUS_INVALID_DEVICE_STATE);
    a_wait_for_what_is_no_event();
    pageable_code_at_dispatch_level();
    pool_freed_twice();
    pool_freed_under_another_tag();
    start_client();
    an_irp_freed_while_it_is_in_use();
    an_irp_reused_while_it_is_in_use();
    a_send_of_pages_that_are_not_locked();
    an_npi_released_twice();
    return end_client();
}
