//! What a process or an impersonating thread acts as.

use super::Sid;

/// The identity of a process, or of a thread while it impersonates: an account and its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    user: Sid,
    groups: Vec<Sid>,
    deny_only: Vec<Sid>,
}

impl Token {
    /// A token of `user`, who is one of everybody.
    #[must_use]
    pub fn new(user: Sid) -> Self {
        Self { user, groups: vec![Sid::EVERYONE], deny_only: Vec::new() }
    }

    /// The operating system's, which the initial process has: LocalSystem, an administrator and an authenticated user.
    #[must_use]
    pub fn system() -> Self {
        let token = Self::new(Sid::LOCAL_SYSTEM);
        token.with_group(Sid::ADMINISTRATORS).with_group(Sid::AUTHENTICATED_USERS)
    }

    /// Adds a group that is enabled.
    #[must_use]
    pub fn with_group(mut self, group: Sid) -> Self {
        self.groups.push(group);
        self
    }

    /// Adds a group that only entries that deny concern, as administrators are in a restricted token.
    #[must_use]
    pub fn with_deny_only(mut self, group: Sid) -> Self {
        self.deny_only.push(group);
        self
    }

    /// Whether an entry for `sid` concerns the token, when it allows or when it denies.
    pub(super) fn matches(&self, sid: &Sid, denies: bool) -> bool {
        self.user == *sid || self.groups.contains(sid) || denies && self.deny_only.contains(sid)
    }
}
