/*
 * Skua: a datagram engine on Winsock Kernel, for drivers in C. README.md beside this file's folder is the guide.
 *
 * Written by `cargo xtask c-header` from engine/capi/src: changes are made there.
 */

#ifndef SKUA_H
#define SKUA_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** How a call ended: an NTSTATUS. Negative values are failures. */
typedef int32_t SKUA_STATUS;

/** Whether a call succeeded. */
#define SKUA_SUCCESS(Status) ((SKUA_STATUS)(Status) >= 0)

/** Done. */
#define SKUA_STATUS_SUCCESS ((SKUA_STATUS)0x00000000u)
/** The Size of a structure is that of no version. */
#define SKUA_STATUS_INFO_LENGTH_MISMATCH ((SKUA_STATUS)0xC0000004u)
/** No engine is open there, or the number names nothing any more. */
#define SKUA_STATUS_INVALID_HANDLE ((SKUA_STATUS)0xC0000008u)
/** NULL, or a value that is none. */
#define SKUA_STATUS_INVALID_PARAMETER ((SKUA_STATUS)0xC000000Du)
/** Another call configures the engine: try again. */
#define SKUA_STATUS_DEVICE_BUSY ((SKUA_STATUS)0x80000011u)
/** Beyond what the engine was opened with. */
#define SKUA_STATUS_QUOTA_EXCEEDED ((SKUA_STATUS)0xC0000044u)
/** The socket or the engine closes. */
#define SKUA_STATUS_DELETE_PENDING ((SKUA_STATUS)0xC0000056u)
/** There is no memory, or no free slot. */
#define SKUA_STATUS_INSUFFICIENT_RESOURCES ((SKUA_STATUS)0xC000009Au)
/** There is no provider yet: try again. */
#define SKUA_STATUS_DEVICE_NOT_READY ((SKUA_STATUS)0xC00000A3u)
/** Something is outstanding at the deadline. */
#define SKUA_STATUS_IO_TIMEOUT ((SKUA_STATUS)0xC00000B5u)
/** Not for this datagram, or not with this provider. */
#define SKUA_STATUS_NOT_SUPPORTED ((SKUA_STATUS)0xC00000BBu)
/** The socket was closed, or the memory never handed over. */
#define SKUA_STATUS_CANCELLED ((SKUA_STATUS)0xC0000120u)
/** Not at this level, or after the verdict. */
#define SKUA_STATUS_INVALID_DEVICE_STATE ((SKUA_STATUS)0xC0000184u)
/** Longer than a slot. */
#define SKUA_STATUS_INVALID_BUFFER_SIZE ((SKUA_STATUS)0xC0000206u)
/** Somebody has the port. */
#define SKUA_STATUS_ADDRESS_ALREADY_EXISTS ((SKUA_STATUS)0xC000020Au)

struct _IRP;
struct _KEVENT;
struct _MDL;
struct _NET_BUFFER;
struct _NET_BUFFER_LIST;
struct _WSK_CLIENT_NPI;
struct _WSK_PROVIDER_CHARACTERISTICS;
struct _WSK_PROVIDER_NPI;
struct _WSK_REGISTRATION;


/**
 * Sends the provider's own memory on, without a copy, where a datagram that was retained is sent. Nothing in WSK's documentation
 * forbids it, and nobody is known to do it on Windows.
 */
#define SKUA_SEND_LENT 1

/**
 * Beyond the budget of lent memory, what is retained is copied into a slot, if there is one; else it is dropped.
 */
#define SKUA_COPY_BEYOND_BUDGET 2

/**
 * There is an allow-list, AllowList: who is not on it is dropped. An empty one lets in nobody.
 */
#define SKUA_ALLOW_LISTED 4

/**
 * All addresses of an IPv6 /64 are one source.
 */
#define SKUA_FOLD_IPV6 8

/**
 * Receive events are switched on for each socket, and not for all sockets of the registration.
 */
#define SKUA_DYNAMIC_EVENTS 16

/**
 * Sent to a broadcast address.
 */
#define SKUA_DATAGRAM_BROADCAST 1

/**
 * Sent to a multicast group.
 */
#define SKUA_DATAGRAM_MULTICAST 2

/**
 * The stack joined several datagrams, of which this is one.
 */
#define SKUA_DATAGRAM_COALESCED 4

/**
 * Of a retained datagram: the provider's own memory is kept, not a copy.
 */
#define SKUA_DATAGRAM_LENT 8

/**
 * IPv4: the address is the first 4 octets.
 */
#define SKUA_IPV4 4

/**
 * IPv6: the address is all 16 octets.
 */
#define SKUA_IPV6 6

/**
 * The nodes of a send go into ProtocolReserved of each NET_BUFFER: for the driver that made them.
 */
#define SKUA_PROTOCOL_RESERVED 0

/**
 * The nodes of a send go into MiniportReserved of each NET_BUFFER: for the driver at the bottom while it has them.
 */
#define SKUA_MINIPORT_RESERVED 1

/**
 * The socket was stopping.
 */
#define SKUA_DROP_CLOSING 0

/**
 * It was indicated on a processor whose handler was at work further up the same stack.
 */
#define SKUA_DROP_NESTED 1

/**
 * No prefix of the allow-list holds its source.
 */
#define SKUA_DROP_NOT_ALLOWED 2

/**
 * Its source's rate, or that of all sources without a row, was exceeded.
 */
#define SKUA_DROP_RATE_LIMITED 3

/**
 * It was not the one in Sample that is let in.
 */
#define SKUA_DROP_SAMPLED 4

/**
 * It was to be copied, and every slot was in use.
 */
#define SKUA_DROP_NO_SLOT 5

/**
 * Its record found no room. Sinks alone have records.
 */
#define SKUA_DROP_RING_FULL 6

/**
 * It was to be retained beyond the budget.
 */
#define SKUA_DROP_RETAIN_BUDGET 7

/**
 * Part of its MDL chain could not be mapped.
 */
#define SKUA_DROP_MAP_FAILED 8

/**
 * Its length, MDL chain, source address or control data contradict each other.
 */
#define SKUA_DROP_MALFORMED 9

/**
 * A control message that the socket requires was not there.
 */
#define SKUA_DROP_MISSING_INFO 10

/**
 * It is longer than the slot that was to hold it.
 */
#define SKUA_DROP_OVERSIZE 11

/**
 * The handler dropped it. What handlers give as their reason, unless another says more.
 */
#define SKUA_DROP_HANDLER 12

/**
 * How many reasons statistics have room for: more than there are.
 */
#define SKUA_DROP_REASONS 16

/**
 * Source and Interface count.
 */
#define SKUA_SEND_SOURCE 1

/**
 * TypeOfService counts.
 */
#define SKUA_SEND_TYPE_OF_SERVICE 2

/**
 * HopLimit counts.
 */
#define SKUA_SEND_HOP_LIMIT 4

/**
 * Segment counts.
 */
#define SKUA_SEND_SEGMENT 8

/**
 * A socket over IPv6 takes IPv6 only; without this flag one bound to :: takes IPv4 as well.
 */
#define SKUA_ONLY_IPV6 1

/**
 * Sends to broadcast addresses are allowed.
 */
#define SKUA_BROADCAST 2

/**
 * Nobody else may bind to the port.
 */
#define SKUA_SHARE_EXCLUSIVE 0

/**
 * What the transport allows by default.
 */
#define SKUA_SHARE_DEFAULT 1

/**
 * Who asks for it too may bind to the port.
 */
