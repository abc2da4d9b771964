/*
 * Tries the routines that ntosshim.exe supplies, as a driver calls them. It loads when all of them do what Windows' do, and
 * prints a line for each that does not.
 */
#include <ntddk.h>

#define TAG 0x74756f52u /* Rout */
#define ROUNDS 20000
#define CHECK(what) do { if (!(what)) { DbgPrint("routines: line %d: %s\n", __LINE__, #what); failed++; } } while (0)

static LONG failed;

/* What mingw-w64's headers make privileged instructions of, or do not have. */
static KIRQL (NTAPI *current_irql)(VOID);
static KIRQL (NTAPI *raise_to_dpc)(VOID);
static VOID (NTAPI *lower_irql)(KIRQL);
static PVOID (NTAPI *allocate_pool_2)(ULONGLONG, SIZE_T, ULONG);
static ULONGLONG (NTAPI *interrupt_time)(VOID);
static ULONGLONG (NTAPI *interrupt_time_precise)(PULONGLONG);
static VOID (NTAPI *system_time_precise)(PLARGE_INTEGER);

static PVOID find(PCWSTR name)
{
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, name);
    return MmGetSystemRoutineAddress(&string);
}

static BOOLEAN find_all(VOID)
{
    current_irql = find(L"KeGetCurrentIrql");
    raise_to_dpc = find(L"KeRaiseIrqlToDpcLevel");
    lower_irql = find(L"KeLowerIrql");
    allocate_pool_2 = find(L"ExAllocatePool2");
    interrupt_time = find(L"KeQueryInterruptTime");
    interrupt_time_precise = find(L"KeQueryInterruptTimePrecise");
    system_time_precise = find(L"KeQuerySystemTimePrecise");
    CHECK(find(L"KeSetEvent"));
    CHECK(!find(L"KeSetEventIsNotAName"));
    return current_irql && raise_to_dpc && lower_irql && allocate_pool_2 && interrupt_time
        && interrupt_time_precise && system_time_precise;
}

static VOID rest(LONG milliseconds)
{
    LARGE_INTEGER time;
    time.QuadPart = -10000ll * milliseconds;
    KeDelayExecutionThread(KernelMode, FALSE, &time);
}

static PVOID start(PKSTART_ROUTINE routine, PVOID context)
{
    HANDLE handle;
    PVOID thread = NULL;
    if (NT_SUCCESS(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, routine, context))) {
        ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, NULL, KernelMode, &thread, NULL);
        ZwClose(handle);
    }
    CHECK(thread);
    return thread;
}

static VOID join(PVOID thread)
{
    if (thread) {
        KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(thread);
    }
}

static VOID levels(VOID)
{
    KIRQL first, second;
    CHECK(current_irql() == PASSIVE_LEVEL);
    first = raise_to_dpc();
    second = raise_to_dpc();
    CHECK(first == PASSIVE_LEVEL && second == DISPATCH_LEVEL && current_irql() == DISPATCH_LEVEL);
    lower_irql(second);
    CHECK(current_irql() == DISPATCH_LEVEL);
    /* To the level before both, at once. */
    raise_to_dpc();
    lower_irql(first);
    CHECK(current_irql() == PASSIVE_LEVEL);
}

static volatile LONG inside[64];
static volatile LONG entered_twice;
static KSPIN_LOCK lock;
static ULONG counted;

