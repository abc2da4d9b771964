//! Rules of MDLs and of the buffers they describe.

// UNSAFETY: follows a client's MDL chain, and reads the memory that it describes.
#![expect(unsafe_code, reason = "buffers are described by MDLs")]

use std::ffi::c_void;
use std::ops::Range;
use std::ptr;

use skua_engine::abi::nt::{
    MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_PARTIAL, MDL_SOURCE_IS_NONPAGED_POOL,
    mm_get_mapped_system_address, mm_get_mdl_virtual_address,
};
use skua_engine::abi::wsk::{WSK_BUF, WSK_BUF_LIST};

use super::{Object, ObjectKind, Rule, Verifier};
use crate::middleware::Arguments;

/// MDLs of one chain at most: a chain that is longer leads back into itself.
const LONGEST: usize = 1 << 16;
/// Bytes of one buffer that are watched for changes.
const WATCHED: usize = 64 << 10;

/// A buffer that was given along with a call.
pub(crate) struct Given {
    mdl: usize,
    /// The headers of its MDLs.
    headers: Vec<Range<usize>>,
    /// What they describe, as far as the length goes.
    data: Vec<Range<usize>>,
    /// Of the data of a send; `None` where the provider writes to it.
    sum: Option<u64>,
}

/// What is wrong with a buffer.
pub(crate) struct Flaw {
    rule: Rule,
    object: Object,
    what: String,
}

/// How a function takes its buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Send,
    Receive,
}