#define SKUA_SHARE_REUSE 2

/**
 * It is not asked for.
 */
#define SKUA_INFO_OFF 0

/**
 * It is asked for, and a datagram without it is handled all the same.
 */
#define SKUA_INFO_WANTED 1

/**
 * A socket that cannot give it does not open, and a datagram without it is dropped.
 */
#define SKUA_INFO_REQUIRED 2

/**
 * Up to 32 datagrams of one socket, in the order of the wire.
 *
 * # Invariants
 * It lies in a shard of the engine. `batch` is null between calls of the handler. During one the host holds its address, and that of
 * `datagram`: what changes it goes by the place, and makes no exclusive reference to the whole.
 */
typedef struct SKUA_BATCH SKUA_BATCH;

/**
 * An engine: memory of the caller's, nonpaged, zero before the first SkuaOpen.
 *
 * It belongs to the library from SkuaOpen on, stays where it is, and must outlive every use of the engine: a call after SkuaClose gets
 * a status because this memory still says so. It may be opened again after that.
 */
typedef struct SKUA_ENGINE {
  /**
   * The library's.
   */
  uint64_t Reserved[4];
} SKUA_ENGINE;

/**
 * Addresses that have their first bits in common.
 */
typedef struct SKUA_PREFIX {
  /**
   * SKUA_IPV4 or SKUA_IPV6.
   */
  uint16_t Family;
  /**
   * How many bits: 0 to 32, or 0 to 128.
   */
  uint16_t Length;
  /**
   * Zero.
   */
  uint32_t Reserved;
  /**
   * The address in network order, zeros beyond Length.
   */
  uint8_t Address[16];
} SKUA_PREFIX;

/**
 * How many datagrams are let in, on each processor. Zeros are no limit.
 */
typedef struct SKUA_RATE {
  /**
   * Datagrams a second in the long run.
   */
  uint32_t PerSecond;
  /**
   * Datagrams that a source which was silent may send at once; as PerSecond if 0.
   */
  uint32_t Burst;
} SKUA_RATE;

/**
 * Rates and sampling.
 */
typedef struct SKUA_LIMITS {
  /**
   * sizeof(SKUA_LIMITS).
   */
  uint32_t Size;
  /**
   * Of every this many datagrams that came this far, the first is let in; all if 0.
   */
  uint32_t Sample;
  /**
   * The limit of each source. It takes SourceRows.
   */
  struct SKUA_RATE Rate;
  /**
   * The limit of all sources together that have no row; as Rate if zero.
   */
  struct SKUA_RATE OtherRate;
} SKUA_LIMITS;

/**
 * What a close still waits for. Numbers are of the moment they were read.
 */
typedef struct SKUA_OUTSTANDING {
  /**
   * sizeof(SKUA_OUTSTANDING), the caller's to set before.
   */
  uint32_t Size;
  /**
   * Nonzero where WskCloseSocket was called and has not completed.
   */
  uint32_t IsClosing;
  /**
   * Datagrams that were retained and not given back, over all sockets.
   */
  uint64_t Retained;
  /**
   * Datagrams that were handed over to be sent and have not completed, over all sockets.
   */
  uint64_t Sends;
  /**
   * Handlers and calls of the library that have not returned.
   */
  uint64_t Calls;
} SKUA_OUTSTANDING;

/**
 * One datagram of a batch. Its address is valid until the next call of SkuaNextDatagram, and in the handler only. The fields are the
 * library's to write, and SkuaCopyDatagram reads them.
 */
typedef struct SKUA_DATAGRAM {
  /**
   * Where its first bytes lie, lent as SkuaDatagramData says. It means nothing where FirstBytes is 0.
   */
  const void *First;
  /**
   * How many lie there in one piece: all, unless the stack has split the datagram. 0 after the verdict.
   */
  uint32_t FirstBytes;
  /**
   * Zero.
   */
  uint32_t Reserved;
} SKUA_DATAGRAM;

/**
 * One end of a datagram. The same on every system, unlike a SOCKADDR.
 */
typedef struct SKUA_ENDPOINT {
  /**
   * SKUA_IPV4 or SKUA_IPV6.
   */
  uint16_t Family;
  /**
   * The UDP port, in the order of the host: 53 is DNS.
   */
  uint16_t Port;
  /**
   * The interface of a link-local IPv6 address; 0 otherwise.
   */
  uint32_t Scope;
  /**
   * The address in network order, zeros behind one of IPv4.
   */
  uint8_t Address[16];
} SKUA_ENDPOINT;

/**
 * What is known of a datagram besides its bytes.
 */
typedef struct SKUA_DATAGRAM_INFO {
  /**
   * sizeof(SKUA_DATAGRAM_INFO), the caller's to set before.
   */
  uint32_t Size;
  /**
   * Bytes.
   */
  uint32_t Length;
  /**
   * Who sent it.
   */
  struct SKUA_ENDPOINT Remote;
  /**
   * Where it was sent to: the address of the bind where the provider did not say.
   */
  struct SKUA_ENDPOINT Local;
  /**
   * When it came, in ticks of the performance counter.
   */
  uint64_t Time;
  /**
   * SKUA_DATAGRAM_BROADCAST and the like.
   */
  uint32_t Flags;
  /**
   * The index of the interface it came in by; 0 where the provider did not say.
   */
  uint32_t Interface;
  /**
   * DSCP and ECN; 0 where the provider did not say.
   */
  uint8_t TypeOfService;
  /**
   * Time to live on arrival; 0 where the provider did not say, and for a retained datagram.
   */
  uint8_t HopLimit;
  /**
   * Zero.
   */
  uint8_t Reserved[6];
} SKUA_DATAGRAM_INFO;

/**
 * A datagram that a handler retained: a number that names it until it is given back, once. Zero names none.
 */
typedef struct SKUA_RETAINED {
  /**
   * The library's.
   */
  uint64_t Value;
} SKUA_RETAINED;

/**
 * A source of datagrams that is a filter: a number that names it until it is drained. Zero names none.
 */
typedef struct SKUA_SOURCE {
  /**
   * The library's.
   */
  uint64_t Value;
} SKUA_SOURCE;

/**
 * What all datagrams of a chain of lists have in common.
 */
typedef struct SKUA_NBL_INFO {
  /**
   * sizeof(SKUA_NBL_INFO).
   */
  uint32_t Size;
  /**
   * Bytes from where the used data of each NET_BUFFER begins to the payload: 8 where the data begins with the UDP header.
   */
  uint32_t HeaderBytes;
  /**
   * Who sent them.
   */
  struct SKUA_ENDPOINT Remote;
  /**
   * Where they were sent to.
   */
  struct SKUA_ENDPOINT Local;
  /**
   * SKUA_DATAGRAM_BROADCAST, SKUA_DATAGRAM_MULTICAST.
   */
  uint32_t Flags;
  /**
   * The index of the interface they came in by.
   */
  uint32_t Interface;
  /**
   * DSCP and ECN.
   */
  uint8_t TypeOfService;
  /**
   * Time to live on arrival.
   */
  uint8_t HopLimit;
  /**
   * Zero.
   */
  uint8_t Reserved[6];
} SKUA_NBL_INFO;

/**
 * Is told of each datagram that the engine or the handler dropped, before SkuaReceiveNbl returns: a filter blocks it, say.
 *
 * IRQL: DISPATCH_LEVEL. It must not wait.
 */
typedef void (*SKUA_REFUSED)(void *Context, struct _NET_BUFFER_LIST *List, struct _NET_BUFFER *Buffer);

