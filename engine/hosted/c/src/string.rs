//! Counted strings.

// UNSAFETY: exports under NT's names; strings are reached by address.
#![expect(unsafe_code, reason = "strings live in the driver's memory")]

use std::cmp::Ordering;
use std::ffi::{CStr, c_char};
use std::ptr;

use skua_engine::abi::nt::{BOOLEAN, UNICODE_STRING};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY,
    STATUS_SUCCESS,
};

use crate::number::boolean;
use crate::pool::{ExAllocatePoolWithTag, ExFreePool};

const TAG: u32 = u32::from_le_bytes(*b"Strg");
/// Most bytes that a counted string has room for, without a null.
const LARGEST: usize = 65_532;

/// ANSI_STRING: UTF-8 here.
#[repr(C)]
pub(crate) struct ANSI_STRING {
    length: u16,
    maximum_length: u16,
    buffer: *mut c_char,
}

routines! {
    /// RtlInitUnicodeString.
    contract fn RtlInitUnicodeString(string: *mut UNICODE_STRING, source: *const u16) {
        let _ = initialize(string, source);
    }

    /// RtlInitUnicodeStringEx.
    contract fn RtlInitUnicodeStringEx(string: *mut UNICODE_STRING, source: *const u16) -> NTSTATUS {
        initialize(string, source)
    }

    /// RtlInitAnsiString.
    contract fn RtlInitAnsiString(string: *mut ANSI_STRING, source: *const c_char) {
        initialize_ansi(string, source)
    }

    /// RtlEqualUnicodeString.
    contract fn RtlEqualUnicodeString(
        one: *const UNICODE_STRING,
        other: *const UNICODE_STRING,
        ignore_case: BOOLEAN,
    ) -> BOOLEAN {
        boolean(compare(one, other, ignore_case != 0) == Ordering::Equal)
    }

    /// RtlCompareUnicodeString.
    contract fn RtlCompareUnicodeString(
        one: *const UNICODE_STRING,
        other: *const UNICODE_STRING,
        ignore_case: BOOLEAN,
    ) -> i32 {
        compare(one, other, ignore_case != 0) as i32
    }

    /// RtlCopyUnicodeString: as much as there is room for.
    contract fn RtlCopyUnicodeString(to: *mut UNICODE_STRING, from: *const UNICODE_STRING) {
        (*to).Length = 0;
        if !from.is_null() {
            let room = usize::from((*to).MaximumLength) / 2;
            let units = units(from);
            let _ = append(to, &units[..units.len().min(room)]);
        }
    }

    /// RtlAppendUnicodeStringToString.
    contract fn RtlAppendUnicodeStringToString(
        to: *mut UNICODE_STRING,
        from: *const UNICODE_STRING,
    ) -> NTSTATUS {
        append(to, &units(from))
    }

    /// RtlAppendUnicodeToString.
    contract fn RtlAppendUnicodeToString(to: *mut UNICODE_STRING, from: *const u16) -> NTSTATUS {
        append(to, terminated(from))
    }

    /// RtlAnsiStringToUnicodeString.
    contract fn RtlAnsiStringToUnicodeString(
        to: *mut UNICODE_STRING,
        from: *const ANSI_STRING,
        allocate: BOOLEAN,
    ) -> NTSTATUS {
        widen(to, from, allocate != 0)
    }

    /// RtlUnicodeStringToAnsiString.
    contract fn RtlUnicodeStringToAnsiString(
        to: *mut ANSI_STRING,
        from: *const UNICODE_STRING,
        allocate: BOOLEAN,
    ) -> NTSTATUS {
        narrow(to, from, allocate != 0)
    }

    /// RtlFreeUnicodeString.
    contract fn RtlFreeUnicodeString(string: *mut UNICODE_STRING) {
        if !(*string).Buffer.is_null() {
            ExFreePool((*string).Buffer.cast());
        }
        string.write(UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() })
    }

    /// RtlFreeAnsiString.
    contract fn RtlFreeAnsiString(string: *mut ANSI_STRING) {
        if !(*string).buffer.is_null() {
            ExFreePool((*string).buffer.cast());
        }
        string.write(ANSI_STRING { length: 0, maximum_length: 0, buffer: ptr::null_mut() })
    }

    /// RtlIntegerToUnicodeString.
    contract fn RtlIntegerToUnicodeString(value: u32, base: u32, to: *mut UNICODE_STRING) -> NTSTATUS {
        let text = match base {
            0 | 10 => format!("{value}"),
            2 => format!("{value:b}"),
            8 => format!("{value:o}"),
            16 => format!("{value:X}"),
            _ => return STATUS_INVALID_PARAMETER,
        };
        (*to).Length = 0;
        match append(to, &text.encode_utf16().collect::<Vec<u16>>()) {
            STATUS_BUFFER_TOO_SMALL => STATUS_BUFFER_OVERFLOW,
            status => status,
        }
    }

    /// RtlUnicodeStringToInteger.
    contract fn RtlUnicodeStringToInteger(
        from: *const UNICODE_STRING,
        base: u32,
        value: *mut u32,
    ) -> NTSTATUS {
        match parse(&String::from_utf16_lossy(&units(from)), base) {
            Some(number) => {
                value.write(number);
                STATUS_SUCCESS
            }
            None => STATUS_INVALID_PARAMETER,
        }
    }
}

