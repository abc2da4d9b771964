/* Closing: what it waits for, what it says it waits for, and what may still be done meanwhile. */
#include "test.h"

struct keeper {
    SKUA_RETAINED kept[8];
    atomic_uint count;
};

/* Keeps everything for ever. */
static void keep(void *context, SKUA_BATCH *batch)
{
    struct keeper *keeper = context;
    SKUA_DATAGRAM *datagram;
    while ((datagram = SkuaNextDatagram(batch))) {
        unsigned count = atomic_load(&keeper->count);
        if (SKUA_SUCCESS(SkuaRetain(datagram, &keeper->kept[count % 8])))
            atomic_fetch_add(&keeper->count, 1);
    }
}

static void retained_for_ever(SKUA_HOST *host, PEER peer)
{
    SKUA_ENGINE engine = { { 0 } };
    struct keeper keeper = { 0 };
    SKUA_ENGINE_CONFIG config = config_for(host, keep, &keeper);
    SKUA_OUTSTANDING outstanding = { 0 };
    SKUA_SOCKET_CONFIG another = { 0 };
    SKUA_SOCKET socket, none;
    uint16_t port;
    config.RetainDatagrams = 4;
    another.Size = sizeof(another);
    another.Local = SkuaIpv4(127, 0, 0, 1, 0);
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_SUCCESS);
    socket = socket_open(&engine, 1, &port);
    for (int times = 0; times < 20; times++)
        peer_send(peer, port, "kept", 4);
    /* The budget holds: the others are dropped, and counted. */
    UNTIL(&engine, now.Indicated == 20 && now.Kept + now.Drops[SKUA_DROP_RETAIN_BUDGET] == 20);
    CHECK(keeper.count == statistics(&engine).Kept && keeper.count >= 4 && keeper.count <= 8);

    EXPECT(SkuaClose(&engine, 1, &outstanding), SKUA_STATUS_INFO_LENGTH_MISMATCH);
    outstanding.Size = sizeof(outstanding);
    EXPECT(SkuaCloseSocket(&engine, socket, 1, &outstanding), SKUA_STATUS_IO_TIMEOUT);
    CHECK(outstanding.Retained == keeper.count && outstanding.Sends == 0 && outstanding.Calls == 0);
    EXPECT(SkuaCloseSocket(&engine, socket, 1, NULL), SKUA_STATUS_INVALID_HANDLE);
    for (int times = 0; times < 3; times++) {
        EXPECT(SkuaClose(&engine, 1, &outstanding), SKUA_STATUS_IO_TIMEOUT);
        CHECK(outstanding.Retained == keeper.count);
    }
    /* Nothing new, but everything goes back. */
    EXPECT(SkuaOpenSocket(&engine, &another, &none), SKUA_STATUS_DELETE_PENDING);
    EXPECT(SkuaCaptureProvider(&engine, 0), SKUA_STATUS_DELETE_PENDING);
    for (unsigned index = 0; index < keeper.count; index++) {
        EXPECT(SkuaRelease(&engine, keeper.kept[index]), SKUA_STATUS_SUCCESS);
        EXPECT(SkuaRelease(&engine, keeper.kept[index]), SKUA_STATUS_INVALID_HANDLE);
    }
    engine_close(&engine);
    EXPECT(SkuaRelease(&engine, keeper.kept[0]), SKUA_STATUS_INVALID_HANDLE);
    EXPECT(SkuaClose(&engine, 1, NULL), SKUA_STATUS_INVALID_HANDLE);
}

/* A send that does not end is cancelled by the close, or waited for. */
static void sends(SKUA_HOST *host, PEER peer)
{
    SKUA_ENGINE engine = { { 0 } };
    struct keeper keeper = { 0 };
    SKUA_ENGINE_CONFIG config = config_for(host, keep, &keeper);
    SKUA_ENDPOINT to = SkuaIpv4(127, 0, 0, 1, peer.port);
    SKUA_SOCKET socket;
    uint16_t port;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_SUCCESS);
    socket = socket_open(&engine, 1, &port);
    SkuaHostCongest(host, 1);
    for (int times = 0; times < 10; times++)
        EXPECT(SkuaSend(&engine, socket, &to, "pending", 7, NULL), SKUA_STATUS_SUCCESS);
    CHECK(statistics(&engine).SendsIssued == 10);
    engine_close(&engine);
    SkuaHostCongest(host, 0);
}

/* Datagrams come while the engine is opened and closed. */
static void under_traffic(SKUA_HOST *host, PEER peer)
{
    for (int times = 0; times < 20; times++) {
        SKUA_ENGINE engine = { { 0 } };
        struct keeper keeper = { 0 };
        SKUA_ENGINE_CONFIG config = config_for(host, keep, &keeper);
        uint16_t port;
        config.MaxSockets = 2;
        EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_SUCCESS);
        socket_open(&engine, 1, &port);
        for (int count = 0; count < 50; count++)
            peer_send(peer, port, "traffic", 7);
        engine_close(&engine);
    }
}

int main(void)
{
    SKUA_HOST *host = host_open();
    PEER peer = peer_open("127.0.0.1");
    retained_for_ever(host, peer);
    sends(host, peer);
    under_traffic(host, peer);
    host_close(host);
    return 0;
}
