/* IP addresses as text. Ports are in the order of the wire; 0 is none. */
#ifdef _WIN32
#include <ntdef.h>
#else
#ifndef _IP2STRING_
#define _IP2STRING_

#include <in6addr.h>
#include <inaddr.h>

EXTERN_C_START

/* Where the null is that ends it; room for 16 units, or 46. */
PSTR NTAPI RtlIpv4AddressToStringA(_In_ CONST struct in_addr *Addr, _Out_ PSTR S);
PWSTR NTAPI RtlIpv4AddressToStringW(_In_ CONST struct in_addr *Addr, _Out_ PWSTR S);
PSTR NTAPI RtlIpv6AddressToStringA(_In_ CONST struct in6_addr *Addr, _Out_ PSTR S);
PWSTR NTAPI RtlIpv6AddressToStringW(_In_ CONST struct in6_addr *Addr, _Out_ PWSTR S);

/* The length is of the room, then of the text with its null. */
NTSTATUS NTAPI RtlIpv4AddressToStringExA(
    _In_ CONST struct in_addr *Address,
    _In_ USHORT Port,
    _Out_ PSTR AddressString,
    _Inout_ PULONG AddressStringLength);
NTSTATUS NTAPI RtlIpv4AddressToStringExW(
    _In_ CONST struct in_addr *Address,
    _In_ USHORT Port,
    _Out_ PWSTR AddressString,
    _Inout_ PULONG AddressStringLength);
NTSTATUS NTAPI RtlIpv6AddressToStringExA(
    _In_ CONST struct in6_addr *Address,
    _In_ ULONG ScopeId,
    _In_ USHORT Port,
    _Out_ PSTR AddressString,
    _Inout_ PULONG AddressStringLength);
NTSTATUS NTAPI RtlIpv6AddressToStringExW(
    _In_ CONST struct in6_addr *Address,
    _In_ ULONG ScopeId,
    _In_ USHORT Port,
    _Out_ PWSTR AddressString,
    _Inout_ PULONG AddressStringLength);

/* Terminator: behind the address, or the text itself where there is none. */
NTSTATUS NTAPI RtlIpv4StringToAddressA(_In_ PCSTR S, _In_ BOOLEAN Strict, _Out_ PCSTR *Terminator, _Out_ struct in_addr *Addr);
NTSTATUS NTAPI RtlIpv4StringToAddressW(_In_ PCWSTR S, _In_ BOOLEAN Strict, _Out_ PCWSTR *Terminator, _Out_ struct in_addr *Addr);
NTSTATUS NTAPI RtlIpv6StringToAddressA(_In_ PCSTR S, _Out_ PCSTR *Terminator, _Out_ struct in6_addr *Addr);
NTSTATUS NTAPI RtlIpv6StringToAddressW(_In_ PCWSTR S, _Out_ PCWSTR *Terminator, _Out_ struct in6_addr *Addr);

EXTERN_C_END

#endif /* _IP2STRING_ */
#endif /* _WIN32 */
