/* Structured exceptions: see nt/runtime.h. */
#ifdef _WIN32
#include_next <excpt.h>
#else
#include <wdm.h>
#endif
