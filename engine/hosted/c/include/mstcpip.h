/* Addresses of either family, and controls of the transports. */
#ifndef _MSTCPIP_
#define _MSTCPIP_

#include <ws2ipdef.h>

#include <ip2string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tcp_keepalive {
    ULONG onoff;
    ULONG keepalivetime;
    ULONG keepaliveinterval;
};

#define SIO_RCVALL _WSAIOW(IOC_VENDOR, 1u)
#define SIO_KEEPALIVE_VALS _WSAIOW(IOC_VENDOR, 4u)

FORCEINLINE BOOLEAN IN4_ADDR_EQUAL(CONST IN_ADDR *a, CONST IN_ADDR *b)
{
    return (BOOLEAN)(a->s_addr == b->s_addr);
}

FORCEINLINE BOOLEAN IN4_IS_ADDR_UNSPECIFIED(CONST IN_ADDR *a)
{
    return (BOOLEAN)(a->s_addr == 0);
}

FORCEINLINE BOOLEAN IN4_IS_ADDR_LOOPBACK(CONST IN_ADDR *a)
{
    return (BOOLEAN)(a->S_un.S_un_b.s_b1 == 127);
}

FORCEINLINE BOOLEAN IN4_IS_ADDR_BROADCAST(CONST IN_ADDR *a)
{
    return (BOOLEAN)(a->s_addr == INADDR_BROADCAST);
}

FORCEINLINE BOOLEAN IN4_IS_ADDR_MULTICAST(CONST IN_ADDR *a)
{
    return (BOOLEAN)((a->S_un.S_un_b.s_b1 & 0xf0) == 0xe0);
}

FORCEINLINE VOID INETADDR_SETANY(PSOCKADDR a)
{
    ADDRESS_FAMILY family = a->sa_family;
    memset(a, 0, family == AF_INET6 ? sizeof(SOCKADDR_IN6) : sizeof(SOCKADDR_IN));
    a->sa_family = family;
}

FORCEINLINE VOID INETADDR_SETLOOPBACK(PSOCKADDR a)
{
    INETADDR_SETANY(a);
    if (a->sa_family == AF_INET6)
        ((PSOCKADDR_IN6)(PVOID)a)->sin6_addr.s6_bytes[15] = 1;
    else
        ((PSOCKADDR_IN)(PVOID)a)->sin_addr.s_addr = 0x0100007fu;
}

FORCEINLINE BOOLEAN INETADDR_ISANY(CONST SOCKADDR *a)
{
    return a->sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&((CONST SOCKADDR_IN6 *)(CONST VOID *)a)->sin6_addr)
                                    : IN4_IS_ADDR_UNSPECIFIED(&((CONST SOCKADDR_IN *)(CONST VOID *)a)->sin_addr);
}

FORCEINLINE BOOLEAN INETADDR_ISLOOPBACK(CONST SOCKADDR *a)
{
    return a->sa_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&((CONST SOCKADDR_IN6 *)(CONST VOID *)a)->sin6_addr)
                                    : IN4_IS_ADDR_LOOPBACK(&((CONST SOCKADDR_IN *)(CONST VOID *)a)->sin_addr);
}

#ifdef __cplusplus
}
#endif

#endif /* _MSTCPIP_ */
