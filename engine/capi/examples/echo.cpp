/* An echo in C++: every datagram goes back to who sent it, out of the memory in which it came. Sends itself one and looks at it. */
#include <cstdio>
#include <cstring>

#include <skua.hpp>

namespace {

struct Echo {
    SKUA_SOCKET socket{};
    unsigned char heard[64]{};

    /* At DISPATCH_LEVEL. What begins with "echo:" is an answer. */
    void receive(skua::Batch batch) noexcept
    {
        for (skua::Datagram datagram : batch) {
            auto info = skua::sized<SKUA_DATAGRAM_INFO>();
            skua::Retained retained;
            if (datagram.copy(heard, sizeof(heard)) >= 5 && std::memcmp(heard, "echo:", 5) == 0)
                continue;
            if (datagram.describe(info) && datagram.retain(retained))
                static_cast<void>(retained.send(socket, info.Remote));
        }
    }
};

} // namespace

int main()
{
    Echo echo;
    skua::Engine<Echo> engine(echo);
    skua::Socket socket;
    auto config = skua::sized<SKUA_ENGINE_CONFIG>();
    config.SendSlots = 16;
    config.RetainDatagrams = 16;
    config.Flags = SKUA_SEND_LENT;
    auto local = skua::sized<SKUA_SOCKET_CONFIG>();
    local.Local = SkuaIpv4(127, 0, 0, 1, 0);
    auto state = skua::sized<SKUA_SOCKET_STATE>();
    if (!engine.open(config) || !engine.capture(10000) || !socket.open(engine, local) || !socket.state(state))
        return 1;
    echo.socket = socket.get();
    /* To itself: it comes, goes back to where it came from, and so on, until an answer ends it. */
    auto statistics = skua::sized<SKUA_STATISTICS>();
    if (!socket.send(state.Local, "hello", 5))
        return 1;
    do {
        if (!engine.statistics(statistics))
            return 1;
    } while (statistics.Kept < 100);
    if (!socket.send(state.Local, "echo: enough", 12) || !socket.close(10000) || !engine.close(10000))
        return 1;
    std::printf("echoed %llu times\n", static_cast<unsigned long long>(statistics.Kept));
    return 0;
}
