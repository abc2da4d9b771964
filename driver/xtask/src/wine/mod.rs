//! skua.sys under Wine: the image that ships, loaded, driven by the Windows program and by programs that mean it harm,
//! with datagrams from this system.
//!
//! 1. The images are built ([`crate::image::build`]), with what stands in for Windows' kernel and its WSK provider.
//! 2. A [`prefix`] of its own is made in a temporary folder. Nothing of the user's Wine is touched.
//! 3. Each [`check`] gets a copy of skua.sys in which the names of what it imports from are replaced ([`copy`]), as a
//!    [`service`].
//! 4. After each check the [`log`] of everything that drivers print is searched for crashes; one fails the check,
//!    whatever it found itself, and the prefix is started again.
//! 5. Processes and folders go when their owners do, on success, failure and Ctrl-C.

mod check;
mod checks;
mod copy;
mod keep;
mod kept;
mod log;
mod pcapng;
pub(crate) mod prefix;
mod queue;
mod service;
mod traffic;

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::cli::WineArguments;
use crate::{image, interrupt, tool};
use check::{Check, Room};
use prefix::Prefix;
use service::Service;

/// Runs the checks that the arguments choose; all of them, also after one failed.
pub(crate) fn run(arguments: &WineArguments) -> Result<()> {
    let chosen: Vec<&Check> = checks::all().filter(|check| check.matches(&arguments.filters)).collect();
    ensure!(!chosen.is_empty(), "no check has a name with {}", arguments.filters.join(" or "));
    if arguments.list {
        for check in &chosen {
            println!("{:24} {}", check.name, check.proves);
        }
        return Ok(());
    }
    if arguments.remove {
        return keep::remove();
    }
    tool::require(&[tool::WINE, tool::WINESERVER, tool::SETARCH])?;
    let images = image::folder();
    if !arguments.as_built {
        image::build::run_for_wine()?;
    }
    if arguments.keep {
        return keep::run(&images, &arguments.load);
    }
    tool::require(&[tool::CAPINFOS])?;
    let folder = tempfile::Builder::new().prefix("skua-wine-").tempdir().context("cannot make a folder")?;
    let prefix = prepare(&folder.path().join("prefix"), &images)?;

    let mut failed = Vec::new();
    for check in &chosen {
        interrupt::check()?;
        let start = Instant::now();
        let outcome = run_one(check, &prefix, &images);
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("{:24} ok      {seconds:5.1} s  {}", check.name, check.proves),
            Err(error) => {
                println!("{:24} FAILED  {seconds:5.1} s  {}\n{error:#}", check.name, check.proves);
                failed.push(check.name);
            }
        }
    }
    println!("{} of {} checks hold", chosen.len() - failed.len(), chosen.len());
    if failed.is_empty() {
        return Ok(());
    }
    bail!("checks under Wine failed: {}", failed.join(", "));
}

/// A prefix in which drivers can be loaded that import from the stand-ins.
fn prepare(folder: &Path, images: &Path) -> Result<Prefix> {
    let prefix = Prefix::make(folder)?;
    for (_, stand_in) in copy::STAND_INS {
        let (from, to) = (images.join(stand_in), prefix.windows(&format!("system32/{stand_in}")));
        fs::copy(&from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(prefix)
}

/// Runs a check in a room of its own. Whatever became of it, the next one finds a system without its driver.
fn run_one(check: &Check, prefix: &Prefix, images: &Path) -> Result<()> {
    let room = Room::new(prefix, images)?;
    let start = prefix.log()?.end();
    let outcome = (check.run)(&room);
    let sound = room.is_sound(None);
    let outcome = match (outcome, sound) {
        (Ok(()), sound) => sound,
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(crash)) => Err(error.context(format!("{crash:#}"))),
    };
    // What drivers printed last says most about why.
    let outcome = outcome.map_err(|error| match prefix.log() {
        Ok(log) => anyhow!("{error:#}\nthe log's last lines:\n{}", log.tail(start)),
        Err(_) => error,
    });
    if outcome.is_err() {
        prefix.reboot()?;
        for name in std::iter::once("skua").chain(checks::services()) {
            Service::forget(prefix, name);
        }
    }
    outcome
}
