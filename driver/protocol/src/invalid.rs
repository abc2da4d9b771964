//! Why bytes are no request.

/// What is wrong with a request or a reply. The driver answers STATUS_INVALID_PARAMETER, or the status beside the variant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// Shorter than what it must hold: STATUS_BUFFER_TOO_SMALL.
    #[error("{bytes} bytes are too few: {needed} are needed")]
    Short {
        /// Its length.
        bytes: usize,
        /// What its counts ask for.
        needed: usize,
    },
    /// Longer than what its counts ask for, or its header says another length than it has.
    #[error("{bytes} bytes where its counts ask for {needed}")]
    Length {
        /// Its length.
        bytes: usize,
        /// What its counts ask for.
        needed: usize,
    },
    /// Of another protocol version: STATUS_REVISION_MISMATCH.
    #[error("protocol version {0} is not this side's: install driver and program of one version")]
    Version(u16),
    /// A reserved field or an unknown flag is not zero.
    #[error("a reserved field is not zero")]
    Reserved,
    /// More elements than there may be.
    #[error("{count} {what} are more than {most}")]
    TooMany {
        /// Elements of which kind.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A sink needs a listener.
    #[error("a sink needs a listener")]
    NoListener,
    /// An address family that is neither 4 nor 6, or an address that is not of it.
    #[error("an address is not of its family")]
    Family,
    /// A prefix of more bits than its family's addresses have, or with bits set beyond its length.
    #[error("a prefix has more bits than its family's addresses")]
    Prefix,
    /// A group that is no multicast address.
    #[error("a group is not a multicast address")]
    Group,
    /// A number outside its range.
    #[error("{0} is out of range")]
    Range(&'static str),
    /// A name that is not UTF-8, or with bytes after its end.
    #[error("a name is not UTF-8, or goes on after its end")]
    Name,
}
