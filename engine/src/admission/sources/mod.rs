//! The source table: who sent how much, and the token bucket of each.

mod meter;
mod other;
mod row;
mod set;
mod table;

pub(super) use other::Other;
pub use row::{Source, SourceRow};
pub(super) use set::Set;
pub(super) use table::{MAX_ROWS, Rows, Table, TableSettings, VacantSets, sets_for};
