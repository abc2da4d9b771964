/*
 * The types of NT: 8, 16, 32 and 64 bits wide whatever the compiler's long is, and WCHAR of 16 bits. String literals L"" are
 * of that width with -fshort-wchar; u"" is everywhere.
 */

/* Drivers' pragmas (alloc_text, warning, comment, ...) are for another compiler, and their pool tags are 'four' characters. */
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wmultichar"

#ifdef _WIN32
#include_next <ntdef.h>
#include <sal.h>

#ifndef DECLSPEC_ALIGN
#define DECLSPEC_ALIGN(x) __attribute__((aligned(x)))
#endif
#else

#ifndef _NTDEF_
#define _NTDEF_

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <guiddef.h>
#include <sal.h>

/* Words of Microsoft's compiler. */

#ifndef _WIN64
#define _WIN64 1
#endif
#ifndef _AMD64_
#if defined(__x86_64__)
#define _AMD64_ 1
#endif
#endif

#define NTAPI
#define WINAPI
#define CALLBACK
#define FASTCALL
#define NTSYSAPI
#define NTKERNELAPI
#define NTHALAPI
#ifndef __cdecl
#define __cdecl
#endif
#ifndef __stdcall
#define __stdcall
#endif
#ifndef __fastcall
#define __fastcall
#endif
#ifndef __int8
#define __int8 char
#endif
#ifndef __int16
#define __int16 short
#endif
#ifndef __int32
#define __int32 int
#endif
#ifndef __int64
#define __int64 long long
#endif
#ifndef __forceinline
#define __forceinline inline __attribute__((always_inline))
#endif
#ifndef FORCEINLINE
#define FORCEINLINE static inline __attribute__((always_inline, unused))
#endif
#ifndef CFORCEINLINE
#define CFORCEINLINE FORCEINLINE
#endif
#ifndef __inline
#define __inline inline
#endif
#define DECLSPEC_ALIGN(x) __attribute__((aligned(x)))
#define DECLSPEC_CACHEALIGN DECLSPEC_ALIGN(64)
#define DECLSPEC_NOINLINE __attribute__((noinline))
#define DECLSPEC_NORETURN __attribute__((noreturn))
#define DECLSPEC_SELECTANY __attribute__((weak))
#define DECLSPEC_IMPORT
#define DECLSPEC_EXPORT
#define DECLSPEC_NOTHROW
#define UNALIGNED
#define RESTRICTED_POINTER
#define POINTER_ALIGNMENT DECLSPEC_ALIGN(8)
#define __unaligned
#define __ptr64
#define __ptr32
#define __w64
#define __pragma(...)
#define __assume(Condition) ((void)0)
#define __noop(...) ((void)0)

#if !defined(__declspec) && !defined(_MSC_EXTENSIONS)
#define __declspec(What) SKUA_DECLSPEC_##What
#define SKUA_DECLSPEC_align(x) DECLSPEC_ALIGN(x)
#define SKUA_DECLSPEC_allocate(...)
#define SKUA_DECLSPEC_code_seg(...)
#define SKUA_DECLSPEC_deprecated
#define SKUA_DECLSPEC_dllexport
#define SKUA_DECLSPEC_dllimport
#define SKUA_DECLSPEC_noalias
#define SKUA_DECLSPEC_noinline DECLSPEC_NOINLINE
#define SKUA_DECLSPEC_noreturn DECLSPEC_NORETURN
#define SKUA_DECLSPEC_nothrow
#define SKUA_DECLSPEC_novtable
#define SKUA_DECLSPEC_restrict
#define SKUA_DECLSPEC_selectany DECLSPEC_SELECTANY
#define SKUA_DECLSPEC_uuid(...)
#endif

#ifdef __cplusplus
#define EXTERN_C extern "C"
#define EXTERN_C_START extern "C" {
#define EXTERN_C_END }
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#endif

#ifndef CONST
#define CONST const
#endif
#ifndef IN
#define IN
#endif
#ifndef OUT
#define OUT
#endif
#ifndef OPTIONAL
#define OPTIONAL
#endif
#ifndef VOID
#define VOID void
#endif
#ifndef FALSE
#define FALSE 0
#endif
#ifndef TRUE
#define TRUE 1
#endif
#define NOTHING

