//! Faults made on purpose: that a crash is noticed is what every other check rests on.

use std::fs;
use std::net::UdpSocket;

use anyhow::{Context as _, Result, ensure};
use object::LittleEndian as LE;
use rustix::process::{Pid, Signal, kill_process};

use crate::code::map::Map;
use crate::image::pe::Image;
use crate::wine::check::{Check, Room};
use crate::wine::copy;
use crate::wine::kept::Kept;

pub(in crate::wine) const CHECKS: &[Check] = &[
    Check {
        name: "fault-in-callback",
        proves: "a driver that writes to address 0 for a datagram fails its check",
        run: in_callback,
    },
    Check {
        name: "fault-at-entry",
        proves: "a driver that gives up by int 29h while it is loaded fails its check",
        run: at_entry,
    },
    Check {
        name: "fault-bug-check",
        proves: "a driver that stops the system fails its check",
        run: bug_check,
    },
    Check {
        name: "fault-vanished",
        proves: "a driver whose process vanishes without a word fails its check",
        run: vanished,
    },
];

fn in_callback(room: &Room<'_>) -> Result<()> {
    let path = room.built("skua.map");
    let map = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let callback = Map::parse(&map)?.address("skua_engine::receive::event::receive_from_event")?;
    // xor eax, eax; mov [rax], eax
    let mut driver = room.driver_with(|image| copy::plant(image, callback, &[0x31, 0xc0, 0x89, 0x00]))?;
    driver.start()?;
    let sink = Kept::start(room, "doomed", &["127.0.0.1:0"], &[])?;
    room.is_sound(Some(&driver)).context("before the fault")?;
    UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", sink.local[0])?;
    driver.has_vanished()?;
    ensure!(room.is_sound(None).is_err(), "the log does not tell of the fault");
    room.restart()?;
    driver.delete()
}

fn at_entry(room: &Room<'_>) -> Result<()> {
    // xor ecx, ecx; int 29h
    while_loaded(room, |_, _| Ok(vec![0x31, 0xc9, 0xcd, 0x29]))
}

fn bug_check(room: &Room<'_>) -> Result<()> {
    while_loaded(room, |image, entry| {
        let imports = image.imports()?;
        let routine = imports.iter().find(|import| import.function == "KeBugCheckEx");
        let slot = routine.context("the driver never stops the system")?.slot;
        // mov ecx, 0e2h (MANUALLY_INITIATED_CRASH); jmp [rip + to the slot from behind these 11 bytes]
        let offset = slot.wrapping_sub(entry + 11).to_le_bytes();
        Ok([&[0xb9, 0xe2, 0, 0, 0, 0xff, 0x25], &offset[..]].concat())
    })
}

/// Has the driver run what `code` makes of its image and its entry point's address, in the place of DriverEntry.
fn while_loaded(room: &Room<'_>, code: fn(&Image<'_>, u32) -> Result<Vec<u8>>) -> Result<()> {
    let mut driver = room.driver_with(|bytes| {
        let image = Image::parse(bytes)?;
        let entry = image.headers().optional_header.address_of_entry_point.get(LE);
        let code = code(&image, entry)?;
        copy::plant(bytes, entry, &code)
    })?;
    let started = driver.start();
    ensure!(room.is_sound(None).is_err(), "the log does not tell of the fault");
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
    driver.has_vanished()?;
    room.is_sound(None).context("nothing was written")?;
    ensure!(room.is_sound(Some(&driver)).is_err(), "the fault was not noticed");
    room.restart()?;
    driver.delete()
}
