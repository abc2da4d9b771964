/* The forwarder. Nothing in this file knows whether it is a driver. */
#include "forward.h"

/* Whether the first Length bits of an address are those of the prefix. */
static int Holds(const SKUA_PREFIX *Prefix, const SKUA_ENDPOINT *Endpoint)
{
    uint32_t bits = Prefix->Length, at = 0;
    if (Prefix->Family != Endpoint->Family)
        return 0;
    for (; bits >= 8; bits -= 8, at++)
        if (Prefix->Address[at] != Endpoint->Address[at])
            return 0;
    return bits == 0 || (uint8_t)((Prefix->Address[at] ^ Endpoint->Address[at]) >> (8 - bits)) == 0;
}

static const SKUA_ENDPOINT *Target(const FORWARDER *Forwarder, uint16_t CameBy, const SKUA_ENDPOINT *Source)
{
    for (uint32_t at = 0; at < Forwarder->RuleCount; at++) {
        const FORWARD_RULE *rule = &Forwarder->Rules[at];
        if (rule->CameBy == CameBy && Holds(&rule->Source, Source))
            return rule->Target.Family ? &rule->Target : NULL;
    }
    return NULL;
}

/*
 * The handler, at DISPATCH_LEVEL. A datagram that is to go on is retained: its memory is the stack's still, and the MDL chain in which
 * it came is what goes out. It goes back to the stack when the send completes.
 */
static void Receive(void *Context, SKUA_BATCH *Batch)
{
    FORWARDER *forwarder = Context;
    uint16_t came_by = SkuaBatchSocket(Batch);
    SKUA_DATAGRAM *datagram;
    while ((datagram = SkuaNextDatagram(Batch)) != NULL) {
        SKUA_DATAGRAM_INFO info;
        SKUA_RETAINED retained;
        const SKUA_ENDPOINT *target;
        info.Size = sizeof(info);
        if (!SKUA_SUCCESS(SkuaDescribeDatagram(datagram, &info)))
            continue;
        target = Target(forwarder, came_by, &info.Remote);
        if (!target)
            SkuaDrop(datagram, SKUA_DROP_HANDLER);
        else if (SKUA_SUCCESS(SkuaRetain(datagram, &retained)))
            /* It fails while the other socket is not open yet; then the datagram has gone back, and the statistics say so. */
            SkuaSendRetained(&forwarder->Engine, forwarder->Sockets[!came_by], target, retained, NULL);
    }
}

SKUA_STATUS ForwardOpen(FORWARDER *Forwarder)
{
    SKUA_ENGINE_CONFIG config = { 0 };
    config.Size = sizeof(config);
    config.Kernel = SkuaKernel();
    config.Receive = Receive;
    config.Context = Forwarder;
    config.PoolTag = 0x64777246; /* "Frwd" */
    config.MaxSockets = FORWARD_SOCKETS;
    config.SendSlots = 256;
    config.RetainDatagrams = 128;
    config.Flags = SKUA_SEND_LENT;
    return SkuaOpen(&Forwarder->Engine, &config);
}

SKUA_STATUS ForwardStart(FORWARDER *Forwarder, const SKUA_ENDPOINT *Inside, const SKUA_ENDPOINT *Outside,
                         uint32_t Milliseconds)
{
    const SKUA_ENDPOINT *locals[FORWARD_SOCKETS] = { Inside, Outside };
    SKUA_STATUS status = SkuaCaptureProvider(&Forwarder->Engine, Milliseconds);
    for (uint16_t at = 0; SKUA_SUCCESS(status) && at < FORWARD_SOCKETS; at++) {
        SKUA_SOCKET_CONFIG config = { 0 };
        config.Size = sizeof(config);
        config.Local = *locals[at];
        config.Id = at;
        status = SkuaOpenSocket(&Forwarder->Engine, &config, &Forwarder->Sockets[at]);
    }
    return status;
}

SKUA_STATUS ForwardClose(FORWARDER *Forwarder, uint32_t Milliseconds)
{
    return SkuaClose(&Forwarder->Engine, Milliseconds, NULL);
}

static void AddRule(FORWARDER *Forwarder, uint16_t CameBy, SKUA_ENDPOINT Source, uint16_t Length, const SKUA_ENDPOINT *To)
{
    FORWARD_RULE *rule = &Forwarder->Rules[Forwarder->RuleCount++];
    rule->CameBy = CameBy;
    rule->Source.Family = Source.Family;
    rule->Source.Length = Length;
    for (int at = 0; at < 16; at++)
        rule->Source.Address[at] = Source.Address[at];
    if (To)
        rule->Target = *To;
}

void ForwardExample(FORWARDER *Forwarder, SKUA_ENDPOINT *Inside, SKUA_ENDPOINT *Outside)
{
    SKUA_ENDPOINT there = SkuaIpv4(127, 0, 0, 1, 17023), back = SkuaIpv4(127, 0, 0, 1, 17024);
    *Inside = SkuaIpv4(127, 0, 0, 1, 17021);
    *Outside = SkuaIpv4(127, 0, 0, 1, 17022);
    AddRule(Forwarder, FORWARD_INSIDE, SkuaIpv4(127, 0, 0, 2, 0), 32, NULL);
    AddRule(Forwarder, FORWARD_INSIDE, SkuaIpv4(127, 0, 0, 0, 0), 8, &there);
    AddRule(Forwarder, FORWARD_OUTSIDE, SkuaIpv4(127, 0, 0, 1, 0), 32, &back);
}
