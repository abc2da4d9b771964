//! Faults made on purpose: that a crash is noticed is what every other check rests on.

use anyhow::{Context as _, Result, ensure};
use object::LittleEndian as LE;
use rustix::process::{Pid, Signal, kill_process};

use crate::image::pe::Image;
use crate::wine::check::{Check, Room};
use crate::wine::copy;

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "fault-page",
        proves: "a driver that writes to address 0 fails its check",
        // xor eax, eax; mov [rax], eax
        run: |room| planted(room, &[0x31, 0xc0, 0x89, 0x00]),
    },
    Check {
        name: "fault-fast-fail",
        proves: "a driver that gives up by int 29h fails its check",
        // xor ecx, ecx; int 29h
        run: |room| planted(room, &[0x31, 0xc9, 0xcd, 0x29]),
    },
    Check {
        name: "fault-vanished",
        proves: "a driver whose process vanishes without a word fails its check",
        run: vanished,
    },
];

/// Runs `code` in the place of DriverEntry.
fn planted(room: &Room<'_>, code: &[u8]) -> Result<()> {
    let mut driver = room.driver_with(|image| {
        let entry = Image::parse(image)?.headers().optional_header.address_of_entry_point.get(LE);
        copy::plant(image, entry, code)
    })?;
    let started = driver.start();
    ensure!(room.is_sound(None).is_err(), "the fault was not noticed");
    ensure!(started.is_err(), "a driver that crashed counts as started");
    // Services go on naming what crashed.
    room.restart()?;
    driver.delete()
}

fn vanished(room: &Room<'_>) -> Result<()> {
    let mut driver = room.driver()?;
    driver.start()?;
    room.is_sound(Some(&driver)).context("before the fault")?;
    let process = Pid::from_raw(i32::try_from(driver.process()?)?).context("no process")?;
    kill_process(process, Signal::KILL).context("cannot kill the driver's process")?;
    while driver.is_alive()? {
        crate::interrupt::check()?;
    }
    ensure!(room.is_sound(Some(&driver)).is_err(), "the fault was not noticed");
    room.restart()?;
    driver.delete()
}
