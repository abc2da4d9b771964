//! Requests, put together from the command line.

use bytemuck::{NoUninit, Zeroable};
use skua_engine::admission::Prefix;
use skua_protocol::{
    AllowedPrefix, ChangeSinkHeader, Group, Header, Limits, Listener, ListenerFlags, MAX_GROUPS,
    MAX_LISTENERS, MAX_PREFIXES, SINK_NAME_BYTES, StartFlags, StartSinkHeader,
};

use super::error::DriverError;
use crate::cli::{ChangeArgs, Pace, Rate, Sample, SinkArgs};
use crate::sink::error::StartError;
use crate::sink::settings;

/// Rules that there is room for however few are given, so that others can take their place later.
const LEAST_RULES: usize = 256;

/// A request to start the sink that `args` ask for.
///
/// # Errors
/// [`StartError`] for a ring that is too small, an interface that is not there, or more than a request can hold.
pub(crate) fn start(args: &SinkArgs) -> Result<Vec<u8>, StartError> {
    let config = settings::sink_config(args.ring, args.snaplen())?;
    let listeners = count("--listen addresses", args.listen.len(), MAX_LISTENERS)?;
    let groups = count("--group groups", args.group.len(), MAX_GROUPS)?;
    let prefixes = count("--allow prefixes", args.allow.len(), MAX_PREFIXES)?;
    let header = StartSinkHeader {
        header: Header::new(StartSinkHeader::request_bytes(listeners, groups, prefixes)),
        ring_bytes: config.ring_bytes as u64,
        watermark: config.watermark,
        host_id: config.host_id,
        boot_id: config.boot_id,
        name: padded(args.name.as_deref().unwrap_or_default()),
        limits: limits(Limits::NONE, args.source_rate.map(Pace::At), args.sample),
        rows: settings::SOURCE_ROWS,
        allow_capacity: u32::try_from(args.allow.len().max(LEAST_RULES)).unwrap_or(u32::MAX),
        snap_length: u32::from(config.snap_length),
        receive_buffer: u32::try_from(args.receive_buffer.0).unwrap_or(u32::MAX),
        flags: if args.allow.is_empty() { 0 } else { StartFlags::ALLOW_LISTED },
        listeners,
        groups,
        prefixes,
        ..StartSinkHeader::zeroed()
    };
    let mut request = bytemuck::bytes_of(&header).to_vec();
    for local in &args.listen {
        let flags = if settings::only_v6(*local, &args.listen) { ListenerFlags::ONLY_V6 } else { 0 };
        push(&mut request, &Listener::new(*local, flags));
    }
    for group in &args.group {
        push(&mut request, &Group::new(group.address, None, settings::interface(group)?));
    }
    args.allow.iter().for_each(|prefix| push(&mut request, &allowed(prefix)));
    Ok(request)
}

/// A request to change sink number `sink`, on which `now` is in force, as `args` ask.
///
/// # Errors
/// [`DriverError::TooMany`].
pub(crate) fn change(sink: u64, args: &ChangeArgs, now: Limits) -> Result<Vec<u8>, DriverError> {
    let prefixes = count("--allow prefixes", args.allow.len(), MAX_PREFIXES)?;
    let limited = args.source_rate.is_some() || args.sample.is_some();
    let flag = |set, flag| if set { flag } else { 0 };
    let header = ChangeSinkHeader {
        header: Header::new(ChangeSinkHeader::request_bytes(prefixes)),
        sink,
        limits: if limited { limits(now, args.source_rate, args.sample) } else { Limits::zeroed() },
        flags: flag(!args.allow.is_empty(), ChangeSinkHeader::ALLOW)
            | flag(args.allow_everyone, ChangeSinkHeader::EVERYONE)
            | flag(limited, ChangeSinkHeader::LIMITS),
        prefixes,
        reserved: 0,
    };
    let mut request = bytemuck::bytes_of(&header).to_vec();
    args.allow.iter().for_each(|prefix| push(&mut request, &allowed(prefix)));
    Ok(request)
}

/// `now`, with what is given in its place.
fn limits(now: Limits, source_rate: Option<Pace>, sample: Option<Sample>) -> Limits {
    let mut limits = now;
    if let Some(pace) = source_rate {
        let rate = match pace {
            Pace::At(Rate(rate)) => u32::try_from(rate).unwrap_or(u32::MAX),
            Pace::Max => 0,
        };
        // What shares a row has the same limit as what has one of its own.
        limits = Limits { source_rate: rate, source_burst: 0, other_rate: 0, other_burst: 0, ..limits };
    }
    if let Some(Sample(one_in)) = sample {
        limits.sample = one_in.get();
    }
    limits
}

fn allowed(prefix: &Prefix) -> AllowedPrefix {
    AllowedPrefix::new(prefix.network(), prefix.length())
}

fn count(what: &'static str, count: usize, most: usize) -> Result<u16, DriverError> {
    let error = DriverError::TooMany { what, count, most };
    if count > most { Err(error) } else { u16::try_from(count).map_err(|_| error) }
}

