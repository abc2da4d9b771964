/* The forwarder as a program: runs until its standard input ends, then prints what it counted. */
#include <stdio.h>

#include "forward.h"

int main(void)
{
    static FORWARDER forwarder;
    SKUA_ENDPOINT inside, outside;
    SKUA_STATISTICS statistics = { 0 };
    SKUA_STATUS status;
    ForwardExample(&forwarder, &inside, &outside);
    status = ForwardOpen(&forwarder);
    if (SKUA_SUCCESS(status))
        status = ForwardStart(&forwarder, &inside, &outside, 10000);
    if (SKUA_SUCCESS(status)) {
        printf("forwarding\n");
        fflush(stdout);
        while (getchar() != EOF)
            ;
        statistics.Size = sizeof(statistics);
        SkuaQueryStatistics(&forwarder.Engine, &statistics);
        printf("indicated %llu, forwarded %llu, dropped %llu\n", (unsigned long long)statistics.Indicated,
               (unsigned long long)statistics.SendsCompleted, (unsigned long long)SkuaDropped(&statistics));
    }
    if (!SKUA_SUCCESS(ForwardClose(&forwarder, 10000)) || !SKUA_SUCCESS(status)) {
        fprintf(stderr, "forward: %08x\n", (unsigned)status);
        return 1;
    }
    return 0;
}
