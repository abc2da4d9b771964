/* Opening: what is refused with a status, what it takes, and that nothing is held where it fails. */
#include "test.h"

static void consume(void *context, SKUA_BATCH *batch)
{
    (void)context;
    while (SkuaNextDatagram(batch))
        ;
}

static void refused(SKUA_HOST *host)
{
    SKUA_ENGINE engine = { { 0 } };
    SKUA_ENGINE_CONFIG good = config_for(host, consume, NULL), config;
    SKUA_KERNEL kernel;

    EXPECT(SkuaOpen(&engine, NULL), SKUA_STATUS_INVALID_PARAMETER);
    EXPECT(SkuaOpen(NULL, &good), SKUA_STATUS_INVALID_PARAMETER);
    for (uint32_t size = 0; size < 2 * sizeof(config); size += 4) {
        config = good;
        config.Size = size;
        if (size != sizeof(config))
            EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INFO_LENGTH_MISMATCH);
    }
    config = good;
    config.Flags = 0x80000000;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_PARAMETER);
    config = good;
    config.Receive = NULL;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_PARAMETER);
    config = good;
    config.Kernel = NULL;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_PARAMETER);
    kernel = *good.Kernel;
    config.Kernel = &kernel;
    kernel.Size--;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INFO_LENGTH_MISMATCH);
    kernel = *good.Kernel;
    kernel.KeSetEvent = NULL;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_PARAMETER);
    config = good;
    config.AllowCount = 1;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_PARAMETER);
    config = good;
    config.Limits.Rate.PerSecond = 1;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INFO_LENGTH_MISMATCH);
    config.Limits.Size = sizeof(config.Limits);
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_PARAMETER);
    config = good;
    config.MaxProcessors = 1;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_PARAMETER);
    config = good;
    config.RetainDatagrams = 0xFFFFFFFF;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_PARAMETER);
    config = good;
    config.SendBytes = 70000;
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_PARAMETER);
    CHECK(SkuaHostMemory(host) == 0);
}

/* Every function of an engine that is not there. */
static void none_is_open(SKUA_ENGINE *engine)
{
    SKUA_SOCKET socket = { 0 };
    SKUA_RETAINED retained = { 0 };
    SKUA_SOURCE source = { 0 };
    SKUA_ENDPOINT remote = SkuaIpv4(127, 0, 0, 1, 9);
    SKUA_STATISTICS statistics = { 0 };
    SKUA_LIMITS limits = { 0 };
    SKUA_SOCKET_CONFIG config = { 0 };
    SKUA_SOCKET_STATE state = { 0 };
    SKUA_STATUS none = engine ? SKUA_STATUS_INVALID_HANDLE : SKUA_STATUS_INVALID_PARAMETER;
    statistics.Size = sizeof(statistics);
    limits.Size = sizeof(limits);
    config.Size = sizeof(config);
    config.Local = remote;
    state.Size = sizeof(state);
    EXPECT(SkuaCaptureProvider(engine, 0), none);
    EXPECT(SkuaClose(engine, 0, NULL), none);
    EXPECT(SkuaOpenSocket(engine, &config, &socket), none);
    EXPECT(SkuaStopSocket(engine, socket), none);
    EXPECT(SkuaCloseSocket(engine, socket, 0, NULL), none);
    EXPECT(SkuaQuerySocket(engine, socket, &state), none);
    EXPECT(SkuaSend(engine, socket, &remote, "x", 1, NULL), none);
    EXPECT(SkuaSendRetained(engine, socket, &remote, retained, NULL), none);
    EXPECT(SkuaRelease(engine, retained), none);
    CHECK(SkuaCopyRetained(engine, retained, 0, &socket, sizeof(socket)) == 0);
    EXPECT(SkuaQueryStatistics(engine, &statistics), none);
    EXPECT(SkuaSetLimits(engine, &limits), none);
    EXPECT(SkuaQueryLimits(engine, &limits), none);
    EXPECT(SkuaReplaceAllowList(engine, NULL, 0), none);
    EXPECT(SkuaOpenSource(engine, 0, &source), none);
    EXPECT(SkuaStopSource(engine, source), none);
    EXPECT(SkuaDrainSource(engine, &source, 0), none);
}

static void opened_twice_and_again(SKUA_HOST *host)
{
    SKUA_ENGINE engine = { { 0 } };
    SKUA_ENGINE_CONFIG config = config_for(host, consume, NULL);
    none_is_open(NULL);
    none_is_open(&engine);
    for (int times = 0; times < 3; times++) {
        EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_SUCCESS);
        EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_INVALID_HANDLE);
        engine_close(&engine);
        none_is_open(&engine);
    }
}

