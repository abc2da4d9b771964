/* Operations that no other processor sees in the middle; barriers. Part of wdm.h. */
#ifndef SKUA_NT_INTERLOCKED_H
#define SKUA_NT_INTERLOCKED_H

#include <ntdef.h>

EXTERN_C_START

#define SKUA_INTERLOCKED_(Suffix, Type)                                                                     \
    FORCEINLINE Type InterlockedIncrement##Suffix(Type volatile *Addend)                                    \
    {                                                                                                       \
        return __atomic_add_fetch(Addend, 1, __ATOMIC_SEQ_CST);                                             \
    }                                                                                                       \
    FORCEINLINE Type InterlockedDecrement##Suffix(Type volatile *Addend)                                    \
    {                                                                                                       \
        return __atomic_sub_fetch(Addend, 1, __ATOMIC_SEQ_CST);                                             \
    }                                                                                                       \
    FORCEINLINE Type InterlockedExchangeAdd##Suffix(Type volatile *Addend, Type Value)                      \
    {                                                                                                       \
        return __atomic_fetch_add(Addend, Value, __ATOMIC_SEQ_CST);                                         \
    }                                                                                                       \
    FORCEINLINE Type InterlockedAdd##Suffix(Type volatile *Addend, Type Value)                              \
    {                                                                                                       \
        return __atomic_add_fetch(Addend, Value, __ATOMIC_SEQ_CST);                                         \
    }                                                                                                       \
    FORCEINLINE Type InterlockedExchange##Suffix(Type volatile *Target, Type Value)                         \
    {                                                                                                       \
        return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);                                        \
    }                                                                                                       \
    FORCEINLINE Type InterlockedAnd##Suffix(Type volatile *Target, Type Value)                              \
    {                                                                                                       \
        return __atomic_fetch_and(Target, Value, __ATOMIC_SEQ_CST);                                         \
    }                                                                                                       \
    FORCEINLINE Type InterlockedOr##Suffix(Type volatile *Target, Type Value)                               \
    {                                                                                                       \
        return __atomic_fetch_or(Target, Value, __ATOMIC_SEQ_CST);                                          \
    }                                                                                                       \
    FORCEINLINE Type InterlockedXor##Suffix(Type volatile *Target, Type Value)                              \
    {                                                                                                       \
        return __atomic_fetch_xor(Target, Value, __ATOMIC_SEQ_CST);                                         \
    }                                                                                                       \
    FORCEINLINE Type InterlockedCompareExchange##Suffix(Type volatile *Target, Type Value, Type Comparand)  \
    {                                                                                                       \
        __atomic_compare_exchange_n(Target, &Comparand, Value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
        return Comparand;                                                                                   \
    }

SKUA_INTERLOCKED_(, LONG)
SKUA_INTERLOCKED_(8, CHAR)
SKUA_INTERLOCKED_(16, SHORT)
SKUA_INTERLOCKED_(64, LONG64)
SKUA_INTERLOCKED_(SizeT, SIZE_T)

FORCEINLINE PVOID InterlockedExchangePointer_(PVOID volatile *Target, PVOID Value)
{
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}

FORCEINLINE PVOID InterlockedCompareExchangePointer_(PVOID volatile *Target, PVOID Value, PVOID Comparand)
{
    __atomic_compare_exchange_n(Target, &Comparand, Value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return Comparand;
}

FORCEINLINE PVOID SkuaReadPointer_(PVOID CONST volatile *Source, int Order)
{
    return Order ? __atomic_load_n(Source, __ATOMIC_ACQUIRE) : __atomic_load_n(Source, __ATOMIC_RELAXED);
}

/* As in Windows' headers, targets are pointers to pointers of any type. */
#define InterlockedExchangePointer(Target, Value) \
    InterlockedExchangePointer_((PVOID volatile *)(Target), (PVOID)(Value))
#define InterlockedCompareExchangePointer(Target, Value, Comparand) \
    InterlockedCompareExchangePointer_((PVOID volatile *)(Target), (PVOID)(Value), (PVOID)(Comparand))

FORCEINLINE BOOLEAN InterlockedBitTestAndSet(LONG volatile *Base, LONG Bit)
{
    return (BOOLEAN)((__atomic_fetch_or(Base + Bit / 32, (LONG)(1u << (Bit & 31)), __ATOMIC_SEQ_CST) >> (Bit & 31)) & 1);
}

FORCEINLINE BOOLEAN InterlockedBitTestAndReset(LONG volatile *Base, LONG Bit)
{
    return (BOOLEAN)((__atomic_fetch_and(Base + Bit / 32, (LONG)~(1u << (Bit & 31)), __ATOMIC_SEQ_CST) >> (Bit & 31)) & 1);
}

/* Weaker orders are as strong here. */

#define InterlockedIncrementAcquire InterlockedIncrement
#define InterlockedIncrementRelease InterlockedIncrement
#define InterlockedIncrementNoFence InterlockedIncrement
#define InterlockedDecrementAcquire InterlockedDecrement
#define InterlockedDecrementRelease InterlockedDecrement
#define InterlockedDecrementNoFence InterlockedDecrement
#define InterlockedExchangeAcquire InterlockedExchange
#define InterlockedExchangeNoFence InterlockedExchange
#define InterlockedExchangeAddNoFence InterlockedExchangeAdd
#define InterlockedAndNoFence InterlockedAnd
#define InterlockedOrNoFence InterlockedOr
#define InterlockedOrAcquire InterlockedOr
#define InterlockedOrRelease InterlockedOr
#define InterlockedCompareExchangeAcquire InterlockedCompareExchange
#define InterlockedCompareExchangeRelease InterlockedCompareExchange
#define InterlockedCompareExchangeNoFence InterlockedCompareExchange
#define InterlockedCompareExchangePointerAcquire InterlockedCompareExchangePointer
#define InterlockedCompareExchangePointerRelease InterlockedCompareExchangePointer
#define InterlockedCompareExchangePointerNoFence InterlockedCompareExchangePointer
#define InterlockedExchangePointerNoFence InterlockedExchangePointer
#define InterlockedIncrementNoFence64 InterlockedIncrement64
#define InterlockedIncrement64NoFence InterlockedIncrement64
#define InterlockedAddNoFence64 InterlockedAdd64
#define InterlockedExchangeAddNoFence64 InterlockedExchangeAdd64
#define _InterlockedIncrement InterlockedIncrement
#define _InterlockedDecrement InterlockedDecrement
#define _InterlockedExchange InterlockedExchange
#define _InterlockedExchangeAdd InterlockedExchangeAdd
#define _InterlockedCompareExchange InterlockedCompareExchange
#define _InterlockedCompareExchange64 InterlockedCompareExchange64
#define _InterlockedCompareExchangePointer InterlockedCompareExchangePointer
#define _InterlockedAnd InterlockedAnd
#define _InterlockedOr InterlockedOr

#define SKUA_READ_WRITE_(Suffix, Type)                                                                      \
    FORCEINLINE Type Read##Suffix##Acquire(Type CONST volatile *Source)                                     \
    {                                                                                                       \
        return __atomic_load_n(Source, __ATOMIC_ACQUIRE);                                                   \
    }                                                                                                       \
    FORCEINLINE Type Read##Suffix##NoFence(Type CONST volatile *Source)                                     \
    {                                                                                                       \
        return __atomic_load_n(Source, __ATOMIC_RELAXED);                                                   \
    }                                                                                                       \
    FORCEINLINE Type Read##Suffix##Raw(Type CONST volatile *Source)                                         \
    {                                                                                                       \
        return __atomic_load_n(Source, __ATOMIC_RELAXED);                                                   \
    }                                                                                                       \
    FORCEINLINE VOID Write##Suffix##Release(Type volatile *Destination, Type Value)                         \
    {                                                                                                       \
        __atomic_store_n(Destination, Value, __ATOMIC_RELEASE);                                             \
    }                                                                                                       \
    FORCEINLINE VOID Write##Suffix##NoFence(Type volatile *Destination, Type Value)                         \
    {                                                                                                       \
        __atomic_store_n(Destination, Value, __ATOMIC_RELAXED);                                             \
    }

SKUA_READ_WRITE_(, LONG)
SKUA_READ_WRITE_(64, LONG64)
SKUA_READ_WRITE_(ULong, ULONG)
SKUA_READ_WRITE_(ULong64, ULONG64)
SKUA_READ_WRITE_(Boolean, BOOLEAN)
SKUA_READ_WRITE_(UShort, USHORT)
SKUA_READ_WRITE_(UCharacter, UCHAR)

#define ReadPointerAcquire(Source) SkuaReadPointer_((PVOID CONST volatile *)(Source), 1)
#define ReadPointerNoFence(Source) SkuaReadPointer_((PVOID CONST volatile *)(Source), 0)
#define ReadPointerRaw(Source) ReadPointerNoFence(Source)
#define WritePointerRelease(Destination, Value) \
    __atomic_store_n((PVOID volatile *)(Destination), (PVOID)(Value), __ATOMIC_RELEASE)
#define WritePointerNoFence(Destination, Value) \
    __atomic_store_n((PVOID volatile *)(Destination), (PVOID)(Value), __ATOMIC_RELAXED)

#define MemoryBarrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define KeMemoryBarrier() MemoryBarrier()
#define KeMemoryBarrierWithoutFence() __asm__ __volatile__("" ::: "memory")
#define _ReadWriteBarrier() KeMemoryBarrierWithoutFence()
#define _ReadBarrier() KeMemoryBarrierWithoutFence()
#define _WriteBarrier() KeMemoryBarrierWithoutFence()
#if defined(__x86_64__)
#define YieldProcessor() __builtin_ia32_pause()
#else
#define YieldProcessor() __asm__ __volatile__("yield" ::: "memory")
#endif

EXTERN_C_END

#endif /* SKUA_NT_INTERLOCKED_H */
