/* The annotations of strings are with all others. */
#ifdef _WIN32
#include_next <specstrings.h>
#endif
#include <sal.h>
