/* GUID, and DEFINE_GUID, which declares a constant, or defines it where INITGUID is defined. */
#ifdef _WIN32
#include_next <guiddef.h>
#else

#ifndef GUID_DEFINED
#define GUID_DEFINED

#include <stdint.h>

typedef struct _GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;

typedef GUID *LPGUID;
typedef const GUID *LPCGUID;

#endif /* GUID_DEFINED */

#ifdef __cplusplus
#define SKUA_GUID_LINKAGE_ extern "C"
#else
#define SKUA_GUID_LINKAGE_ extern
#endif

#undef DEFINE_GUID
#ifdef INITGUID
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8)                                       \
    SKUA_GUID_LINKAGE_ const GUID name;                                                                    \
    __attribute__((weak)) const GUID name = { l, w1, w2, { b1, b2, b3, b4, b5, b6, b7, b8 } }
#else
#define DEFINE_GUID(name, l, w1, w2, b1, b2, b3, b4, b5, b6, b7, b8) SKUA_GUID_LINKAGE_ const GUID name
#endif

#ifndef SKUA_GUIDDEF_H
#define SKUA_GUIDDEF_H

#include <string.h>

#ifdef __cplusplus
#define REFGUID const GUID &
#define IsEqualGUID(a, b) (memcmp(&(a), &(b), sizeof(GUID)) == 0)
#else
#define REFGUID const GUID *
#define IsEqualGUID(a, b) (memcmp((a), (b), sizeof(GUID)) == 0)
#endif
#define InlineIsEqualGUID IsEqualGUID

#endif /* SKUA_GUIDDEF_H */
#endif /* _WIN32 */
