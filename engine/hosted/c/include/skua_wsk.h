/*
 * What libskua_wsk has beyond NT: how its kernel is made, what its verifier found, and a loader for drivers. Nothing here is
 * needed to run a client; the environment (see README.md) says the same.
 */
#ifndef SKUA_WSK_H
#define SKUA_WSK_H

#include <wdm.h>

EXTERN_C_START

/* What carries datagrams. */
typedef enum _SKUA_TRANSPORT {
    SkuaTransportDefault,  /* SKUA_WSK_TRANSPORT, or the host's sockets */
    SkuaTransportOs,       /* the host's sockets, in batches and with control messages */
    SkuaTransportPortable, /* the host's sockets as every host has them */
    SkuaTransportLoopback  /* memory of this process */
} SKUA_TRANSPORT;

/* What a finding of the verifier leads to. */
typedef enum _SKUA_ON_FINDING {
    SkuaFindingsDefault, /* SKUA_WSK_VERIFIER, or to report */
    SkuaFindingsOff,     /* there is no verifier */
    SkuaFindingsReport,  /* a report on standard error; execution goes on, without what broke the rule */
    SkuaFindingsAbort,   /* a report, and the process ends */
    SkuaFindingsRecord   /* as SkuaFindingsReport, but silent */
} SKUA_ON_FINDING;

/* Zero leaves a field to the environment, or to the default. */
typedef struct _SKUA_CONFIG {
    ULONG Size;       /* sizeof(SKUA_CONFIG) */
    ULONG Processors; /* virtual ones, 1 to 64 */
    ULONG Workers;    /* receive threads of a datagram socket, 1 to 64 */
    SKUA_TRANSPORT Transport;
    SKUA_ON_FINDING OnFinding;
} SKUA_CONFIG, *PSKUA_CONFIG;

/*
 * Before any other routine: STATUS_INVALID_DEVICE_STATE later. STATUS_INFO_LENGTH_MISMATCH for another Size,
 * STATUS_INVALID_PARAMETER for a value that is none.
 */
NTSTATUS SkuaConfigure(_In_ CONST SKUA_CONFIG *Config);

/* The strings stay until SkuaForgetFindings. */
typedef struct _SKUA_FINDING {
    PCSTR Rule;    /* its identifier, such as irp-completed-twice */
    PCSTR Message; /* what happened, in a sentence */
    PCSTR Report;  /* all of it: rule, advice, object, call stacks */
} SKUA_FINDING, *PSKUA_FINDING;

/* How many findings there are so far, and each, from 0 on; FALSE for a number that none has. */
ULONG SkuaFindings(VOID);
BOOLEAN SkuaQueryFinding(_In_ ULONG Index, _Out_ PSKUA_FINDING Finding);
VOID SkuaForgetFindings(VOID);

/* What was taken and not given back. */
typedef struct _SKUA_OUTSTANDING {
    SIZE_T Irps;        /* handed to the provider and not completed */
    SIZE_T Sockets;     /* open */
    SIZE_T Indications; /* inside a callback, or retained and not released */
    SIZE_T Captures;    /* of the provider's NPI */
    SIZE_T Memory;      /* bytes of pool, of IRPs and MDLs too */
} SKUA_OUTSTANDING, *PSKUA_OUTSTANDING;

VOID SkuaQueryOutstanding(_Out_ PSKUA_OUTSTANDING Outstanding);

/*
 * Everything should be given back by now: what is not becomes findings, once. Returns how many findings there are in all.
 * Happens at exit by itself.
 */
ULONG SkuaCheckLeaks(VOID);

/* Calls DriverEntry, with a driver object and a registry path of that name. */
NTSTATUS SkuaLoadDriver(_In_ PDRIVER_INITIALIZE Entry, _In_ PCSTR Name, _Out_ PDRIVER_OBJECT *Driver);

/* Calls DriverUnload; STATUS_INVALID_DEVICE_REQUEST if there is none. */
NTSTATUS SkuaUnloadDriver(_In_ PDRIVER_OBJECT Driver);

/*
 * All that main does for a driver: loads it, waits for SIGINT or SIGTERM, or so many seconds with `--for SECONDS`, unloads
 * it, looks for leaks. Returns 0, or 1 when DriverEntry failed or anything was found, or 2 for arguments that are wrong.
 */
int SkuaDriverMain(_In_ PDRIVER_INITIALIZE Entry, _In_ int ArgumentCount, _In_ char **Arguments);

EXTERN_C_END

#endif /* SKUA_WSK_H */
