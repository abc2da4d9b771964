/*
 * skua.h for C++17: owners of engines, sockets and retained datagrams, and what a handler sees as a range. For drivers too: nothing
 * is thrown, nothing allocated, nothing of the standard library used but what needs no runtime.
 *
 * An owner that goes gives back what it owns. Engine and Socket then wait without limit, at PASSIVE_LEVEL; close them by hand to
 * learn what they wait for. Retained may go at DISPATCH_LEVEL.
 */
#ifndef SKUA_HPP
#define SKUA_HPP

#include "skua.h"

namespace skua {

/** A wait without a limit. */
constexpr uint32_t infinite = 0xFFFFFFFF;

/** How a call ended. */
class [[nodiscard]] Status {
public:
    constexpr Status(SKUA_STATUS value) noexcept : value_(value) {}
    constexpr explicit operator bool() const noexcept { return value_ >= 0; }
    constexpr SKUA_STATUS value() const noexcept { return value_; }
    constexpr bool operator==(Status other) const noexcept { return value_ == other.value_; }
    constexpr bool operator!=(Status other) const noexcept { return value_ != other.value_; }

private:
    SKUA_STATUS value_;
};

/** A structure with its size in place and everything else zero: `auto config = skua::sized<SKUA_ENGINE_CONFIG>();` */
template <typename Structure>
constexpr Structure sized() noexcept
{
    Structure structure{};
    structure.Size = sizeof(Structure);
    return structure;
}

/** A datagram beyond the handler: given back when this goes. */
class Retained {
public:
    Retained() noexcept = default;
    Retained(SKUA_ENGINE *engine, SKUA_RETAINED number) noexcept : engine_(engine), number_(number) {}
    Retained(Retained &&other) noexcept : engine_(other.engine_), number_(other.number_) { other.engine_ = nullptr; }
    Retained &operator=(Retained &&other) noexcept
    {
        if (this != &other) {
            release();
            engine_ = other.engine_;
            number_ = other.number_;
            other.engine_ = nullptr;
        }
        return *this;
    }
    Retained(const Retained &) = delete;
    Retained &operator=(const Retained &) = delete;
    ~Retained() { release(); }

    explicit operator bool() const noexcept { return engine_ != nullptr; }

    /** Copies bytes from `offset` on; how many there were. */
    uint32_t copy(void *to, uint32_t bytes, uint32_t offset = 0) const noexcept
    {
        return engine_ ? SkuaCopyRetained(engine_, number_, offset, to, bytes) : 0;
    }

    /** Everything that is known of it. */
    Status describe(SKUA_DATAGRAM_INFO &info) const noexcept
    {
        info.Size = sizeof(info);
        return engine_ ? SkuaDescribeRetained(engine_, number_, &info) : SKUA_STATUS_INVALID_HANDLE;
    }

    /** Gives it back now. */
    void release() noexcept
    {
        if (engine_)
            SkuaRelease(engine_, number_);
        engine_ = nullptr;
    }

    /** Sends it on by `socket`, and gives it back when it is sent. */
    Status send(SKUA_SOCKET socket, const SKUA_ENDPOINT &to, const SKUA_SEND_OPTIONS *options = nullptr) noexcept
    {
        if (!engine_)
            return SKUA_STATUS_INVALID_HANDLE;
        SKUA_ENGINE *engine = engine_;
        engine_ = nullptr;
        SKUA_STATUS status = SkuaSendRetained(engine, socket, &to, number_, options);
        /* Refused for its arguments it is not given back: here it is. Otherwise the number names nothing any more. */
        if (status < 0)
            SkuaRelease(engine, number_);
        return status;
    }

private:
    SKUA_ENGINE *engine_ = nullptr;
    SKUA_RETAINED number_{};
};

/** A datagram in the handler's hands. */
class Datagram {
public:
    Datagram(SKUA_ENGINE *engine, SKUA_DATAGRAM *datagram) noexcept : engine_(engine), datagram_(datagram) {}

    uint32_t length() const noexcept { return SkuaDatagramLength(datagram_); }
    /** Its bytes where they lie in one piece, else null. They are lent: read each once. */
    const void *data() const noexcept { return SkuaDatagramData(datagram_); }
    uint32_t copy(void *to, uint32_t bytes, uint32_t offset = 0) const noexcept
    {
        return SkuaCopyDatagram(datagram_, offset, to, bytes);
    }
    /** Copies its first bytes over `to`, a structure as it lies on the wire; whether there are as many. */
    template <typename Structure>
    bool read(Structure &to) const noexcept
    {
        return SkuaCopyDatagram(datagram_, 0, &to, sizeof(to)) == sizeof(to);
    }
    Status describe(SKUA_DATAGRAM_INFO &info) const noexcept
    {
        info.Size = sizeof(info);
        return SkuaDescribeDatagram(datagram_, &info);
    }
    Status drop(uint32_t reason = SKUA_DROP_HANDLER) noexcept { return SkuaDrop(datagram_, reason); }
    Status retain(Retained &retained) noexcept
    {
        SKUA_RETAINED number{};
        SKUA_STATUS status = SkuaRetain(datagram_, &number);
        if (status >= 0)
            retained = Retained(engine_, number);
        return status;
    }

private:
    SKUA_ENGINE *engine_;
    SKUA_DATAGRAM *datagram_;
};

/** A batch, as a range: `for (skua::Datagram datagram : batch)`. It is gone through once. */
class Batch {
public:
    class Iterator {
    public:
        Iterator(SKUA_ENGINE *engine, SKUA_BATCH *batch) noexcept : engine_(engine), batch_(batch) { ++*this; }
        Iterator() noexcept = default;
        Datagram operator*() const noexcept { return {engine_, datagram_}; }
        Iterator &operator++() noexcept
        {
            datagram_ = SkuaNextDatagram(batch_);
            return *this;
        }
        bool operator!=(const Iterator &other) const noexcept { return datagram_ != other.datagram_; }

