/* From here on DEFINE_GUID defines. */
#ifdef _WIN32
#include_next <initguid.h>
#else
#ifndef INITGUID
#define INITGUID
#endif
#include <guiddef.h>
#endif
