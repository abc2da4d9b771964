/*
 * Skua in user mode: what a program beside skua.h asks of the kernel that it runs on. Not for drivers.
 *
 * Written by `cargo xtask c-header` from engine/capi/user/src: changes are made there.
 */

#ifndef SKUA_USER_H
#define SKUA_USER_H

#include "skua.h"

/**
 * The host's sockets, in batches and with control messages.
 */
#define SKUA_TRANSPORT_OS 0

/**
 * The host's sockets as every host has them.
 */
#define SKUA_TRANSPORT_PORTABLE 1

/**
 * Memory of this process.
 */
#define SKUA_TRANSPORT_LOOPBACK 2

/**
 * Each finding is a report on standard error, and execution goes on without what broke the rule.
 */
#define SKUA_FINDINGS_REPORT 0

/**
 * The first finding ends the process.
 */
#define SKUA_FINDINGS_ABORT 1

/**
 * Findings are kept, silently.
 */
#define SKUA_FINDINGS_RECORD 2

/**
 * There is no verifier.
 */
#define SKUA_FINDINGS_OFF 3

/**
 * A kernel in user mode, with its WSK provider and its verifier. NULL stands for that of SkuaKernel.
 */
typedef struct SKUA_HOST SKUA_HOST;

/**
 * What a kernel is made with. Zero is a good value for everything but Size.
 */
typedef struct SKUA_HOST_CONFIG {
  /**
   * sizeof(SKUA_HOST_CONFIG).
   */
  uint32_t Size;
  /**
   * Virtual processors, 1 to 64; 2 if 0.
   */
  uint32_t Processors;
  /**
   * Receive threads of a socket, 1 to 64; 1 if 0.
   */
  uint32_t Workers;
  /**
   * SKUA_TRANSPORT_OS and the like.
   */
  uint32_t Transport;
  /**
   * SKUA_FINDINGS_REPORT and the like.
   */
  uint32_t OnFinding;
} SKUA_HOST_CONFIG;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a kernel of its own: nothing is shared with others in the process but the host's network.
 *
 * Returns STATUS_INVALID_PARAMETER for NULL and values that are none, STATUS_INFO_LENGTH_MISMATCH for an unknown Size.
 *
 * # Safety
 * `Config` is null or a structure of its Size; `Host` is null or writable.
 */
SKUA_STATUS SkuaHostOpen(const struct SKUA_HOST_CONFIG *Config, struct SKUA_HOST **Host);

/**
 * Ends a kernel that no engine runs on any more. What was not given back is a finding. Returns how many findings there are in all; NULL
 * is left as it is.
 *
 * # Safety
 * `Host` is null or was opened and not closed.
 */
uint32_t SkuaHostClose(struct SKUA_HOST *Host);

/**
 * The services of a kernel, for SKUA_ENGINE_CONFIG. The table stays until SkuaHostClose.
 *
 * # Safety
 * `Host` is null or was opened and not closed.
 */
const SKUA_KERNEL *SkuaHostKernel(const struct SKUA_HOST *Host);

/**
 * How many findings the verifier has so far.
 *
 * # Safety
 * `Host` is null or was opened and not closed.
 */
uint32_t SkuaHostFindings(const struct SKUA_HOST *Host);

/**
 * Writes a finding, from 0 on, to Text, cut to Bytes with its terminating zero. Returns the characters of the whole; 0 for a number that no
 * finding has.
 *
 * # Safety
 * `Host` is null or was opened and not closed; `Text` is null or writable for `Bytes`.
 */
size_t SkuaHostFinding(const struct SKUA_HOST *Host,
                       uint32_t Index,
                       char *Text,
                       size_t Bytes);

/**
 * Bytes of nonpaged pool that are allocated.
 *
 * # Safety
 * `Host` is null or was opened and not closed.
 */
size_t SkuaHostMemory(const struct SKUA_HOST *Host);

/**
 * Lets the Nth allocation from now fail, once; 0 calls it off.
 *
 * # Safety
 * `Host` is null or was opened and not closed.
 */
void SkuaHostFailAllocation(const struct SKUA_HOST *Host, uint64_t Nth);

/**
 * Lets every send wait, as if the socket's buffer was full, until it is called with 0.
 *
 * # Safety
 * `Host` is null or was opened and not closed.
 */
void SkuaHostCongest(const struct SKUA_HOST *Host, uint32_t IsCongested);

/**
 * Takes the WSK provider away, as it is early in boot, or brings it back with 0.
 *
 * # Safety
 * `Host` is null or was opened and not closed.
 */
void SkuaHostProviderAway(const struct SKUA_HOST *Host, uint32_t IsAway);

/**
 * Makes an MDL of Bytes at Data in MdlBytes at Mdl, aligned to 16: what IoAllocateMdl and MmBuildMdlForNonPagedPool do in a driver. NULL
 * where MdlBytes are too few: 64, and 8 for every 4096 Bytes begun, are enough.
 *
 * # Safety
 * `Host` is null or was opened and not closed; `Mdl` is writable for `MdlBytes`; `Data` has `Bytes` bytes for the MDL's life.
 */
struct _MDL *SkuaHostBuildMdl(const struct SKUA_HOST *Host,
                              void *Mdl,
                              size_t MdlBytes,
                              void *Data,
                              uint32_t Bytes);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SKUA_USER_H */
