/* Sending: copies, batches, memory of the caller's, retained datagrams; and every send that is refused. */
#include "test.h"

static void ignore(void *context, SKUA_BATCH *batch)
{
    (void)context;
    (void)batch;
}

struct done {
    atomic_int calls;
    SKUA_STATUS status;
};

static void done(void *context, SKUA_STATUS status)
{
    struct done *done = context;
    done->status = status;
    atomic_fetch_add(&done->calls, 1);
}

static void wait_for(struct done *done)
{
    for (int waited = 0; !atomic_load(&done->calls); waited++) {
        CHECK(waited < PATIENCE / 2);
        pause_a_moment();
    }
    CHECK(atomic_load(&done->calls) == 1);
}

static void copies(SKUA_ENGINE *engine, SKUA_SOCKET socket, PEER peer)
{
    SKUA_ENDPOINT to = SkuaIpv4(127, 0, 0, 1, peer.port), v6 = to;
    SKUA_SEND_OPTIONS options = { 0 };
    SKUA_BUFFER buffers[3] = { { "one", 3, 0 }, { NULL, 0, 0 }, { "three", 5, 0 } };
    SKUA_SOCKET none = { 0 };
    uint32_t sent = 9;
    EXPECT(SkuaSend(engine, socket, &to, "hello", 5, NULL), SKUA_STATUS_SUCCESS);
    peer_expect(peer, "hello", 5);
    EXPECT(SkuaSend(engine, socket, &to, NULL, 0, NULL), SKUA_STATUS_SUCCESS);
    peer_expect(peer, "", 0);
    EXPECT(SkuaSendMessages(engine, socket, &to, buffers, 3, NULL, &sent), SKUA_STATUS_SUCCESS);
    CHECK(sent == 3);
    peer_expect(peer, "one", 3);
    peer_expect(peer, "", 0);
    peer_expect(peer, "three", 5);
    buffers[1].Bytes = 5;
    EXPECT(SkuaSendMessages(engine, socket, &to, buffers, 3, NULL, &sent), SKUA_STATUS_INVALID_PARAMETER);
    CHECK(sent == 1);
    peer_expect(peer, "one", 3);
    EXPECT(SkuaSendMessages(engine, socket, &to, NULL, 3, NULL, &sent), SKUA_STATUS_INVALID_PARAMETER);

    EXPECT(SkuaSend(engine, socket, &to, "x", 1, &options), SKUA_STATUS_INFO_LENGTH_MISMATCH);
    options.Size = sizeof(options);
    options.Flags = 0x100;
    EXPECT(SkuaSend(engine, socket, &to, "x", 1, &options), SKUA_STATUS_INVALID_PARAMETER);
    options.Flags = SKUA_SEND_TYPE_OF_SERVICE | SKUA_SEND_HOP_LIMIT | SKUA_SEND_SOURCE;
    options.TypeOfService = 0x20;
    options.HopLimit = 3;
    options.Source = SkuaIpv4(127, 0, 0, 1, 0);
    EXPECT(SkuaSend(engine, socket, &to, "told", 4, &options), SKUA_STATUS_SUCCESS);
    peer_expect(peer, "told", 4);

    EXPECT(SkuaSend(engine, none, &to, "x", 1, NULL), SKUA_STATUS_INVALID_HANDLE);
    EXPECT(SkuaSend(engine, socket, NULL, "x", 1, NULL), SKUA_STATUS_INVALID_PARAMETER);
    EXPECT(SkuaSend(engine, socket, &to, NULL, 1, NULL), SKUA_STATUS_INVALID_PARAMETER);
    v6.Family = SKUA_IPV6;
    EXPECT(SkuaSend(engine, socket, &v6, "x", 1, NULL), SKUA_STATUS_INVALID_PARAMETER);
    v6.Family = 99;
    EXPECT(SkuaSend(engine, socket, &v6, "x", 1, NULL), SKUA_STATUS_INVALID_PARAMETER);
    {
        static char large[1473];
        EXPECT(SkuaSend(engine, socket, &to, large, sizeof(large), NULL), SKUA_STATUS_INVALID_BUFFER_SIZE);
    }
}

