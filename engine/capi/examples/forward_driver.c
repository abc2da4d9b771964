/*
 * The forwarder as a driver. DriverEntry opens the engine and waits for nothing; a thread of its own waits for the network stack and
 * opens the sockets; DriverUnload closes everything, however long that takes.
 */
#include <ntifs.h>

#include "forward.h"

static FORWARDER forwarder;
static KEVENT unloading;
static HANDLE thread;

static VOID NTAPI Start(PVOID context)
{
    LARGE_INTEGER at_once;
    SKUA_ENDPOINT inside, outside;
    SKUA_STATUS status;
    UNREFERENCED_PARAMETER(context);
    at_once.QuadPart = 0;
    ForwardExample(&forwarder, &inside, &outside);
    do
        status = ForwardStart(&forwarder, &inside, &outside, 100);
    while (status == SKUA_STATUS_DEVICE_NOT_READY
           && KeWaitForSingleObject(&unloading, Executive, KernelMode, FALSE, &at_once) == STATUS_TIMEOUT);
    DbgPrint("forward: started: %08x\n", status);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI Unload(PDRIVER_OBJECT driver)
{
    SKUA_STATISTICS statistics;
    SKUA_STATUS status;
    UNREFERENCED_PARAMETER(driver);
    KeSetEvent(&unloading, IO_NO_INCREMENT, FALSE);
    ZwWaitForSingleObject(thread, FALSE, NULL);
    ZwClose(thread);
    statistics.Size = sizeof(statistics);
    if (SKUA_SUCCESS(SkuaQueryStatistics(&forwarder.Engine, &statistics)))
        DbgPrint("forward: indicated %d, forwarded %d, dropped %d\n", (int)statistics.Indicated,
                 (int)statistics.SendsCompleted, (int)SkuaDropped(&statistics));
    status = ForwardClose(&forwarder, 0xFFFFFFFF);
    DbgPrint("forward: unloaded: %08x\n", status);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    NTSTATUS status;
    UNREFERENCED_PARAMETER(path);
    KeInitializeEvent(&unloading, NotificationEvent, FALSE);
    status = ForwardOpen(&forwarder);
    if (NT_SUCCESS(status)) {
        status = PsCreateSystemThread(&thread, SYNCHRONIZE, NULL, NULL, NULL, Start, NULL);
        if (!NT_SUCCESS(status))
            ForwardClose(&forwarder, 0xFFFFFFFF);
    }
    driver->DriverUnload = Unload;
    DbgPrint("forward: loaded: %08x\n", status);
    return status;
}
