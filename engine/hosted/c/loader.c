/* Makes a program of a driver: compiled with the driver's files, which define DriverEntry. */
#include <skua_wsk.h>

DRIVER_INITIALIZE DriverEntry;

int main(int count, char **arguments)
{
    return SkuaDriverMain(DriverEntry, count, arguments);
}
