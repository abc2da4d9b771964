/* The types are with all others. */
#ifdef _WIN32
#include_next <basetsd.h>
#else
#include <ntdef.h>
#endif
