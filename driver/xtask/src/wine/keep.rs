//! A prefix to use by hand: skua.sys and other drivers loaded and left running.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::prefix::Prefix;
use super::service::Service;
use crate::image;

/// Where the prefix is, and the environment to use it in.
fn places() -> (PathBuf, PathBuf) {
    (image::folder().join("prefix"), image::folder().join("wine.env"))
}

/// Loads skua.sys and the drivers `others`, and leaves them running. `images` is where build-sys put the images.
pub(super) fn run(images: &Path, others: &[PathBuf]) -> Result<()> {
    let (folder, environment) = places();
    ensure!(
        !folder.exists(),
        "{} is there already. Remove it with: cargo xtask wine --remove",
        folder.display()
    );
    let outcome = load(&folder, images, others);
    let Ok(mut prefix) = outcome else {
        // Nothing runs in it any more; what is left of it is of no use.
        drop(fs::remove_dir_all(&folder));
        return outcome.map(drop);
    };
    fs::write(&environment, prefix.environment()).context("cannot write the environment")?;
    prefix.leave();
    println!(
        "loaded. What drivers print: {log}\n\
         To use them:\n  . {environment}\n  wine {skua} sink --driver --listen 127.0.0.1:9999 --write datagrams.pcapng\n\
         To end them: cargo xtask wine --remove",
        log = folder.join("wine.log").display(),
        environment = environment.display(),
        skua = images.join("skua.exe").display(),
    );
    Ok(())
}

/// Ends what [`run`] left, and removes it.
pub(super) fn remove() -> Result<()> {
    let (folder, environment) = places();
    Prefix::open(&folder)?.end()?;
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    fs::remove_file(&environment).with_context(|| format!("cannot remove {}", environment.display()))
}

fn load(folder: &Path, images: &Path, others: &[PathBuf]) -> Result<Prefix> {
    let prefix = super::prepare(folder, images)?;
    let skua = images.join("skua.sys");
    for path in std::iter::once(&skua).chain(others) {
        let name = path.file_stem().and_then(|name| name.to_str()).context("a driver without a name")?;
        let image = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Service::install(&prefix, name, image)?.start().with_context(|| name.to_owned())?;
    }
    Ok(prefix)
}
