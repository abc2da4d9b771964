/* Strings of the caller's memory, cut rather than overrun: those of them that drivers print and copy with. */
#ifdef _WIN32
#include_next <ntstrsafe.h>
#else
#ifndef _NTSTRSAFE_H_INCLUDED_
#define _NTSTRSAFE_H_INCLUDED_

#include <wdm.h>

EXTERN_C_START

/* Writes the text and a null; STATUS_BUFFER_OVERFLOW when it was cut. The format is DbgPrint's. */
NTSTATUS SkuaFormat(_Out_ PSTR To, _In_ SIZE_T Bytes, _In_ PCSTR Format, _In_ va_list Arguments);

FORCEINLINE NTSTATUS RtlStringCbVPrintfA(PSTR To, SIZE_T Bytes, PCSTR Format, va_list Arguments)
{
    return SkuaFormat(To, Bytes, Format, Arguments);
}

static inline __attribute__((unused)) NTSTATUS RtlStringCbPrintfA(PSTR To, SIZE_T Bytes, PCSTR Format, ...)
{
    NTSTATUS status;
    va_list arguments;
    va_start(arguments, Format);
    status = SkuaFormat(To, Bytes, Format, arguments);
    va_end(arguments);
    return status;
}

#define RtlStringCchVPrintfA RtlStringCbVPrintfA
#define RtlStringCchPrintfA RtlStringCbPrintfA

/* The same of WCHAR. %s is of WCHAR there, and %S of CHAR. */
NTSTATUS SkuaFormatWide(_Out_ PWSTR To, _In_ SIZE_T Units, _In_ PCWSTR Format, _In_ va_list Arguments);

FORCEINLINE NTSTATUS RtlStringCchVPrintfW(PWSTR To, SIZE_T Units, PCWSTR Format, va_list Arguments)
{
    return SkuaFormatWide(To, Units, Format, Arguments);
}

static inline __attribute__((unused)) NTSTATUS RtlStringCchPrintfW(PWSTR To, SIZE_T Units, PCWSTR Format, ...)
{
    NTSTATUS status;
    va_list arguments;
    va_start(arguments, Format);
    status = SkuaFormatWide(To, Units, Format, arguments);
    va_end(arguments);
    return status;
}

#define RtlStringCbPrintfW(To, Bytes, ...) RtlStringCchPrintfW((To), (Bytes) / sizeof(WCHAR), __VA_ARGS__)
#define RtlStringCbVPrintfW(To, Bytes, Format, Arguments) \
    RtlStringCchVPrintfW((To), (Bytes) / sizeof(WCHAR), (Format), (Arguments))

#define SKUA_STRSAFE_(Suffix, Type, CType)                                                                     \
    FORCEINLINE NTSTATUS RtlStringCchLength##Suffix(CType Text, SIZE_T Most, SIZE_T *Length)                   \
    {                                                                                                          \
        SIZE_T length = 0;                                                                                     \
        while (length < Most && Text[length])                                                                  \
            length++;                                                                                          \
        if (Length)                                                                                            \
            *Length = length < Most ? length : 0;                                                              \
        return length < Most ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;                                      \
    }                                                                                                          \
    FORCEINLINE NTSTATUS RtlStringCchCopyN##Suffix(Type To, SIZE_T Room, CType From, SIZE_T Most)              \
    {                                                                                                          \
        SIZE_T at = 0;                                                                                         \
        if (!Room)                                                                                             \
            return STATUS_INVALID_PARAMETER;                                                                   \
        while (at + 1 < Room && at < Most && From[at]) {                                                       \
            To[at] = From[at];                                                                                 \
            at++;                                                                                              \
        }                                                                                                      \
        To[at] = 0;                                                                                            \
        return at < Most && From[at] ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;                                \
    }                                                                                                          \
    FORCEINLINE NTSTATUS RtlStringCchCopy##Suffix(Type To, SIZE_T Room, CType From)                            \
    {                                                                                                          \
        return RtlStringCchCopyN##Suffix(To, Room, From, MAXSIZE_T);                                           \
    }                                                                                                          \
    FORCEINLINE NTSTATUS RtlStringCchCat##Suffix(Type To, SIZE_T Room, CType From)                             \
    {                                                                                                          \
        SIZE_T length;                                                                                         \
        NTSTATUS status = RtlStringCchLength##Suffix(To, Room, &length);                                       \
        return NT_SUCCESS(status) ? RtlStringCchCopy##Suffix(To + length, Room - length, From) : status;       \
    }                                                                                                          \
    FORCEINLINE NTSTATUS RtlStringCbLength##Suffix(CType Text, SIZE_T Most, SIZE_T *Length)                    \
    {                                                                                                          \
        NTSTATUS status = RtlStringCchLength##Suffix(Text, Most / sizeof(*Text), Length);                      \
        if (Length)                                                                                            \
            *Length *= sizeof(*Text);                                                                          \
        return status;                                                                                         \
    }                                                                                                          \
    FORCEINLINE NTSTATUS RtlStringCbCopy##Suffix(Type To, SIZE_T Room, CType From)                             \
    {                                                                                                          \
        return RtlStringCchCopy##Suffix(To, Room / sizeof(*To), From);                                         \
    }                                                                                                          \
    FORCEINLINE NTSTATUS RtlStringCbCat##Suffix(Type To, SIZE_T Room, CType From)                              \
    {                                                                                                          \
        return RtlStringCchCat##Suffix(To, Room / sizeof(*To), From);                                          \
    }

SKUA_STRSAFE_(A, PSTR, PCSTR)
SKUA_STRSAFE_(W, PWSTR, PCWSTR)

EXTERN_C_END

#endif /* _NTSTRSAFE_H_INCLUDED_ */
#endif /* _WIN32 */