/**
 * A socket: a number that names it until it is closed. Zero names none.
 */
typedef struct SKUA_SOCKET {
  /**
   * The library's.
   */
  uint64_t Value;
} SKUA_SOCKET;

/**
 * What is said of a datagram besides its bytes.
 */
typedef struct SKUA_SEND_OPTIONS {
  /**
   * sizeof(SKUA_SEND_OPTIONS).
   */
  uint32_t Size;
  /**
   * Which of the fields count: SKUA_SEND_SOURCE and the like.
   */
  uint32_t Flags;
  /**
   * The address to send from, of the destination's family; its port does not matter.
   */
  struct SKUA_ENDPOINT Source;
  /**
   * The index of the interface to send by; 0: by route.
   */
  uint32_t Interface;
  /**
   * Cut each buffer into datagrams of so many bytes, where the stack can.
   */
  uint32_t Segment;
  /**
   * DSCP and ECN.
   */
  uint8_t TypeOfService;
  /**
   * Time to live.
   */
  uint8_t HopLimit;
  /**
   * Zero.
   */
  uint8_t Reserved[6];
} SKUA_SEND_OPTIONS;

/**
 * Is told that memory of the caller's is the caller's again, and how the send of it ended.
 *
 * IRQL: at most DISPATCH_LEVEL, on any thread, perhaps inside the call that sends. It must not wait.
 */
typedef void (*SKUA_SENT)(void *Context, SKUA_STATUS Status);

/**
 * The services of the kernel that an engine runs on.
 *
 * SkuaKernel() gives those of the library. A host that brings its own fills in every function; each has the name of the routine
 * of Windows whose documentation says what it does, and may be called at the levels said there. Context is passed to each of them as
 * the first argument.
 */
typedef struct SKUA_KERNEL {
  /**
   * sizeof(SKUA_KERNEL).
   */
  uint32_t Size;
  /**
   * Zero.
   */
  uint32_t Reserved;
  /**
   * The first argument of every function.
   */
  void *Context;
  /**
   * ExAllocatePool2 with POOL_FLAG_NON_PAGED: zeroed, resident, aligned to 16 bytes; NULL where there is none. PASSIVE_LEVEL.
   */
  void *(*ExAllocatePool2)(void *Context, size_t NumberOfBytes, uint32_t Tag);
  /**
   * ExFreePoolWithTag, with the number of bytes that were asked for. PASSIVE_LEVEL.
   */
  void (*ExFreePoolWithTag)(void *Context, void *Address, size_t NumberOfBytes, uint32_t Tag);
  /**
   * KeGetCurrentIrql. Any level.
   */
  uint8_t (*KeGetCurrentIrql)(void *Context);
  /**
   * KeRaiseIrqlToDpcLevel: the level before. At most DISPATCH_LEVEL.
   */
  uint8_t (*KeRaiseIrqlToDpcLevel)(void *Context);
  /**
   * KeLowerIrql.
   */
  void (*KeLowerIrql)(void *Context, uint8_t NewIrql);
  /**
   * KeGetCurrentProcessorNumberEx(NULL): an index over all groups.
   */
  uint32_t (*KeGetCurrentProcessorIndex)(void *Context);
  /**
   * KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS). The same answer every time.
   */
  uint32_t (*KeQueryMaximumProcessorCount)(void *Context);
  /**
   * IoInitializeIrp.
   */
  void (*IoInitializeIrp)(void *Context, struct _IRP *Irp, uint16_t PacketSize, int8_t StackSize);
  /**
   * IoReuseIrp.
   */
  void (*IoReuseIrp)(void *Context, struct _IRP *Irp, SKUA_STATUS Status);
  /**
   * IoCancelIrp: nonzero where a cancel routine was called.
   */
  uint8_t (*IoCancelIrp)(void *Context, struct _IRP *Irp);
  /**
   * MmBuildMdlForNonPagedPool.
   */
  void (*MmBuildMdlForNonPagedPool)(void *Context, struct _MDL *Mdl);
  /**
   * MmMapLockedPagesSpecifyCache(KernelMode, MmCached, NULL, FALSE, NormalPagePriority | MdlMappingNoExecute).
   */
  void *(*MmMapLockedPagesSpecifyCache)(void *Context, struct _MDL *Mdl);
  /**
   * KeInitializeEvent(NotificationEvent).
   */
  void (*KeInitializeEvent)(void *Context, struct _KEVENT *Event, uint8_t State);
  /**
   * KeSetEvent(IO_NO_INCREMENT, FALSE).
   */
  void (*KeSetEvent)(void *Context, struct _KEVENT *Event);
  /**
   * KeClearEvent.
   */
  void (*KeClearEvent)(void *Context, struct _KEVENT *Event);
  /**
   * KeWaitForSingleObject(Executive, KernelMode, FALSE): Timeout is NULL, or points at units of 100 ns, negative from now on.
   * PASSIVE_LEVEL.
   */
  SKUA_STATUS (*KeWaitForSingleObject)(void *Context, struct _KEVENT *Event, const int64_t *Timeout);
  /**
   * KeQueryPerformanceCounter: ticks; ticks a second as well where Frequency is not NULL. Any level.
   */
  int64_t (*KeQueryPerformanceCounter)(void *Context, int64_t *Frequency);
  /**
   * KeQueryInterruptTime: units of 100 ns that never run backwards. Any level.
   */
  uint64_t (*KeQueryInterruptTime)(void *Context);
  /**
   * WskRegister.
   */
  SKUA_STATUS (*WskRegister)(void *Context, struct _WSK_CLIENT_NPI *Npi, struct _WSK_REGISTRATION *Registration);
  /**
   * WskDeregister.
   */
  void (*WskDeregister)(void *Context, struct _WSK_REGISTRATION *Registration);
  /**
   * WskCaptureProviderNPI.
   */
  SKUA_STATUS (*WskCaptureProviderNPI)(void *Context,
                                       struct _WSK_REGISTRATION *Registration,
                                       uint32_t WaitTimeout,
                                       struct _WSK_PROVIDER_NPI *Npi);
  /**
   * WskReleaseProviderNPI.
   */
  void (*WskReleaseProviderNPI)(void *Context, struct _WSK_REGISTRATION *Registration);
  /**
   * WskQueryProviderCharacteristics.
   */
  SKUA_STATUS (*WskQueryProviderCharacteristics)(void *Context,
                                                 struct _WSK_REGISTRATION *Registration,
                                                 struct _WSK_PROVIDER_CHARACTERISTICS *Characteristics);
} SKUA_KERNEL;

/**
 * A handler: looks at a batch of datagrams of one socket. What it neither drops nor retains is consumed when it returns.
 *
 * IRQL: DISPATCH_LEVEL. Called on several processors at once, on one processor one at a time. It must not wait, and use no more than
 * about 1 KiB of stack. Batch is valid until it returns.
 */
typedef void (*SKUA_RECEIVE)(void *Context, struct SKUA_BATCH *Batch);

/**
 * What an engine is opened with. Every byte of memory that it will ever use follows from it: see SkuaEngineBytes.
 *
 * Zero is a good value for everything but Size, Kernel and Receive: `SKUA_ENGINE_CONFIG config = { sizeof(config) }`.
 */
