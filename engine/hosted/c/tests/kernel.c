/* NT's routines that clients use beside WSK: waits, locks, lists, pool, packets, strings, messages. */
#include "client.h"

#include <ip2string.h>
#include <mstcpip.h>
#include <ntstrsafe.h>

#define ROUNDS 2000

static PVOID thread(PKSTART_ROUTINE routine, PVOID context)
{
    HANDLE handle;
    PVOID object = NULL;
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    CHECK_STATUS(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, &attributes, NULL, NULL, routine, context), STATUS_SUCCESS);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &object, NULL), STATUS_SUCCESS);
    CHECK_STATUS(ZwClose(handle), STATUS_SUCCESS);
    CHECK_STATUS(ZwClose(handle), STATUS_INVALID_HANDLE);
    return object;
}

static VOID join(PVOID object)
{
    CHECK(signalled(object));
    ObDereferenceObject(object);
}

/* Two threads that take turns by synchronization events, and count under every kind of lock. */

static KEVENT turn[2];
static KMUTEX mutex;
static FAST_MUTEX fast;
static EX_PUSH_LOCK push;
static ERESOURCE resource;
static EX_SPIN_LOCK shared;
static ULONG counts[5];

static VOID player(PVOID context)
{
    ULONG me = (ULONG)(ULONG_PTR)context, round;
    for (round = 0; round < ROUNDS; round++) {
        KIRQL irql;
        KeWaitForSingleObject(&turn[me], Executive, KernelMode, FALSE, NULL);
        KeSetEvent(&turn[!me], IO_NO_INCREMENT, FALSE);
        KeWaitForMutexObject(&mutex, Executive, KernelMode, FALSE, NULL);
        KeWaitForSingleObject(&mutex, Executive, KernelMode, FALSE, NULL);
        counts[0]++;
        KeReleaseMutex(&mutex, FALSE);
        KeReleaseMutex(&mutex, FALSE);
        ExAcquireFastMutex(&fast);
        CHECK(KeGetCurrentIrql() == APC_LEVEL);
        counts[1]++;
        ExReleaseFastMutex(&fast);
        KeEnterCriticalRegion();
        ExAcquirePushLockExclusive(&push);
        counts[2]++;
        ExReleasePushLockExclusive(&push);
        ExAcquirePushLockShared(&push);
        ExReleasePushLockShared(&push);
        ExAcquireResourceExclusiveLite(&resource, TRUE);
        counts[3]++;
        ExReleaseResourceLite(&resource);
        KeLeaveCriticalRegion();
        irql = ExAcquireSpinLockExclusive(&shared);
        counts[4]++;
        ExReleaseSpinLockExclusive(&shared, irql);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID locks(VOID)
{
    PVOID threads[2];
    ULONG which;
    KeInitializeEvent(&turn[0], SynchronizationEvent, TRUE);
    KeInitializeEvent(&turn[1], SynchronizationEvent, FALSE);
    KeInitializeMutex(&mutex, 0);
    ExInitializeFastMutex(&fast);
    ExInitializePushLock(&push);
    ExInitializeResourceLite(&resource);
    for (which = 0; which < 2; which++)
        threads[which] = thread(player, (PVOID)(ULONG_PTR)which);
    for (which = 0; which < 2; which++)
        join(threads[which]);
    for (which = 0; which < 5; which++)
        CHECK(counts[which] == 2 * ROUNDS);
    ExDeleteResourceLite(&resource);
}

static VOID waits(VOID)
{
    KEVENT first, second;
    KSEMAPHORE semaphore;
    PVOID objects[3] = { &first, &second, &semaphore };
    LARGE_INTEGER time;
    KeInitializeEvent(&first, NotificationEvent, FALSE);
    KeInitializeEvent(&second, SynchronizationEvent, TRUE);
    KeInitializeSemaphore(&semaphore, 0, 5);
    time.QuadPart = -10000;
    CHECK_STATUS(KeWaitForMultipleObjects(3, objects, WaitAny, Executive, KernelMode, FALSE, &time, NULL), STATUS_WAIT_1);
    CHECK_STATUS(KeWaitForMultipleObjects(3, objects, WaitAny, Executive, KernelMode, FALSE, &time, NULL), STATUS_TIMEOUT);
    CHECK(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 2, FALSE) == 0);
    CHECK_STATUS(KeWaitForMultipleObjects(3, objects, WaitAny, Executive, KernelMode, FALSE, NULL, NULL), STATUS_WAIT_2);
    CHECK(KeReadStateSemaphore(&semaphore) == 1);
    KeSetEvent(&first, IO_NO_INCREMENT, FALSE);
    CHECK_STATUS(KeWaitForMultipleObjects(3, objects, WaitAll, Executive, KernelMode, FALSE, &time, NULL), STATUS_TIMEOUT);
    CHECK(KeSetEvent(&second, IO_NO_INCREMENT, FALSE) == 0);
    CHECK_STATUS(KeWaitForMultipleObjects(3, objects, WaitAll, Executive, KernelMode, FALSE, NULL, NULL), STATUS_SUCCESS);
    CHECK(KeReadStateEvent(&first) && !KeReadStateEvent(&second) && !KeReadStateSemaphore(&semaphore));
    CHECK(KeResetEvent(&first) == 1);
    KeClearEvent(&first);
    /* An absolute time that is past. */
    time.QuadPart = 1;
    CHECK_STATUS(KeWaitForSingleObject(&first, Executive, KernelMode, FALSE, &time), STATUS_TIMEOUT);
}

static LONG fired;

static VOID deferred(PKDPC dpc, PVOID context, PVOID one, PVOID two)
{
    UNREFERENCED_PARAMETER(dpc);
    UNREFERENCED_PARAMETER(one);
    UNREFERENCED_PARAMETER(two);
    CHECK(context == &fired && KeGetCurrentIrql() == DISPATCH_LEVEL);
    InterlockedIncrement(&fired);
}

static VOID timers(VOID)
{
    KTIMER timer;
    KDPC dpc;
    LARGE_INTEGER due;
    KeInitializeDpc(&dpc, deferred, &fired);
    KeInitializeTimerEx(&timer, SynchronizationTimer);
    due.QuadPart = -10000;
    CHECK(!KeSetTimerEx(&timer, due, 1, &dpc));
    CHECK(signalled(&timer) && signalled(&timer) && signalled(&timer));
    KeCancelTimer(&timer);
    KeFlushQueuedDpcs();
    CHECK(ReadAcquire(&fired) >= 1);
    KeInitializeTimer(&timer);
    due.QuadPart = -10000ll * 1000 * 3600;
    CHECK(!KeSetTimer(&timer, due, NULL));
    CHECK(!KeReadStateTimer(&timer));
    CHECK(KeCancelTimer(&timer) && !KeCancelTimer(&timer));
}

typedef struct _ITEM {
    SLIST_ENTRY Entry;
    LIST_ENTRY Link;
    ULONG Number;
} ITEM;

static VOID lists(VOID)
{
    SLIST_HEADER head;
    LIST_ENTRY list;
    KSPIN_LOCK lock;
    ITEM *items = (ITEM *)ExAllocatePool2(POOL_FLAG_NON_PAGED, 3 * sizeof(ITEM), TAG);
    ULONG number;
    REQUIRE(items);
    InitializeSListHead(&head);
    InitializeListHead(&list);
    KeInitializeSpinLock(&lock);
    for (number = 0; number < 3; number++) {
        items[number].Number = number;
        InterlockedPushEntrySList(&head, &items[number].Entry);
        ExInterlockedInsertTailList(&list, &items[number].Link, &lock);
    }
    CHECK(QueryDepthSList(&head) == 3);
    CHECK(CONTAINING_RECORD(InterlockedPopEntrySList(&head), ITEM, Entry)->Number == 2);
    CHECK(InterlockedFlushSList(&head) == &items[1].Entry && items[1].Entry.Next == &items[0].Entry);
    CHECK(!InterlockedPopEntrySList(&head) && !QueryDepthSList(&head));
    CHECK(CONTAINING_RECORD(ExInterlockedRemoveHeadList(&list, &lock), ITEM, Link)->Number == 0);
    CHECK(CONTAINING_RECORD(RemoveTailList(&list), ITEM, Link)->Number == 2);
    CHECK(RemoveEntryList(&items[1].Link) && IsListEmpty(&list));
    ExFreePoolWithTag(items, TAG);
}

static LONG allocations;

static PVOID allocate_entry(POOL_TYPE type, SIZE_T bytes, ULONG tag, PLOOKASIDE_LIST_EX list)
{
    UNREFERENCED_PARAMETER(list);
    InterlockedIncrement(&allocations);
    return ExAllocatePoolWithTag(type, bytes, tag);
}

static VOID free_entry(PVOID entry, PLOOKASIDE_LIST_EX list)
{
    UNREFERENCED_PARAMETER(list);
    ExFreePool(entry);
}

static VOID pools(VOID)
{
    NPAGED_LOOKASIDE_LIST old;
    LOOKASIDE_LIST_EX list;
    PUCHAR memory;
    ULONG at;
    ExInitializeNPagedLookasideList(&old, NULL, NULL, 0, 100, TAG, 0);
    memory = (PUCHAR)ExAllocateFromNPagedLookasideList(&old);
    CHECK(memory && !((ULONG_PTR)memory & 15));
    ExFreeToNPagedLookasideList(&old, memory);
    ExDeleteNPagedLookasideList(&old);
    CHECK_STATUS(ExInitializeLookasideListEx(&list, allocate_entry, free_entry, NonPagedPoolNx, 0, 100, TAG, 0), STATUS_SUCCESS);
    memory = (PUCHAR)ExAllocateFromLookasideListEx(&list);
    CHECK(memory && allocations == 1);
    ExFreeToLookasideListEx(&list, memory);
    ExDeleteLookasideListEx(&list);
    memory = (PUCHAR)ExAllocatePoolZero(NonPagedPool, 1000, TAG);
    for (at = 0; at < 1000; at++)
        CHECK(!memory[at]);
    ExFreePoolWithTag(memory, TAG);
    CHECK(!ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_PAGED, 10, TAG));
}

