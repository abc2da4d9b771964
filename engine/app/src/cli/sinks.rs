//! Commands for sinks that run in the driver.

use clap::{ArgAction, Args};
use skua_engine::admission::Prefix;

use super::{OutputArgs, Pace, Sample, SinkName, Span, SummaryForm, place};

/// What `skua capture` does. What is read is gone from the rings, so nothing is thrown away without being told to.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("to").required(true).multiple(true).args(["write", "json", "discard", "verify"]))]
pub(crate) struct CaptureArgs {
    /// The sink, by number or name; may be left out where there is only one.
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) sink: Option<SinkName>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    /// Have the driver copy the records instead of mapping its rings.
    #[arg(long)]
    pub(crate) no_map: bool,
}

/// What `skua stats` does.
#[derive(Args, Debug)]
pub(crate) struct StatsArgs {
    /// The sink, by number or name; without it, every sink.
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) sink: Option<SinkName>,

    /// Print the table of sources too.
    #[arg(long)]
    pub(crate) sources: bool,

    /// How the counts are printed: text, or json, one object a sink, a line each.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) summary: SummaryForm,
}

/// What `skua top` does.
#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// The sink, by number or name; may be left out where there is only one.
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) sink: Option<SinkName>,

    /// Stop after this time, such as 10s.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<Span>,
}

/// What `skua change` does.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["allow", "allow_everyone", "source_rate", "sample"]))]
pub(crate) struct ChangeArgs {
    /// The sink, by number or name; may be left out where there is only one.
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) sink: Option<SinkName>,

    /// Keep only datagrams from this prefix; repeatable. These take the place of all that were in force.
    #[arg(long, value_name = "CIDR", value_parser = place::prefix, action = ArgAction::Append)]
    pub(crate) allow: Vec<Prefix>,

    /// Keep datagrams from everywhere.
    #[arg(long, conflicts_with = "allow")]
    pub(crate) allow_everyone: bool,

    /// Keep at most this many datagrams a second from each source address (and processor), or max for all of them.
    #[arg(long, value_name = "N|max")]
    pub(crate) source_rate: Option<Pace>,

    /// Keep one datagram in N.
    #[arg(long, value_name = "1/N")]
    pub(crate) sample: Option<Sample>,
}

/// What `skua stop` does.
#[derive(Args, Debug)]
pub(crate) struct StopArgs {
    /// The sink, by number or name.
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) sink: SinkName,
}