typedef struct SKUA_ENGINE_CONFIG {
  /**
   * sizeof(SKUA_ENGINE_CONFIG): says which version of the structure this is.
   */
  uint32_t Size;
  /**
   * SKUA_SEND_LENT and the like.
   */
  uint32_t Flags;
  /**
   * The services to run on: SkuaKernel(), or a table of one's own. It is copied.
   */
  const struct SKUA_KERNEL *Kernel;
  /**
   * The handler of every socket and source.
   */
  SKUA_RECEIVE Receive;
  /**
   * The handler's first argument.
   */
  void *Context;
  /**
   * The pool tag under which everything is allocated: the four characters, the first in the lowest byte; "Skua" if 0.
   */
  uint32_t PoolTag;
  /**
   * Bytes that the handler has for each processor, zeroed: SkuaBatchMemory.
   */
  uint32_t HandlerBytes;
  /**
   * The most processors there may be; SkuaOpen fails where there can be more. 0: as many as there can be.
   */
  uint32_t MaxProcessors;
  /**
   * The most sockets at once; 8 if 0.
   */
  uint32_t MaxSockets;
  /**
   * The most sources for network buffer lists at once.
   */
  uint32_t MaxSources;
  /**
   * Sends under way at once; 0: the engine does not send.
   */
  uint32_t SendSlots;
  /**
   * The longest datagram that is copied to be sent, in bytes; 1472 if 0.
   */
  uint32_t SendBytes;
  /**
   * Send slots that each processor may hold for itself, at most 64; 16 if 0.
   */
  uint32_t Magazine;
  /**
   * Lent datagrams that may be retained at once, for each processor; 0: none stays lent.
   */
  uint32_t RetainDatagrams;
  /**
   * Their bytes, for each processor; no limit of its own if 0.
   */
  uint32_t RetainBytes;
  /**
   * Slots for copies of what is retained beyond that, shared by all processors (SKUA_COPY_BEYOND_BUDGET).
   */
  uint32_t CopySlots;
  /**
   * The longest datagram that is copied, in bytes; 2048 if 0.
   */
  uint32_t CopyBytes;
  /**
   * The allow-list (SKUA_ALLOW_LISTED), which is copied; NULL where AllowCount is 0.
   */
  const struct SKUA_PREFIX *AllowList;
  /**
   * Its prefixes.
   */
  uint32_t AllowCount;
  /**
   * Distinct prefixes that this and every later allow-list may have, at most 4096; 64 if 0.
   */
  uint32_t AllowCapacity;
  /**
   * Rates and sampling; Size of it may be 0 for none.
   */
  struct SKUA_LIMITS Limits;
  /**
   * Rows of the source table, for each processor; a rate for each source needs them.
   */
  uint32_t SourceRows;
  /**
   * How long a source must be silent before its row may be another's, in milliseconds; 60,000 if 0.
   */
  uint32_t SourceIdle;
  /**
   * Random bits that no sender knows, for the source table.
   */
  uint64_t Seed;
} SKUA_ENGINE_CONFIG;

/**
 * The bytes of one datagram.
 */
typedef struct SKUA_BUFFER {
  /**
   * Where they lie; may be NULL where there is none.
   */
  const void *Data;
  /**
   * How many.
   */
  uint32_t Bytes;
  /**
   * Zero.
   */
  uint32_t Reserved;
} SKUA_BUFFER;

/**
 * What a socket is opened with. Zero is a good value for everything but Size and Local.
 */
typedef struct SKUA_SOCKET_CONFIG {
  /**
   * sizeof(SKUA_SOCKET_CONFIG).
   */
  uint32_t Size;
  /**
   * SKUA_ONLY_IPV6, SKUA_BROADCAST.
   */
  uint32_t Flags;
  /**
   * Address and port to bind to; the family of the socket is its family. Port 0 lets the stack choose.
   */
  struct SKUA_ENDPOINT Local;
  /**
   * The one address that datagrams come from and go to (SIO_WSK_SET_REMOTE_ADDRESS); anyone's if its Family is 0.
   */
  struct SKUA_ENDPOINT Remote;
  /**
   * SKUA_SHARE_EXCLUSIVE and the like.
   */
  uint32_t Sharing;
  /**
   * Whether datagrams should say where they were sent to and by which interface they came: SKUA_INFO_OFF and the like.
   */
  uint32_t PacketInfo;
  /**
   * The same of DSCP and ECN.
   */
  uint32_t TypeOfService;
  /**
   * The same of the time to live.
   */
  uint32_t HopLimit;
  /**
   * The same of the stack's own time of arrival.
   */
  uint32_t Timestamp;
  /**
   * The same of joined datagrams (UDP_RECV_MAX_COALESCED_SIZE): the handler sees the datagrams one by one all the same.
   */
  uint32_t Coalesced;
  /**
   * Bytes that the stack may hold for the socket (SO_RCVBUF); the transport's default if 0.
   */
  uint32_t ReceiveBuffer;
  /**
   * What SkuaBatchSocket says of its datagrams.
   */
  uint16_t Id;
  /**
   * Zero.
   */
  uint16_t Reserved;
  /**
   * The process on whose behalf the socket is bound, a PEPROCESS, referenced by the caller for the time of the call; the calling
   * one if NULL.
   */
  void *OwningProcess;
  /**
   * A thread of it whose impersonation counts, a PETHREAD; none if NULL.
   */
  void *OwningThread;
} SKUA_SOCKET_CONFIG;

/**
 * How a socket is.
 */
typedef struct SKUA_SOCKET_STATE {
  /**
   * sizeof(SKUA_SOCKET_STATE), the caller's to set before.
   */
  uint32_t Size;
  /**
   * Nonzero where the provider has said that the socket is dead: only SkuaCloseSocket is left.
   */
  uint32_t IsDead;
  /**
   * Where it is bound; the port is the real one, also if 0 was asked for.
   */
  struct SKUA_ENDPOINT Local;
} SKUA_SOCKET_STATE;

/**
 * A multicast group.
 */
typedef struct SKUA_GROUP {
  /**
   * sizeof(SKUA_GROUP).
   */
  uint32_t Size;
  /**
   * The index of the interface to hear it on; 0 leaves the choice to the routing table.
   */
  uint32_t Interface;
  /**
   * The group; its port does not matter.
   */
  struct SKUA_ENDPOINT Group;
  /**
   * The one source to hear; every source if its Family is 0.
   */
  struct SKUA_ENDPOINT Source;
} SKUA_GROUP;

/**
 * Counters of an engine since it was opened, over all processors. They never run backwards.
 *
 * Indicated = Accepted + Kept + the sum of Drops. That is exact when nothing is under way, and while datagrams come unless IsExact is 0.
 */
typedef struct SKUA_STATISTICS {
  /**
   * sizeof(SKUA_STATISTICS), the caller's to set before.
   */
  uint32_t Size;
  /**
   * Nonzero where every processor was read between two of its batches.
   */
  uint32_t IsExact;
  /**
   * Datagrams that the provider, or a filter, indicated.
   */
  uint64_t Indicated;
  /**
   * Datagrams that the handler consumed.
   */
  uint64_t Accepted;
  /**
   * Datagrams that the handler retained.
   */
  uint64_t Kept;
  /**
   * Of those, the ones that were given back.
   */
  uint64_t Released;
  /**
   * Payload bytes of the datagrams that reached the handler.
   */
  uint64_t Bytes;
  /**
   * Calls of the handler.
   */
  uint64_t Batches;
  /**
   * Datagrams without a control message that the socket would have liked to see.
   */
  uint64_t WithoutInfo;
  /**
   * Datagrams handed over to be sent.
   */
  uint64_t SendsIssued;
  /**
   * Sends that completed with success.
   */
  uint64_t SendsCompleted;
  /**
   * Sends that failed.
   */
  uint64_t SendsFailed;
  /**
   * Datagrams that went no further, by reason: SKUA_DROP_HANDLER and its like are the indices.
   */
  uint64_t Drops[SKUA_DROP_REASONS];
} SKUA_STATISTICS;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Puts another allow-list in force: of Count prefixes, or everyone's where List is NULL.
 *
 * Batches that begin after this returned run under it. A list of no prefix, which lets in nobody, is a Count of 0 and a List that is
 * not NULL. The list is copied.
 *
 * IRQL: PASSIVE_LEVEL.
 *
 * Returns STATUS_INVALID_PARAMETER for more prefixes than AllowCapacity and for one that has bits set beyond its length;
 * STATUS_DEVICE_BUSY while another thread replaces it; the list in force stays then.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `List` is null or has `Count` prefixes.
 */
