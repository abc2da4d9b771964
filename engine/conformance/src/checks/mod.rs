//! The checks, by category.
//!
//! A file begins with its table: the function that looks at a rule, the rule's name, and where it is written.

/// The table of a file: for each function the rule's name and its citation. Gives the file its `group`.
macro_rules! checks {
    ($category:ident; $($body:ident: $name:literal, $citation:literal;)+) => {
        pub(in crate::checks) const fn group<K: skua_engine::Kernel>() -> crate::check::Group<K> {
            crate::check::Group {
                category: crate::check::Category::$category,
                checks: &const { [$(crate::check::Check::contract($name, $citation, $body)),+] },
            }
        }
    };
}

mod bind;
mod cancel;
mod client_control;
mod close;
mod creation;
mod kernel;
mod options;
mod receive;
mod registration;

mod control_messages;
#[cfg(feature = "misuse")]
mod misuse;
mod multicast;
mod names;
mod receive_event;
mod send;
mod sharing;
mod socket_control;
mod tcp;

use skua_engine::Kernel;

use crate::check::Group;

/// All groups, in the order in which they run.
pub(crate) struct Groups<K>(core::marker::PhantomData<K>);

impl<K: Kernel> Groups<K> {
    pub(crate) const ALL: &'static [Group<K>] = &[
        registration::group(),
        client_control::group(),
        creation::group(),
        socket_control::group(),
        options::group(),
        bind::group(),
        sharing::group(),
        send::group(),
        receive::group(),
        receive_event::group(),
        control_messages::group(),
        multicast::group(),
        names::group(),
        close::group(),
        cancel::group(),
        kernel::group(),
        tcp::bind(),
        tcp::listen(),
        tcp::accept_event(),
        tcp::inherited_events(),
        tcp::conditional_accept(),
        tcp::inspect_id(),
        tcp::connect(),
        tcp::connect_ex(),
        tcp::send(),
        tcp::receive(),
        tcp::receive_flags(),
        tcp::receive_event(),
        tcp::partial(),
        tcp::retained(),
        tcp::disconnect(),
        tcp::disconnect_event(),
        tcp::inside(),
        tcp::close(),
        tcp::options(),
        tcp::returns(),
        tcp::stream(),
        tcp::socket_connect(),
    ];

    /// What a client must not do.
    #[cfg(feature = "misuse")]
    pub(crate) const MISUSE: &'static [Group<K>] = &[misuse::group(), tcp::misuse()];
}