EXTERN_C_START

/* Numbers. */

typedef char CHAR, *PCHAR, *LPCH, *PCH, *NPSTR, *LPSTR, *PSTR, *PSZ;
typedef const char *LPCCH, *PCCH, *LPCSTR, *PCSTR, *PCSZ;
typedef CHAR CCHAR, *PCCHAR;
typedef signed char SCHAR, *PSCHAR, INT8, *PINT8;
typedef unsigned char UCHAR, *PUCHAR, BYTE, *PBYTE, UINT8, *PUINT8, BOOLEAN, *PBOOLEAN;
typedef short SHORT, *PSHORT, CSHORT, *PCSHORT, INT16, *PINT16;
typedef unsigned short USHORT, *PUSHORT, WORD, UINT16, *PUINT16;
typedef int INT, *PINT, LONG, *PLONG, INT32, *PINT32, LONG32, *PLONG32, BOOL, *PBOOL;
typedef unsigned int UINT, *PUINT, ULONG, *PULONG, DWORD, *PDWORD, UINT32, *PUINT32, ULONG32, *PULONG32, DWORD32;
typedef CONST UCHAR *PCUCHAR;
typedef CONST USHORT *PCUSHORT;
typedef CONST ULONG *PCULONG;
typedef long long LONGLONG, *PLONGLONG, LONG64, *PLONG64, INT64, *PINT64;
typedef unsigned long long ULONGLONG, *PULONGLONG, ULONG64, *PULONG64, UINT64, *PUINT64, DWORD64, *PDWORD64, DWORDLONG;
typedef intptr_t LONG_PTR, *PLONG_PTR, INT_PTR, *PINT_PTR, SSIZE_T, *PSSIZE_T;
typedef uintptr_t ULONG_PTR, *PULONG_PTR, UINT_PTR, *PUINT_PTR, DWORD_PTR, *PDWORD_PTR, KAFFINITY, *PKAFFINITY;
typedef size_t SIZE_T, *PSIZE_T;
typedef void *PVOID, *LPVOID, *PVOID64;
typedef const void *PCVOID, *LPCVOID;
typedef PVOID HANDLE, *PHANDLE;
typedef ULONG LOGICAL, *PLOGICAL, LCID, *PLCID, CLONG, *PCLONG;
typedef LONG NTSTATUS, *PNTSTATUS;
typedef LONG HRESULT;

/* Characters. */

#if !defined(__cplusplus)
typedef uint16_t WCHAR;
#elif __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#else
typedef char16_t WCHAR;
#endif
typedef WCHAR *PWCHAR, *LPWCH, *PWCH, *LPWSTR, *PWSTR, **PZPWSTR;
typedef CONST WCHAR *LPCWCH, *PCWCH, *LPCWSTR, *PCWSTR, **PZPCWSTR;

#define ANSI_NULL ((CHAR)0)
#define UNICODE_NULL ((WCHAR)0)
#define UNICODE_STRING_MAX_BYTES ((USHORT)65534)
#define UNICODE_STRING_MAX_CHARS 32767

/* The C library's functions of these names are for its own wchar_t, of 32 bits. */

FORCEINLINE size_t SkuaWideLength(const WCHAR *Text)
{
    size_t length = 0;
    while (Text[length])
        length++;
    return length;
}

FORCEINLINE int SkuaWideCompare(const WCHAR *One, const WCHAR *Other, size_t Most)
{
    size_t at = 0;
    while (at < Most && One[at] && One[at] == Other[at])
        at++;
    return at == Most ? 0 : (int)One[at] - (int)Other[at];
}

FORCEINLINE WCHAR *SkuaWideCopy(WCHAR *To, const WCHAR *From)
{
    memcpy(To, From, (SkuaWideLength(From) + 1) * sizeof(WCHAR));
    return To;
}

FORCEINLINE WCHAR *SkuaWideFind(const WCHAR *Text, WCHAR Unit)
{
    for (; *Text; Text++)
        if (*Text == Unit)
            return (WCHAR *)(uintptr_t)Text;
    return Unit ? NULL : (WCHAR *)(uintptr_t)Text;
}

