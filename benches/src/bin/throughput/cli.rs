//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::case::{Path, Rate};
use crate::report::Report;
use crate::{compare, plot, table};

/// What receiving a datagram costs: Skua beside everything a user would pick instead.
#[derive(Parser, Debug)]
#[command(name = "throughput", version, about, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Measure what each receiver's process spends on a datagram.
    Run(RunArguments),
    /// Measure how long a datagram takes from when it was due to be sent until its reader has it.
    Latency(RunArguments),
    /// Print what was kept by --json once more.
    Show(ShowArguments),
    /// Say of each row whether the second run is better, worse or the same, given the spreads. Never fails for a row.
    Compare(CompareArguments),
    /// Draw what was kept by --json, as SVG.
    Plot(PlotArguments),
    /// List the receivers, and those that this machine lacks.
    List(ListArguments),
    /// Be the receiver of a run.
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Receive(crate::linux::receive::ReceiveArguments),
    /// Be the sender of a run.
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Send(crate::linux::send::SendArguments),
}

/// What is measured of each receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Cost,
    Latency,
}

/// How much is measured, where it is not said otherwise.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Preset {
    /// What a user would pick, over loopback, in at most 3 minutes where nothing disturbs
    Laptop,
    /// Every receiver over every path, size and rate: hours
    Full,
    /// Every receiver of this workspace, just long enough to see that it works: at most 20 seconds
    Smoke,
}

/// What to measure, and how. What is left out is the preset's.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArguments {
    /// How much, where it is not said otherwise.
    #[arg(long, default_value = "laptop")]
    pub(crate) preset: Preset,

    /// Receivers, separated by commas, or all; `throughput list` names them.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) receiver: Vec<String>,

    /// A receiver of your own: a command that receives from a socket on {port}, with {address} and {buffer} if it likes.
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(crate) program: Vec<String>,

    /// Paths, separated by commas. All but lo take root, or a system that lets users have namespaces.
    #[arg(long, value_delimiter = ',')]
    pub(crate) path: Vec<Path>,

    /// Payload bytes of a datagram, separated by commas.
    #[arg(long, value_name = "BYTES", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(16..=65_507))]
    pub(crate) size: Vec<u16>,

    /// Datagrams a second, such as 200k, or max, separated by commas.
    #[arg(long, value_name = "RATE", value_delimiter = ',')]
    pub(crate) rate: Vec<Rate>,

    /// How often each receiver goes through each case.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: Option<u32>,

    /// How long each measurement sends.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds: Option<f64>,

    /// The receiver to compare the others with.
    #[arg(long, value_name = "NAME")]
    pub(crate) baseline: Option<String>,

    /// Datagrams in one send: 32 at max, 16 above 100k/s and 1 below, unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) burst: Option<u16>,

    /// Send by sendmmsg instead of UDP_SEGMENT.
    #[arg(long)]
    pub(crate) unsegmented: bool,

    /// The core of the sender.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) sender_core: usize,

    /// The core of the receiver, with all its threads.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) receiver_core: usize,

    /// Bytes of receive buffer that every receiver asks for.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    pub(crate) receive_buffer: u32,

    /// How often at most a measurement is made again that other work disturbed.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(..=100))]
    pub(crate) repeats: u32,

    /// Have a network namespace even for lo, whose loopback nobody else uses.
    #[arg(long)]
    pub(crate) namespaces: bool,

    /// The skua to measure; otherwise the one that cargo builds, or the one beside this program.
    #[arg(long, value_name = "FILE")]
    pub(crate) skua: Option<PathBuf>,

    /// Keep what was measured, after each case.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Print the table as Markdown.
    #[arg(long)]
    pub(crate) markdown: bool,
}

/// What to print.
#[derive(Args, Debug)]
struct ShowArguments {
    /// What `--json` wrote.
    file: PathBuf,
    /// Print Markdown.
    #[arg(long)]
    markdown: bool,
}

/// What to compare.
#[derive(Args, Debug)]
struct CompareArguments {
    /// What `--json` wrote before.
    before: PathBuf,
    /// What it wrote after.
    after: PathBuf,
    /// Compare times instead of ratios to the baseline. Times belong to the machine and its hour.
    #[arg(long)]
    absolute: bool,
}

