/* What a handler sees and says: bytes, description, verdicts, and every misuse of them. */
#include "test.h"

enum action { CONSUME, DROP, RETAIN, RETAIN_TWICE };

struct seen {
    _Atomic int action;
    atomic_uint count;
    unsigned char bytes[65536];
    uint32_t length;
    SKUA_DATAGRAM_INFO info;
    SKUA_RETAINED retained;
    SKUA_STATUS retained_status;
    SKUA_BATCH *batch;
    SKUA_DATAGRAM *datagram;
    SKUA_ENGINE *engine;
};

static void look(struct seen *seen, SKUA_BATCH *batch, SKUA_DATAGRAM *datagram)
{
    uint32_t length = SkuaDatagramLength(datagram), offset = 0;
    const unsigned char *data = SkuaDatagramData(datagram);
    struct _MDL *mdl = NULL;
    unsigned char last[100];
    CHECK(SkuaCopyDatagram(datagram, 0, seen->bytes, sizeof(seen->bytes)) == length);
    CHECK(SkuaCopyDatagram(datagram, length, seen->bytes, 4) == 0);
    CHECK(SkuaCopyDatagram(datagram, 0, NULL, 4) == 0);
    CHECK(SkuaGatherDatagram(datagram, 0, NULL, 4) == 0 && SkuaGatherDatagram(NULL, 0, last, 1) == 0);
    CHECK(datagram->FirstBytes <= length && (!data || (data == datagram->First && datagram->FirstBytes == length)));
    if (length) {
        CHECK(SkuaCopyDatagram(datagram, length - 1, last, sizeof(last)) == 1 && last[0] == seen->bytes[length - 1]);
        CHECK(!data || memcmp(data, seen->bytes, length) == 0);
        EXPECT(SkuaDatagramBuffer(datagram, &mdl, &offset), SKUA_STATUS_SUCCESS);
        CHECK(mdl);
    }
    EXPECT(SkuaDatagramBuffer(datagram, NULL, &offset), SKUA_STATUS_INVALID_PARAMETER);
    seen->length = length;
    seen->info.Size = 4;
    EXPECT(SkuaDescribeDatagram(datagram, &seen->info), SKUA_STATUS_INFO_LENGTH_MISMATCH);
    EXPECT(SkuaDescribeDatagram(datagram, NULL), SKUA_STATUS_INVALID_PARAMETER);
    seen->info.Size = sizeof(seen->info);
    EXPECT(SkuaDescribeDatagram(datagram, &seen->info), SKUA_STATUS_SUCCESS);
    CHECK(SkuaBatchProcessor(batch) < 2 && SkuaBatchSocket(batch) == 7 && SkuaBatchLength(batch) >= 1);
}

static void after_the_verdict(struct seen *seen, SKUA_DATAGRAM *datagram)
{
    struct _MDL *mdl;
    uint32_t offset;
    SKUA_RETAINED other;
    CHECK(SkuaDatagramLength(datagram) == 0 && !SkuaDatagramData(datagram));
    CHECK(SkuaCopyDatagram(datagram, 0, seen->bytes, 1) == 0);
    CHECK(datagram->FirstBytes == 0 && SkuaGatherDatagram(datagram, 0, seen->bytes, 1) == 0);
    EXPECT(SkuaDrop(datagram, SKUA_DROP_HANDLER), SKUA_STATUS_INVALID_DEVICE_STATE);
    EXPECT(SkuaRetain(datagram, &other), SKUA_STATUS_INVALID_DEVICE_STATE);
    EXPECT(SkuaDescribeDatagram(datagram, &seen->info), SKUA_STATUS_INVALID_DEVICE_STATE);
    EXPECT(SkuaDatagramBuffer(datagram, &mdl, &offset), SKUA_STATUS_INVALID_DEVICE_STATE);
}

static void receive(void *context, SKUA_BATCH *batch)
{
    struct seen *seen = context;
    SKUA_DATAGRAM *datagram;
    uint64_t *memory = SkuaBatchMemory(batch);
    CHECK(memory && (uintptr_t)memory % 64 == 0);
    while ((datagram = SkuaNextDatagram(batch))) {
        SKUA_DATAGRAM_INFO info;
        memory[0]++;
        look(seen, batch, datagram);
        seen->batch = batch;
        seen->datagram = datagram;
        switch (seen->action) {
        case DROP:
            EXPECT(SkuaDrop(datagram, SKUA_DROP_REASONS), SKUA_STATUS_INVALID_PARAMETER);
            EXPECT(SkuaDrop(NULL, SKUA_DROP_HANDLER), SKUA_STATUS_INVALID_PARAMETER);
            EXPECT(SkuaDrop(datagram, SKUA_DROP_OVERSIZE), SKUA_STATUS_SUCCESS);
            info = seen->info;
            after_the_verdict(seen, datagram);
            seen->info = info;
            break;
        case RETAIN:
            EXPECT(SkuaRetain(datagram, NULL), SKUA_STATUS_INVALID_PARAMETER);
            seen->retained_status = SkuaRetain(datagram, &seen->retained);
            info = seen->info;
            after_the_verdict(seen, datagram);
            seen->info = info;
            break;
        default:
            break;
        }
    }
    CHECK(!SkuaNextDatagram(batch));
    /* What waits is not for handlers. */
    EXPECT(SkuaClose(seen->engine, 0, NULL), SKUA_STATUS_INVALID_DEVICE_STATE);
    EXPECT(SkuaReplaceAllowList(seen->engine, NULL, 0), SKUA_STATUS_INVALID_DEVICE_STATE);
    EXPECT(SkuaCaptureProvider(seen->engine, 1), SKUA_STATUS_INVALID_DEVICE_STATE);
    atomic_fetch_add(&seen->count, 1);
}