static void own_memory(SKUA_HOST *host, SKUA_ENGINE *engine, SKUA_SOCKET socket, PEER peer)
{
    static _Alignas(16) unsigned char place[128];
    static char data[] = "memory of the caller's";
    SKUA_ENDPOINT to = SkuaIpv4(127, 0, 0, 1, peer.port);
    SKUA_SOCKET none = { 0 };
    struct done first = { 0 }, second = { 0 }, third = { 0 }, fourth = { 0 };
    struct _MDL *mdl = SkuaHostBuildMdl(host, place, sizeof(place), data, sizeof(data) - 1);
    CHECK(mdl && !SkuaHostBuildMdl(host, place, 8, data, 1));
    SkuaHostCongest(host, 1);
    EXPECT(SkuaSendMdl(engine, socket, &to, mdl, 10, 12, NULL, done, &first), SKUA_STATUS_SUCCESS);
    CHECK(atomic_load(&first.calls) == 0);
    SkuaHostCongest(host, 0);
    peer_expect(peer, data + 10, 12);
    wait_for(&first);
    CHECK(first.status == SKUA_STATUS_SUCCESS);
    /* Also where it fails. */
    EXPECT(SkuaSendMdl(engine, none, &to, mdl, 0, 5, NULL, done, &second), SKUA_STATUS_INVALID_HANDLE);
    wait_for(&second);
    CHECK(second.status == SKUA_STATUS_INVALID_HANDLE);
    EXPECT(SkuaSendMdl(engine, socket, &to, mdl, 0, 70000, NULL, done, &third), SKUA_STATUS_INVALID_BUFFER_SIZE);
    wait_for(&third);
    EXPECT(SkuaSendMdl(engine, socket, &to, NULL, 0, 5, NULL, done, &fourth), SKUA_STATUS_INVALID_PARAMETER);
    wait_for(&fourth);
    EXPECT(SkuaSendMdl(engine, socket, &to, mdl, 0, 5, NULL, NULL, NULL), SKUA_STATUS_INVALID_PARAMETER);
}

static void all_slots(SKUA_HOST *host, SKUA_ENGINE *engine, SKUA_SOCKET socket, PEER peer)
{
    SKUA_ENDPOINT to = SkuaIpv4(127, 0, 0, 1, peer.port);
    SKUA_STATUS status = SKUA_STATUS_SUCCESS;
    int sent;
    SkuaHostCongest(host, 1);
    for (sent = 0; sent < 1000 && SKUA_SUCCESS(status); sent++)
        status = SkuaSend(engine, socket, &to, "slot", 4, NULL);
    CHECK(status == SKUA_STATUS_INSUFFICIENT_RESOURCES && sent > 64);
    SkuaHostCongest(host, 0);
    while (--sent)
        peer_expect(peer, "slot", 4);
    UNTIL(engine, now.SendsIssued == now.SendsCompleted);
    CHECK(statistics(engine).SendsFailed == 0);
}

struct forwarder {
    SKUA_ENGINE *engine;
    SKUA_SOCKET out;
    SKUA_ENDPOINT to;
    SKUA_STATUS twice;
};

/* The received memory itself goes out again. */
static void forward(void *context, SKUA_BATCH *batch)
{
    struct forwarder *forwarder = context;
    SKUA_DATAGRAM *datagram;
    SKUA_RETAINED retained;
    while ((datagram = SkuaNextDatagram(batch))) {
        if (!SKUA_SUCCESS(SkuaRetain(datagram, &retained)))
            continue;
        SkuaSendRetained(forwarder->engine, forwarder->out, &forwarder->to, retained, NULL);
        forwarder->twice = SkuaSendRetained(forwarder->engine, forwarder->out, &forwarder->to, retained, NULL);
    }
}