/// The name as the driver keeps it; the command line has seen to its length.
fn padded(name: &str) -> [u8; SINK_NAME_BYTES] {
    let mut padded = [0; SINK_NAME_BYTES];
    padded.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    padded
}

fn push<T: NoUninit>(request: &mut Vec<u8>, element: &T) {
    request.extend_from_slice(bytemuck::bytes_of(element));
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use clap::Parser;
    use skua_protocol::{ChangeSink, StartSink};

    use super::*;
    use crate::cli::{Cli, Command};

    fn sink(line: &str) -> SinkArgs {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Sink(args) => args,
            other => panic!("{other:?}"),
        }
    }

    fn changes(line: &str) -> ChangeArgs {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Change(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_driver_understands_every_option_of_a_sink() {
        let args = sink(
            "skua sink --driver --name syslog --listen 0.0.0.0:514 --listen [::]:514 --listen [fe80::1%3]:9 \
             --group 239.1.2.3@7 --group ff02::7@2 --allow 10.0.0.0/8 --allow 2001:db8::/32 --source-rate 1k \
             --sample 1/10 --snaplen 96 --ring 1M --receive-buffer 4M",
        );
        let request = start(&args).unwrap();
        let parsed = StartSink::parse(&request).unwrap();
        let header = parsed.header;
        assert_eq!(parsed.name(), "syslog");
        assert_eq!((header.ring_bytes, header.snap_length, header.receive_buffer), (1 << 20, 96, 4 << 20));
        assert_eq!((header.limits.source_rate, header.limits.sample), (1000, 10));
        assert_eq!(header.flags, StartFlags::ALLOW_LISTED);
        let listeners: Vec<(SocketAddr, u8)> =
            parsed.listeners().map(|listener| (listener.socket_address().unwrap(), listener.flags)).collect();
        // The IPv6 socket on the same port leaves IPv4 to its neighbour.
        assert_eq!(
            listeners,
            [
                ("0.0.0.0:514".parse().unwrap(), 0),
                ("[::]:514".parse().unwrap(), ListenerFlags::ONLY_V6),
                ("[fe80::1%3]:9".parse().unwrap(), 0)
            ]
        );
        let groups: Vec<(IpAddr, u32)> =
            parsed.groups().map(|group| (group.addresses().unwrap().0, group.interface)).collect();
        assert_eq!(groups, [("239.1.2.3".parse().unwrap(), 7), ("ff02::7".parse().unwrap(), 2)]);
        let prefixes: Vec<(IpAddr, u8)> = parsed.prefixes().map(|prefix| prefix.prefix().unwrap()).collect();
        assert_eq!(prefixes, [("10.0.0.0".parse().unwrap(), 8), ("2001:db8::".parse().unwrap(), 32)]);
    }

    #[test]
    fn a_sink_without_options_keeps_everything() {
        let request = start(&sink("skua sink --driver --listen 127.0.0.1:0")).unwrap();
        let parsed = StartSink::parse(&request).unwrap();
        assert_eq!((parsed.header.limits, parsed.header.flags, parsed.name()), (Limits::NONE, 0, ""));
        assert!(parsed.header.allow_capacity >= 256, "an allow-list must have room to come later");
    }

    #[test]
    fn what_no_request_holds_is_refused_here() {
        let many = "--listen 127.0.0.1:0 ".repeat(MAX_LISTENERS + 1);
        let error = start(&sink(&format!("skua sink --driver {many}"))).unwrap_err().to_string();
        assert!(error.contains("17") && error.contains("16") && error.contains("--listen"), "{error}");
        let error =
            start(&sink("skua sink --driver --listen 127.0.0.1:0 --ring 4K")).unwrap_err().to_string();
        assert!(error.contains("--ring"), "{error}");
    }

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        let now = Limits { source_rate: 500, sample: 3, ..Limits::NONE };
        let parse = |request: &[u8]| ChangeSink::parse(request).map(|change| change.header).unwrap();

        let header = parse(&change(9, &changes("skua change --sink 9 --sample 1/7"), now).unwrap());
        assert_eq!((header.sink, header.flags), (9, ChangeSinkHeader::LIMITS));
        assert_eq!((header.limits.source_rate, header.limits.sample), (500, 7));

        let header = parse(&change(9, &changes("skua change --source-rate max"), now).unwrap());
        assert_eq!((header.limits.source_rate, header.limits.sample), (0, 3));

        let request = change(9, &changes("skua change --allow 10.0.0.0/8 --allow ::1"), now).unwrap();
        let parsed = ChangeSink::parse(&request).unwrap();
        assert_eq!((parsed.header.flags, parsed.prefixes().count()), (ChangeSinkHeader::ALLOW, 2));

        let header = parse(&change(9, &changes("skua change --allow-everyone"), now).unwrap());
        assert_eq!((header.flags, header.limits), (ChangeSinkHeader::EVERYONE, Limits::zeroed()));
    }
}
