//! What `skua driver install` installs: the image, and the sink that starts with it.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::cli::{Group, InstallArgs};
use crate::sink::error::StartError;
use crate::sink::settings;

/// An installation, checked as far as this program can.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Installation {
    /// The image; `None` stands for skua.sys beside this program.
    pub(crate) image: Option<PathBuf>,
    /// Whether it starts with the system.
    pub(crate) auto: bool,
    /// Values of the driver's Parameters key; empty without a sink of its own.
    pub(crate) parameters: Vec<(&'static str, Value)>,
    /// Where the sink that starts with it listens.
    pub(crate) listen: Vec<SocketAddr>,
}

/// A value of the registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    /// REG_DWORD.
    Number(u32),
    /// REG_MULTI_SZ.
    Strings(Vec<String>),
}

impl Installation {
    /// As the command line asks.
    ///
    /// # Errors
    /// [`StartError`] for a ring that is too small, or an interface that is not there.
    pub(crate) fn of(args: &InstallArgs) -> Result<Self, StartError> {
        let parameters = if args.listen.is_empty() { Vec::new() } else { parameters(args)? };
        Ok(Self { image: args.sys.clone(), auto: args.auto, parameters, listen: args.listen.clone() })
    }
}

fn parameters(args: &InstallArgs) -> Result<Vec<(&'static str, Value)>, StartError> {
    let config = settings::sink_config(args.ring, args.snaplen)?;
    let number = |number: usize| Value::Number(u32::try_from(number).unwrap_or(u32::MAX));
    let groups = args.group.iter().map(group).collect::<Result<Vec<_>, _>>()?;
    let mut values = vec![
        ("Listen", Value::Strings(args.listen.iter().map(ToString::to_string).collect())),
        ("RingBytes", number(config.ring_bytes)),
        ("SnapLength", Value::Number(u32::from(config.snap_length))),
        ("ReceiveBuffer", number(args.receive_buffer.0)),
        ("Rows", Value::Number(settings::SOURCE_ROWS)),
    ];
    if !groups.is_empty() {
        values.push(("Groups", Value::Strings(groups)));
    }
    if !args.allow.is_empty() {
        let allow = args.allow.iter().map(|prefix| format!("{}/{}", prefix.network(), prefix.length()));
        values.push(("Allow", Value::Strings(allow.collect())));
    }
    if let Some(rate) = args.source_rate {
        values.push(("SourceRate", Value::Number(u32::try_from(rate.0).unwrap_or(u32::MAX))));
    }
    if let Some(sample) = args.sample {
        values.push(("Sample", Value::Number(sample.0.get())));
    }
    Ok(values)
}

/// A group with its interface's index, which is what the driver knows interfaces by.
fn group(group: &Group) -> Result<String, StartError> {
    Ok(match settings::interface(group)? {
        0 => group.address.to_string(),
        index => format!("{}@{index}", group.address),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, DriverCommand};

    fn installation(line: &str) -> Result<Installation, StartError> {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Driver(args) => match args.command {
                DriverCommand::Install(args) => Installation::of(&args),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn strings(texts: &[&str]) -> Value {
        Value::Strings(texts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn without_an_address_no_sink_starts_with_the_driver() {
        let plain = installation("skua driver install --sys a.sys --auto").unwrap();
        let image = Some(PathBuf::from("a.sys"));
        assert_eq!(plain, Installation { image, auto: true, parameters: Vec::new(), listen: Vec::new() });
    }

    #[test]
    fn every_option_becomes_a_value_that_the_driver_reads() {
        let all = installation(
            "skua driver install --listen 0.0.0.0:514 --listen [::]:514 --group 239.1.2.3@4 --group 239.1.2.4 \
             --allow 10.0.0.0/8 --allow ::1 --source-rate 1k --sample 1/10 --snaplen 96 --ring 1M --receive-buffer 4M",
        )
        .unwrap();
        assert_eq!(
            all.parameters,
            [
                ("Listen", strings(&["0.0.0.0:514", "[::]:514"])),
                ("RingBytes", Value::Number(1 << 20)),
                ("SnapLength", Value::Number(96)),
                ("ReceiveBuffer", Value::Number(4 << 20)),
                ("Rows", Value::Number(4096)),
                ("Groups", strings(&["239.1.2.3@4", "239.1.2.4"])),
                ("Allow", strings(&["10.0.0.0/8", "::1/128"])),
                ("SourceRate", Value::Number(1000)),
                ("Sample", Value::Number(10)),
            ]
        );
        assert_eq!(all.listen.len(), 2);
    }

    #[test]
    fn a_ring_that_the_driver_would_refuse_is_refused_before() {
        assert!(installation("skua driver install --listen 0.0.0.0:514 --ring 4K").is_err());
    }
}
