//! Users and groups of this host by name, through the C library (files, NIS, LDAP: whatever nsswitch.conf says).

use nix::unistd::{Group, User};

/// The uid of a user, or `None` if there is no such user or the question cannot be answered.
pub fn uid_of(name: &str) -> Option<u32> {
    User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
}

/// The gid of a group, or `None` if there is no such group or the question cannot be answered.
pub fn gid_of(name: &str) -> Option<u32> {
    Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_user_0() {
        assert_eq!(uid_of("root"), Some(0));
        assert_eq!((gid_of("root"), gid_of("no-such-group-here")), (Some(0), None));
        assert_eq!(uid_of("no-such-user-here"), None);
        assert_eq!(uid_of("nul\0byte"), None);
    }
}
