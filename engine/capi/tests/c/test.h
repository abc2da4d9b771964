/* What the tests in C have in common: checks, a kernel whose findings are kept, an engine, and a socket of the host's to talk to it. */
#ifndef TEST_H
#define TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "skua_user.h"

/* Ends the program where a condition does not hold. */
#define CHECK(Condition) \
    ((Condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #Condition), exit(1)))

/* The same for a status. */
#define EXPECT(Call, Status)                                                                              \
    do {                                                                                                  \
        SKUA_STATUS status_ = (Call);                                                                     \
        if (status_ != (Status)) {                                                                        \
            fprintf(stderr, "%s:%d: %s is %08x\n", __FILE__, __LINE__, #Call, (unsigned)status_);         \
            exit(1);                                                                                      \
        }                                                                                                 \
    } while (0)

/* Longest that anything may take, in milliseconds. */
enum { PATIENCE = 20000 };

static inline SKUA_HOST *host_open(void)
{
    SKUA_HOST_CONFIG config = { sizeof(config), 2, 1, SKUA_TRANSPORT_OS, SKUA_FINDINGS_RECORD };
    SKUA_HOST *host = NULL;
    EXPECT(SkuaHostOpen(&config, &host), SKUA_STATUS_SUCCESS);
    return host;
}

/* Everything was given back, and no rule of NT or WSK broken. */
static inline void host_close(SKUA_HOST *host)
{
    char text[4096];
    if (SkuaHostFinding(host, 0, text, sizeof(text)))
        fprintf(stderr, "%s\n", text);
    CHECK(SkuaHostMemory(host) == 0);
    CHECK(SkuaHostClose(host) == 0);
}

static inline SKUA_ENGINE_CONFIG config_for(SKUA_HOST *host, SKUA_RECEIVE receive, void *context)
{
    SKUA_ENGINE_CONFIG config = { 0 };
    config.Size = sizeof(config);
    config.Kernel = SkuaHostKernel(host);
    config.Receive = receive;
    config.Context = context;
    config.PoolTag = 0x74736554; /* "Test" */
    config.SendSlots = 64;
    config.Magazine = 2;
    return config;
}

/* A socket on 127.0.0.1, and its port. */
static inline SKUA_SOCKET socket_open(SKUA_ENGINE *engine, uint16_t id, uint16_t *port)
{
    SKUA_SOCKET_CONFIG config = { 0 };
    SKUA_SOCKET_STATE state = { 0 };
    SKUA_SOCKET opened = { 0 };
    config.Size = sizeof(config);
    config.Local = SkuaIpv4(127, 0, 0, 1, 0);
    config.Id = id;
    EXPECT(SkuaCaptureProvider(engine, PATIENCE), SKUA_STATUS_SUCCESS);
    EXPECT(SkuaOpenSocket(engine, &config, &opened), SKUA_STATUS_SUCCESS);
    state.Size = sizeof(state);
    EXPECT(SkuaQuerySocket(engine, opened, &state), SKUA_STATUS_SUCCESS);
    CHECK(state.Local.Family == SKUA_IPV4 && state.Local.Port != 0 && !state.IsDead);
    *port = state.Local.Port;
    return opened;
}

static inline SKUA_STATISTICS statistics(SKUA_ENGINE *engine)
{
    SKUA_STATISTICS statistics = { 0 };
    statistics.Size = sizeof(statistics);
    EXPECT(SkuaQueryStatistics(engine, &statistics), SKUA_STATUS_SUCCESS);
    return statistics;
}

static inline void pause_a_moment(void)
{
    struct timespec moment = { 0, 2000000 };
    nanosleep(&moment, NULL);
}

/* Waits until a condition over `now`, the statistics, holds. */
#define UNTIL(Engine, Condition)                                        \
    for (int waited_ = 0;; waited_++) {                                 \
        SKUA_STATISTICS now = statistics(Engine);                       \
        if (Condition)                                                  \
            break;                                                      \
        CHECK(waited_ < PATIENCE / 2);                                  \
        pause_a_moment();                                               \
    }

/* A socket of the host's, on 127.0.0.1 or a neighbour of it. */
typedef struct PEER {
    int socket;
    uint16_t port;
} PEER;

static inline PEER peer_open(const char *address)
{
    struct sockaddr_in local = { 0 };
    socklen_t length = sizeof(local);
    PEER peer = { socket(AF_INET, SOCK_DGRAM, 0), 0 };
    local.sin_family = AF_INET;
    CHECK(inet_pton(AF_INET, address, &local.sin_addr) == 1);
    CHECK(peer.socket >= 0 && bind(peer.socket, (struct sockaddr *)&local, length) == 0);
    CHECK(getsockname(peer.socket, (struct sockaddr *)&local, &length) == 0);
    peer.port = ntohs(local.sin_port);
    return peer;
}

static inline void peer_send(PEER peer, uint16_t port, const void *data, size_t bytes)
{
    struct sockaddr_in to = { 0 };
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(sendto(peer.socket, data, bytes, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)bytes);
}

/* The next datagram is these bytes. */
static inline void peer_expect(PEER peer, const void *data, size_t bytes)
{
    static unsigned char got[65536];
    struct pollfd ready = { peer.socket, POLLIN, 0 };
    CHECK(poll(&ready, 1, PATIENCE) == 1);
    CHECK(recv(peer.socket, got, sizeof(got), 0) == (ssize_t)bytes);
    CHECK(memcmp(got, data, bytes) == 0);
}

static inline void engine_close(SKUA_ENGINE *engine)
{
    SKUA_OUTSTANDING outstanding = { 0 };
    outstanding.Size = sizeof(outstanding);
    EXPECT(SkuaClose(engine, PATIENCE, &outstanding), SKUA_STATUS_SUCCESS);
}

#endif
