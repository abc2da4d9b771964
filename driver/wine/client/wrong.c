/*
 * Breaks one rule of NT after the other. Loaded over ntosshim.exe, each is a line that begins with
 * `skua-wine: violation: `; it prints how many there should be.
 */
#include <ntddk.h>

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
}

static PVOID find(PCWSTR name)
{
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, name);
    return MmGetSystemRoutineAddress(&string);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    static UCHAR memory[64];
    KIRQL (NTAPI *raise)(VOID) = find(L"KeRaiseIrqlToDpcLevel");
    VOID (NTAPI *lower)(KIRQL) = find(L"KeLowerIrql");
    LARGE_INTEGER moment;
    KIRQL before;
    KSPIN_LOCK lock;
    KEVENT event;
    HANDLE key = NULL;
    PIRP irp = IoAllocateIrp(1, FALSE);
    MDL *mdl = IoAllocateMdl(memory, sizeof(memory), FALSE, FALSE, NULL);
    UNREFERENCED_PARAMETER(path);
    driver->DriverUnload = unload;
    if (!raise || !lower || !irp || !mdl)
        return STATUS_INSUFFICIENT_RESOURCES;
    moment.QuadPart = -10;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeInitializeSpinLock(&lock);

    before = raise();
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &moment); /* 1: waits at DISPATCH_LEVEL */
    KeDelayExecutionThread(KernelMode, FALSE, &moment);                   /* 2 */
    ZwClose(key);                                                         /* 3: pageable code there */
    lower(before);
    lower(DISPATCH_LEVEL);                                                /* 4: lowers to a higher level */
    KeAcquireSpinLockAtDpcLevel(&lock);                                   /* 5: at PASSIVE_LEVEL */
    before = raise();
    KeReleaseSpinLock(&lock, before);
    before = raise();
    KeReleaseSpinLock(&lock, before);                                     /* 6: nobody holds it */
    IoCompleteRequest(irp, IO_NO_INCREMENT);                              /* 7: no driver has it */
    IoFreeIrp(irp);
    MmUnlockPages(mdl);                                                   /* 8: not locked */
    MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority); /* 9 */
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    IoFreeMdl(mdl);                                                       /* 10: locked */
    DbgPrint("wrong: 10 rules broken\n");
    return STATUS_SUCCESS;
}