/// The units of a counted string.
///
/// # Safety
/// `string` is readable, and so is its buffer.
pub(crate) unsafe fn units(string: *const UNICODE_STRING) -> Vec<u16> {
    // SAFETY: the caller's promise.
    let string = unsafe { string.read() };
    let count = usize::from(string.Length) / size_of::<u16>();
    if string.Buffer.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise; buffers need not be aligned.
    (0..count).map(|at| unsafe { string.Buffer.wrapping_add(at).read_unaligned() }).collect()
}

/// # Safety
/// `source` is null or a C string of 16-bit units.
unsafe fn terminated<'a>(source: *const u16) -> &'a [u16] {
    if source.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    let length = (0..).take_while(|at| unsafe { source.wrapping_add(*at).read() } != 0).count();
    // SAFETY: counted above.
    unsafe { std::slice::from_raw_parts(source, length) }
}

/// # Safety
/// `string` is writable, `source` as for [`terminated`].
unsafe fn initialize(string: *mut UNICODE_STRING, source: *const u16) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let bytes = size_of_val(unsafe { terminated(source) });
    let length = u16::try_from(bytes.min(LARGEST)).unwrap_or_default();
    let room = if source.is_null() { 0 } else { length + 2 };
    // SAFETY: the caller's promise.
    unsafe {
        string.write(UNICODE_STRING { Length: length, MaximumLength: room, Buffer: source.cast_mut() })
    };
    if bytes > LARGEST { STATUS_INVALID_PARAMETER } else { STATUS_SUCCESS }
}

/// # Safety
/// `string` is writable, `source` null or a C string.
unsafe fn initialize_ansi(string: *mut ANSI_STRING, source: *const c_char) {
    let bytes = if source.is_null() {
        0
    } else {
        // SAFETY: not null, so a C string.
        unsafe { CStr::from_ptr(source) }.count_bytes().min(LARGEST)
    };
    let length = u16::try_from(bytes).unwrap_or_default();
    let room = if source.is_null() { 0 } else { length + 1 };
    // SAFETY: the caller's promise.
    unsafe { string.write(ANSI_STRING { length, maximum_length: room, buffer: source.cast_mut() }) };
}

/// # Safety
/// Both are readable, and so are their buffers.
unsafe fn compare(one: *const UNICODE_STRING, other: *const UNICODE_STRING, ignore_case: bool) -> Ordering {
    let folded = |units: Vec<u16>| -> Vec<u16> {
        if !ignore_case {
            return units;
        }
        String::from_utf16_lossy(&units).to_uppercase().encode_utf16().collect()
    };
    // SAFETY: the caller's promise.
    let one = folded(unsafe { units(one) });
    // SAFETY: the caller's promise.
    let other = folded(unsafe { units(other) });
    one.cmp(&other)
}