impl Given {
    /// # Safety
    /// The MDL chain of `buffer` is readable.
    unsafe fn read(buffer: &WSK_BUF, direction: Direction) -> Result<Self, Flaw> {
        let mut given = Self { mdl: buffer.Mdl.addr(), headers: Vec::new(), data: Vec::new(), sum: None };
        let flaw = |what: String| {
            let object = Object::at(ObjectKind::Buffer, buffer.Mdl);
            Flaw { rule: Rule::BufferIllFormed, object, what }
        };
        let (mut mdl, mut left, mut offset) = (buffer.Mdl, buffer.Length, buffer.Offset as usize);
        while left > 0 {
            if mdl.is_null() {
                let what = if given.headers.is_empty() {
                    format!("with a length of {left} bytes and no MDL")
                } else {
                    format!("whose MDL chain ends {left} bytes before its length of {}", buffer.Length)
                };
                return Err(flaw(what));
            }
            if given.headers.len() > LONGEST {
                return Err(flaw("whose MDL chain leads back into itself".to_owned()));
            }
            // SAFETY: the caller's promise.
            let header = unsafe { mdl.read() };
            if header.MdlFlags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL) == 0 {
                let object = Object::at(ObjectKind::Mdl, mdl);
                let what = format!(
                    "with the MDL at {mdl:p}, whose pages are not locked (flags {:#06x})",
                    header.MdlFlags
                );
                return Err(Flaw { rule: Rule::MdlNotLocked, object, what });
            }
            let Some(bytes) = (header.ByteCount as usize).checked_sub(offset) else {
                let what = format!(
                    "whose offset of {offset} lies behind its first MDL of {} bytes",
                    header.ByteCount
                );
                return Err(flaw(what));
            };
            // SAFETY: as above.
            let address = unsafe { described(mdl) }.wrapping_add(offset);
            let bytes = bytes.min(left);
            given.headers.push(mdl.addr()..mdl.addr() + size_of::<MDL>());
            given.data.push(address..address.saturating_add(bytes));
            left -= bytes;
            offset = 0;
            mdl = header.Next;
        }
        if direction == Direction::Send {
            given.sum = Some(given.sum());
        }
        Ok(given)
    }

    /// The memory that has to stay.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.headers.iter().chain(&self.data).cloned()
    }

    /// Whether the data of a send is another than it was.
    pub(crate) fn has_changed(&self) -> bool {
        self.sum.is_some_and(|sum| sum != self.sum())
    }

    pub(crate) fn object(&self) -> Object {
        Object { kind: ObjectKind::Buffer, address: self.mdl }
    }

    /// A sum of the data, by words where there are whole ones.
    fn sum(&self) -> u64 {
        let mut sum = 0u64;
        let mut left = WATCHED;
        for range in &self.data {
            let bytes = range.len().min(left);
            left -= bytes;
            let at = ptr::with_exposed_provenance::<u8>(range.start);
            for word in 0..bytes / 8 {
                // SAFETY: within the data, which the client keeps until the call completes.
                let word = unsafe { at.wrapping_add(word * 8).cast::<u64>().read_unaligned() };
                sum = (sum ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
            }
            for byte in bytes / 8 * 8..bytes {
                // SAFETY: as above.
                let byte = unsafe { at.wrapping_add(byte).read() };
                sum = (sum ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
            }
        }
        sum
    }
}

/// Where the range of an MDL lies: its system address, or the one that it would be given here.
///
/// # Safety
/// `mdl` is readable.
pub(super) unsafe fn described(mdl: *mut MDL) -> usize {
    // SAFETY: the caller's promise.
    let mapped = unsafe { mm_get_mapped_system_address(mdl) };
    if mapped.is_null() {
        // SAFETY: as above.
        unsafe { mm_get_mdl_virtual_address(mdl) }.expose_provenance()
    } else {
        mapped.expose_provenance()
    }
}

/// The buffers of a call.
///
/// # Safety
/// The pointers of the arguments are null or lead to what their function takes.
pub(crate) unsafe fn given(arguments: &Arguments) -> Result<Vec<Given>, Flaw> {
    let (buffer, direction, is_optional) = match *arguments {
        Arguments::SendTo { buffer, .. }
        | Arguments::Send { buffer, .. }
        | Arguments::SendEx { buffer, .. } => (buffer, Direction::Send, false),
        Arguments::ConnectEx { buffer, .. } | Arguments::Disconnect { buffer, .. } => {
            (buffer, Direction::Send, true)
        }
        Arguments::ReceiveFrom { buffer, .. }
        | Arguments::Receive { buffer, .. }
        | Arguments::ReceiveEx { buffer, .. } => (buffer, Direction::Receive, false),
        // SAFETY: the caller's promise.
        Arguments::SendMessages { buffer_list, .. } => return unsafe { given_list(buffer_list) },
        _ => return Ok(Vec::new()),
    };
    // SAFETY: the caller's promise.
    match unsafe { buffer.as_ref() } {
        // SAFETY: the caller's promise.
        Some(buffer) => unsafe { Given::read(buffer, direction) }.map(|given| vec![given]),
        None if is_optional => Ok(Vec::new()),
        None => Err(missing("WSK_BUF")),
    }
}

/// # Safety
/// `list` is null or readable, as are the nodes that it leads to and their MDLs.
unsafe fn given_list(list: *mut WSK_BUF_LIST) -> Result<Vec<Given>, Flaw> {
    if list.is_null() {
        return Err(missing("WSK_BUF_LIST"));
    }
    let mut all = Vec::new();
    let mut node = list;
    while !node.is_null() && all.len() <= LONGEST {
        // SAFETY: the caller's promise.
        let read = unsafe { node.read() };
        // SAFETY: the caller's promise.
        all.push(unsafe { Given::read(&read.Buffer, Direction::Send) }?);
        node = read.Next;
    }
    Ok(all)
}

fn missing(what: &str) -> Flaw {
    let object = Object { kind: ObjectKind::Buffer, address: 0 };
    Flaw { rule: Rule::BufferIllFormed, object, what: format!("without a {what}") }
}

impl Verifier {
    /// `function` was given a buffer with a flaw.
    pub(crate) fn buffer_flawed(&self, flaw: Flaw, function: &str) {
        let Flaw { rule, object, what } = flaw;
        self.find(rule, object, None, format!("{function} was called {}", of_buffer(&what)));
    }

    /// An MDL is to be mapped. What to answer instead of mapping it, when that breaks a rule.
    ///
    /// # Safety
    /// `mdl` is readable.
    #[cold]
    pub(crate) unsafe fn mdl_mapped(&self, mdl: *const MDL) -> Option<*mut c_void> {
        // SAFETY: the caller's promise.
        let flags = unsafe { (*mdl).MdlFlags };
        let object = Object::at(ObjectKind::Mdl, mdl);
        if flags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL) == 0 {
            let message = format!(
                "MmMapLockedPagesSpecifyCache of the MDL at {mdl:p} with flags {flags:#06x}: its pages are not locked"
            );
            self.find(Rule::MdlNotLocked, object, None, message);
            return Some(ptr::null_mut());
        }
        if flags & MDL_MAPPED_TO_SYSTEM_VA != 0 {
            let message = format!("MmMapLockedPagesSpecifyCache of the MDL at {mdl:p}, which is mapped");
            self.find(Rule::MdlMappedTwice, object, None, message);
            // SAFETY: the caller's promise.
            return Some(unsafe { (*mdl).MappedSystemVa });
        }
        None
    }
}

fn of_buffer(what: &str) -> String {
    if what.starts_with("without") { what.to_owned() } else { format!("with a WSK_BUF {what}") }
}
