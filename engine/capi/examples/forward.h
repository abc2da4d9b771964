/*
 * A filter and forwarder of UDP datagrams: two sockets, and a table of rules that says what becomes of a datagram which comes by one of
 * them. Used by a driver (forward_driver.c) and by a program (forward_main.c).
 */
#ifndef FORWARD_H
#define FORWARD_H

#include <skua.h>

/* Which of the two sockets. */
enum { FORWARD_INSIDE, FORWARD_OUTSIDE, FORWARD_SOCKETS };

enum { FORWARD_RULES = 16 };

/* The first rule that holds a datagram decides; one that no rule holds is dropped. */
typedef struct FORWARD_RULE {
    uint16_t CameBy;      /* the socket */
    SKUA_PREFIX Source;   /* who sent it */
    SKUA_ENDPOINT Target; /* where it goes, by the other socket; Family 0: it is dropped */
} FORWARD_RULE;

typedef struct FORWARDER {
    SKUA_ENGINE Engine;
    SKUA_SOCKET Sockets[FORWARD_SOCKETS];
    FORWARD_RULE Rules[FORWARD_RULES]; /* complete before ForwardStart */
    uint32_t RuleCount;
} FORWARDER;

/*
 * Opens the engine. Forwarder is nonpaged and zero. PASSIVE_LEVEL; it does not wait.
 */
SKUA_STATUS ForwardOpen(FORWARDER *Forwarder);

/*
 * Waits for the provider, at most so many milliseconds, and opens the sockets: from here on datagrams are forwarded. PASSIVE_LEVEL.
 * SKUA_STATUS_DEVICE_NOT_READY where there is no provider yet: try again.
 */
SKUA_STATUS ForwardStart(FORWARDER *Forwarder, const SKUA_ENDPOINT *Inside, const SKUA_ENDPOINT *Outside,
                         uint32_t Milliseconds);

/*
 * Closes everything, waiting at most so many milliseconds. PASSIVE_LEVEL.
 */
SKUA_STATUS ForwardClose(FORWARDER *Forwarder, uint32_t Milliseconds);

/*
 * The forwarder of the driver and of the program: what comes to 127.0.0.1:17021 goes to 127.0.0.1:17023 by way of port 17022, unless
 * 127.0.0.2 sent it; and what comes back from 127.0.0.1 by port 17022 goes to 127.0.0.1:17024.
 */
void ForwardExample(FORWARDER *Forwarder, SKUA_ENDPOINT *Inside, SKUA_ENDPOINT *Outside);

#endif
