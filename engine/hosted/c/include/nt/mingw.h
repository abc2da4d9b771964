/*
 * What mingw-w64's wdm.h lacks of the part of the kernel that wsk.h is used with, or has as instructions that only a kernel
 * may execute, which drivers under Wine are not.
 */
#ifndef SKUA_NT_MINGW_H
#define SKUA_NT_MINGW_H

#ifdef __cplusplus
extern "C" {
#endif

/* Wine's ntoskrnl.exe, or what stands for it, knows the level. */
KIRQL NTAPI SkuaGetCurrentIrql(VOID) __asm__("KeGetCurrentIrql");
VOID NTAPI SkuaLowerIrql(KIRQL NewIrql) __asm__("KeLowerIrql");
KIRQL NTAPI SkuaRaiseIrql(KIRQL NewIrql) __asm__("KfRaiseIrql");
KIRQL NTAPI SkuaRaiseIrqlToDpcLevel(VOID) __asm__("KeRaiseIrqlToDpcLevel");
#undef KeLowerIrql
#undef KeRaiseIrql
#define KeGetCurrentIrql SkuaGetCurrentIrql
#define KeLowerIrql SkuaLowerIrql
#define KfRaiseIrql SkuaRaiseIrql
#define KeRaiseIrqlToDpcLevel SkuaRaiseIrqlToDpcLevel
#define KeRaiseIrql(NewIrql, OldIrql) (*(OldIrql) = SkuaRaiseIrql(NewIrql))

/* Windows 10 2004: over the older routine, which every import library has. */
#ifndef POOL_FLAG_NON_PAGED
typedef ULONGLONG POOL_FLAGS;
#define POOL_FLAG_USE_QUOTA 0x0000000000000001ULL
#define POOL_FLAG_UNINITIALIZED 0x0000000000000002ULL
#define POOL_FLAG_CACHE_ALIGNED 0x0000000000000008ULL
#define POOL_FLAG_NON_PAGED 0x0000000000000040ULL
#define POOL_FLAG_NON_PAGED_EXECUTE 0x0000000000000080ULL
#define POOL_FLAG_PAGED 0x0000000000000100ULL

FORCEINLINE PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    POOL_FLAGS kind = Flags & (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED);
    PVOID memory;
    if (kind != POOL_FLAG_NON_PAGED && kind != POOL_FLAG_NON_PAGED_EXECUTE && kind != POOL_FLAG_PAGED)
        return NULL;
    memory = ExAllocatePoolWithTag(kind == POOL_FLAG_PAGED ? PagedPool : NonPagedPool, NumberOfBytes, Tag);
    if (memory != NULL && !(Flags & POOL_FLAG_UNINITIALIZED))
        RtlZeroMemory(memory, NumberOfBytes);
    return memory;
}

FORCEINLINE PVOID ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    PVOID memory = ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag);
    if (memory != NULL)
        RtlZeroMemory(memory, NumberOfBytes);
    return memory;
}
#endif

/* Not by a call into the C library, which drivers have none of. */
#undef RtlUshortByteSwap
#undef RtlUlongByteSwap
#undef RtlUlonglongByteSwap
#define RtlUshortByteSwap(Value) __builtin_bswap16((USHORT)(Value))
#define RtlUlongByteSwap(Value) __builtin_bswap32((ULONG)(Value))
#define RtlUlonglongByteSwap(Value) __builtin_bswap64((ULONGLONG)(Value))

#ifndef MdlMappingNoExecute
#define MdlMappingNoWrite 0x80000000u
#define MdlMappingNoExecute 0x40000000u
#endif

#ifndef ReadPointerNoFence
#define ReadPointerNoFence(Source) __atomic_load_n((PVOID CONST volatile *)(Source), __ATOMIC_RELAXED)
#define ReadPointerAcquire(Source) __atomic_load_n((PVOID CONST volatile *)(Source), __ATOMIC_ACQUIRE)
#define WritePointerRelease(Destination, Value) \
    __atomic_store_n((PVOID volatile *)(Destination), (PVOID)(Value), __ATOMIC_RELEASE)
#endif
#ifndef ReadAcquire
#define ReadAcquire(Source) __atomic_load_n((LONG CONST volatile *)(Source), __ATOMIC_ACQUIRE)
#define ReadNoFence(Source) __atomic_load_n((LONG CONST volatile *)(Source), __ATOMIC_RELAXED)
#define WriteRelease(Destination, Value) __atomic_store_n((LONG volatile *)(Destination), (Value), __ATOMIC_RELEASE)
#endif

#ifdef __cplusplus
}
#endif

#endif /* SKUA_NT_MINGW_H */