static VOID NTAPI occupy(PVOID context)
{
    int round;
    UNREFERENCED_PARAMETER(context);
    for (round = 0; round < ROUNDS; round++) {
        KIRQL before = raise_to_dpc();
        ULONG processor = KeGetCurrentProcessorNumberEx(NULL);
        if (InterlockedIncrement(&inside[processor & 63]) != 1)
            entered_twice++;
        InterlockedDecrement(&inside[processor & 63]);
        lower_irql(before);
        KeAcquireSpinLock(&lock, &before);
        counted++;
        KeReleaseSpinLock(&lock, before);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID processors(VOID)
{
    PVOID threads[4];
    int thread;
    PROCESSOR_NUMBER number;
    ULONG index = KeGetCurrentProcessorNumberEx(&number);
    CHECK(number.Group == 0 && number.Number == index);
    CHECK(index < KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS));
    KeInitializeSpinLock(&lock);
    for (thread = 0; thread < 4; thread++)
        threads[thread] = start(occupy, NULL);
    for (thread = 0; thread < 4; thread++)
        join(threads[thread]);
    CHECK(!entered_twice);
    CHECK(counted == 4 * ROUNDS);
}

static struct { LONG ran; KIRQL irql; PVOID context, first, second; } call;

static VOID NTAPI deferred(PKDPC dpc, PVOID context, PVOID first, PVOID second)
{
    UNREFERENCED_PARAMETER(dpc);
    call.irql = current_irql();
    call.context = context;
    call.first = first;
    call.second = second;
    InterlockedIncrement(&call.ran);
}

static VOID deferred_calls(VOID)
{
    KDPC dpc;
    KeInitializeDpc(&dpc, deferred, &call);
    CHECK(KeInsertQueueDpc(&dpc, &failed, &lock));
    KeFlushQueuedDpcs();
    CHECK(call.ran == 1 && call.irql == DISPATCH_LEVEL);
    CHECK(call.context == &call && call.first == &failed && call.second == &lock);
    CHECK(KeInsertQueueDpc(&dpc, NULL, NULL));
    KeFlushQueuedDpcs();
    CHECK(call.ran == 2);
    CHECK(!KeRemoveQueueDpc(&dpc));
}

static VOID NTAPI work(PVOID event)
{
    CHECK(current_irql() == PASSIVE_LEVEL);
    KeSetEvent(event, IO_NO_INCREMENT, FALSE);
}

static VOID work_items(VOID)
{
    KEVENT event;
    WORK_QUEUE_ITEM item;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    ExInitializeWorkItem(&item, work, &event);
    ExQueueWorkItem(&item, DelayedWorkQueue);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

static EX_RUNDOWN_REF rundown;
static volatile LONG released;

static VOID NTAPI hold(PVOID context)
{
    UNREFERENCED_PARAMETER(context);
    rest(50);
    InterlockedExchange(&released, 1);
    ExReleaseRundownProtection(&rundown);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID run_down(VOID)
{
    PVOID thread;
    ExInitializeRundownProtection(&rundown);
    CHECK(ExAcquireRundownProtection(&rundown));
    thread = start(hold, NULL);
    ExWaitForRundownProtectionRelease(&rundown);
    CHECK(released);
    CHECK(!ExAcquireRundownProtection(&rundown));
    ExReInitializeRundownProtection(&rundown);
    CHECK(ExAcquireRundownProtection(&rundown));
    ExReleaseRundownProtection(&rundown);
    join(thread);
}

static VOID pool(VOID)
{
    int byte, dirty = 0;
    UCHAR *memory = allocate_pool_2(0x40 /* POOL_FLAG_NON_PAGED */, 1000, TAG);
    CHECK(memory && !((ULONG_PTR)memory & 15));
    for (byte = 0; memory && byte < 1000; byte++)
        dirty += memory[byte];
    CHECK(!dirty);
    if (memory)
        ExFreePoolWithTag(memory, TAG);
    CHECK(!allocate_pool_2(0, 1000, TAG));
}

static VOID descriptors(VOID)
{
    SIZE_T bytes = 5 * PAGE_SIZE;
    UCHAR *memory = ExAllocatePoolWithTag(NonPagedPool, bytes, TAG);
    UCHAR *in = memory + 100;
    MDL *mdl = IoAllocateMdl(in, 4 * PAGE_SIZE, FALSE, FALSE, NULL);
    MDL *part = IoAllocateMdl(in, 4 * PAGE_SIZE, FALSE, FALSE, NULL);
    CHECK(memory && mdl && part);
    if (!memory || !mdl || !part)
        return;
    CHECK(!(mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA)));
    MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
    CHECK(mdl->MdlFlags & MDL_PAGES_LOCKED && mdl->MdlFlags & MDL_WRITE_OPERATION);
    CHECK(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == in);
    CHECK(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA);
    IoBuildPartialMdl(mdl, part, in + 10, 20);
    CHECK(MmGetMdlByteCount(part) == 20 && MmGetSystemAddressForMdlSafe(part, NormalPagePriority) == in + 10);
    MmUnmapLockedPages(in, mdl);
    MmUnlockPages(mdl);
    CHECK(!(mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA)));
    MmBuildMdlForNonPagedPool(mdl);
    CHECK(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == in);
    IoFreeMdl(part);
    IoFreeMdl(mdl);
    ExFreePoolWithTag(memory, TAG);
}

static VOID clocks(VOID)
{
    ULONGLONG counter, before = interrupt_time(), precise = interrupt_time_precise(&counter), after;
    LARGE_INTEGER system, coarse, frequency, now = KeQueryPerformanceCounter(&frequency);
    rest(50);
    after = interrupt_time();
    /* 50 ms are 500,000 units; a machine that does other things takes longer, and none takes ten seconds. */
    CHECK(after - before >= 400000 && after - before < 100000000);
    CHECK(precise >= before && precise <= after);
    CHECK(counter <= (ULONGLONG)now.QuadPart && now.QuadPart - counter < (ULONGLONG)frequency.QuadPart);
    system_time_precise(&system);
    KeQuerySystemTime(&coarse);
    CHECK(coarse.QuadPart - system.QuadPart < 10000000 && system.QuadPart - coarse.QuadPart < 10000000);
}

static VOID cancel_lock(VOID)
{
    KIRQL before;
    IoAcquireCancelSpinLock(&before);
    CHECK(before == PASSIVE_LEVEL && current_irql() == DISPATCH_LEVEL);
    IoReleaseCancelSpinLock(before);
    CHECK(current_irql() == PASSIVE_LEVEL);
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    UNREFERENCED_PARAMETER(path);
    driver->DriverUnload = unload;
    if (!find_all()) {
        DbgPrint("routines: one that is looked up is not there\n");
        return STATUS_NOT_FOUND;
    }
    levels();
    processors();
    deferred_calls();
    work_items();
    run_down();
    pool();
    descriptors();
    clocks();
    cancel_lock();
    DbgPrint("routines: %d wrong\n", failed);
    return failed ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}