SKUA_STATUS SkuaReplaceAllowList(struct SKUA_ENGINE *Engine,
                                 const struct SKUA_PREFIX *List,
                                 uint32_t Count);

/**
 * Puts other rates and another sampling in force. Batches that begin after this returned run under them.
 *
 * IRQL: PASSIVE_LEVEL.
 *
 * Returns STATUS_INVALID_PARAMETER for a rate of each source where the engine was opened without SourceRows, and for a burst that
 * cannot be counted; STATUS_INFO_LENGTH_MISMATCH for an unknown Size; STATUS_DEVICE_BUSY while another thread sets them. The limits
 * in force stay then.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Limits` is null or a structure of its Size.
 */
SKUA_STATUS SkuaSetLimits(struct SKUA_ENGINE *Engine,
                          const struct SKUA_LIMITS *Limits);

/**
 * The limits in force. Limits->Size is the caller's to set before.
 *
 * IRQL: at most DISPATCH_LEVEL.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Limits` is null or a writable structure of its Size.
 */
SKUA_STATUS SkuaQueryLimits(struct SKUA_ENGINE *Engine, struct SKUA_LIMITS *Limits);

/**
 * Closes an engine: turns new sends and sockets away, closes what sockets and sources are still open, waits for handlers, retained datagrams
 * and sends, leaves WSK, and frees all memory. Engine may then be opened again, or go.
 *
 * When everything is back, it waits for calls that have not returned, and every function that begins meanwhile returns
 * STATUS_DELETE_PENDING, or 0 where it returns a number of bytes.
 *
 * Waits at most so many milliseconds, 0xFFFFFFFF without limit, as DriverUnload does. Past that the engine is still there and still
 * closing: retained datagrams go on being released, and SkuaClose is called again. What it waits for is in Outstanding, which may be
 * NULL; Outstanding->Size is the caller's to set.
 *
 * IRQL: PASSIVE_LEVEL. Not in a handler.
 *
 * Returns STATUS_IO_TIMEOUT when something is outstanding at the deadline, STATUS_INVALID_HANDLE where no engine is open,
 * STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL, STATUS_DEVICE_BUSY while another call configures or closes the engine.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Outstanding` is null or a writable structure of its Size.
 */
SKUA_STATUS SkuaClose(struct SKUA_ENGINE *Engine,
                      uint32_t Milliseconds,
                      struct SKUA_OUTSTANDING *Outstanding);

/**
 * Bytes of the datagram; 0 after its verdict.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * # Safety
 * `Datagram` is null or what SkuaNextDatagram returned last.
 */
uint32_t SkuaDatagramLength(const struct SKUA_DATAGRAM *Datagram);

/**
 * Where the bytes lie, if they lie in one piece: SkuaDatagramLength of them. NULL otherwise, and after the verdict: SkuaCopyDatagram
 * copies them.
 *
 * The memory is lent. A network card or a sender on the same machine may still write there: read each byte once, and never write.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * # Safety
 * As for [`SkuaDatagramLength`].
 */
const void *SkuaDatagramData(const struct SKUA_DATAGRAM *Datagram);

/**
 * Copies bytes of the datagram, from Offset on, to Buffer, wherever they lie: as many as there are, at most Bytes. Returns how many.
 * SkuaCopyDatagram does the same, and calls this where they do not lie in the first piece.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * # Safety
 * As for [`SkuaDatagramLength`]. `Buffer` is writable for `Bytes`, and none of it is lent memory.
 */
uint32_t SkuaGatherDatagram(const struct SKUA_DATAGRAM *Datagram,
                            uint32_t Offset,
                            void *Buffer,
                            uint32_t Bytes);

/**
 * The MDL chain that the datagram lies in, and where in its first MDL it begins: for a host that passes chains on in the handler. The
 * chain is lent until the handler returns.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * Returns STATUS_INVALID_DEVICE_STATE after the verdict, STATUS_NOT_SUPPORTED for a datagram of a filter's list and for part of a
 * coalesced buffer, STATUS_INVALID_PARAMETER for NULL.
 *
 * # Safety
 * As for [`SkuaDatagramLength`]. `Mdl` and `Offset` are null or writable.
 */
SKUA_STATUS SkuaDatagramBuffer(const struct SKUA_DATAGRAM *Datagram,
                               struct _MDL **Mdl,
                               uint32_t *Offset);

/**
 * Everything that is known of the datagram. Info->Size is the caller's to set before.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * Returns STATUS_INVALID_DEVICE_STATE after the verdict, STATUS_INFO_LENGTH_MISMATCH for an unknown Size,
 * STATUS_INVALID_PARAMETER for NULL.
 *
 * # Safety
 * As for [`SkuaDatagramLength`]. `Info` is null or a writable structure of its Size.
 */
SKUA_STATUS SkuaDescribeDatagram(const struct SKUA_DATAGRAM *Datagram, struct SKUA_DATAGRAM_INFO *Info);

/**
 * The verdict that the datagram goes no further; it is counted under Reason.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * Returns STATUS_INVALID_DEVICE_STATE where the verdict is in already, STATUS_INVALID_PARAMETER for NULL and for a reason that is none.
 *
 * # Safety
 * As for [`SkuaDatagramLength`].
 */
SKUA_STATUS SkuaDrop(struct SKUA_DATAGRAM *Datagram,
                     uint32_t Reason);

/**
 * The verdict that the datagram is kept beyond the handler, under the number that it writes to Retained.
 *
 * Within the budget (RetainDatagrams, RetainBytes) the provider's memory itself is kept: a few, and not for long, for the stack below
 * has no other. Beyond it the bytes are copied, if the engine was opened with SKUA_COPY_BEYOND_BUDGET. Each number is given back once,
 * by SkuaRelease or SkuaSendRetained, on any thread; SkuaCloseSocket and SkuaClose wait for that.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * Returns, where the datagram is not kept but dropped: STATUS_QUOTA_EXCEEDED beyond the budget, STATUS_INSUFFICIENT_RESOURCES
 * without a slot, STATUS_INVALID_BUFFER_SIZE for one that is longer than a slot, STATUS_DELETE_PENDING while its socket closes. And
 * STATUS_INVALID_DEVICE_STATE where the verdict is in already, STATUS_INVALID_PARAMETER for NULL.
 *
 * # Safety
 * As for [`SkuaDatagramLength`]. `Retained` is null or writable.
 */
SKUA_STATUS SkuaRetain(struct SKUA_DATAGRAM *Datagram,
                       struct SKUA_RETAINED *Retained);

