//! skua.h and skua_user.h: what the engine's crates for C declare, as C.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use cbindgen::{Builder, Config, DocumentationStyle, Language, Style};

use crate::cargo;
use crate::cli::HeaderArguments;

/// Types of NT and WSK, which the header names and does not declare: so it stands beside wdm.h, ndis.h and wsk.h, and alone.
const FOREIGN: [&str; 9] = [
    "IRP",
    "KEVENT",
    "MDL",
    "NET_BUFFER",
    "NET_BUFFER_LIST",
    "WSK_CLIENT_NPI",
    "WSK_PROVIDER_CHARACTERISTICS",
    "WSK_PROVIDER_NPI",
    "WSK_REGISTRATION",
];

/// What stands at the top.
const BANNER: &str = "\
/*
 * Skua: a datagram engine on Winsock Kernel, for drivers in C. README.md beside this file's folder is the guide.
 *
 * Written by `cargo xtask c-header` from engine/capi/src: changes are made there.
 */";

/// Statuses under names of the header's own: ntstatus.h has them under NT's, and is not in user mode.
const STATUSES: [(&str, u32, &str); 15] = [
    ("SUCCESS", 0, "Done."),
    ("INFO_LENGTH_MISMATCH", 0xC000_0004, "The Size of a structure is that of no version."),
    ("INVALID_HANDLE", 0xC000_0008, "No engine is open there, or the number names nothing any more."),
    ("INVALID_PARAMETER", 0xC000_000D, "NULL, or a value that is none."),
    ("DEVICE_BUSY", 0x8000_0011, "Another call configures the engine: try again."),
    ("QUOTA_EXCEEDED", 0xC000_0044, "Beyond what the engine was opened with."),
    ("DELETE_PENDING", 0xC000_0056, "The socket or the engine closes."),
    ("INSUFFICIENT_RESOURCES", 0xC000_009A, "There is no memory, or no free slot."),
    ("DEVICE_NOT_READY", 0xC000_00A3, "There is no provider yet: try again."),
    ("IO_TIMEOUT", 0xC000_00B5, "Something is outstanding at the deadline."),
    ("NOT_SUPPORTED", 0xC000_00BB, "Not for this datagram, or not with this provider."),
    ("CANCELLED", 0xC000_0120, "The socket was closed, or the memory never handed over."),
    ("INVALID_DEVICE_STATE", 0xC000_0184, "Not at this level, or after the verdict."),
    ("INVALID_BUFFER_SIZE", 0xC000_0206, "Longer than a slot."),
    ("ADDRESS_ALREADY_EXISTS", 0xC000_020A, "Somebody has the port."),
];

/// What C has besides: the library's own kernel, and inline functions over the structures.
const TRAILER: &str = "\
#ifdef __cplusplus
extern \"C\" {
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
}";

/// What stands at the top of the header for user mode.
const USER_BANNER: &str = "\
/*
 * Skua in user mode: what a program beside skua.h asks of the kernel that it runs on. Not for drivers.
 *
 * Written by `cargo xtask c-header` from engine/capi/user/src: changes are made there.
 */";

/// Writes the headers, or compares them.
pub(crate) fn run(arguments: &HeaderArguments) -> Result<()> {
    let engine = Config {
        sys_includes: vec!["stddef.h".into(), "stdint.h".into(), "string.h".into()],
        header: Some(format!("{BANNER}\n\n#ifndef SKUA_H\n#define SKUA_H")),
        after_includes: Some(preamble()),
        // cbindgen's own guard would end before it.
        trailer: Some(format!("{TRAILER}\n\n#endif  /* SKUA_H */")),
        ..Config::default()
    };
    let mut user = Config {
        include_guard: Some("SKUA_USER_H".into()),
        includes: vec!["skua.h".into()],
        header: Some(USER_BANNER.into()),
        ..Config::default()
    };
    // Which skua.h declares, for both libraries.
    user.export.exclude.push("SkuaKernel".into());
    for (folder, name, config) in
        [("engine/capi", "skua.h", engine), ("engine/capi/user", "skua_user.h", user)]
    {
        let path = cargo::root().join("engine/capi/include").join(name);
        let text = header(folder, config)?;
        if !arguments.check {
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            continue;
        }
        let present = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(
            present == text,
            "{} is not what {folder} declares. Write it with: cargo xtask c-header",
            path.display()
        );
    }
    Ok(())
}

/// The header of the crate in `folder`.
fn header(folder: &str, config: Config) -> Result<String> {
    let mut config = Config {
        language: Language::C,
        cpp_compat: true,
        style: Style::Both,
        documentation_style: DocumentationStyle::Doxy,
        no_includes: true,
        usize_is_size_t: true,
        line_length: 120,
        ..config
    };
    let rename = &mut config.export.rename;
    rename.insert("NTSTATUS".into(), "SKUA_STATUS".into());
    for name in FOREIGN {
        rename.insert(name.into(), format!("struct _{name}"));
    }
    let bindings = Builder::new()
        .with_crate(cargo::root().join(folder))
        .with_config(config)
        .generate()
        .with_context(|| format!("cbindgen does not understand {folder}"))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).context("the header is no UTF-8")
}

fn preamble() -> String {
    let mut text =
        "\n/** How a call ended: an NTSTATUS. Negative values are failures. */\ntypedef int32_t SKUA_STATUS;\n\n\
         /** Whether a call succeeded. */\n#define SKUA_SUCCESS(Status) ((SKUA_STATUS)(Status) >= 0)\n\n"
            .to_owned();
    for (name, value, says) in STATUSES {
        text.push_str(&format!("/** {says} */\n#define SKUA_STATUS_{name} ((SKUA_STATUS)0x{value:08X}u)\n"));
    }
    text.push('\n');
    for name in FOREIGN {
        text.push_str(&format!("struct _{name};\n"));
    }
    text
}
