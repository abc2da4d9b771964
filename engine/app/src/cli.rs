//! The command line.

mod driver;
mod interface;
mod place;
mod quantity;
mod sinks;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use skua_engine::admission::Prefix;

pub(crate) use driver::{DriverArgs, DriverCommand, InstallArgs};
pub(crate) use interface::Interface;
pub(crate) use place::{Group, SinkName};
#[cfg(target_os = "linux")]
pub(crate) use quantity::BlockTimeout;
pub(crate) use quantity::{Delay, Pace, Rate, Sample, Size, Span};
pub(crate) use sinks::{CaptureArgs, ChangeArgs, StatsArgs, StopArgs, TopArgs};

/// A UDP telemetry sink that accounts for every datagram.
#[derive(Parser, Debug)]
#[command(name = "skua", version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Receive datagrams, account for every one of them, and write them where you say.
    Sink(SinkArgs),
    /// Send numbered datagrams at a steady rate; `sink --verify` recognises them.
    Send(SendArgs),
    /// Compute the settings that ride out a stall, and the memory they take.
    Plan(PlanArgs),
    /// Read a sink that runs in the driver, from where its last reader left off; it goes on afterwards.
    Capture(CaptureArgs),
    /// Print the counts of the sinks that run in the driver.
    Stats(StatsArgs),
    /// Show a sink that runs in the driver, without reading it.
    Top(TopArgs),
    /// Change filters and limits of a sink that runs in the driver.
    Change(ChangeArgs),
    /// Stop a sink that runs in the driver. What is in its rings is gone with it.
    Stop(StopArgs),
    /// Check that the WSK provider keeps the documented rules, one by one.
    Selftest(SelfTestArgs),
    /// Install, start, stop or remove the driver, or say how it is.
    Driver(DriverArgs),
}

/// What `skua selftest` does.
#[derive(Args, Debug)]
pub(crate) struct SelfTestArgs {
    /// Check the provider under the driver, inside the Windows kernel. Takes a driver that is built with its checks.
    #[arg(long)]
    pub(crate) driver: bool,

    /// Print a line of JSON for each rule instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `skua sink` does.
#[derive(Args, Debug)]
pub(crate) struct SinkArgs {
    /// Receive in the driver, inside the Windows kernel, rather than in this program.
    #[arg(long)]
    pub(crate) driver: bool,

    /// What the driver calls the sink: at most 32 bytes.
    #[arg(long, value_name = "NAME", requires = "driver", value_parser = place::name)]
    pub(crate) name: Option<String>,

    /// Start the sink in the driver, print its number, and leave it to `skua capture`.
    #[arg(long, requires = "driver", conflicts_with_all = ["duration", "write", "json", "discard", "verify", "metrics", "summary"])]
    pub(crate) detach: bool,

    /// Have the driver copy the records instead of mapping its rings.
    #[arg(long, requires = "driver")]
    pub(crate) no_map: bool,

    /// Address to receive on; repeatable. Port 0 takes a free port, which is printed.
    #[arg(long, value_name = "ADDR", required = true, value_parser = place::address, action = ArgAction::Append)]
    pub(crate) listen: Vec<SocketAddr>,

    /// Multicast group to join, on an interface given by name or index; repeatable.
    #[arg(long, value_name = "MULTICAST[@IFACE]", action = ArgAction::Append)]
    pub(crate) group: Vec<Group>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    /// Keep only datagrams from this prefix, such as 10.0.0.0/8; repeatable.
    #[arg(long, value_name = "CIDR", value_parser = place::prefix, action = ArgAction::Append)]
    pub(crate) allow: Vec<Prefix>,

    /// Keep at most this many datagrams a second from each source address (and worker).
    #[arg(long, value_name = "N")]
    pub(crate) source_rate: Option<Rate>,

    /// Keep one datagram in N.
    #[arg(long, value_name = "1/N")]
    pub(crate) sample: Option<Sample>,

    /// Bytes kept of each datagram; its original length is recorded. Without it all of them are, or none where no output
    /// has use for them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16))]
    pub(crate) snaplen: Option<u16>,

    /// Ring per shard, such as 512K or 16M, rounded up to a power of two.
    #[arg(long, value_name = "SIZE", default_value = "16M")]
    pub(crate) ring: Size,

    /// Receive buffer asked of the system for each socket; the system may give less.
    #[arg(long, value_name = "SIZE", default_value = "16M")]
    pub(crate) receive_buffer: Size,

    /// Threads that receive; each has a shard of its own. The driver has a shard on every processor.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "driver", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: u16,

    /// Have the system join datagrams of one sender that come together, and split them here: several at the price of one.
    /// Their time is that of the first.
    #[arg(long, conflicts_with = "driver")]
    pub(crate) coalesce: bool,