/**
 * The next datagram of a batch, NULL behind the last. The one before is consumed, unless it was dropped or retained, and its address
 * means this one from now on.
 *
 * IRQL: DISPATCH_LEVEL, in the handler. Outside of it, NULL.
 *
 * # Safety
 * `Batch` is null or what the handler was called with.
 */
struct SKUA_DATAGRAM *SkuaNextDatagram(struct SKUA_BATCH *Batch);

/**
 * How many datagrams the batch began with.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * # Safety
 * As for [`SkuaNextDatagram`].
 */
uint32_t SkuaBatchLength(struct SKUA_BATCH *Batch);

/**
 * The index of the processor that the handler runs on.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * # Safety
 * As for [`SkuaNextDatagram`].
 */
uint32_t SkuaBatchProcessor(struct SKUA_BATCH *Batch);

/**
 * The Id that the socket or source was opened with.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * # Safety
 * As for [`SkuaNextDatagram`].
 */
uint16_t SkuaBatchSocket(struct SKUA_BATCH *Batch);

/**
 * The port that the socket is bound to.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * # Safety
 * As for [`SkuaNextDatagram`].
 */
uint16_t SkuaBatchLocalPort(struct SKUA_BATCH *Batch);

/**
 * The HandlerBytes of this processor, aligned to 64 bytes and zero at first; NULL if HandlerBytes is 0. No lock is needed to use them in
 * the handler.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 *
 * # Safety
 * As for [`SkuaNextDatagram`].
 */
void *SkuaBatchMemory(struct SKUA_BATCH *Batch);

/**
 * Opens a source for the lists of a filter, before the filter is registered. Id is what SkuaBatchSocket says of its datagrams.
 *
 * IRQL: PASSIVE_LEVEL.
 *
 * Returns STATUS_QUOTA_EXCEEDED for more than MaxSources, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER for NULL,
 * STATUS_DELETE_PENDING while the engine closes, STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL, STATUS_INSUFFICIENT_RESOURCES.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Source` is null or writable.
 */
SKUA_STATUS SkuaOpenSource(struct SKUA_ENGINE *Engine,
                           uint16_t Id,
                           struct SKUA_SOURCE *Source);

/**
 * Hands each datagram in a chain of lists to the handler, in place. Count, which may be NULL, is how many there were. On return the lists are
 * the filter's again: what the handler retains of them is copied.
 *
 * IRQL: at most DISPATCH_LEVEL.
 *
 * Returns STATUS_DELETE_PENDING when the source was drained with something outstanding, and then nothing was looked at.
 * STATUS_INVALID_HANDLE for a number that names no source, STATUS_INFO_LENGTH_MISMATCH for an unknown Size, STATUS_INVALID_PARAMETER for
 * NULL.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says. `List` is null or a chain that is the caller's for the call, whose MDLs describe locked pages or
 * nonpaged pool. `Info` is null or a structure of its Size; `Count` is null or writable.
 */
SKUA_STATUS SkuaReceiveNbl(struct SKUA_ENGINE *Engine,
                           struct SKUA_SOURCE Source,
                           struct _NET_BUFFER_LIST *List,
                           const struct SKUA_NBL_INFO *Info,
                           SKUA_REFUSED Refused,
                           void *Context,
                           uint64_t *Count);

/**
 * Turns away what comes by a source from now on, counted as SKUA_DROP_CLOSING. Called before the filter is unregistered
 * (FwpsCalloutUnregisterById, NdisFDeregisterFilterDriver), whose end says that no callback is under way; SkuaDrainSource after it.
 *
 * IRQL: at most DISPATCH_LEVEL.
 *
 * Returns STATUS_INVALID_HANDLE for a number that names no source.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says.
 */
SKUA_STATUS SkuaStopSource(struct SKUA_ENGINE *Engine,
                           struct SKUA_SOURCE Source);

/**
 * Waits until every datagram that a handler retained of a source has come back, and ends the source.
 *
 * Waits at most so many milliseconds, 0xFFFFFFFF without limit. Past that the source is still there, turns away what comes, and may have
 * another number, which is written to Source.
 *
 * IRQL: PASSIVE_LEVEL, after the filter is unregistered. Not in a handler.
 *
 * Returns STATUS_IO_TIMEOUT when something is outstanding at the deadline, STATUS_INVALID_HANDLE for a number that names no source,
 * STATUS_INVALID_PARAMETER for NULL, STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Source` is null or writable.
 */
SKUA_STATUS SkuaDrainSource(struct SKUA_ENGINE *Engine,
                            struct SKUA_SOURCE *Source,
                            uint32_t Milliseconds);

/**
 * Sends the datagrams of network buffer lists by one call of the stack, out of their own memory. HeaderBytes of the used data of each
 * NET_BUFFER are not sent. Reserved says whose reserved bytes hold the nodes of the list: SKUA_PROTOCOL_RESERVED or
 * SKUA_MINIPORT_RESERVED. Sent, which may be NULL, is how many there are.
 *
 * Done is called once with Context when the lists are the caller's again, unless this fails before the stack was called: then the lists
 * are the caller's at once. It may be called inside this call.
 *
 * IRQL: at most DISPATCH_LEVEL.
 *
 * Returns as SkuaSend; STATUS_INVALID_PARAMETER also for an empty chain and a buffer with less data than headers.
 *
 * # Safety
 * As for [`SkuaSend`](crate::SkuaSend). Lists, buffers, their reserved bytes and their MDLs are the caller's, and stay as they are until
 * `Done` is called. `Sent` is null or writable.
 */
SKUA_STATUS SkuaSendNbl(struct SKUA_ENGINE *Engine,
                        struct SKUA_SOCKET Socket,
                        const struct SKUA_ENDPOINT *Remote,
                        struct _NET_BUFFER_LIST *List,
                        uint32_t HeaderBytes,
                        uint32_t ReservedBytes,
                        const struct SKUA_SEND_OPTIONS *Options,
                        SKUA_SENT Done,
                        void *Context,
                        uint32_t *Sent);

/**
 * Opens an engine: takes all its memory, registers with WSK, and fixes the handler. The handler is not called before a socket is
 * opened.
 *
 * Engine is memory of the caller's, zero before the first open. Config is copied, and so is the table of services in it.
 *
 * IRQL: PASSIVE_LEVEL. It does not wait: DriverEntry may call it.
 *
 * Returns STATUS_INVALID_PARAMETER for NULL, flags that are none, and settings that contradict each other; STATUS_INFO_LENGTH_MISMATCH for a
 * Size that no version has, of Config, of its Limits or of its Kernel; STATUS_INVALID_HANDLE where an engine is open in this
 * memory already, or it was not zero; STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL; STATUS_INSUFFICIENT_RESOURCES; or what
 * WskRegister returned. Nothing is held then.
 *
 * # Safety
 * `Engine` is null or as [`SKUA_ENGINE`] says. `Config` is null, or its Size at least can be read, and as many bytes as that; what it
 * points at is what it says.
 */
SKUA_STATUS SkuaOpen(struct SKUA_ENGINE *Engine,
                     const struct SKUA_ENGINE_CONFIG *Config);

/**
 * How many bytes of nonpaged pool an engine of this configuration takes in all on a machine of so many processors, with every socket
 * open. Config->Kernel and its AllowList may be NULL.
 *
 * IRQL: any.
 *
 * Returns STATUS_INVALID_PARAMETER and STATUS_INFO_LENGTH_MISMATCH as SkuaOpen.
 *
 * # Safety
 * `Config` is as for [`SkuaOpen`]; `Bytes` is null or writable.
 */
