//! All functions of an image and the calls among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use object::LittleEndian as LE;

use super::function::{self, Body, Destination};
use super::map::Map;
use super::unwind;
use crate::image::pe::Image;

/// An image's functions, in the order of their addresses.
pub(super) struct Program {
    pub(super) functions: Vec<Function>,
}

/// A function.
pub(super) struct Function {
    /// Its names. There are several where the linker found the code of several to be equal.
    pub(super) names: Vec<String>,
    /// Bytes it takes from the stack below its return address.
    pub(super) frame: u32,
    pub(super) calls: Vec<Call>,
    /// Whether something in the image holds its address, or Windows calls it as the entry point: others may call it.
    pub(super) is_known_outside: bool,
}

/// A way out of a function.
pub(super) struct Call {
    pub(super) to: Target,
    /// Whether the caller's frame is gone by then.
    pub(super) tail: bool,
}

/// Who is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// The function of that index.
    Function(usize),
    /// A function of another image.
    Import(String),
    /// Whoever a pointer points at.
    Pointer,
}

impl Function {
    /// Whether all it does is to go on as a function of another image.
    pub(super) fn is_import(&self) -> bool {
        matches!(&self.calls[..], [Call { to: Target::Import(_), tail: true }])
    }

    /// How messages call it.
    pub(super) fn name(&self) -> String {
        self.names.join(" = ")
    }
}

impl Program {
    /// Reads the .sys called `driver` in `folder`, and the map beside it.
    pub(super) fn load(folder: &Path, driver: &str) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).with_context(|| {
                format!("cannot read {}; cargo xtask build-sys and build-capi make it", path.display())
            })
        };
        let bytes = read(&format!("{driver}.sys"))?;
        Self::read(&bytes, &String::from_utf8_lossy(&read(&format!("{driver}.map"))?))
    }

    /// Reads the image `bytes`, which the linker describes in `map`.
    pub(super) fn read(bytes: &[u8], map: &str) -> Result<Self> {
        let image = Image::parse(bytes)?;
        let map = Map::parse(map)?;
        let frames = unwind::frames(&image)?;
        let mut functions = Vec::new();
        let mut bodies = Vec::new();
        for section in image.sections()?.iter().filter(|section| section.is_executable()) {
            let length = u32::try_from(section.bytes.len())?;
            let end = section.start + length;
            let symbols = map.symbols.range(section.start..end).map(|(start, _)| *start);
            let starts: Vec<u32> = symbols.filter(|symbol| !is_label(*symbol, &frames)).collect();
            for (index, &start) in starts.iter().enumerate() {
                let end = starts.get(index + 1).copied().unwrap_or(end);
                let names = map.symbols[&start].clone();
                let code = &section.bytes[offset(section.start, start)?..offset(section.start, end)?];
                let body = function::read(start, code).with_context(|| names.join(" = "))?;
                let frame = frame(&body, start, end, &frames).with_context(|| names.join(" = "))?;
                functions
                    .push((start, Function { names, frame, calls: Vec::new(), is_known_outside: false }));
                bodies.push(body);
            }
        }
        let at: BTreeMap<u32, usize> =
            functions.iter().enumerate().map(|(index, (start, _))| (*start, index)).collect();
        for start in frames.keys() {
            ensure!(at.contains_key(start), "the map has no name for the function at {start:#x}");
        }
        let slots: BTreeMap<u32, String> =
            image.imports()?.into_iter().map(|import| (import.slot, import.function)).collect();
        let mut known: BTreeSet<u32> = image.pointers()?.into_iter().map(|(_, target)| target).collect();
        known.insert(image.headers().optional_header.address_of_entry_point.get(LE));
        known.extend(bodies.iter().flat_map(|body| &body.addresses));

        let mut functions: Vec<Function> = functions
            .into_iter()
            .map(|(start, function)| Function { is_known_outside: known.contains(&start), ..function })
            .collect();
        for (index, body) in bodies.into_iter().enumerate() {
            let name = functions[index].name();
            for call in body.calls {
                let to = match call.to {
                    Destination::Computed => Target::Pointer,
                    // A pointer in the image's own data may have been written.
                    Destination::Slot(slot) => {
                        slots.get(&slot).cloned().map_or(Target::Pointer, Target::Import)
                    }
                    Destination::Code(address) => match at.get(&address) {
                        Some(&callee) => Target::Function(callee),
                        None => bail!("{name} calls {address:#x}, where no function begins"),
                    },
                };
                functions[index].calls.push(Call { to, tail: call.tail });
            }
        }
        Ok(Self { functions })
    }
}

/// Whether `symbol` lies inside a function, as assembly's labels do.
fn is_label(symbol: u32, frames: &BTreeMap<u32, unwind::Frame>) -> bool {
    frames.range(..symbol).next_back().is_some_and(|(_, frame)| symbol < frame.end)
        && !frames.contains_key(&symbol)
}

/// What the function between `start` and `end` takes from the stack.
fn frame(body: &Body, start: u32, end: u32, frames: &BTreeMap<u32, unwind::Frame>) -> Result<u32> {
    let Some(frame) = frames.get(&start) else {
        ensure!(!body.moves_stack, "it moves the stack pointer and has no unwind information");
        return Ok(0);
    };
    ensure!(frame.end <= end, "its unwind information reaches into the next function");
    // A frame of a page or more is taken by an amount in a register; a smaller one never is.
    ensure!(!body.takes_variable || frame.bytes >= 4096, "it takes an unknown amount from the stack");
    frame.bytes.checked_add(body.alignment).context("a frame of more than 4 GiB")
}

fn offset(from: u32, to: u32) -> Result<usize> {
    Ok(usize::try_from(to - from)?)
}