static struct seen seen;

static void consumed(SKUA_ENGINE *engine, PEER peer, uint16_t port)
{
    static unsigned char payload[60000];
    const size_t lengths[] = { 0, 1, 1472, 9000, sizeof(payload) };
    for (size_t at = 0; at < sizeof(payload); at++)
        payload[at] = (unsigned char)(at * 7);
    for (size_t index = 0; index < sizeof(lengths) / sizeof(*lengths); index++) {
        size_t length = lengths[index];
        seen.action = CONSUME;
        peer_send(peer, port, payload, length);
        UNTIL(engine, now.Accepted == index + 1);
        CHECK(seen.length == length && memcmp(seen.bytes, payload, length) == 0);
        CHECK(seen.info.Remote.Port == peer.port && seen.info.Remote.Address[0] == 127);
        CHECK(seen.info.Local.Port == port && seen.info.Length == length && seen.info.Time != 0);
    }
}

static void dropped(SKUA_ENGINE *engine, PEER peer, uint16_t port)
{
    uint64_t before = statistics(engine).Drops[SKUA_DROP_OVERSIZE];
    seen.action = DROP;
    peer_send(peer, port, "dropped", 7);
    UNTIL(engine, now.Drops[SKUA_DROP_OVERSIZE] == before + 1);
    CHECK(SkuaDropped(&(SKUA_STATISTICS){ .Drops = { 1, 2, 3 } }) == 6);
}

static void retained(SKUA_ENGINE *engine, PEER peer, uint16_t port)
{
    char bytes[16] = { 0 };
    SKUA_DATAGRAM_INFO info = { 0 };
    SKUA_RETAINED first, second, none = { 0 }, wrong;
    uint64_t kept = statistics(engine).Kept;
    info.Size = sizeof(info);
    seen.action = RETAIN;

    peer_send(peer, port, "retained", 8);
    UNTIL(engine, now.Kept == kept + 1);
    CHECK(seen.retained_status == SKUA_STATUS_SUCCESS);
    first = seen.retained;
    EXPECT(SkuaDescribeRetained(engine, first, &info), SKUA_STATUS_SUCCESS);
    CHECK(info.Length == 8 && info.Remote.Port == peer.port && (info.Flags & SKUA_DATAGRAM_LENT));
    CHECK(SkuaCopyRetained(engine, first, 3, bytes, sizeof(bytes)) == 5 && !strcmp(bytes, "ained"));

    /* Beyond the budget of one: a copy. Beyond that: dropped. */
    peer_send(peer, port, "copied", 6);
    UNTIL(engine, now.Kept == kept + 2);
    second = seen.retained;
    EXPECT(SkuaDescribeRetained(engine, second, &info), SKUA_STATUS_SUCCESS);
    CHECK(!(info.Flags & SKUA_DATAGRAM_LENT));
    peer_send(peer, port, "lost", 4);
    UNTIL(engine, now.Drops[SKUA_DROP_NO_SLOT] == 1);
    CHECK(seen.retained_status == SKUA_STATUS_INSUFFICIENT_RESOURCES);

    EXPECT(SkuaRelease(engine, first), SKUA_STATUS_SUCCESS);
    EXPECT(SkuaRelease(engine, first), SKUA_STATUS_INVALID_HANDLE);
    EXPECT(SkuaRelease(engine, none), SKUA_STATUS_INVALID_HANDLE);
    wrong.Value = second.Value ^ 1;
    EXPECT(SkuaRelease(engine, wrong), SKUA_STATUS_INVALID_HANDLE);
    wrong.Value = second.Value ^ ((uint64_t)1 << 40);
    EXPECT(SkuaRelease(engine, wrong), SKUA_STATUS_INVALID_HANDLE);
    wrong.Value = ~(uint64_t)0;
    EXPECT(SkuaRelease(engine, wrong), SKUA_STATUS_INVALID_HANDLE);
    EXPECT(SkuaDescribeRetained(engine, first, &info), SKUA_STATUS_INVALID_HANDLE);
    CHECK(SkuaCopyRetained(engine, first, 0, bytes, sizeof(bytes)) == 0);
    EXPECT(SkuaRelease(engine, second), SKUA_STATUS_SUCCESS);

    /* The place is used again, and the old number is still none. */
    peer_send(peer, port, "again", 5);
    UNTIL(engine, now.Kept == kept + 3);
    EXPECT(SkuaRelease(engine, first), SKUA_STATUS_INVALID_HANDLE);
    EXPECT(SkuaRelease(engine, seen.retained), SKUA_STATUS_SUCCESS);
    CHECK(statistics(engine).Released == kept + 3);
}