static void retained(SKUA_HOST *host, PEER peer)
{
    static char long_one[9000] = "longer than a slot";
    SKUA_ENGINE engine = { { 0 } };
    struct forwarder forwarder = { &engine, { 0 }, SkuaIpv4(127, 0, 0, 1, peer.port), 0 };
    SKUA_ENGINE_CONFIG config = config_for(host, forward, &forwarder);
    uint16_t port, unused;
    config.Flags = SKUA_SEND_LENT;
    config.RetainDatagrams = 16;
    config.SendBytes = 64;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_SUCCESS);
    forwarder.out = socket_open(&engine, 2, &unused);
    socket_open(&engine, 1, &port);
    for (int times = 0; times < 50; times++) {
        peer_send(peer, port, long_one, sizeof(long_one));
        peer_expect(peer, long_one, sizeof(long_one));
    }
    UNTIL(&engine, now.Kept == 50 && now.Released == 50);
    CHECK(forwarder.twice == SKUA_STATUS_INVALID_HANDLE);
    engine_close(&engine);
}

/* Numbers of another engine name nothing. */
static void another_engine(SKUA_HOST *host, SKUA_ENGINE *engine, SKUA_SOCKET socket, PEER peer)
{
    SKUA_ENGINE other = { { 0 } };
    SKUA_ENGINE_CONFIG config = config_for(host, ignore, NULL);
    SKUA_ENDPOINT to = SkuaIpv4(127, 0, 0, 1, peer.port);
    SKUA_SOCKET its_own;
    uint16_t port;
    EXPECT(SkuaOpen(&other, &config), SKUA_STATUS_SUCCESS);
    its_own = socket_open(&other, 1, &port);
    EXPECT(SkuaSend(&other, socket, &to, "x", 1, NULL), SKUA_STATUS_INVALID_HANDLE);
    EXPECT(SkuaSend(engine, its_own, &to, "x", 1, NULL), SKUA_STATUS_INVALID_HANDLE);
    EXPECT(SkuaSend(&other, its_own, &to, "own", 3, NULL), SKUA_STATUS_SUCCESS);
    peer_expect(peer, "own", 3);
    engine_close(&other);
}

int main(void)
{
    SKUA_HOST *host = host_open();
    SKUA_ENGINE engine = { { 0 } };
    SKUA_ENGINE_CONFIG config = config_for(host, ignore, NULL);
    SKUA_ENDPOINT to;
    PEER peer = peer_open("127.0.0.1");
    SKUA_SOCKET socket;
    uint16_t port;
    to = SkuaIpv4(127, 0, 0, 1, peer.port);
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_SUCCESS);
    socket = socket_open(&engine, 1, &port);
    copies(&engine, socket, peer);
    own_memory(host, &engine, socket, peer);
    all_slots(host, &engine, socket, peer);
    another_engine(host, &engine, socket, peer);
    EXPECT(SkuaStopSocket(&engine, socket), SKUA_STATUS_SUCCESS);
    EXPECT(SkuaSend(&engine, socket, &to, "x", 1, NULL), SKUA_STATUS_DELETE_PENDING);
    EXPECT(SkuaCloseSocket(&engine, socket, PATIENCE, NULL), SKUA_STATUS_SUCCESS);
    EXPECT(SkuaSend(&engine, socket, &to, "x", 1, NULL), SKUA_STATUS_INVALID_HANDLE);
    EXPECT(SkuaCloseSocket(&engine, socket, PATIENCE, NULL), SKUA_STATUS_INVALID_HANDLE);
    engine_close(&engine);
    EXPECT(SkuaSend(&engine, socket, &to, "x", 1, NULL), SKUA_STATUS_INVALID_HANDLE);
    retained(host, peer);
    host_close(host);
    return 0;
}
