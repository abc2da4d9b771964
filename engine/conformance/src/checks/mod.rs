//! The checks, by category.
//!
//! A file begins with its table: each rule's name, where it is written, and the function that looks at it.

mod bind;
mod creation;
mod receive;
mod receive_event;
mod send;

use skua_engine::Kernel;

use crate::check::Group;

/// All groups, in the order in which they run.
pub(crate) struct Groups<K>(core::marker::PhantomData<K>);

impl<K: Kernel> Groups<K> {
    pub(crate) const ALL: &'static [Group<K>] =
        &[creation::group(), bind::group(), send::group(), receive::group(), receive_event::group()];
}
