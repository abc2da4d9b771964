/* Memory, strings, messages for a debugger, and what ends everything. Part of wdm.h. */
#ifndef SKUA_NT_RUNTIME_H
#define SKUA_NT_RUNTIME_H

#include <nt/object.h>

EXTERN_C_START

#define RtlCopyMemory(Destination, Source, Length) memcpy((Destination), (Source), (Length))
#define RtlCopyBytes RtlCopyMemory
#define RtlMoveMemory(Destination, Source, Length) memmove((Destination), (Source), (Length))
#define RtlFillMemory(Destination, Length, Fill) memset((Destination), (Fill), (Length))
#define RtlZeroMemory(Destination, Length) memset((Destination), 0, (Length))
#define RtlZeroBytes RtlZeroMemory
#define RtlEqualMemory(Destination, Source, Length) (!memcmp((Destination), (Source), (Length)))

FORCEINLINE PVOID RtlSecureZeroMemory(PVOID Memory, SIZE_T Length)
{
    volatile UCHAR *byte = (volatile UCHAR *)Memory;
    while (Length--)
        *byte++ = 0;
    return Memory;
}

/* How many bytes are the same, from the first on. */
FORCEINLINE SIZE_T RtlCompareMemory(CONST VOID *Source1, CONST VOID *Source2, SIZE_T Length)
{
    CONST UCHAR *one = (CONST UCHAR *)Source1, *two = (CONST UCHAR *)Source2;
    SIZE_T same = 0;
    while (same < Length && one[same] == two[same])
        same++;
    return same;
}

#define RtlUshortByteSwap(Value) __builtin_bswap16((USHORT)(Value))
#define RtlUlongByteSwap(Value) __builtin_bswap32((ULONG)(Value))
#define RtlUlonglongByteSwap(Value) __builtin_bswap64((ULONGLONG)(Value))
#define _byteswap_ushort RtlUshortByteSwap
#define _byteswap_ulong RtlUlongByteSwap
#define _byteswap_uint64 RtlUlonglongByteSwap
#define _rotl(Value, Shift) (((ULONG)(Value) << (Shift)) | ((ULONG)(Value) >> (32 - (Shift))))

/* Strings. */

VOID NTAPI RtlInitUnicodeString(_Out_ PUNICODE_STRING DestinationString, _In_opt_ PCWSTR SourceString);
NTSTATUS NTAPI RtlInitUnicodeStringEx(_Out_ PUNICODE_STRING DestinationString, _In_opt_ PCWSTR SourceString);
VOID NTAPI RtlInitAnsiString(_Out_ PANSI_STRING DestinationString, _In_opt_ PCSZ SourceString);
#define RtlInitString RtlInitAnsiString
BOOLEAN NTAPI RtlEqualUnicodeString(
    _In_ PCUNICODE_STRING String1,
    _In_ PCUNICODE_STRING String2,
    _In_ BOOLEAN CaseInSensitive);
LONG NTAPI RtlCompareUnicodeString(
    _In_ PCUNICODE_STRING String1,
    _In_ PCUNICODE_STRING String2,
    _In_ BOOLEAN CaseInSensitive);
VOID NTAPI RtlCopyUnicodeString(_Inout_ PUNICODE_STRING DestinationString, _In_opt_ PCUNICODE_STRING SourceString);
NTSTATUS NTAPI RtlAppendUnicodeStringToString(_Inout_ PUNICODE_STRING Destination, _In_ PCUNICODE_STRING Source);
NTSTATUS NTAPI RtlAppendUnicodeToString(_Inout_ PUNICODE_STRING Destination, _In_opt_ PCWSTR Source);
NTSTATUS NTAPI RtlAnsiStringToUnicodeString(
    _Inout_ PUNICODE_STRING DestinationString,
    _In_ PCANSI_STRING SourceString,
    _In_ BOOLEAN AllocateDestinationString);
NTSTATUS NTAPI RtlUnicodeStringToAnsiString(
    _Inout_ PANSI_STRING DestinationString,
    _In_ PCUNICODE_STRING SourceString,
    _In_ BOOLEAN AllocateDestinationString);
VOID NTAPI RtlFreeUnicodeString(_Inout_ PUNICODE_STRING UnicodeString);
VOID NTAPI RtlFreeAnsiString(_Inout_ PANSI_STRING AnsiString);
NTSTATUS NTAPI RtlIntegerToUnicodeString(_In_ ULONG Value, _In_opt_ ULONG Base, _Inout_ PUNICODE_STRING String);
NTSTATUS NTAPI RtlUnicodeStringToInteger(_In_ PCUNICODE_STRING String, _In_opt_ ULONG Base, _Out_ PULONG Value);

/*
 * Messages go to standard error. The format is Windows': %lu and %lx are of 32 bits, %I64u and %llu of 64, %ws and %S are
 * of WCHAR, %wZ takes a UNICODE_STRING and %Z an ANSI_STRING by address.
 */

