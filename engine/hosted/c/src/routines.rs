//! How routines are exported.

/// Exports functions under their C names.
///
/// Arguments are what the C caller gives, under the contract that NT's documentation states on the page of the name. A
/// routine that says `contract` passes that contract on to what its body calls.
macro_rules! routines {
    () => {};
    (
        $(#[$meta:meta])*
        contract fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $return:ty)? $body:block
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        ///
        /// # Safety
        /// As NT's documentation says.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) $(-> $return)? {
            // SAFETY: the caller keeps the contract of NT's documentation, which is that of what is called in here.
            unsafe { $body }
        }
        routines! { $($rest)* }
    };
    (
        $(#[$meta:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $return:ty)? $body:block
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[unsafe(no_mangle)]
        pub(crate) extern "C" fn $name($($argument: $type),*) $(-> $return)? $body
        routines! { $($rest)* }
    };
}
