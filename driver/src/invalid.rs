//! What is answered to a request that is none.

use skua_engine::abi::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_REVISION_MISMATCH,
};
use skua_protocol::Invalid;

/// The status for it.
pub(crate) fn status_of(invalid: &Invalid) -> NTSTATUS {
    match invalid {
        Invalid::Short { .. } => STATUS_BUFFER_TOO_SMALL,
        Invalid::Version(_) => STATUS_REVISION_MISMATCH,
        _ => STATUS_INVALID_PARAMETER,
    }
}