/// Adds units, and a null if there is room for it.
///
/// # Safety
/// `to` is writable, and so is its buffer for its maximum length.
unsafe fn append(to: *mut UNICODE_STRING, more: &[u16]) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let string = unsafe { &mut *to };
    let (length, room) = (usize::from(string.Length), usize::from(string.MaximumLength));
    let total = length + size_of_val(more);
    let Some(new_length) = u16::try_from(total).ok().filter(|_| total <= room) else {
        return STATUS_BUFFER_TOO_SMALL;
    };
    let end = string.Buffer.wrapping_byte_add(length);
    // SAFETY: room for them, by the check above.
    unsafe { ptr::copy_nonoverlapping(more.as_ptr(), end, more.len()) };
    if total + size_of::<u16>() <= room {
        // SAFETY: room for one more.
        unsafe { end.wrapping_add(more.len()).write(0) };
    }
    string.Length = new_length;
    STATUS_SUCCESS
}

/// # Safety
/// `to` is writable, and so is its buffer unless one is to be allocated; `from` is readable with its buffer.
unsafe fn widen(to: *mut UNICODE_STRING, from: *const ANSI_STRING, allocate: bool) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let from = unsafe { from.read() };
    let bytes = if from.buffer.is_null() {
        &[]
    } else {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(from.buffer.cast::<u8>(), usize::from(from.length)) }
    };
    let units: Vec<u16> = String::from_utf8_lossy(bytes).encode_utf16().collect();
    if allocate {
        let Some(room) = room(size_of_val(units.as_slice()) + 2) else { return STATUS_INVALID_PARAMETER };
        let buffer = ExAllocatePoolWithTag(0, usize::from(room), TAG).cast();
        if ptr::eq(buffer, ptr::null_mut::<u16>()) {
            return STATUS_NO_MEMORY;
        }
        // SAFETY: the caller's promise.
        unsafe { to.write(UNICODE_STRING { Length: 0, MaximumLength: room, Buffer: buffer }) };
    }
    // SAFETY: the caller's promise.
    unsafe { (*to).Length = 0 };
    // SAFETY: the caller's promise, or allocated above.
    match unsafe { append(to, &units) } {
        STATUS_BUFFER_TOO_SMALL => STATUS_BUFFER_OVERFLOW,
        status => status,
    }
}

/// # Safety
/// As for [`widen`], the other way round.
unsafe fn narrow(to: *mut ANSI_STRING, from: *const UNICODE_STRING, allocate: bool) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let text = String::from_utf16_lossy(&unsafe { units(from) });
    // SAFETY: the caller's promise.
    let string = unsafe { &mut *to };
    if allocate {
        let Some(room) = room(text.len() + 1) else { return STATUS_INVALID_PARAMETER };
        string.buffer = ExAllocatePoolWithTag(0, usize::from(room), TAG).cast();
        if string.buffer.is_null() {
            return STATUS_NO_MEMORY;
        }
        string.maximum_length = room;
    }
    let fits = text.len().min(usize::from(string.maximum_length));
    // SAFETY: so many bytes fit.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr(), string.buffer.cast(), fits) };
    string.length = u16::try_from(fits).unwrap_or_default();
    if fits < usize::from(string.maximum_length) {
        // SAFETY: room for one more.
        unsafe { string.buffer.wrapping_add(fits).write(0) };
    }
    if fits < text.len() { STATUS_BUFFER_OVERFLOW } else { STATUS_SUCCESS }
}

fn room(bytes: usize) -> Option<u16> {
    u16::try_from(bytes).ok()
}

/// Digits up to the first that is none, behind a sign and a prefix that tells the base if none is given.
fn parse(text: &str, base: u32) -> Option<u32> {
    let text = text.trim_start();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (base, digits) = match (base, text.get(..2)) {
        (0, Some("0x")) => (16, &text[2..]),
        (0, Some("0o")) => (8, &text[2..]),
        (0, Some("0b")) => (2, &text[2..]),
        (0, _) => (10, text),
        (2 | 8 | 10 | 16, _) => (base, text),
        _ => return None,
    };
    let value = digits
        .chars()
        .map_while(|digit| digit.to_digit(base))
        .fold(0u32, |value, digit| value.wrapping_mul(base).wrapping_add(digit));
    Some(if negative { value.wrapping_neg() } else { value })
}