SKUA_STATUS SkuaEngineBytes(const struct SKUA_ENGINE_CONFIG *Config,
                            uint32_t Processors,
                            uint64_t *Bytes);

/**
 * Waits for WSK's provider, at most so many milliseconds: it may come up only after the driver. Once is enough for an engine; after that it
 * returns at once.
 *
 * IRQL: PASSIVE_LEVEL. Not in DriverEntry, unless Milliseconds is 0.
 *
 * Returns STATUS_DEVICE_NOT_READY while there is no provider: try again. STATUS_DEVICE_BUSY while another call configures the engine,
 * STATUS_DELETE_PENDING while it closes, STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says.
 */
SKUA_STATUS SkuaCaptureProvider(struct SKUA_ENGINE *Engine,
                                uint32_t Milliseconds);

/**
 * Gives a retained datagram back.
 *
 * IRQL: at most DISPATCH_LEVEL, also in the handler, also while the engine closes.
 *
 * Returns STATUS_INVALID_HANDLE for a number that was given back before or never given out, and after SkuaClose.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says.
 */
SKUA_STATUS SkuaRelease(struct SKUA_ENGINE *Engine, struct SKUA_RETAINED Retained);

/**
 * Copies bytes of a retained datagram, from Offset on, to Buffer: as many as there are, at most Bytes. Returns how many; 0 for a
 * number that names none.
 *
 * IRQL: at most DISPATCH_LEVEL.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says. `Buffer` is writable for `Bytes`, and none of it is lent memory.
 */
uint32_t SkuaCopyRetained(struct SKUA_ENGINE *Engine,
                          struct SKUA_RETAINED Retained,
                          uint32_t Offset,
                          void *Buffer,
                          uint32_t Bytes);

/**
 * Everything that is known of a retained datagram. Info->Size is the caller's to set before.
 *
 * IRQL: at most DISPATCH_LEVEL.
 *
 * Returns STATUS_INVALID_HANDLE for a number that names none, STATUS_INFO_LENGTH_MISMATCH for an unknown Size,
 * STATUS_INVALID_PARAMETER for NULL.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Info` is null or a writable structure of its Size.
 */
SKUA_STATUS SkuaDescribeRetained(struct SKUA_ENGINE *Engine,
                                 struct SKUA_RETAINED Retained,
                                 struct SKUA_DATAGRAM_INFO *Info);

/**
 * Sends a copy of Bytes at Data to Remote. Options may be NULL.
 *
 * Success says that the datagram was handed over; how it ended, SkuaQueryStatistics tells.
 *
 * IRQL: at most DISPATCH_LEVEL, also in a handler.
 *
 * Returns STATUS_INSUFFICIENT_RESOURCES when every send slot is under way, STATUS_INVALID_BUFFER_SIZE for more than SendBytes,
 * STATUS_DELETE_PENDING while the socket or the engine closes, STATUS_INVALID_HANDLE for a number that names no socket,
 * STATUS_INVALID_PARAMETER for NULL and for an address of another family, STATUS_INFO_LENGTH_MISMATCH for an unknown Size of Options; or
 * what the provider answered.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Remote` is null or an endpoint; `Data` has `Bytes` bytes; `Options` is null or a structure of its Size.
 */
SKUA_STATUS SkuaSend(struct SKUA_ENGINE *Engine,
                     struct SKUA_SOCKET Socket,
                     const struct SKUA_ENDPOINT *Remote,
                     const void *Data,
                     uint32_t Bytes,
                     const struct SKUA_SEND_OPTIONS *Options);

/**
 * Sends copies of Count datagrams to one destination by one call of the stack (WskSendMessages). Sent, which may be NULL, is how many
 * were handed over: the first ones.
 *
 * IRQL: at most DISPATCH_LEVEL, also in a handler.
 *
 * Returns as SkuaSend: why the first that was not handed over was not.
 *
 * # Safety
 * As for [`SkuaSend`]. `Buffers` has `Count` elements, each with its bytes; `Sent` is null or writable.
 */
SKUA_STATUS SkuaSendMessages(struct SKUA_ENGINE *Engine,
                             struct SKUA_SOCKET Socket,
                             const struct SKUA_ENDPOINT *Remote,
                             const struct SKUA_BUFFER *Buffers,
                             uint32_t Count,
                             const struct SKUA_SEND_OPTIONS *Options,
                             uint32_t *Sent);

/**
 * Sends Bytes of a chain of the caller's MDLs, from Offset of the first on, as they are: nothing is copied.
 *
 * Done is called once with Context for every call of this function, also for one that fails, when the memory is the caller's again: with
 * the status that the send ended with, or that this returns. Until then the chain and the memory stay as they are.
 *
 * IRQL: at most DISPATCH_LEVEL, also in a handler.
 *
 * Returns as SkuaSend, with STATUS_INVALID_BUFFER_SIZE for more than 65,535 bytes. Without Done, STATUS_INVALID_PARAMETER.
 *
 * # Safety
 * As for [`SkuaSend`]. The chain describes locked pages or nonpaged pool, `Bytes` of it from `Offset` on, which lies in the first MDL.
 */
SKUA_STATUS SkuaSendMdl(struct SKUA_ENGINE *Engine,
                        struct SKUA_SOCKET Socket,
                        const struct SKUA_ENDPOINT *Remote,
                        struct _MDL *Mdl,
                        uint32_t Offset,
                        uint32_t Bytes,
                        const struct SKUA_SEND_OPTIONS *Options,
                        SKUA_SENT Done,
                        void *Context);

/**
 * Sends a retained datagram on, and gives it back: its own memory where that is lent and the engine was opened with SKUA_SEND_LENT, and
 * then when the send completes; else a copy, and then at once.
 *
 * IRQL: at most DISPATCH_LEVEL, also in a handler.
 *
 * Returns as SkuaSend; STATUS_INVALID_HANDLE also for a datagram that was given back before; STATUS_DEVICE_BUSY where another thread
 * copies from it at this moment, and then it is given back and not sent. Whatever this returns, Retained names nothing any more,
 * unless it is STATUS_INVALID_PARAMETER or STATUS_INFO_LENGTH_MISMATCH for the arguments, an address of another family than the
 * socket's among them: then it is to be sent again or released. SkuaRelease after any failure does no harm.
 *
 * # Safety
 * As for [`SkuaSend`].
 */
SKUA_STATUS SkuaSendRetained(struct SKUA_ENGINE *Engine,
                             struct SKUA_SOCKET Socket,
                             const struct SKUA_ENDPOINT *Remote,
                             struct SKUA_RETAINED Retained,
                             const struct SKUA_SEND_OPTIONS *Options);

/**
 * Opens a socket and binds it. Its datagrams reach the handler, perhaps before this returns. Where SkuaCaptureProvider was not called, the
 * provider is captured without waiting for it.
 *
 * IRQL: PASSIVE_LEVEL. It waits for the stack: not in DriverEntry, and not in a handler.
 *
 * Returns what the stack answered: STATUS_ADDRESS_ALREADY_EXISTS where somebody has the port, STATUS_IO_TIMEOUT after 10 s without an
 * answer. STATUS_QUOTA_EXCEEDED for more than MaxSockets; STATUS_INVALID_PARAMETER for values that are none and NULL;
 * STATUS_INFO_LENGTH_MISMATCH for an unknown Size; STATUS_DEVICE_NOT_READY without a provider; STATUS_DEVICE_BUSY while another call
 * configures the engine; STATUS_DELETE_PENDING while it closes; STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL;
 * STATUS_INVALID_HANDLE; STATUS_INSUFFICIENT_RESOURCES.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Config` is null or a structure of its Size, and what it points at is what it says; `Socket` is
 * null or writable.
 */