    private:
        SKUA_ENGINE *engine_ = nullptr;
        SKUA_BATCH *batch_ = nullptr;
        SKUA_DATAGRAM *datagram_ = nullptr;
    };

    Batch(SKUA_ENGINE *engine, SKUA_BATCH *batch) noexcept : engine_(engine), batch_(batch) {}

    Iterator begin() const noexcept { return {engine_, batch_}; }
    Iterator end() const noexcept { return {}; }
    uint32_t length() const noexcept { return SkuaBatchLength(batch_); }
    uint32_t processor() const noexcept { return SkuaBatchProcessor(batch_); }
    uint16_t socket() const noexcept { return SkuaBatchSocket(batch_); }
    uint16_t local_port() const noexcept { return SkuaBatchLocalPort(batch_); }
    /** What the handler keeps for this processor, as a `Value`; null if HandlerBytes has no room for one. */
    template <typename Value>
    Value *memory() const noexcept
    {
        return static_cast<Value *>(SkuaBatchMemory(batch_));
    }

private:
    SKUA_ENGINE *engine_;
    SKUA_BATCH *batch_;
};

/** An engine whose handler is `Handler::receive(skua::Batch)`, at DISPATCH_LEVEL. It stays where it is. */
template <typename Handler>
class Engine {
public:
    explicit Engine(Handler &handler) noexcept : handler_(handler) {}
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;
    /** Closes it without a limit, if it is open. */
    ~Engine() { static_cast<void>(close(infinite)); }

    /** Opens it; Kernel is the library's unless `config` has one, Receive and Context are this class's. */
    Status open(SKUA_ENGINE_CONFIG config) noexcept
    {
        if (!config.Kernel)
            config.Kernel = SkuaKernel();
        config.Receive = &receive;
        config.Context = this;
        return SkuaOpen(&engine_, &config);
    }
    Status capture(uint32_t milliseconds) noexcept { return SkuaCaptureProvider(&engine_, milliseconds); }
    Status close(uint32_t milliseconds, SKUA_OUTSTANDING *outstanding = nullptr) noexcept
    {
        return SkuaClose(&engine_, milliseconds, outstanding);
    }
    Status statistics(SKUA_STATISTICS &statistics) noexcept
    {
        statistics.Size = sizeof(statistics);
        return SkuaQueryStatistics(&engine_, &statistics);
    }
    Status allow(const SKUA_PREFIX *list, uint32_t count) noexcept
    {
        return SkuaReplaceAllowList(&engine_, list, count);
    }
    Status limit(SKUA_LIMITS limits) noexcept
    {
        limits.Size = sizeof(limits);
        return SkuaSetLimits(&engine_, &limits);
    }
    SKUA_ENGINE *get() noexcept { return &engine_; }

private:
    static void receive(void *context, SKUA_BATCH *batch) noexcept
    {
        Engine *self = static_cast<Engine *>(context);
        self->handler_.receive(Batch(&self->engine_, batch));
    }

    Handler &handler_;
    SKUA_ENGINE engine_{};
};

/** A socket: closed when this goes. */
class Socket {
public:
    Socket() noexcept = default;
    Socket(Socket &&other) noexcept : engine_(other.engine_), number_(other.number_) { other.engine_ = nullptr; }
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;
    Socket &operator=(Socket &&) = delete;
    ~Socket() { static_cast<void>(close(infinite)); }

    template <typename Handler>
    Status open(Engine<Handler> &engine, SKUA_SOCKET_CONFIG config) noexcept
    {
        if (engine_)
            return SKUA_STATUS_INVALID_DEVICE_STATE;
        config.Size = sizeof(config);
        Status status = SkuaOpenSocket(engine.get(), &config, &number_);
        if (status)
            engine_ = engine.get();
        return status;
    }
    Status close(uint32_t milliseconds, SKUA_OUTSTANDING *outstanding = nullptr) noexcept
    {
        if (!engine_)
            return SKUA_STATUS_INVALID_HANDLE;
        SKUA_STATUS status = SkuaCloseSocket(engine_, number_, milliseconds, outstanding);
        if (status != SKUA_STATUS_INVALID_DEVICE_STATE && status != SKUA_STATUS_INFO_LENGTH_MISMATCH)
            engine_ = nullptr;
        return status;
    }
    Status send(const SKUA_ENDPOINT &to, const void *data, uint32_t bytes,
                const SKUA_SEND_OPTIONS *options = nullptr) noexcept
    {
        return engine_ ? SkuaSend(engine_, number_, &to, data, bytes, options) : SKUA_STATUS_INVALID_HANDLE;
    }
    Status state(SKUA_SOCKET_STATE &state) const noexcept
    {
        state.Size = sizeof(state);
        return engine_ ? SkuaQuerySocket(engine_, number_, &state) : SKUA_STATUS_INVALID_HANDLE;
    }
    SKUA_SOCKET get() const noexcept { return number_; }

private:
    SKUA_ENGINE *engine_ = nullptr;
    SKUA_SOCKET number_{};
};

} // namespace skua

#endif
