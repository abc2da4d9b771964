/* What ntifs.h adds to wdm.h is not needed here; it is included in its place. */
#ifdef _WIN32
#include_next <ntifs.h>
#include <nt/mingw.h>
#else
#include <wdm.h>
#include <bugcodes.h>
#endif