SKUA_STATUS SkuaOpenSocket(struct SKUA_ENGINE *Engine,
                           const struct SKUA_SOCKET_CONFIG *Config,
                           struct SKUA_SOCKET *Socket);

/**
 * Turns away what comes for a socket from now on, counted as SKUA_DROP_CLOSING, and refuses sends. It stays bound.
 *
 * IRQL: at most DISPATCH_LEVEL, also in a handler.
 *
 * Returns STATUS_INVALID_HANDLE for a number that names no socket.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says.
 */
SKUA_STATUS SkuaStopSocket(struct SKUA_ENGINE *Engine, struct SKUA_SOCKET Socket);

/**
 * Closes a socket: stops it, waits for its handlers and retained datagrams, then closes it. Sends under way are cancelled.
 *
 * Waits at most so many milliseconds, 0xFFFFFFFF without limit. Whatever it returns but STATUS_INVALID_HANDLE, STATUS_INVALID_DEVICE_STATE and
 * STATUS_INFO_LENGTH_MISMATCH, the number names nothing any more, and the socket goes on closing by itself; SkuaClose waits for it.
 *
 * IRQL: PASSIVE_LEVEL. Not in a handler.
 *
 * Returns STATUS_IO_TIMEOUT when something is outstanding at the deadline: what, is in Outstanding, which may be NULL.
 * STATUS_INVALID_HANDLE for a number that names no socket, STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Outstanding` is null or a writable structure of its Size.
 */
SKUA_STATUS SkuaCloseSocket(struct SKUA_ENGINE *Engine,
                            struct SKUA_SOCKET Socket,
                            uint32_t Milliseconds,
                            struct SKUA_OUTSTANDING *Outstanding);

/**
 * Where a socket is bound, and whether it lives. State->Size is the caller's to set before.
 *
 * IRQL: at most DISPATCH_LEVEL.
 *
 * Returns STATUS_INVALID_HANDLE for a number that names no socket, STATUS_INFO_LENGTH_MISMATCH for an unknown Size,
 * STATUS_INVALID_PARAMETER for NULL.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `State` is null or a writable structure of its Size.
 */
SKUA_STATUS SkuaQuerySocket(struct SKUA_ENGINE *Engine, struct SKUA_SOCKET Socket, struct SKUA_SOCKET_STATE *State);

/**
 * Joins a multicast group.
 *
 * IRQL: PASSIVE_LEVEL. It waits for the stack.
 *
 * Returns what the stack answered; STATUS_INVALID_PARAMETER for an address that is no group's; STATUS_INVALID_HANDLE,
 * STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_DEVICE_STATE, STATUS_DEVICE_BUSY and STATUS_DELETE_PENDING as SkuaOpenSocket.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Group` is null or a structure of its Size.
 */
SKUA_STATUS SkuaJoinGroup(struct SKUA_ENGINE *Engine,
                          struct SKUA_SOCKET Socket,
                          const struct SKUA_GROUP *Group);

/**
 * Leaves a multicast group, joined with the same Interface and Source.
 *
 * IRQL: PASSIVE_LEVEL. It waits for the stack.
 *
 * Returns as SkuaJoinGroup.
 *
 * # Safety
 * As for [`SkuaJoinGroup`].
 */
SKUA_STATUS SkuaLeaveGroup(struct SKUA_ENGINE *Engine, struct SKUA_SOCKET Socket, const struct SKUA_GROUP *Group);

/**
 * The counters. Statistics->Size is the caller's to set before.
 *
 * IRQL: at most DISPATCH_LEVEL.
 *
 * Returns STATUS_INFO_LENGTH_MISMATCH for an unknown Size, STATUS_INVALID_HANDLE where no engine is open, STATUS_INVALID_PARAMETER for NULL.
 *
 * # Safety
 * `Engine` is as [`SKUA_ENGINE`] says; `Statistics` is null or a writable structure of its Size.
 */
SKUA_STATUS SkuaQueryStatistics(struct SKUA_ENGINE *Engine,
                                struct SKUA_STATISTICS *Statistics);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The services that this library runs on: those of Windows in the kernel library, those of a kernel made for this process in the
 * user-mode library. The table stays for good. NULL where the services are not to be had.
 *
 * IRQL: PASSIVE_LEVEL.
 */
const SKUA_KERNEL *SkuaKernel(void);

#ifdef __cplusplus
}
#endif

/**
 * Copies bytes of the datagram, from Offset on, to Buffer: as many as there are, at most Bytes. Returns how many; 0 after the verdict.
 * None of Buffer is lent memory.
 *
 * Where the bytes lie in the first piece there is no call of the library: for an Offset and a number of Bytes that the compiler
 * knows, those of a header, it is a few instructions.
 *
 * IRQL: DISPATCH_LEVEL, in the handler.
 */
static inline uint32_t SkuaCopyDatagram(const SKUA_DATAGRAM *Datagram, uint32_t Offset, void *Buffer, uint32_t Bytes)
{
  if (!Datagram || !Buffer || Offset > Datagram->FirstBytes || Bytes > Datagram->FirstBytes - Offset)
    return SkuaGatherDatagram(Datagram, Offset, Buffer, Bytes);
  memcpy(Buffer, (const uint8_t *)Datagram->First + Offset, Bytes);
  return Bytes;
}

/** An IPv4 address, its octets from left to right, and a port. */
static inline SKUA_ENDPOINT SkuaIpv4(uint8_t A, uint8_t B, uint8_t C, uint8_t D, uint16_t Port)
{
  SKUA_ENDPOINT endpoint = { SKUA_IPV4, Port, 0, { 0 } };
  endpoint.Address[0] = A;
  endpoint.Address[1] = B;
  endpoint.Address[2] = C;
  endpoint.Address[3] = D;
  return endpoint;
}

/** An IPv6 address, 16 octets in network order, and a port. */
static inline SKUA_ENDPOINT SkuaIpv6(const uint8_t *Octets, uint16_t Port)
{
  SKUA_ENDPOINT endpoint = { SKUA_IPV6, Port, 0, { 0 } };
  for (int at = 0; at < 16; at++)
    endpoint.Address[at] = Octets[at];
  return endpoint;
}

/** Whether two endpoints are the same address and port. */
static inline int SkuaIsSameEndpoint(const SKUA_ENDPOINT *One, const SKUA_ENDPOINT *Other)
{
  for (int at = 0; at < 16; at++)
    if (One->Address[at] != Other->Address[at])
      return 0;
  return One->Family == Other->Family && One->Port == Other->Port && One->Scope == Other->Scope;
}

/** Datagrams that went no further, for whatever reason. */
static inline uint64_t SkuaDropped(const SKUA_STATISTICS *Statistics)
{
  uint64_t sum = 0;
  for (int reason = 0; reason < SKUA_DROP_REASONS; reason++)
    sum += Statistics->Drops[reason];
  return sum;
}

/** Whether every datagram that was indicated is accounted for. */
static inline int SkuaBalances(const SKUA_STATISTICS *Statistics)
{
  return Statistics->Indicated == Statistics->Accepted + Statistics->Kept + SkuaDropped(Statistics);
}

#endif  /* SKUA_H */