#ifndef __cplusplus
#define wcslen SkuaWideLength
#define wcscmp(One, Other) SkuaWideCompare((One), (Other), (size_t)-1)
#define wcsncmp SkuaWideCompare
#define wcscpy SkuaWideCopy
#define wcscat(To, From) (SkuaWideCopy((To) + SkuaWideLength(To), (From)), (To))
#define wcschr SkuaWideFind
#endif

typedef struct _STRING {
    USHORT Length;
    USHORT MaximumLength;
    PCHAR Buffer;
} STRING, *PSTRING, ANSI_STRING, *PANSI_STRING, OEM_STRING, *POEM_STRING;
typedef CONST STRING *PCSTRING, *PCANSI_STRING;

/* Lengths in bytes; Buffer need not end with a null. */
typedef struct _UNICODE_STRING {
    USHORT Length;
    USHORT MaximumLength;
    PWCH Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef CONST UNICODE_STRING *PCUNICODE_STRING;

#define RTL_CONSTANT_STRING(s) { sizeof(s) - sizeof((s)[0]), sizeof(s), (void *)(s) }
#define DECLARE_CONST_UNICODE_STRING(_var, _string)                  \
    static CONST WCHAR _var##_buffer[] = _string;                    \
    __extension__ static CONST UNICODE_STRING _var = { sizeof(_string) - sizeof(WCHAR), sizeof(_string), \
        (PWCH)(ULONG_PTR)_var##_buffer }
#define DECLARE_GLOBAL_CONST_UNICODE_STRING(_var, _string) \
    __extension__ const UNICODE_STRING _var = { sizeof(_string) - sizeof(WCHAR), sizeof(_string), (PWCH)(_string) }
#define DECLARE_UNICODE_STRING_SIZE(_var, _size)                     \
    WCHAR _var##_buffer[_size];                                      \
    UNICODE_STRING _var = { 0, (_size) * sizeof(WCHAR), _var##_buffer }

/* Structures. */

typedef union _LARGE_INTEGER {
    __extension__ struct {
        ULONG LowPart;
        LONG HighPart;
    };
    struct {
        ULONG LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
    __extension__ struct {
        ULONG LowPart;
        ULONG HighPart;
    };
    struct {
        ULONG LowPart;
        ULONG HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef LARGE_INTEGER PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS;

typedef struct _LUID {
    ULONG LowPart;
    LONG HighPart;
} LUID, *PLUID;

typedef GUID *PGUID;
typedef CONST GUID *PCGUID;

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY *Flink;
    struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY, *RESTRICTED_POINTER PRLIST_ENTRY;

typedef struct _SINGLE_LIST_ENTRY {
    struct _SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

typedef struct _PROCESSOR_NUMBER {
    USHORT Group;
    UCHAR Number;
    UCHAR Reserved;
} PROCESSOR_NUMBER, *PPROCESSOR_NUMBER;

typedef struct _GROUP_AFFINITY {
    KAFFINITY Mask;
    USHORT Group;
    USHORT Reserved[3];
} GROUP_AFFINITY, *PGROUP_AFFINITY;

typedef struct _OBJECT_ATTRIBUTES {
    ULONG Length;
    HANDLE RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG Attributes;
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;
typedef CONST OBJECT_ATTRIBUTES *PCOBJECT_ATTRIBUTES;

#define OBJ_INHERIT 0x00000002
#define OBJ_PERMANENT 0x00000010
#define OBJ_EXCLUSIVE 0x00000020
#define OBJ_CASE_INSENSITIVE 0x00000040
#define OBJ_OPENIF 0x00000080
#define OBJ_OPENLINK 0x00000100
#define OBJ_KERNEL_HANDLE 0x00000200
#define OBJ_FORCE_ACCESS_CHECK 0x00000400

#define InitializeObjectAttributes(p, n, a, r, s)          \
    do {                                                   \
        (p)->Length = (ULONG)sizeof(OBJECT_ATTRIBUTES);    \
        (p)->RootDirectory = (r);                          \
        (p)->ObjectName = (n);                             \
        (p)->Attributes = (a);                             \
        (p)->SecurityDescriptor = (s);                     \
        (p)->SecurityQualityOfService = NULL;              \
    } while (0)

EXTERN_C_END

/* Statuses. */

#define NT_SUCCESS(Status) (((NTSTATUS)(Status)) >= 0)
#define NT_INFORMATION(Status) ((((ULONG)(Status)) >> 30) == 1)
#define NT_WARNING(Status) ((((ULONG)(Status)) >> 30) == 2)
#define NT_ERROR(Status) ((((ULONG)(Status)) >> 30) == 3)

/* Sizes, addresses, limits. */

#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))
#define UFIELD_OFFSET(type, field) ((ULONG)offsetof(type, field))
#define CONTAINING_RECORD(address, type, field) ((type *)(void *)((PCHAR)(address) - offsetof(type, field)))
#define RTL_FIELD_SIZE(type, field) (sizeof(((type *)0)->field))
#define RTL_SIZEOF_THROUGH_FIELD(type, field) (offsetof(type, field) + RTL_FIELD_SIZE(type, field))
#define RTL_NUMBER_OF(A) (sizeof(A) / sizeof((A)[0]))
#ifndef ARRAYSIZE
#define ARRAYSIZE(A) RTL_NUMBER_OF(A)
#endif
#define ARGUMENT_PRESENT(ArgumentPointer) ((CHAR *)(ULONG_PTR)(ArgumentPointer) != (CHAR *)NULL)

#ifdef __cplusplus
#define C_ASSERT(e) static_assert(e, #e)
#else
#define C_ASSERT(e) _Static_assert(e, #e)
#endif

#define HandleToULong(h) ((ULONG)(ULONG_PTR)(h))
#define HandleToLong(h) ((LONG)(LONG_PTR)(h))
#define ULongToHandle(ul) ((HANDLE)(ULONG_PTR)(ul))
#define LongToHandle(h) ((HANDLE)(LONG_PTR)(h))
#define PtrToUlong(p) ((ULONG)(ULONG_PTR)(p))
#define PtrToULong PtrToUlong
#define PtrToLong(p) ((LONG)(LONG_PTR)(p))
#define UlongToPtr(ul) ((PVOID)(ULONG_PTR)((unsigned int)(ul)))
#define ULongToPtr UlongToPtr
#define LongToPtr(l) ((PVOID)(LONG_PTR)((int)(l)))

#define MINCHAR 0x80
#define MAXCHAR 0x7f
#define MINSHORT 0x8000
#define MAXSHORT 0x7fff
#define MINLONG 0x80000000
#define MAXLONG 0x7fffffff
#define MAXLONGLONG 0x7fffffffffffffffLL
#define MAXUCHAR 0xff
#define MAXUSHORT 0xffff
#define MAXULONG 0xffffffffu
#define MAXUINT 0xffffffffu
#define MAXULONGLONG 0xffffffffffffffffULL
#define MAXULONG_PTR ((ULONG_PTR)~(ULONG_PTR)0)
#define MAXSIZE_T ((SIZE_T)~(SIZE_T)0)
#define MAXDWORD 0xffffffffu

#if !defined(__cplusplus) && !defined(NOMINMAX)
#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif
#ifndef max
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif
#endif

#define FlagOn(Flags, Some) ((Flags) & (Some))
#define BooleanFlagOn(Flags, One) ((BOOLEAN)(((Flags) & (One)) != 0))
#define SetFlag(Flags, Some) ((Flags) |= (Some))
#define ClearFlag(Flags, Some) ((Flags) &= ~(Some))

#if !defined(__cplusplus) && !defined(static_assert)
#define static_assert _Static_assert
#endif

#define UNREFERENCED_PARAMETER(P) ((void)(P))
#define DBG_UNREFERENCED_PARAMETER(P) ((void)(P))
#define DBG_UNREFERENCED_LOCAL_VARIABLE(V) ((void)(V))

#endif /* _NTDEF_ */
#endif /* _WIN32 */
