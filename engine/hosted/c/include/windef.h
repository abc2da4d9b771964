/* The types are with all others. */
#ifdef _WIN32
#include_next <windef.h>
#else
#include <ntdef.h>
#endif