#define DPFLTR_DEFAULT_ID 101
#define DPFLTR_IHVDRIVER_ID 77
#define DPFLTR_IHVNETWORK_ID 78
#define DPFLTR_ERROR_LEVEL 0
#define DPFLTR_WARNING_LEVEL 1
#define DPFLTR_TRACE_LEVEL 2
#define DPFLTR_INFO_LEVEL 3

ULONG NTAPI vDbgPrintEx(_In_ ULONG ComponentId, _In_ ULONG Level, _In_ PCSTR Format, _In_ va_list Arguments);

static inline __attribute__((unused)) ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...)
{
    ULONG status;
    va_list arguments;
    va_start(arguments, Format);
    status = vDbgPrintEx(ComponentId, Level, Format, arguments);
    va_end(arguments);
    return status;
}

static inline __attribute__((unused)) ULONG DbgPrint(PCSTR Format, ...)
{
    ULONG status;
    va_list arguments;
    va_start(arguments, Format);
    status = vDbgPrintEx(DPFLTR_DEFAULT_ID, DPFLTR_INFO_LEVEL, Format, arguments);
    va_end(arguments);
    return status;
}
VOID NTAPI DbgBreakPoint(VOID);

#ifndef DBG
#define DBG 0
#endif
#if DBG
#define KdPrint(Arguments) DbgPrint Arguments
#define KdPrintEx(Arguments) DbgPrintEx Arguments
#define KdBreakPoint() DbgBreakPoint()
#define NT_ASSERT(Condition) ((Condition) ? (void)0 : SkuaAssertion(#Condition, __FILE__, __LINE__))
#else
#define KdPrint(Arguments) ((void)0)
#define KdPrintEx(Arguments) ((void)0)
#define KdBreakPoint() ((void)0)
#define NT_ASSERT(Condition) ((void)sizeof(!(Condition)))
#endif
#define ASSERT(Condition) NT_ASSERT(Condition)
#define ASSERTMSG(Message, Condition) NT_ASSERT(Condition)
#define NT_ASSERTMSG(Message, Condition) NT_ASSERT(Condition)
#define NT_VERIFY(Condition) ((Condition) ? TRUE : FALSE)
#define NT_FRE_ASSERT(Condition) ((Condition) ? (void)0 : SkuaAssertion(#Condition, __FILE__, __LINE__))
VOID SkuaAssertion(_In_ PCSTR Condition, _In_ PCSTR File, _In_ ULONG Line);

#define ASSERT_IRQL_LESS_OR_EQUAL(Irql) NT_ASSERT(KeGetCurrentIrql() <= (Irql))

/* Ends the process, after a message. */
DECLSPEC_NORETURN VOID NTAPI KeBugCheck(_In_ ULONG BugCheckCode);
DECLSPEC_NORETURN VOID NTAPI KeBugCheckEx(
    _In_ ULONG BugCheckCode,
    _In_ ULONG_PTR BugCheckParameter1,
    _In_ ULONG_PTR BugCheckParameter2,
    _In_ ULONG_PTR BugCheckParameter3,
    _In_ ULONG_PTR BugCheckParameter4);
DECLSPEC_NORETURN VOID NTAPI ExRaiseStatus(_In_ NTSTATUS Status);
DECLSPEC_NORETURN VOID NTAPI ExRaiseAccessViolation(VOID);
DECLSPEC_NORETURN VOID NTAPI ExRaiseDatatypeMisalignment(VOID);
#define RtlFailFast(Code) KeBugCheckEx(0x139, (Code), 0, 0, 0)
#define __fastfail(Code) RtlFailFast(Code)

/*
 * There are no structured exceptions: what __try guards is run, what __except guards is not, and what would have been
 * raised ends the process with a message. C++ libraries have __try for themselves.
 */
#define EXCEPTION_EXECUTE_HANDLER 1
#define EXCEPTION_CONTINUE_SEARCH 0
#define EXCEPTION_CONTINUE_EXECUTION (-1)
#ifndef __cplusplus
#define __try if (1)
#define __except(Filter) else if (0 && (Filter))
#define __finally
#define _exception_code() STATUS_ACCESS_VIOLATION
#define GetExceptionCode() STATUS_ACCESS_VIOLATION
#endif

ULONG NTAPI RtlRandomEx(_Inout_ PULONG Seed);
typedef struct _OSVERSIONINFOW {
    ULONG dwOSVersionInfoSize;
    ULONG dwMajorVersion;
    ULONG dwMinorVersion;
    ULONG dwBuildNumber;
    ULONG dwPlatformId;
    WCHAR szCSDVersion[128];
} OSVERSIONINFOW, *POSVERSIONINFOW, RTL_OSVERSIONINFOW, *PRTL_OSVERSIONINFOW;
NTSTATUS NTAPI RtlGetVersion(_Inout_ PRTL_OSVERSIONINFOW lpVersionInformation);

EXTERN_C_END

#endif /* SKUA_NT_RUNTIME_H */