static NTSTATUS counted(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    UNREFERENCED_PARAMETER(device);
    CHECK(!irp->PendingReturned);
    InterlockedIncrement((LONG *)context);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static VOID packets(VOID)
{
    LONG completed = 0;
    ULONG round;
    /* Two locations: this driver's own, and the next one's. */
    PIRP irp = IoAllocateIrp(2, FALSE);
    REQUIRE(irp);
    CHECK(irp->StackCount == 2 && irp->CurrentLocation == 3 && irp->Size == IoSizeOfIrp(2));
    for (round = 0; round < 2; round++) {
        IoSetNextIrpStackLocation(irp);
        IoCopyCurrentIrpStackLocationToNext(irp);
        IoSetCompletionRoutine(irp, counted, &completed, TRUE, TRUE, TRUE);
        IoSetNextIrpStackLocation(irp);
        irp->IoStatus.Status = STATUS_SUCCESS;
        IoCompleteRequest(irp, IO_NO_INCREMENT);
        CHECK(completed == (LONG)round + 1);
        IoSkipCurrentIrpStackLocation(irp);
        IoReuseIrp(irp, STATUS_UNSUCCESSFUL);
        CHECK(irp->IoStatus.Status == STATUS_UNSUCCESSFUL && irp->CurrentLocation == 3);
    }
    IoFreeIrp(irp);
}

static VOID descriptors(VOID)
{
    PUCHAR memory = (PUCHAR)ExAllocatePool2(POOL_FLAG_NON_PAGED, 3 * PAGE_SIZE, TAG);
    PMDL whole = IoAllocateMdl(memory + 5, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    PMDL part = IoAllocateMdl(memory + 5, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    REQUIRE(memory && whole && part);
    MmProbeAndLockPages(whole, KernelMode, IoModifyAccess);
    IoBuildPartialMdl(whole, part, memory + 105, 1000);
    CHECK(MmGetSystemAddressForMdlSafe(part, NormalPagePriority) == memory + 105 && MmGetMdlByteCount(part) == 1000);
    MmPrepareMdlForReuse(part);
    IoBuildPartialMdl(whole, part, memory + 205, 0);
    CHECK(MmGetMdlByteCount(part) == 2 * PAGE_SIZE - 200);
    CHECK(MmSizeOfMdl(memory + 5, 2 * PAGE_SIZE) <= 48 + 4 * 8);
    MmUnlockPages(whole);
    IoFreeMdl(part);
    IoFreeMdl(whole);
    ExFreePoolWithTag(memory, TAG);
}

static VOID strings(VOID)
{
    DECLARE_CONST_UNICODE_STRING(constant, L"\\Device\\Constant");
    UNICODE_STRING one, two, number, wide;
    ANSI_STRING narrow;
    WCHAR room[40], digits[12];
    CHAR line[200];
    ULONG value = 0;
    SIZE_T length = 0;
    RtlInitUnicodeString(&one, L"Winsock");
    CHECK(one.Length == 14 && one.MaximumLength == 16);
    two.Buffer = room;
    two.Length = 0;
    two.MaximumLength = sizeof(room);
    CHECK_STATUS(RtlAppendUnicodeStringToString(&two, &one), STATUS_SUCCESS);
    CHECK_STATUS(RtlAppendUnicodeToString(&two, L" KERNEL"), STATUS_SUCCESS);
    RtlInitUnicodeString(&one, L"winsock kernel");
    CHECK(RtlEqualUnicodeString(&one, &two, TRUE) && !RtlEqualUnicodeString(&one, &two, FALSE));
    number.Buffer = digits;
    number.Length = 0;
    number.MaximumLength = sizeof(digits);
    CHECK_STATUS(RtlIntegerToUnicodeString(48879, 16, &number), STATUS_SUCCESS);
    CHECK_STATUS(RtlUnicodeStringToInteger(&number, 16, &value), STATUS_SUCCESS);
    CHECK(value == 0xBEEF);
    CHECK_STATUS(RtlUnicodeStringToAnsiString(&narrow, &two, TRUE), STATUS_SUCCESS);
    CHECK(narrow.Length == 14 && !strcmp(narrow.Buffer, "Winsock KERNEL"));
    CHECK_STATUS(RtlAnsiStringToUnicodeString(&wide, &narrow, TRUE), STATUS_SUCCESS);
    CHECK(RtlEqualUnicodeString(&wide, &two, FALSE));
    RtlFreeUnicodeString(&wide);
    RtlFreeAnsiString(&narrow);

    CHECK_STATUS(RtlStringCbPrintfA(line, sizeof(line), "%d|%5u|%-5u|%05lx|%08X|%I64d|%llu|%c|%s|%ws|%S|%wZ|%%|%p", -7, 42u,
        42u, 0xABCul, 0xC000000Du, -5ll, 5ull, 'c', "narrow", L"wide", L"WIDE", &constant, (PVOID)0xABCD), STATUS_SUCCESS);
    CHECK(!strcmp(line, "-7|   42|42   |00abc|C000000D|-5|5|c|narrow|wide|WIDE|\\Device\\Constant|%|000000000000ABCD"));
    CHECK_STATUS(RtlStringCbPrintfA(line, 5, "too long"), STATUS_BUFFER_OVERFLOW);
    CHECK(!strcmp(line, "too "));
    CHECK_STATUS(RtlStringCbPrintfA(line, sizeof(line), "%.3s|%*d|%hu|%x", "abcdef", 4, 7, 65537, 0xFFFFFFFFu), STATUS_SUCCESS);
    CHECK(!strcmp(line, "abc|   7|1|ffffffff"));
    CHECK_STATUS(RtlStringCbPrintfW(room, sizeof(room), L"%s|%S|%wZ|%d|%ws|\u00e9", L"wide", "narrow", &one, -7, L"w"), STATUS_SUCCESS);
    CHECK(!wcscmp(room, L"wide|narrow|winsock kernel|-7|w|\u00e9"));
    CHECK_STATUS(RtlStringCchPrintfW(room, 4, L"cut here"), STATUS_BUFFER_OVERFLOW);
    CHECK(wcslen(room) == 3 && wcschr(room, L't') == room + 2 && !wcsncmp(room, L"cue", 2));
    CHECK_STATUS(RtlStringCchLengthW(L"four", 10, &length), STATUS_SUCCESS);
    CHECK(length == 4);
    CHECK_STATUS(RtlStringCbCopyA(line, 3, "abc"), STATUS_BUFFER_OVERFLOW);
    DbgPrintEx(DPFLTR_IHVNETWORK_ID, DPFLTR_INFO_LEVEL, "a message of %s\n", "kernel.c");
    KdPrint(("and this only where DBG is not 0\n"));
}

static VOID addresses(VOID)
{
    SOCKADDR_INET address;
    CHAR text[65];
    WCHAR wide[65];
    PCSTR end;
    PCWSTR wide_end;
    ULONG length = ARRAYSIZE(text);
    CHECK_STATUS(RtlIpv4StringToAddressA("192.0.2.7:80", TRUE, &end, &address.Ipv4.sin_addr), STATUS_SUCCESS);
    CHECK(*end == ':' && address.Ipv4.sin_addr.S_un.S_un_b.s_b1 == 192 && address.Ipv4.sin_addr.S_un.S_un_b.s_b4 == 7);
    CHECK_STATUS(RtlIpv4AddressToStringExA(&address.Ipv4.sin_addr, RtlUshortByteSwap(80), text, &length), STATUS_SUCCESS);
    CHECK(!strcmp(text, "192.0.2.7:80") && length == 13);
    CHECK_STATUS(RtlIpv6StringToAddressW(L"2001:db8::1", &wide_end, &address.Ipv6.sin6_addr), STATUS_SUCCESS);
    CHECK(!*wide_end && address.Ipv6.sin6_addr.s6_bytes[15] == 1);
    CHECK(RtlIpv6AddressToStringW(&address.Ipv6.sin6_addr, wide) == wide + 11 && !wcscmp(wide, L"2001:db8::1"));
    CHECK_STATUS(RtlIpv4StringToAddressW(L"no address", FALSE, &wide_end, &address.Ipv4.sin_addr), STATUS_INVALID_PARAMETER);
    address.si_family = AF_INET6;
    INETADDR_SETLOOPBACK((PSOCKADDR)&address);
    CHECK(INETADDR_ISLOOPBACK((PSOCKADDR)&address) && !INETADDR_ISANY((PSOCKADDR)&address));
}

static VOID processors(VOID)
{
    PROCESSOR_NUMBER number;
    KIRQL irql = KeRaiseIrqlToDpcLevel();
    ULONG index = KeGetCurrentProcessorNumberEx(&number);
    CHECK(index == KeGetCurrentProcessorIndex() && index < KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS));
    KeLowerIrql(irql);
    CHECK(KeQueryActiveGroupCount() == 1 && KeQueryActiveProcessors());
    CHECK_STATUS(KeGetProcessorNumberFromIndex(index, &number), STATUS_SUCCESS);
    CHECK(KeGetProcessorIndexFromNumber(&number) == index);
    CHECK(IoGetCurrentProcess() == PsInitialSystemProcess && PsGetCurrentThread());
}

static VOID interlocked(VOID)
{
    LONG value = 5;
    LONG64 wide = 0;
    PVOID pointer = NULL;
    CHECK(InterlockedIncrement(&value) == 6 && InterlockedExchangeAdd(&value, 4) == 6 && InterlockedAdd(&value, 1) == 11);
    CHECK(InterlockedCompareExchange(&value, 1, 11) == 11 && InterlockedCompareExchange(&value, 2, 11) == 1 && value == 1);
    CHECK(InterlockedOr(&value, 6) == 1 && InterlockedAnd(&value, 3) == 7 && value == 3);
    CHECK(!InterlockedBitTestAndSet(&value, 4) && InterlockedBitTestAndReset(&value, 4) && value == 3);
    CHECK(InterlockedIncrement64(&wide) == 1 && ReadAcquire(&value) == 3);
    CHECK(!InterlockedExchangePointer(&pointer, &value) && InterlockedCompareExchangePointer(&pointer, NULL, &value) == &value);
    CHECK(!ReadPointerAcquire(&pointer) && RtlUshortByteSwap(0x1234) == 0x3412);
}

int main(void)
{
    locks();
    waits();
    timers();
    lists();
    pools();
    packets();
    descriptors();
    strings();
    addresses();
    processors();
    interlocked();
    CHECK(SkuaCheckLeaks() == 0);
    return wrong != 0;
}