    /// How long datagrams may be left in the system's buffer while they keep coming, so that a wake-up takes several; 0 for
    /// not at all. At rest nothing is put off.
    #[arg(long, value_name = "TIME", default_value = "1ms", conflicts_with = "driver")]
    pub(crate) moderation: Delay,

    /// Receive from the ring of a packet socket, which takes CAP_NET_RAW: less CPU a datagram, and no firewall rule for
    /// incoming packets applies. --receive-buffer is its size.
    #[cfg(target_os = "linux")]
    #[arg(long, conflicts_with = "driver")]
    pub(crate) packet_ring: bool,

    /// With --packet-ring, how long a datagram may wait for others before it is handed over: 1ms to 1s.
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "TIME", requires = "packet_ring", default_value = "8ms")]
    pub(crate) block_timeout: BlockTimeout,
}

/// Where records go, and when that ends.
#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// Stop after this time, such as 10s. Without it, SIGINT (Ctrl-C) or SIGTERM ends the run.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<Span>,

    /// Write a pcapng capture: IP and UDP headers, nanosecond times, original lengths, drop counts.
    #[arg(long, value_name = "FILE.pcapng")]
    pub(crate) write: Option<PathBuf>,

    /// Write one JSON object a datagram, a line each; - is standard output.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) json: Option<PathBuf>,

    /// Read every record and write none. This is what happens without --write, --json and --verify.
    #[arg(long)]
    pub(crate) discard: bool,

    /// Recognise the datagrams of `skua send`; report lost, duplicated, reordered and corrupt ones.
    #[arg(long)]
    pub(crate) verify: bool,

    /// Serve counters as Prometheus text at http://ADDR/metrics.
    #[arg(long, value_name = "ADDR", value_parser = place::address)]
    pub(crate) metrics: Option<SocketAddr>,

    /// How the totals are printed at the end: text on standard error, or json, one object on standard output.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) summary: SummaryForm,
}

/// How the totals are printed at the end.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SummaryForm {
    Text,
    Json,
}

/// What `skua send` does.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("end").required(true).multiple(true).args(["count", "duration"]))]
pub(crate) struct SendArgs {
    /// Address to send to.
    #[arg(long, value_name = "ADDR", value_parser = place::address)]
    pub(crate) to: SocketAddr,

    /// Datagrams a second, such as 100k, or max.
    #[arg(long, value_name = "RATE", default_value = "1k")]
    pub(crate) rate: Pace,

    /// Payload bytes of each datagram; 32 of them number it.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(32..=65_507))]
    pub(crate) size: u16,

    /// Stop after so many datagrams.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Stop after this time, such as 10s.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<Span>,

    /// Hand many datagrams over as one buffer that the network stack cuts (USO, UDP_SEGMENT). A receiver that coalesces
    /// may get them as one.
    #[arg(long)]
    pub(crate) uso: bool,

    /// Source ports to send from, in turn.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) flows: u16,
}

/// What `skua plan` computes.
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    /// Datagrams a second, such as 200k.
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Rate,

    /// Payload bytes of a datagram.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..=65_527))]
    pub(crate) size: u16,

    /// How long the reader may stall without a loss, such as 50ms.
    #[arg(long, value_name = "TIME")]
    pub(crate) stall: Span,

    /// Bytes kept of each datagram.
    #[arg(long, value_name = "N", default_value_t = 65_535, value_parser = clap::value_parser!(u16))]
    pub(crate) snaplen: u16,

    /// Threads that receive; each has a shard of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: u16,
}

impl SinkArgs {
    /// Bytes kept of each datagram where something has use for them.
    pub(crate) fn snaplen(&self) -> u16 {
        self.snaplen.unwrap_or(u16::MAX)
    }
}

impl OutputArgs {
    /// Whether any output writes payloads or looks into them.
    pub(crate) fn uses_payloads(&self) -> bool {
        self.write.is_some() || self.json.is_some() || self.verify
    }
}

impl Cli {
    /// Reads the command line. `Err` is the exit status, after what there is to say was printed: help and the version
    /// on standard output, a mistake as one line on standard error.
    pub(crate) fn read() -> Result<Self, u8> {
        Self::try_parse().map_err(|error| {
            if error.use_stderr()
                && error.kind() != clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            {
                eprintln!("skua: {}", one_line(&error.to_string()));
                2
            } else {
                let status = if error.use_stderr() { 2 } else { 0 };
                // The terminal is gone; there is nobody left to tell.
                let _ = error.print();
                status
            }
        })
    }
}

