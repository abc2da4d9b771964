//! Lines for a kernel debugger.

// UNSAFETY: one call of a C function with a format.
#![expect(unsafe_code, reason = "DbgPrintEx takes a format and a terminated string")]

use core::fmt::{self, Write as _};

use arrayvec::ArrayString;

use crate::bindings::imports;

/// DPFLTR_IHVDRIVER_ID (dpfilter.h): drivers that are not Microsoft's.
const COMPONENT: u32 = 77;
/// DPFLTR_ERROR_LEVEL: printed without a registry setting.
const LEVEL: u32 = 0;
/// The longest line, in bytes. DbgPrintEx takes 512 with its own overhead (docs), and lines share the stack with a callback.
const LONGEST: usize = 250;

/// Prints `line` and ends it; what is too long is cut.
///
/// # IRQL
/// At most DIRQL; text that lies in pageable memory, at most APC_LEVEL.
pub fn line(line: &str) {
    let mut text = [0; LONGEST + 1];
    let length = copy(line.as_bytes(), &mut text);
    debug_assert!(length <= LONGEST);
    // SAFETY: the format takes one string, which is terminated.
    let _status = unsafe { imports::DbgPrintEx(COMPONENT, LEVEL, c"%s\n".as_ptr(), text.as_ptr()) };
}

/// Formats a line and prints it.
///
/// # IRQL
/// PASSIVE_LEVEL: formatting takes stack.
pub fn format(arguments: fmt::Arguments<'_>) {
    let mut text = ArrayString::<LONGEST>::new();
    // A line that is cut still says what it is about.
    let _cut = text.write_fmt(arguments);
    line(&text);
}

/// Copies what fits before the last byte, which stays 0; a zero in between would end the line, so it becomes a space.
fn copy(line: &[u8], text: &mut [u8; LONGEST + 1]) -> usize {
    let room = &mut text[..LONGEST];
    for (to, from) in room.iter_mut().zip(line) {
        *to = if *from == 0 { b' ' } else { *from };
    }
    line.len().min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_and_terminated() {
        let mut text = [0; LONGEST + 1];
        assert_eq!(copy(b"a\0b", &mut text), 3);
        assert_eq!(&text[..4], b"a b\0");
        assert_eq!(copy(&[b'x'; 1000], &mut text), LONGEST);
        assert_eq!((text[LONGEST - 1], text[LONGEST]), (b'x', 0));
    }
}