/// What to draw.
#[derive(Args, Debug)]
struct PlotArguments {
    /// What `--json` wrote.
    file: PathBuf,
    /// The folder for the SVG files; made if it is not there.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// What to list.
#[derive(Args, Debug)]
struct ListArguments {
    /// The skua to ask for its options.
    #[arg(long, value_name = "FILE")]
    skua: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.05..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("give 0.05 to 3600".to_owned()) }
}

impl Arguments {
    /// Does what they say.
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            Command::Run(arguments) => measure(What::Cost, &arguments),
            Command::Latency(arguments) => measure(What::Latency, &arguments),
            Command::Show(arguments) => {
                table::print(&Report::read(&arguments.file)?, arguments.markdown);
                Ok(())
            }
            Command::Compare(arguments) => {
                let (before, after) = (Report::read(&arguments.before)?, Report::read(&arguments.after)?);
                print!("{}", compare::Comparison::of(&before, &after, arguments.absolute));
                Ok(())
            }
            Command::Plot(arguments) => plot::draw(&Report::read(&arguments.file)?, &arguments.out),
            Command::List(arguments) => list(arguments),
            #[cfg(target_os = "linux")]
            Command::Receive(arguments) => crate::linux::receive::run(&arguments),
            #[cfg(target_os = "linux")]
            Command::Send(arguments) => crate::linux::send::run(&arguments),
        }
    }
}

#[cfg(target_os = "linux")]
fn measure(what: What, arguments: &RunArguments) -> Result<()> {
    let setting = crate::linux::Setting::new(what, arguments)?;
    let keep = |report: &Report| arguments.json.as_ref().map_or(Ok(()), |file| report.write(file));
    let report = crate::linux::run(what, setting, keep)?;
    table::print(&report, arguments.markdown);
    let failed = report.absent.iter().filter(|absent| absent.failed).count();
    anyhow::ensure!(failed == 0, "{failed} receiver(s) failed; see below the table");
    Ok(())
}

#[cfg(target_os = "linux")]
fn list(arguments: ListArguments) -> Result<()> {
    crate::linux::list(arguments.skua)
}

#[cfg(not(target_os = "linux"))]
fn measure(_: What, _: &RunArguments) -> Result<()> {
    anyhow::bail!("measuring takes Linux; show, compare and plot work here")
}

#[cfg(not(target_os = "linux"))]
fn list(_: ListArguments) -> Result<()> {
    anyhow::bail!("measuring takes Linux; show, compare and plot work here")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_lines_of_the_manual_are_understood() {
        for line in [
            "throughput run",
            "throughput run --preset full --json full.json --markdown",
            "throughput run --receiver skua,recvmmsg-gro --path lo,veth,veth-gro --size 64,512 --rate max,200k --rounds 5",
            "throughput run --seconds 0.5 --baseline recvmmsg --burst 8 --unsegmented --sender-core 2 --receiver-core 3",
            "throughput latency --rate 10k,100k,200k --json latency.json",
            "throughput compare a.json b.json --absolute",
            "throughput plot a.json --out plots",
            "throughput show a.json --markdown",
            "throughput list",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, what) in [
            ("throughput run --rate fast", "--rate"),
            ("throughput run --size 8", "--size"),
            ("throughput run --size 65508", "--size"),
            ("throughput run --seconds 0", "--seconds"),
            ("throughput run --path wifi", "--path"),
            ("throughput compare a.json", "<AFTER>"),
            ("throughput plot a.json", "--out"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_given_goes_before_the_preset() {
        let run = |line: &str| match parse(line).unwrap().command {
            Command::Run(arguments) => crate::linux::Setting::new(What::Cost, &arguments).unwrap(),
            other => panic!("{other:?}"),
        };
        let setting = run("throughput run --preset smoke --size 512,1400 --rounds 2 --receiver skua");
        assert_eq!((setting.sizes.clone(), setting.rounds, setting.seconds), (vec![512, 1400], 2, 0.2));
        assert_eq!(setting.receivers, [setting.baseline.as_str(), "skua"], "the baseline is measured too");
        assert_eq!(setting.cases().len(), 2);
        assert!(run("throughput run --receiver all").receivers.is_empty());
        assert_eq!(run("throughput run --preset full").cases().len(), 36);
    }
}
