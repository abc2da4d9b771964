//! Loading and unloading.

use anyhow::{Context as _, Result};

use crate::wine::check::{Check, Room};

/// How often it is loaded.
const TIMES: u32 = 100;

pub(in crate::wine) const CHECKS: &[Check] = &[Check {
    name: "load-unload",
    proves: "skua.sys is loaded and unloaded 100 times, and each time its process ends",
    run: load_unload,
}];

fn load_unload(room: &Room<'_>) -> Result<()> {
    let mut driver = room.driver()?;
    for time in 1..=TIMES {
        driver.start().and_then(|()| driver.stop()).with_context(|| format!("time {time} of {TIMES}"))?;
    }
    driver.delete()
}