/// What is wrong, any tip, and where to look, of clap's paragraphs.
fn one_line(rendered: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for paragraph in rendered.split("\n\n") {
        let paragraph = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(rest) = paragraph.strip_prefix("error: ") {
            parts.push(rest.to_owned());
        } else if paragraph.starts_with("tip: ") {
            parts.push(paragraph);
        } else if let Some(rest) = paragraph.strip_prefix("For more information, try ") {
            parts.push(format!("try {}", rest.trim_end_matches('.')));
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, String> {
        Cli::try_parse_from(line.split_whitespace()).map_err(|error| one_line(&error.to_string()))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_mistake_is_one_line_that_says_where() {
        for (line, what) in [
            ("skua sink --listen localhost:1", "--listen"),
            ("skua sink --listen 127.0.0.1:1 --frobnicate", "--frobnicate"),
            ("skua sink --listen 127.0.0.1:1 --write_ x", "--write"),
            ("skua sink", "--listen"),
            ("skua sink --listen 127.0.0.1:1 --for 10", "--for"),
            ("skua sink --listen 127.0.0.1:1 --sample 3", "1/100"),
            ("skua sink --listen 127.0.0.1:1 --allow nonsense", "--allow"),
            ("skua send --to 127.0.0.1:1 --size 65508 --count 1", "65507"),
            ("skua send --to 127.0.0.1:1", "--count"),
            ("skua plan --rate 0 --size 1 --stall 1s", "--rate"),
            ("skua sink --listen 127.0.0.1:1 --name x", "--driver"),
            ("skua sink --driver --listen 127.0.0.1:1 --workers 2", "--workers"),
            ("skua sink --driver --listen 127.0.0.1:1 --moderation 1ms", "--moderation"),
            ("skua sink --driver --listen 127.0.0.1:1 --coalesce", "--coalesce"),
            ("skua sink --listen 127.0.0.1:1 --moderation 1s", "100ms"),
            ("skua sink --driver --listen 127.0.0.1:1 --detach --write a", "--detach"),
            ("skua sink --driver --listen 127.0.0.1:1 --name 0123456789abcdef0123456789abcdef0", "--name"),
            ("skua sink --driver --listen 127.0.0.1:1 --name 17", "--name"),
            #[cfg(target_os = "linux")]
            ("skua sink --listen 127.0.0.1:1 --block-timeout 4ms", "--packet-ring"),
            #[cfg(target_os = "linux")]
            ("skua sink --listen 127.0.0.1:1 --packet-ring --block-timeout 2s", "--block-timeout"),
            #[cfg(target_os = "linux")]
            ("skua sink --driver --listen 127.0.0.1:1 --packet-ring", "--packet-ring"),
            ("skua change --sink 1", "--allow"),
            ("skua change --sink 1 --allow 10.0.0.0/8 --allow-everyone", "--allow-everyone"),
            ("skua stop", "--sink"),
            ("skua capture --sink 1", "--write"),
            ("skua driver install --group 239.1.2.3", "--listen"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(what) && !error.contains('\n'), "{line}: {error}");
        }
    }

    #[test]
    fn the_lines_of_the_manual_are_understood() {
        for line in [
            "skua sink --listen 127.0.0.1:9125",
            "skua sink --listen 127.0.0.1:0 --listen [::1]:0 --for 10s --write a.pcapng --json - --summary json",
            "skua sink --listen 0.0.0.0:5000 --group 239.1.2.3@lo --group ff02::7@1 --discard --metrics 127.0.0.1:0",
            "skua sink --listen 0.0.0.0:1 --allow 10.0.0.0/8 --allow ::1/128 --source-rate 1k --sample 1/10 --snaplen 96",
            "skua sink --listen 0.0.0.0:1 --ring 64K --workers 2 --verify --receive-buffer 1M --moderation 0 --coalesce",
            #[cfg(target_os = "linux")]
            "skua sink --listen 0.0.0.0:1 --packet-ring --block-timeout 20ms --workers 2",
            "skua send --to 127.0.0.1:9125 --rate max --size 512 --for 3s --flows 8",
            "skua send --to [::1]:9125 --rate 100k --count 1000",
            "skua send --to 127.0.0.1:9125 --rate max --uso --for 3s",
            "skua plan --rate 200k --size 600 --stall 50ms",
            "skua sink --driver --listen 0.0.0.0:514 --name syslog --no-map --for 3s --write a.pcapng",
            "skua sink --driver --listen 0.0.0.0:514 --detach --ring 1M",
            "skua capture --sink syslog --write a.pcapng --json - --for 10s --no-map",
            "skua stats --sink 3 --sources --summary json",
            "skua top --for 3s",
            "skua change --sink 1 --allow 10.0.0.0/8 --source-rate 1k --sample 1/10",
            "skua change --allow-everyone --source-rate max",
            "skua stop --sink 1",
            "skua driver install --sys skua.sys --auto --listen 0.0.0.0:514 --group 239.1.2.3@2 --ring 1M",
            "skua driver status",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        }
    }
}