static void admitted(SKUA_ENGINE *engine, PEER peer, PEER other, uint16_t port)
{
    SKUA_PREFIX list[2] = { { SKUA_IPV4, 32, 0, { 127, 0, 0, 2 } }, { SKUA_IPV4, 31, 0, { 127, 0, 0, 3 } } };
    SKUA_LIMITS limits = { 0 };
    uint64_t accepted;
    seen.action = CONSUME;
    EXPECT(SkuaReplaceAllowList(engine, list, 2), SKUA_STATUS_INVALID_PARAMETER);
    list[1].Length = 200;
    EXPECT(SkuaReplaceAllowList(engine, list, 2), SKUA_STATUS_INVALID_PARAMETER);
    EXPECT(SkuaReplaceAllowList(engine, NULL, 2), SKUA_STATUS_INVALID_PARAMETER);
    EXPECT(SkuaReplaceAllowList(engine, list, 0x7FFFFFFF), SKUA_STATUS_INVALID_PARAMETER);
    EXPECT(SkuaReplaceAllowList(engine, list, 1), SKUA_STATUS_SUCCESS);
    accepted = statistics(engine).Accepted;
    peer_send(peer, port, "no", 2);
    UNTIL(engine, now.Drops[SKUA_DROP_NOT_ALLOWED] == 1);
    peer_send(other, port, "yes", 3);
    UNTIL(engine, now.Accepted == accepted + 1);
    EXPECT(SkuaReplaceAllowList(engine, NULL, 0), SKUA_STATUS_SUCCESS);

    EXPECT(SkuaSetLimits(engine, &limits), SKUA_STATUS_INFO_LENGTH_MISMATCH);
    limits.Size = sizeof(limits);
    limits.Rate.PerSecond = 5;
    EXPECT(SkuaSetLimits(engine, &limits), SKUA_STATUS_INVALID_PARAMETER);
    limits.Rate.PerSecond = 0;
    limits.Sample = 1000000;
    limits.OtherRate.PerSecond = 1;
    EXPECT(SkuaSetLimits(engine, &limits), SKUA_STATUS_SUCCESS);
    limits.Sample = 0;
    EXPECT(SkuaQueryLimits(engine, &limits), SKUA_STATUS_SUCCESS);
    CHECK(limits.Sample == 1000000 && limits.OtherRate.PerSecond == 1 && limits.OtherRate.Burst == 1);
    for (int times = 0; times < 10; times++)
        peer_send(peer, port, "seldom", 6);
    UNTIL(engine, now.Drops[SKUA_DROP_RATE_LIMITED] + now.Drops[SKUA_DROP_SAMPLED] >= 8);
    limits = (SKUA_LIMITS){ .Size = sizeof(limits) };
    EXPECT(SkuaSetLimits(engine, &limits), SKUA_STATUS_SUCCESS);
    accepted = statistics(engine).Accepted;
    peer_send(peer, port, "always", 6);
    UNTIL(engine, now.Accepted == accepted + 1);
}

int main(void)
{
    SKUA_HOST *host = host_open();
    SKUA_ENGINE engine = { { 0 } };
    SKUA_ENGINE_CONFIG config = config_for(host, receive, &seen);
    PEER peer = peer_open("127.0.0.1"), other = peer_open("127.0.0.2");
    SKUA_STATISTICS end;
    uint16_t port;
    seen.engine = &engine;
    config.HandlerBytes = 8;
    /* One for each of two processors, of which a socket with one worker uses one. */
    config.RetainDatagrams = 1;
    config.Flags = SKUA_COPY_BEYOND_BUDGET;
    config.CopySlots = 1;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_SUCCESS);
    socket_open(&engine, 7, &port);
    consumed(&engine, peer, port);
    dropped(&engine, peer, port);
    retained(&engine, peer, port);
    admitted(&engine, peer, other, port);
    end = statistics(&engine);
    CHECK(SkuaBalances(&end) && end.IsExact && end.Batches == seen.count);

    /* Outside of the handler there is no batch and no datagram. */
    CHECK(!SkuaNextDatagram(seen.batch) && SkuaDatagramLength(seen.datagram) == 0);
    EXPECT(SkuaDrop(seen.datagram, SKUA_DROP_HANDLER), SKUA_STATUS_INVALID_DEVICE_STATE);
    CHECK(!SkuaNextDatagram(NULL) && !SkuaBatchMemory(NULL) && !SkuaDatagramData(NULL));
    EXPECT(SkuaRetain(NULL, &seen.retained), SKUA_STATUS_INVALID_PARAMETER);
    engine_close(&engine);
    host_close(host);
    return 0;
}
