//! What every declaration of a C type here is checked with and can be created by.
// UNSAFETY: the constant all-zero value, for types that declare every bit pattern of zeros valid.
#![expect(unsafe_code, reason = "bytemuck::Zeroable::zeroed cannot be called in constants")]

use bytemuck::Zeroable;

/// The all-zero value of a C type, in constants too.
///
/// Windows code starts structures by zeroing them; for the types of this module the trait bound proves that this is
/// a valid value.
///
/// # IRQL
/// Any.
#[must_use]
pub const fn zeroed<T: Zeroable>() -> T {
    // SAFETY: `Zeroable` promises that the all-zero bit pattern is a valid `T`.
    unsafe { core::mem::zeroed() }
}

/// Asserts, at compile time, the size and alignment of a type and the offset of each field.
///
/// ```text
/// layout!(WSK_BUF { size: 24, align: 8, Mdl: 0, Offset: 8, Length: 16 });
/// ```
macro_rules! layout {
    ($ty:ty { size: $size:literal, align: $align:literal $(, $($field:ident).+ : $offset:literal)* $(,)? }) => {
        const _: () = {
            assert!(size_of::<$ty>() == $size, "size");
            assert!(align_of::<$ty>() == $align, "alignment");
            $(assert!(core::mem::offset_of!($ty, $($field).+) == $offset, stringify!($($field).+));)*
        };
    };
}

/// Declares types of which only the address is ever held: their contents belong to the kernel or the provider.
macro_rules! opaque {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[repr(C)]
        pub struct $name {
            _contents: [u8; 0],
            _not_send_sync_unpin: core::marker::PhantomData<(*mut u8, core::marker::PhantomPinned)>,
        }
    )+};
}