/* What SkuaEngineBytes says is what is taken, to the byte. */
static void memory(SKUA_HOST *host)
{
    SKUA_ENGINE engine = { { 0 } };
    SKUA_ENGINE_CONFIG config = config_for(host, consume, NULL);
    uint64_t bytes = 0;
    uint16_t port;
    config.MaxSockets = 3;
    config.HandlerBytes = 100;
    config.RetainDatagrams = 10;
    config.CopySlots = 20;
    config.Flags = SKUA_COPY_BEYOND_BUDGET;
    config.SourceRows = 64;
    EXPECT(SkuaEngineBytes(&config, 2, NULL), SKUA_STATUS_INVALID_PARAMETER);
    EXPECT(SkuaEngineBytes(NULL, 2, &bytes), SKUA_STATUS_INVALID_PARAMETER);
    EXPECT(SkuaEngineBytes(&config, 2, &bytes), SKUA_STATUS_SUCCESS);
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_SUCCESS);
    for (uint16_t id = 0; id < 3; id++)
        socket_open(&engine, id, &port);
    CHECK(SkuaHostMemory(host) == bytes);
    {
        SKUA_SOCKET_CONFIG one_more = { 0 };
        SKUA_SOCKET socket;
        one_more.Size = sizeof(one_more);
        one_more.Local = SkuaIpv4(127, 0, 0, 1, 0);
        EXPECT(SkuaOpenSocket(&engine, &one_more, &socket), SKUA_STATUS_QUOTA_EXCEEDED);
    }
    engine_close(&engine);
    CHECK(SkuaHostMemory(host) == 0);
}

/* Each allocation fails once: a status, and nothing is held. */
static void without_memory(SKUA_HOST *host)
{
    SKUA_ENGINE engine = { { 0 } };
    SKUA_ENGINE_CONFIG config = config_for(host, consume, NULL);
    SKUA_PREFIX everyone = { SKUA_IPV4, 0, 0, { 0 } };
    uint64_t nth;
    config.Flags = SKUA_ALLOW_LISTED | SKUA_COPY_BEYOND_BUDGET;
    config.AllowList = &everyone;
    config.AllowCount = 1;
    config.HandlerBytes = 8;
    config.RetainDatagrams = 1;
    config.CopySlots = 1;
    config.MaxSources = 1;
    for (nth = 1;; nth++) {
        SkuaHostFailAllocation(host, nth);
        SKUA_STATUS status = SkuaOpen(&engine, &config);
        SkuaHostFailAllocation(host, 0);
        if (SKUA_SUCCESS(status))
            break;
        CHECK(status == SKUA_STATUS_INSUFFICIENT_RESOURCES);
        CHECK(SkuaHostMemory(host) == 0);
    }
    CHECK(nth > 10);
    engine_close(&engine);
}

static void provider(SKUA_HOST *host)
{
    SKUA_ENGINE engine = { { 0 } };
    SKUA_ENGINE_CONFIG config = config_for(host, consume, NULL);
    SKUA_SOCKET_CONFIG local = { 0 };
    SKUA_SOCKET socket;
    local.Size = sizeof(local);
    local.Local = SkuaIpv4(127, 0, 0, 1, 0);
    SkuaHostProviderAway(host, 1);
    EXPECT(SkuaOpen(&engine, &config), SKUA_STATUS_SUCCESS);
    EXPECT(SkuaCaptureProvider(&engine, 1), SKUA_STATUS_DEVICE_NOT_READY);
    EXPECT(SkuaOpenSocket(&engine, &local, &socket), SKUA_STATUS_DEVICE_NOT_READY);
    SkuaHostProviderAway(host, 0);
    EXPECT(SkuaOpenSocket(&engine, &local, &socket), SKUA_STATUS_SUCCESS);
    local.Size = 3;
    EXPECT(SkuaOpenSocket(&engine, &local, &socket), SKUA_STATUS_INFO_LENGTH_MISMATCH);
    local.Size = sizeof(local);
    local.Sharing = 9;
    EXPECT(SkuaOpenSocket(&engine, &local, &socket), SKUA_STATUS_INVALID_PARAMETER);
    local.Sharing = 0;
    local.Local.Family = 2;
    EXPECT(SkuaOpenSocket(&engine, &local, &socket), SKUA_STATUS_INVALID_PARAMETER);
    EXPECT(SkuaOpenSocket(&engine, NULL, &socket), SKUA_STATUS_INVALID_PARAMETER);
    local.Local = SkuaIpv4(127, 0, 0, 1, 0);
    EXPECT(SkuaOpenSocket(&engine, &local, NULL), SKUA_STATUS_INVALID_PARAMETER);
    engine_close(&engine);
}

int main(void)
{
    SKUA_HOST *host = host_open();
    refused(host);
    opened_twice_and_again(host);
    memory(host);
    without_memory(host);
    provider(host);
    host_close(host);
    CHECK(SkuaKernel() && SkuaKernel() == SkuaKernel() && SkuaKernel()->Size == sizeof(SKUA_KERNEL));
    return 0;
}
