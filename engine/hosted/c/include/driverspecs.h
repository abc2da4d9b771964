/* The annotations of drivers are with all others. */
#include <sal.h>
